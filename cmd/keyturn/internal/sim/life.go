package sim

import (
	"errors"
	"fmt"
	"iter"
	"time"

	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/grpc/codes"
)

// next says what comes after the trigger that met a fault.
type next int

const (
	duplicate  next = iota // the same message again, at once
	sweep                  // the schedule's next sweep
	twoAtOnce              // two triggers that alternate call by call
	numberNext = iota
)

func (n next) String() string { return [...]string{"duplicate", "sweep", "two at once"}[n] }

// crash is one case of the crash matrix: a whole rotation life in which one
// remote call goes wrong.
type crash struct {
	plan  plan
	at    int // number of the call that goes wrong, from 1; 0 is none
	fault fault
	next  next
}

func (c crash) String() string {
	return fmt.Sprintf("%s, call %d %s (%v), then %v", c.plan.id, c.at, c.fault.kind, c.fault.code, c.next)
}

// crashes are the faults of the matrix.
var crashes = []fault{
	{failsBefore, codes.Internal}, {failsBefore, codes.PermissionDenied},
	{replyLost, codes.Internal}, {kind: diesBefore}, {kind: diesAfter},
}

// lifePolicy makes a short life with long phases.
var lifePolicy = rotation.Policy{
	Period: rotation.Duration(72 * time.Hour), Overlap: rotation.Duration(6 * time.Hour),
	Quarantine: rotation.Duration(24 * time.Hour), Propagation: rotation.Duration(10 * time.Minute),
}

// plans are the kinds and modes of credentials.
func plans() []plan {
	create := lifePolicy
	create.KeyMode = rotation.Create
	hourly := []consumer{{every: time.Hour}}
	return []plan{
		{id: "upload", kind: rotation.ServiceAccountKey, policy: lifePolicy, consumers: hourly},
		{id: "create", kind: rotation.ServiceAccountKey, policy: create, consumers: hourly},
		{id: "fallback", kind: rotation.ServiceAccountKey, policy: lifePolicy, consumers: hourly, denied: true},
		{id: "api-key", kind: rotation.APIKey, policy: lifePolicy, consumers: hourly},
	}
}

// crashesOf are all cases of a plan whose life has so many remote calls.
func crashesOf(p plan, calls int) iter.Seq[crash] {
	return func(yield func(crash) bool) {
		for at := 1; at <= calls; at++ {
			for _, f := range crashes {
				for then := range next(numberNext) {
					if !yield(crash{p, at, f, then}) {
						return
					}
				}
			}
		}
	}
}

func (c *crash) world() (*world, error) {
	w, err := newWorld(settings{seed: 1, network: true, keyLag: time.Minute, credentials: []plan{c.plan}})
	if err == nil {
		w.crash = c
	}
	return w, err
}

// live takes a credential through a whole life. The error tells its story if an
// invariant did not hold.
func (c crash) live() error {
	w, err := c.world()
	if err != nil {
		return err
	}
	w.life()
	if v := w.judge.violation; v != nil {
		err = fmt.Errorf("%v: %v\n%v", c, v, w.trace)
	}
	return errors.Join(err, w.close())
}

// life is one rotation from its beginning until the old key is gone, and on
// until all is clean.
func (w *world) life() {
	c := w.credentials[0]
	for _, d := range []time.Duration{
		time.Duration(c.policy.Period), time.Minute, // the new key is known
		5 * time.Minute, time.Duration(c.policy.Overlap), time.Duration(c.policy.Quarantine),
	} {
		w.advance(d)
		w.trigger(c)
	}
	w.calm()
}

// trigger has the schedule's message handled, and what follows a fault.
func (w *world) trigger(c *credential) {
	m := message{command: event.Command{Verb: event.Continue, Secret: c.secret}}
	before := w.calls
	w.attempt(m)
	if at := w.crash.at; at <= before || at > w.calls || w.judge.violation != nil {
		return
	}
	w.queue = nil // what comes next is said by the case
	switch w.crash.next {
	case duplicate:
		w.attempt(m)
	case sweep:
		w.advance(10 * time.Minute)
		w.send(event.Command{Verb: event.Sweep})
		w.finishAll()
	case twoAtOnce:
		w.advance(10 * time.Minute) // what a dead process had leased is free
		w.alternate(w.start(m), w.start(m))
	}
}

// attempt has a message handled; the call that is to go wrong does.
func (w *world) attempt(m message) {
	w.alternate(w.start(m))
}

// alternate lets actors go on by turns, one call each.
func (w *world) alternate(actors ...*actor) {
	for busy := true; busy && w.judge.violation == nil; {
		busy = false
		for _, a := range actors {
			if a.done {
				continue
			}
			busy = true
			f := fault{}
			if w.calls+1 == w.crash.at {
				f = w.crash.fault
			}
			w.step(a, f)
		}
	}
}

// calm is what time heals: sweeps without faults, until every credential was
// seen promoted and clean.
func (w *world) calm() {
	w.trace.note("all is calm from now on")
	w.calmSince = w.clock.Now()
	for _, c := range w.credentials {
		for _, u := range c.users {
			if u.keeps > 0 { // it moves on after a time that is long enough for it to be missed
				u.until, u.keeps = w.calmSince.Add(48*time.Hour), 0
			}
		}
	}
	for i := range calmRounds {
		w.resumeAll()
		w.send(event.Command{Verb: event.Sweep})
		w.finishAll()
		if w.judge.violation != nil || w.allClean() {
			return
		}
		w.advance(calmStep(i))
	}
	for _, c := range w.credentials {
		if c.clean || c.spoiled {
			continue
		}
		if orphan := w.judge.orphan(c); orphan != "" {
			w.judge.broken(2, "key %s of %s is an orphan", orphan, c.id)
			return
		}
		w.judge.broken(0, "%s does not come to rest: %s", c.id, w.judge.settled(c))
	}
}

// resumeAll ends the pauses that there still are: a message that asked for one may
// have come late.
func (w *world) resumeAll() {
	for _, c := range w.credentials {
		if c.sight.readable && c.sight.journal.Paused(w.clock.Now()) {
			w.send(event.Command{Verb: event.Resume, Secret: c.secret, By: "ada"})
		}
	}
}

// calmRounds reach beyond the longest period: a key that a person deleted is
// replaced only then.
const calmRounds = 60

// calmStep is how far the clock moves after a round: by less while keys
// propagate, and while somebody may miss one.
func calmStep(round int) time.Duration {
	switch {
	case round < 4:
		return 20 * time.Minute
	case round < 7:
		return time.Hour
	case round < 24:
		return 3 * time.Hour
	}
	return 8 * time.Hour
}

// allClean notes which credentials are promoted and clean.
func (w *world) allClean() bool {
	all := true
	for _, c := range w.credentials {
		c.clean = c.clean || w.judge.settled(c) == ""
		all = all && (c.clean || c.spoiled)
	}
	return all
}
