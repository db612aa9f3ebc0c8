// Package streambench measures how soon a log entry that matters is a finding:
// it runs the functions on an embedded Google Cloud, as keyturn local does, and
// publishes log entries to them at a steady rate.
package streambench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"example.com/keyturn/cmd/keyturn/internal/world"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/shared/event"
)

// Config says what Run measures.
type Config struct {
	Rate     int           // entries published a second; at least 1
	For      time.Duration // how long; what comes to less than one entry is one
	Every    int           // one entry of so many leads to a finding; at least 1
	Program  string        // keyturn's program, which serves the functions; empty is the one that runs
	Logs     io.Writer     // what the functions print
	Progress Progress
}

// Progress is told how far the measurement is.
type Progress interface {
	Stage(name string, total int)
	Advance(done int)
}

// Result is how soon findings were published. Its JSON is a stable schema.
type Result struct {
	Rate      int     `json:"rate"`          // entries a second that were wanted
	Entries   int     `json:"entries"`       // that were published
	Expected  int     `json:"expected"`      // of them lead to a finding each
	Findings  int     `json:"findings"`      // of these, that were published
	Repeated  int     `json:"repeated"`      // deliveries of entries that were not the first
	Dead      int     `json:"dead"`          // entries that the function gave up
	PerSecond float64 `json:"entries_per_s"` // from the first that was published until the function had taken all
	Delivery  Latency `json:"delivery_to_finding"`
	EndToEnd  Latency `json:"publish_to_finding"`
	Seconds   float64 `json:"seconds"`
}

// Target is how soon after its delivery an entry has to be a finding, for 99 of
// 100, and reached how much of the rate the function has to keep up with.
const (
	Target  = 50 * time.Millisecond
	reached = 0.95
)

// Met reports whether every finding came, at the rate that was wanted, and 99 of
// 100 within Target.
func (r Result) Met() bool {
	return r.Findings == r.Expected && r.Dead == 0 && r.PerSecond >= reached*float64(r.Rate) && r.Delivery.P99 < milliseconds(Target)
}

const (
	project = "stream"
	// warm is how many entries go before those that are measured, as the functions
	// connect to what they use with the first.
	warm = 200
	// patience is how long the functions may take for what is left at the end.
	patience = time.Minute
)

// Run measures once.
func Run(ctx context.Context, c Config) (r Result, err error) {
	began := time.Now()
	watch := newStopwatch()
	c.Progress.Stage("boot", 1)
	w, err := world.Start(ctx, world.Config{
		Project: project, GCPAddr: "127.0.0.1:0", FunctionsAddr: "127.0.0.1:0",
		Clock: clock.New(), FunctionLogs: c.Logs, Program: c.Program, Watcher: watch,
	})
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	s, err := newSender(ctx, w, c.Every)
	if err != nil {
		return Result{}, err
	}
	defer s.close()
	if _, err := s.stream(ctx, warm, c.Rate, func(int) {}); err != nil {
		return Result{}, fmt.Errorf("warming up: %w", err)
	}
	watch.reset()
	s.refusals = make(map[string]published)
	r = Result{Rate: c.Rate, Entries: max(1, int(c.For.Seconds()*float64(c.Rate)))}
	c.Progress.Stage("streaming", r.Entries)
	took, err := s.stream(ctx, r.Entries, c.Rate, c.Progress.Advance)
	if err != nil {
		return Result{}, err
	}
	r.PerSecond = float64(r.Entries) / took.Seconds()
	err = r.reckon(watch, s.refusals)
	r.Seconds = time.Since(began).Seconds()
	return r, err
}

// reckon compares when entries that lead to findings were published and pushed
// with when the findings came.
func (r *Result) reckon(watch *stopwatch, refusals map[string]published) error {
	watch.mu.Lock()
	defer watch.mu.Unlock()
	r.Expected, r.Repeated, r.Dead = len(refusals), watch.repeated, watch.dead
	var delivery, endToEnd []time.Duration
	for _, found := range watch.found {
		f, err := event.DecodeFinding(event.Message{Data: found.data})
		if err != nil {
			return err
		}
		for _, id := range f.Evidence {
			if p, ok := refusals[id]; ok {
				delete(refusals, id)
				delivery = append(delivery, found.at.Sub(watch.pushed[p.message]))
				endToEnd = append(endToEnd, found.at.Sub(p.at))
			}
		}
	}
	r.Findings, r.Delivery, r.EndToEnd = len(delivery), newLatency(delivery), newLatency(endToEnd)
	return nil
}
