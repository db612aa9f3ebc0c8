// Package sim checks that rotation keeps its promises: it runs the rotate
// function against embedded Google Clouds in which one remote call after the
// other goes wrong, and judges the true state of the cloud after every single
// call. A run is a function of its seed alone: of all triggers at work exactly
// one proceeds at a time, and chance says which.
package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// Config says what to simulate.
type Config struct {
	Seeds    int            // how many worlds; zero is none
	First    uint64         // seed of the first; the others follow
	Network  bool           // calls over gRPC go through the loopback; false: they end up in process, in half the time and with the same story
	Workers  int            // worlds at a time; zero is 8, which hides the pauses of clients that try again
	Progress func(done int) // called after each world, one at a time; nil is nobody
}

// Result is what a simulation found.
type Result struct {
	Seeds      int       `json:"seeds"`
	Calls      int       `json:"calls"` // remote calls that were judged
	Violations int       `json:"violations"`
	Seconds    float64   `json:"seconds"`
	Rotations  int       `json:"rotations"` // keys that were promoted
	Failures   []Failure `json:"failures"`  // a violation each, by seed
}

// Failure is a world in which an invariant did not hold.
type Failure struct {
	Seed uint64 `json:"seed"`
	Violation
}

const defaultWorkers = 8

// Run simulates until all seeds are done or ctx ends. The error says that the
// simulation itself broke; violations are in the result.
func Run(ctx context.Context, c Config) (Result, error) {
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // worlds are small and short-lived
	began := time.Now()
	tally := &tally{config: c}
	seeds := make(chan uint64)
	var workers sync.WaitGroup
	for range cmp.Or(c.Workers, defaultWorkers) {
		workers.Go(func() {
			for seed := range seeds {
				tally.add(seed)
			}
		})
	}
	for i := 0; i < c.Seeds && ctx.Err() == nil && !tally.failed(); i++ {
		seeds <- c.First + uint64(i)
	}
	close(seeds)
	workers.Wait()
	return tally.result(time.Since(began), ctx.Err())
}

// tally collects what the workers find.
type tally struct {
	config Config
	mu     sync.Mutex
	found  Result
	err    error
}

func (t *tally) add(seed uint64) {
	story, err := t.config.live(seed)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.found.Seeds++
	t.found.Calls += story.Calls
	t.found.Rotations += story.Rotations
	if story.Violation != nil {
		t.found.Failures = append(t.found.Failures, Failure{seed, *story.Violation})
	}
	if err != nil {
		t.err = errors.Join(t.err, fmt.Errorf("seed %d: %w", seed, err))
	}
	if t.config.Progress != nil {
		t.config.Progress(t.found.Seeds)
	}
}

func (t *tally) failed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err != nil
}

func (t *tally) result(took time.Duration, interrupted error) (Result, error) {
	t.found.Seconds = took.Seconds()
	t.found.Violations = len(t.found.Failures)
	slices.SortFunc(t.found.Failures, func(a, b Failure) int { return cmp.Compare(a.Seed, b.Seed) })
	return t.found, errors.Join(t.err, interrupted)
}

// Story is what happened in one world.
type Story struct {
	Seed      uint64     `json:"seed"`
	Violation *Violation `json:"violation,omitempty"` // nil if every invariant held
	Calls     int        `json:"calls"`               // remote calls
	Rotations int        `json:"rotations"`           // keys that were promoted
	Trace     []string   `json:"trace"`               // a line for each call, fault, trigger, deed and move of the clock
}

// Replay lives through the world of one seed.
func Replay(seed uint64) (Story, error) { return Config{}.live(seed) }

func (c Config) live(seed uint64) (Story, error) {
	settings, chaos := randomWorld(seed)
	settings.network = c.Network
	w, err := newWorld(settings)
	if err != nil {
		return Story{}, err
	}
	err = w.run(chaos)
	s := Story{Seed: seed, Violation: w.judge.violation, Calls: w.calls, Trace: w.trace.lines}
	for _, c := range w.credentials {
		s.Rotations += len(c.added)
	}
	return s, errors.Join(err, w.close())
}
