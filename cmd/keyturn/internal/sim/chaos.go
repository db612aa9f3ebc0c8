package sim

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/grpc/codes"
)

// chaos is a world's character: how much goes wrong in it.
type chaos struct {
	moves     int     // of the random part
	faults    float64 // of all remote calls
	deeds     float64 // of all moves
	dead      float64 // of all faults, the share in which the process is killed
	duplicate float64 // of all deliveries
	blind     bool    // nobody may read Cloud Monitoring until all is calm
}

// pick chooses one of several.
func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// randomWorld draws the settings of a seed.
func randomWorld(seed uint64) (settings, chaos) {
	r := rand.New(rand.NewPCG(seed, 2))
	s := settings{
		seed: seed, keyLag: pick(r, 0, time.Minute, 8*time.Minute),
		eventualLag: pick(r, 0, 0, time.Minute, 3*time.Minute),
	}
	for n := pick(r, 1, 1, 2, 2, 3); n > 0; n-- {
		s.credentials = append(s.credentials, randomPlan(r, len(s.credentials)))
	}
	return s, chaos{
		moves: 40 + r.IntN(40), faults: pick(r, 0, 0.02, 0.05, 0.1, 0.2), deeds: pick(r, 0, 0, 0.02, 0.05),
		dead: pick(r, 0, 0.3, 0.6), duplicate: pick(r, 0, 0.1, 0.3),
		blind: r.IntN(8) == 0,
	}
}

func randomPlan(r *rand.Rand, n int) plan {
	kind := pick(r, rotation.ServiceAccountKey, rotation.ServiceAccountKey, rotation.APIKey)
	p := rotation.Policy{
		Period: hours(r, 72, 200), Overlap: hours(r, 1, 8), Quarantine: hours(r, 1, 24),
		Propagation: rotation.Duration(10 * time.Minute),
		Evidence:    pick(r, rotation.EvidenceRequired, rotation.EvidenceRequired, rotation.EvidenceRequired, rotation.EvidenceIgnored),
		Stragglers:  pick(r, rotation.Hold, rotation.Hold, rotation.Force), StragglerLimit: hours(r, 1, 48),
	}
	id := "api-key"
	if kind == rotation.ServiceAccountKey {
		p.KeyMode = pick(r, rotation.Upload, rotation.Create)
		id = string(p.KeyMode)
	}
	return plan{id: fmt.Sprint(id, "-", n+1), kind: kind, policy: p, consumers: randomConsumers(r)}
}

// randomConsumers are one that reads the secret before each use, and perhaps one
// that holds on to a key for longer than it should.
func randomConsumers(r *rand.Rand) []consumer {
	all := []consumer{{every: time.Hour}}
	if r.IntN(2) == 0 {
		all = append(all, consumer{every: time.Duration(hours(r, 2, 24)), keeps: time.Duration(hours(r, 8, 96))})
	}
	return all
}

func hours(r *rand.Rand, from, to int) rotation.Duration {
	return rotation.Duration(time.Duration(from+r.IntN(to-from)) * time.Hour)
}

// run lives through a random life and then waits until all is clean.
func (w *world) run(c chaos) error {
	for range c.moves {
		w.move(c)
		if w.judge.violation != nil {
			return nil
		}
	}
	for len(w.live) > 0 && w.judge.violation == nil {
		w.step(w.live[0], fault{})
	}
	if err := w.tidyUp(); err != nil {
		return fmt.Errorf("tidying up: %w", err)
	}
	if err := w.askOnceMore(); err != nil {
		return fmt.Errorf("asking for a last rotation: %w", err)
	}
	w.unrest(c)
	w.calm()
	return nil
}

// unrestRounds last until most keys have retired.
const unrestRounds = 12

// unrest has calls go wrong for as long as keys retire, which the random part
// is too short for: sweeps, one trigger at a time.
func (w *world) unrest(c chaos) {
	w.trace.note("only the schedule is at work from now on")
	for range unrestRounds {
		w.send(event.Command{Verb: event.Sweep})
		w.deliverAll(func(a *actor) fault { return w.mishap(c, a) })
		w.advance(time.Hour + w.upTo(5*time.Hour))
	}
}

