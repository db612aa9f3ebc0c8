package sim

import (
	"context"
	"errors"
	"slices"
	"time"

	"example.com/keyturn/shared/event"
)

// actor is one trigger at work: a function's process that handles one message.
// Of all actors exactly one proceeds at a time, up to its next remote call.
type actor struct {
	name    string
	message message
	since   time.Time // when it began
	until   time.Time // when the platform kills it
	calls   int
	ctx     context.Context
	die     context.CancelFunc
	dead    bool          // its process was killed: nothing that it does has an effect
	waiting string        // method of the remote call that it waits to make
	resume  chan fault    // lets that call go
	stopped chan struct{} // it waits at a call, or is done
	done    bool
	err     error // of the handler, once done
}

// errDead is what a killed process is answered. Nobody reads it.
var errDead = errors.New("the process was killed")

// start begins to handle a message and returns when the actor waits at its
// first remote call or is done.
func (w *world) start(m message) *actor {
	w.actors++
	ctx, cancel := context.WithCancel(context.Background())
	a := &actor{
		name: actorName(w.actors), message: m, ctx: ctx, die: cancel,
		since: w.clock.Now(), until: w.clock.Now().Add(functionTimeout),
		resume: make(chan fault), stopped: make(chan struct{}),
	}
	w.live = append(w.live, a)
	w.trace.note("%s begins: %s", a.name, m)
	w.proceed(a, func() { go w.handle(a) })
	return a
}

func actorName(n int) string {
	name := string(rune('A' + (n-1)%26))
	for n = (n - 1) / 26; n > 0; n /= 26 {
		name = string(rune('A'+(n-1)%26)) + name
	}
	return name
}

// functionTimeout is how long a function may work on one event.
const functionTimeout = 9 * time.Minute

// handle runs in the actor's goroutine.
func (w *world) handle(a *actor) {
	a.err = w.deliver(a.ctx, a.message)
	a.done = true
	a.stopped <- struct{}{}
}

// step lets the call go that the actor waits at, with a fault.
func (w *world) step(a *actor, f fault) {
	w.proceed(a, func() { a.resume <- f })
}

// proceed makes a the one that proceeds until it stops.
func (w *world) proceed(a *actor, goOn func()) {
	w.running = a
	goOn()
	<-a.stopped
	w.running = nil
	if a.done {
		w.finish(a)
	}
}

// finish does what Pub/Sub does with the outcome of a delivery.
func (w *world) finish(a *actor) {
	a.die()
	for i, other := range w.live {
		if other == a {
			w.live = append(w.live[:i:i], w.live[i+1:]...)
			break
		}
	}
	switch {
	case a.dead:
		w.trace.note("%s is dead; its message comes again", a.name)
		w.function = w.newFunction() // another process
		w.again(a.message)
	case a.err != nil:
		w.trace.note("%s asks for its message again", a.name)
		w.judge.heard("error", a.err.Error())
		w.again(a.message)
	default:
		w.trace.note("%s is done", a.name)
	}
}

// pass is the wire: every remote call of an actor goes through it, waits for
// its turn, meets its fault, and is judged.
func (w *world) pass(c call, do func() error) error {
	a := w.running
	if a == nil {
		return do() // the scene is being set
	}
	if a.dead {
		return errDead
	}
	a.waiting = c.method
	a.stopped <- struct{}{}
	f := <-a.resume
	a.calls++
	w.calls++
	return w.meet(a, c, f, do)
}

// meet carries out a call under its fault.
func (w *world) meet(a *actor, c call, f fault, do func() error) error {
	switch f.kind {
	case failsBefore:
		w.trace.call(w, a, c, "not done: "+f.code.String(), nil)
		return f.err()
	case diesBefore:
		w.trace.call(w, a, c, "not done: the process is killed", nil)
		a.dead = true
		a.die()
		return errDead
	}
	err := do()
	w.trace.call(w, a, c, f.kind.String(), err)
	w.judge.after(a, c, err)
	switch f.kind {
	case replyLost:
		return f.err()
	case diesAfter:
		a.dead = true
		a.die()
		return errDead
	}
	return err
}

// deliver hands a message to the function as Pub/Sub does.
func (w *world) deliver(ctx context.Context, m message) error {
	return w.function.HandleEvent(ctx, m.event())
}

// again puts a message back into the queue.
func (w *world) again(m message) {
	m.attempt++
	m.after = w.clock.Now().Add(backoff)
	if m.attempt > maxAttempts && slices.Contains([]event.Verb{event.Continue, event.Sweep, event.Inspect}, m.command.Verb) {
		return // the schedule says the same again
	}
	w.queue = append(w.queue, m)
}

// backoff is how long Pub/Sub waits before it delivers a message again.
const backoff = 10 * time.Second

// maxAttempts is how often the schedule's own messages are delivered.
const maxAttempts = 4
