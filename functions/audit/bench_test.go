package audit

import (
	"context"
	"fmt"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/state"
)

// nobody takes what is published.
type nobody struct{}

func (nobody) Publish(context.Context, ...event.Outgoing) error { return nil }

// traffic is entry n of one project: 500 callers at their work, of which one in
// fifty calls is denied.
func traffic(n int, at time.Time) detect.Entry {
	caller, call := n%500, n/500%20
	permission := fmt.Sprintf("s.things%02d.get", (caller+call)%40)
	e := detect.Entry{
		Audit: true, LogName: "projects/acme/logs/cloudaudit.googleapis.com%2Factivity", InsertID: fmt.Sprint(n), Time: at, Project: "acme",
		Service: "s.googleapis.com", Method: "m", Principal: fmt.Sprintf("caller%03d@acme.iam.gserviceaccount.com", caller),
		CallerIP: "192.0.2.7", UserAgent: "gcloud", Permissions: []detect.Permission{{Name: permission, Granted: n%50 != 0}},
	}
	if n%50 == 0 {
		e.Code = 7
	}
	return e
}

// BenchmarkSharing tells what an entry costs an instance alone and one that shares,
// the exchanges included, and how much is written for it: at 1,000 entries a second
// an exchange is due every 10 s, below 333 every 30 s.
func BenchmarkSharing(b *testing.B) {
	for name, c := range map[string]struct {
		apart time.Duration
		store *faulty
	}{
		"alone":           {time.Millisecond, nil},
		"1000 per second": {time.Millisecond, &faulty{Store: new(state.Memory)}},
		"10 per second":   {100 * time.Millisecond, &faulty{Store: new(state.Memory)}},
		"1 per second":    {time.Second, &faulty{Store: new(state.Memory)}},
	} {
		b.Run(name, func(b *testing.B) {
			wall := clock.NewFrozen(start)
			config := Config{Publisher: nobody{}, Now: wall.Now, Wall: wall.Now}
			if c.store != nil {
				config.Store = c.store
				*c.store = faulty{Store: new(state.Memory)}
			}
			f := New(config)
			f.refresh(b.Context())
			entries := 0
			for b.Loop() {
				wall.Advance(c.apart)
				must(b, f.observe(b.Context(), traffic(entries, wall.Now())))
				f.exchangeIfDue(b.Context(), false)
				entries++
			}
			if c.store != nil && c.store.writes > 0 {
				b.ReportMetric(float64(c.store.writes)*1000/float64(entries), "writes/1000entries")
				b.ReportMetric(float64(c.store.bytes)/float64(c.store.writes), "B/shard")
			}
		})
	}
}
