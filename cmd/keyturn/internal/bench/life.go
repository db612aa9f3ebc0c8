package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/internal/localgcp/quota"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
)

// life leads credentials through one whole rotation, from the intent to the
// deletion of the key that was replaced.
type life struct {
	bed       *bed
	wire      *wire
	cloud     *gcp.Cloud       // through the wire
	watcher   *rotate.Function // beside the wire: looks how far they are
	beside    *gcp.Cloud
	instances *instances
	n         int
	took      time.Duration // the functions' time; moving the clock costs none
	busy      float64       // CPU seconds of that time
}

// lifeConfig is one measurement of lives.
type lifeConfig struct {
	credentials int
	instances   int
	latency     time.Duration
	quotas      bool // Google's are enforced, and keyturn keeps to half of them
}

func newLife(ctx context.Context, c lifeConfig) (l *life, err error) {
	limits, pace := quota.Limits(nil), gcp.QuotasUnlimited
	if c.quotas {
		limits, pace = quota.Google(), gcp.QuotasHalved
	}
	b, err := newBed(ctx, limits)
	if err != nil {
		return nil, err
	}
	l = &life{bed: b, wire: newWire(c.latency), n: c.credentials}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close())
		}
	}()
	if l.beside, err = gcp.New(gcp.Config{Project: project, Endpoint: b.cloud.Addr()}); err != nil {
		return nil, err
	}
	l.watcher = rotate.New(rotate.Config{Cloud: l.beside, Now: b.clock.Now})
	if err := l.populate(ctx); err != nil {
		return nil, err
	}
	if l.cloud, err = gcp.New(gcp.Config{Project: project, Endpoint: b.cloud.Addr(), Wire: l.wire.config(), Quotas: pace}); err != nil {
		return nil, err
	}
	l.instances, err = b.serve(ctx, rotate.New(rotate.Config{Cloud: l.cloud, Now: b.clock.Now, TrustTopic: true}), c.instances)
	return l, err
}

func (l *life) close() error {
	if l.instances != nil {
		l.instances.stop()
	}
	var problems []error
	for _, c := range []*gcp.Cloud{l.cloud, l.beside} {
		if c != nil {
			problems = append(problems, c.Close())
		}
	}
	return errors.Join(append(problems, l.bed.Close())...)
}

// populate makes and adopts the credentials, and lets all of them fall due.
func (l *life) populate(ctx context.Context) error {
	m, err := newMold(start)
	if err != nil {
		return err
	}
	credentials := make([]*credential, l.n)
	err = each(l.n, func(i int) (err error) {
		credentials[i], err = l.bed.newAccount(ctx, m, i+1)
		return err
	})
	if err != nil {
		return err
	}
	l.bed.clock.Advance(2 * keyLag)
	err = each(l.n, func(i int) error { return adopt(ctx, l.watcher, credentials[i], rotation.DefaultPolicy) })
	l.bed.clock.Advance(time.Duration(rotation.DefaultPolicy.Period))
	return err
}

// each calls f for 0 to n-1, several at a time.
func each(n int, f func(i int) error) error {
	problems := make([]error, n)
	slots := make(chan struct{}, 8)
	var wg sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() { problems[i] = f(i); <-slots })
	}
	wg.Wait()
	return errors.Join(problems...)
}

// stages are what a rotation goes through, and how a journal reads at the end of
// each.
var stages = []struct {
	name string
	over func(*rotate.Standing) bool
}{
	{"make", func(s *rotate.Standing) bool { return s.Rotation == 1 && (s.Incoming == nil || s.Incoming.ID != "") }},
	{"verify and promote", func(s *rotate.Standing) bool { return s.Incoming == nil && len(s.Retiring) == 1 }},
	{"disable", func(s *rotate.Standing) bool {
		return len(s.Retiring) == 1 && s.Retiring[0].Phase == rotation.Quarantined
	}},
	{"delete", func(s *rotate.Standing) bool { return len(s.Retiring) == 0 }},
}

// maxSweeps is more than any stage needs.
const maxSweeps = 60

// run leads all credentials through all stages.
func (l *life) run(ctx context.Context, progress func(done int)) error {
	for i, s := range stages {
		l.wire.enter(s.name)
		for sweeps := 0; ; sweeps++ {
			next, there, err := l.look(ctx, s.over)
			if err != nil {
				return err
			}
			progress(i*l.n + there)
			if there == l.n {
				break
			}
			if sweeps == maxSweeps {
				return fmt.Errorf("after %d sweeps only %d of %d credentials are through stage %q", sweeps, there, l.n, s.name)
			}
			l.bed.clock.Advance(max(next.Sub(l.bed.clock.Now()), sweep))
			if err := l.sweep(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// look counts the credentials that are through a stage, and tells when the next
// step of the others falls due.
func (l *life) look(ctx context.Context, over func(*rotate.Standing) bool) (next time.Time, there int, err error) {
	all, err := l.watcher.StatusAll(ctx)
	if err != nil {
		return next, 0, err
	}
	for _, r := range all {
		switch {
		case r.Journal == nil:
			return next, 0, fmt.Errorf("%s cannot be read: %v", r.Secret, r.Broken)
		case over(r.Journal):
			there++
		case r.Next.After(next):
			next = r.Next
		}
	}
	return next, there, nil
}

// sweep publishes the sweep that Cloud Scheduler does, and waits until every
// message that it led to is handled.
func (l *life) sweep(ctx context.Context) error {
	before, began := cpuSeconds(), time.Now()
	if err := l.beside.Publish(ctx, event.Command{Verb: event.Sweep}.Outgoing()); err != nil {
		return err
	}
	err := l.instances.idle(ctx)
	l.took += time.Since(began)
	l.busy += cpuSeconds() - before
	return err
}

// perMinute is how many rotations a minute were done.
func (l *life) perMinute() float64 { return float64(l.n) / l.took.Minutes() }
