package alert

import (
	"context"
	"hash/maphash"
	"sync"

	"example.com/keyturn/shared/alerting"
)

// batches gather notices of one incident that come at the same time, so that a
// storm costs a few changes of the incident instead of one for each notice.
type batches struct {
	seed maphash.Seed
	turn [64]sync.Mutex // held while incidents of one hash are changed

	mu   sync.Mutex
	open map[string]*batch // by incident
}

type batch struct {
	notices []alerting.Notice
	done    chan struct{} // closed once err is known
	err     error
}

func newBatches() *batches {
	return &batches{seed: maphash.MakeSeed(), open: make(map[string]*batch)}
}

// join adds a notice to the batch of its incident, and reports whether it is the
// first there, which has to see to the batch.
func (b *batches) join(incident string, n alerting.Notice) (*batch, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	joined, ok := b.open[incident]
	if !ok {
		joined = &batch{done: make(chan struct{})}
		b.open[incident] = joined
	}
	joined.notices = append(joined.notices, n)
	return joined, !ok
}

// inTurn has do take in a batch, once the one before it was. Nothing joins it any more.
func (b *batches) inTurn(incident string, own *batch, do func([]alerting.Notice) error) {
	turn := &b.turn[maphash.String(b.seed, incident)%uint64(len(b.turn))]
	turn.Lock()
	defer turn.Unlock()
	b.mu.Lock()
	delete(b.open, incident)
	b.mu.Unlock()
	own.err = do(own.notices)
	close(own.done)
}

// take has a notice remembered, and returns once it is safe. Whoever sees to the
// notice's batch also sends what that brought about.
func (f *Function) take(ctx context.Context, n alerting.Notice) error {
	id := alerting.IncidentOf(n)
	own, first := f.batches.join(id, n)
	if !first {
		select {
		case <-own.done:
			return own.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	var claimed []alerting.Sending
	f.batches.inTurn(id, own, func(notices []alerting.Notice) (err error) {
		claimed, err = f.incident(ctx, id, func(c *alerting.Config, in *alerting.Incident) { c.Take(in, notices, f.now()) })
		return err
	})
	f.send(ctx, id, claimed)
	return own.err
}
