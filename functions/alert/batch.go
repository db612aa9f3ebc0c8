package alert

import (
	"context"
	"crypto/rand"
	"sync"

	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/state"
)

// change is what is done to an incident.
type change = func(*alerting.Incident)

// batches gather what happens to an incident at the same time, so that a storm
// costs a few writes of it instead of one for each finding and each delivery.
type batches struct {
	turns state.Turns // by incident, while it is written

	mu   sync.Mutex
	open map[string]*batch // by incident
}

type batch struct {
	notices []alerting.Notice
	changes []change
	done    chan struct{} // closed once err is known
	err     error
}

// join adds to the batch of an incident, and reports whether it is the first there,
// which has to see to the batch.
func (b *batches) join(incident string, notices []alerting.Notice, changes []change) (joined *batch, first bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	joined, ok := b.open[incident]
	if !ok {
		joined = &batch{done: make(chan struct{})}
		if b.open == nil {
			b.open = make(map[string]*batch)
		}
		b.open[incident] = joined
	}
	joined.notices = append(joined.notices, notices...)
	joined.changes = append(joined.changes, changes...)
	return joined, !ok
}

// inTurn has a batch written, once the one before it was. Nothing joins it any more.
func (b *batches) inTurn(incident string, own *batch, write func() error) {
	defer b.turns.Take(incident)()
	b.mu.Lock()
	delete(b.open, incident)
	b.mu.Unlock()
	own.err = write()
	close(own.done)
}

// take has a notice remembered, and sends what that brings about. Once it returns
// nil the notice is safe.
func (f *Function) take(ctx context.Context, n alerting.Notice) error {
	id := alerting.IncidentOf(n)
	claimed, err := f.together(ctx, id, []alerting.Notice{n}, nil)
	f.send(ctx, id, claimed)
	return err
}

// incident changes an incident, and returns what is to be sent of it now.
func (f *Function) incident(ctx context.Context, id string, c change) ([]alerting.Sending, error) {
	return f.together(ctx, id, nil, []change{c})
}

// together changes an incident in one write with what others do to it at the same
// time. What is to be sent now is left to one of them.
func (f *Function) together(ctx context.Context, id string, notices []alerting.Notice, changes []change) (claimed []alerting.Sending, err error) {
	own, first := f.batches.join(id, notices, changes)
	if !first {
		select {
		case <-own.done:
			return nil, own.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	f.batches.inTurn(id, own, func() (err error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience) // others wait for it, too
		defer cancel()
		claimed, err = f.write(ctx, id, own)
		return err
	})
	return claimed, own.err
}

// write takes a batch into its incident.
func (f *Function) write(ctx context.Context, id string, b *batch) (claimed []alerting.Sending, err error) {
	take := func(*alerting.Incident) {}
	if len(b.notices) > 0 {
		c, err := f.rules(ctx)
		if err != nil {
			return nil, err
		}
		take = func(in *alerting.Incident) { c.Take(in, b.notices, f.now()) }
	}
	claimant := rand.Text()[:8]
	err = f.replace(ctx, id, func(in *alerting.Incident) {
		take(in)
		for _, change := range b.changes {
			change(in)
		}
		claimed = in.Outbox.Claim(claimant, f.wall(), lease)
	})
	return claimed, err
}