// askOnceMore has one credential go through a whole rotation when all is calm.
func (w *world) askOnceMore() error {
	c := w.credentials[w.chance.IntN(len(w.credentials))]
	what, err := w.askForRotation(c)
	if err != nil || what == "" {
		return err
	}
	c.atLeast = c.sight.journal.Rotation + 1
	w.trace.note("a person %s of %s", what, c.id)
	return nil
}

// move makes one random thing happen.
func (w *world) move(c chaos) {
	switch x := w.chance.Float64(); {
	case x < c.deeds:
		w.interfere()
	case len(w.live) > 0 && x < 0.85:
		a := w.live[w.chance.IntN(len(w.live))]
		w.step(a, w.mishap(c, a))
	case len(w.ripe()) > 0 && len(w.live) < 3 && w.chance.Float64() < 0.8:
		m := w.take(pick(w.chance, w.ripe()...))
		if w.chance.Float64() < c.duplicate {
			w.queue = append(w.queue, m)
		}
		w.start(m)
	default:
		w.advance(w.leap())
		w.schedule()
	}
}

// ripe are the messages of the queue that may be delivered now.
func (w *world) ripe() (positions []int) {
	for i, m := range w.queue {
		if !m.after.After(w.clock.Now()) {
			positions = append(positions, i)
		}
	}
	return positions
}

// leap is how far the clock moves next: mostly not so far that those who are at
// work run out of time.
func (w *world) leap() time.Duration {
	if len(w.live) > 0 && w.chance.Float64() < 0.9 {
		return time.Second + w.upTo(2*time.Minute)
	}
	if w.inHand() || len(w.queue) > 0 {
		return time.Minute + w.upTo(pick(w.chance, 5*time.Minute, 20*time.Minute, 2*time.Hour)) // triggers may be late, but not by days
	}
	switch w.chance.IntN(8) {
	case 0, 1, 2:
		return time.Minute + w.upTo(15*time.Minute)
	case 3, 4, 5:
		return time.Hour + w.upTo(8*time.Hour)
	case 6:
		return w.upTo(30 * time.Hour)
	}
	return time.Duration(w.credentials[0].policy.Period)
}

// inHand reports whether a key is coming in anywhere.
func (w *world) inHand() bool {
	for _, c := range w.credentials {
		if c.sight.journal.Incoming != nil {
			return true
		}
	}
	return false
}

func (w *world) upTo(d time.Duration) time.Duration {
	return time.Duration(w.chance.Int64N(int64(d))).Truncate(time.Second)
}

// schedule has the sweep sent, if none waits; now and then Secret Manager's own
// reminder comes instead.
func (w *world) schedule() {
	for _, m := range w.queue {
		if m.command.Verb == event.Sweep {
			return
		}
	}
	if w.chance.IntN(6) == 0 {
		w.send(event.Command{Verb: event.Inspect})
	}
	if w.chance.IntN(4) == 0 {
		c := w.credentials[w.chance.IntN(len(w.credentials))]
		w.send(event.Command{Verb: event.Continue, Secret: c.secret})
		return
	}
	w.send(event.Command{Verb: event.Sweep})
}

// mishap is what goes wrong with an actor's next call, which mostly is nothing.
func (w *world) mishap(c chaos, a *actor) fault {
	if c.blind && a.waiting == "ListTimeSeries" {
		return fault{failsBefore, codes.PermissionDenied}
	}
	if w.chance.Float64() >= c.faults {
		return fault{}
	}
	if w.chance.Float64() < c.dead {
		return fault{kind: pick(w.chance, diesBefore, diesAfter)}
	}
	f := fault{pick(w.chance, failsBefore, failsBefore, replyLost), w.code(a.waiting)}
	if f.kind == replyLost && f.code != codes.Unavailable && f.code != codes.DeadlineExceeded {
		f.code = codes.Internal // a refusal never hides a success
	}
	return f
}

// code is what a failing call answers. Those for which the client pauses are
// rare: they cost time and find nothing else.
func (w *world) code(method string) codes.Code {
	if strings.HasPrefix(method, "POST ") || strings.HasPrefix(method, "GET ") {
		return codes.Unavailable // a connection that breaks
	}
	if w.chance.IntN(60) == 0 {
		return codes.ResourceExhausted
	}
	return pick(w.chance, codes.Internal, codes.Internal, codes.DeadlineExceeded, codes.Unavailable, codes.PermissionDenied)
}
