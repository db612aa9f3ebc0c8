package storm

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"example.com/keyturn/cmd/keyturn/internal/quantile"
	"example.com/keyturn/functions/alert"
	"example.com/keyturn/shared/alerting"
)

// reconcile compares what the incidents say with what came out.
func (s *storm) reconcile(ctx context.Context) (Result, error) {
	r := Result{Findings: s.config.Findings, Deliveries: int(s.deliveries.Load()), HandledP99: s.took.p99(), PeakMiB: float64(s.peak.Load()) / (1 << 20)}
	owed := map[string]int{}
	err := each(ctx, s.store, func(in *alerting.Incident) {
		for _, w := range in.Outbox {
			for _, t := range w.To {
				owed[t.Channel]++
			}
		}
		if in.Latest.Only == "" { // a digest is no incident of the storm
			r.Counted += in.Findings
			r.Alerts += in.Alerts
			r.Incidents++
		}
	})
	for _, to := range append([]*receiver{s.outside.main}, s.outside.all...) {
		r.Channels = append(r.Channels, to.seen(r.Alerts, owed[to.name]))
	}
	return r, err
}

// each visits all incidents.
func each(ctx context.Context, store alert.Store, visit func(*alerting.Incident)) error {
	return store.Each(ctx, "incident-", func(_ string, data []byte) error {
		var in alerting.Incident
		err := json.Unmarshal(data, &in)
		visit(&in)
		return err
	})
}

func (r *receiver) seen(alerts, owed int) ChannelSeen {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := ChannelSeen{Name: r.name, Digested: r.digests, Owed: owed}
	for _, times := range r.got {
		c.Got++
		if times > 1 {
			c.Twice++
		}
	}
	c.Unaccounted = alerts - c.Got - c.Digested - c.Owed
	if strings.HasPrefix(r.name, "keyturn-") { // the topic has the digests' own alerts, too
		c.Unaccounted = min(0, c.Unaccounted)
	}
	return c
}

// latencies keeps how long things took.
type latencies struct {
	mu  sync.Mutex
	all []time.Duration
}

func (l *latencies) add(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, d)
}

// p99 is in milliseconds; 0 if nothing was kept.
func (l *latencies) p99() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return float64(quantile.Of(l.all, 0.99)) / float64(time.Millisecond)
}
