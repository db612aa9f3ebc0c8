// Package storm drowns the alert function in findings while some of its channels
// are down, slow or busy, and reconciles what every channel got.
package storm

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"example.com/keyturn/functions/alert"
	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/event/eventtest"
	"example.com/keyturn/shared/state"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
)

// Config says how hard it storms.
type Config struct {
	Findings  int           // distinct ones; required
	Incidents int           // that they belong to; required
	For       time.Duration // over which they come; required
	Again     int           // one finding of so many is delivered twice; 0 is none
	Handlers  int           // events that are handled at once; 0 is 80, as on Cloud Run
	State     string        // directory that incidents are kept in; empty is memory
	Progress  Progress      // required
}

// Progress is told how far the storm is.
type Progress interface {
	Stage(name string, total int)
	Advance(done int)
}

// Result is what the storm showed.
type Result struct {
	Findings   int           `json:"findings"`   // distinct ones that were delivered
	Deliveries int           `json:"deliveries"` // of findings, with those that came again
	Counted    int           `json:"counted"`    // findings that the incidents counted
	Incidents  int           `json:"incidents"`  // there are
	Alerts     int           `json:"alerts"`     // changes of incidents that every channel is owed
	Channels   []ChannelSeen `json:"channels"`
	PerSecond  float64       `json:"findings_per_s"`
	Late       float64       `json:"late_s"`         // how long after it came a finding was taken up, at most
	HandledP99 float64       `json:"handled_p99_ms"` // how long an event was handled
	PeakMiB    float64       `json:"peak_mib"`       // of the heap in use
	Seconds    float64       `json:"seconds"`
}

// ChannelSeen is what one channel got.
type ChannelSeen struct {
	Name        string `json:"name"`
	Got         int    `json:"got"`         // distinct alerts
	Twice       int    `json:"twice"`       // alerts that came more than once
	Digested    int    `json:"digested"`    // alerts that a digest told instead
	Owed        int    `json:"owed"`        // alerts that are tried again later
	Unaccounted int    `json:"unaccounted"` // alerts that are none of these
}

// Met reports whether nothing was lost, nothing came twice, and every channel that
// was not down got everything.
func (r Result) Met() bool {
	met := r.Counted == r.Findings
	for _, c := range r.Channels {
		met = met && c.Twice == 0 && c.Unaccounted == 0 && (c.Owed == 0 || c.Name == "down-1" || c.Name == "down-2")
	}
	return met
}

const (
	patience = 5 * time.Minute // until what is owed is delivered
	beat     = time.Second     // between two calls to tend
)

// Run storms once.
func Run(ctx context.Context, c Config) (Result, error) {
	s := &storm{config: c, store: new(state.Memory), outside: newOutside()}
	if c.State != "" {
		s.store = &state.Directory{Path: c.State}
	}
	s.function = alert.New(alert.Config{
		Publisher: s.outside, Channels: s.outside.channels(), Store: s.store,
		Rules: alerting.Config{Limits: map[string]alerting.Limit{"limited": {PerHour: 60, Burst: 20, Digest: 5 * time.Second}}},
		Retry: alerting.Retry{First: time.Second, Most: 10 * time.Second},
	})
	began := time.Now()
	stop := s.tendAlways(ctx)
	err := s.blow(ctx)
	blown := time.Since(began)
	if err == nil {
		err = s.calm(ctx)
	}
	stop()
	if err != nil {
		return Result{}, err
	}
	r, err := s.reconcile(ctx)
	r.Late = s.late.Seconds()
	r.PerSecond, r.Seconds = float64(r.Deliveries)/blown.Seconds(), time.Since(began).Seconds()
	return r, err
}

type storm struct {
	config     Config
	function   *alert.Function
	store      alert.Store
	outside    *outside
	deliveries atomic.Int64
	took       latencies
	late       time.Duration // written by blow alone
	peak       atomic.Uint64
}

// blow delivers all findings, at a steady rate, as often as it takes until each is
// acknowledged.
func (s *storm) blow(ctx context.Context) error {
	s.config.Progress.Stage("storm", s.config.Findings)
	room := make(chan struct{}, max(1, s.handlers()))
	var handling sync.WaitGroup
	began := time.Now()
	for i := range s.config.Findings {
		due := began.Add(time.Duration(float64(i) / float64(s.config.Findings) * float64(s.config.For)))
		if err := sleepUntil(ctx, due); err != nil {
			return err
		}
		times := 1
		if s.config.Again > 0 && i%s.config.Again == 0 {
			times = 2
		}
		for range times {
			room <- struct{}{}
			s.late = max(s.late, time.Since(due))
			handling.Go(func() { s.deliver(ctx, i); <-room })
		}
		if i%1000 == 0 {
			s.config.Progress.Advance(i)
			s.watchMemory()
		}
	}
	handling.Wait()
	s.config.Progress.Advance(s.config.Findings)
	return ctx.Err()
}

func (s *storm) handlers() int {
	if s.config.Handlers > 0 {
		return s.config.Handlers
	}
	return 80
}

// deliver hands one finding to the function, again while it does not take it.
func (s *storm) deliver(ctx context.Context, i int) {
	ce := wrap(s.finding(i))
	for ctx.Err() == nil {
		began := time.Now()
		err := s.function.HandleEvent(ctx, ce)
		s.took.add(time.Since(began))
		s.deliveries.Add(1)
		if err == nil {
			return
		}
	}
}

// finding is the ith. Those of an incident count more and more, so that it gets worse.
func (s *storm) finding(i int) event.Outgoing {
	at := time.Unix(1_900_000_000, 0).Add(time.Duration(i) * time.Millisecond)
	out, _ := event.FindingEvent(detect.Finding{ // which can always be encoded
		ID: fmt.Sprintf("finding-%d", i), Time: at, FirstSeen: at, LastSeen: at, Detector: detect.PermissionProbing, Severity: detect.High,
		Subject: fmt.Sprintf("thief-%d@acme.iam.gserviceaccount.com", i%s.config.Incidents), Project: "acme",
		Count: 1 + i/s.config.Incidents, Reason: "a thief probes permissions", Evidence: []string{fmt.Sprintf("entry-%d", i)},
	})
	return out
}

func wrap(out event.Outgoing) cloudevents.Event {
	return eventtest.Pushed(event.Message{ID: "1", Topic: "projects/acme/topics/" + event.TopicFindings, Data: out.Data, Attributes: out.Attributes})
}

// tend has the function do what only time brings about, as Cloud Scheduler does.
func (s *storm) tend(ctx context.Context) error {
	return s.function.HandleEvent(ctx, wrap(event.Outgoing{Attributes: map[string]string{"command": "tend"}}))
}

func (s *storm) tendAlways(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var tending sync.WaitGroup
	tending.Go(func() {
		for sleepUntil(ctx, time.Now().Add(beat)) == nil {
			_ = s.tend(ctx) // what fails is tended the next time
		}
	})
	return func() { cancel(); tending.Wait() }
}

// calm waits until all that is owed is what is owed to channels that are down, and
// digests have told the rest.
func (s *storm) calm(ctx context.Context) error {
	s.config.Progress.Stage("calm", 1)
	late := time.Now().Add(patience)
	for time.Now().Before(late) {
		r, err := s.reconcile(ctx)
		if err != nil {
			return err
		}
		if r.Met() {
			break
		}
		if err := sleepUntil(ctx, time.Now().Add(beat)); err != nil {
			return err
		}
	}
	s.config.Progress.Advance(1)
	return nil
}

func (s *storm) watchMemory() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.HeapInuse > s.peak.Load() {
		s.peak.Store(m.HeapInuse)
	}
}

func sleepUntil(ctx context.Context, at time.Time) error {
	wait := time.Until(at)
	if wait <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
