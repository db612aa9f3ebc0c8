// Package coldstart measures how long the deployed functions take from the start of
// their process to their first answer, next to the hello-world of the functions
// framework. Both are built from the same checkout and take turns, so that what else the
// machine does falls on both.
package coldstart

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"example.com/keyturn/cmd/keyturn/internal/quantile"
)

// Config says what Run measures.
type Config struct {
	Rounds   int // how often each target is started; required
	Progress Progress
}

// Progress is told how far the measurement is.
type Progress interface {
	Stage(name string, total int)
	Advance(done int)
}

// Limits that Run judges by.
const (
	MaxRatio = 2.0 // of a target's medians to those of hello-world: of the time, or of the CPU time
	MaxInit  = 0.2 // milliseconds of one of our packages before main
	traces   = 7   // of which the least counts
)

// Result is how long starts took. Its JSON is a stable schema.
type Result struct {
	Rounds   int     `json:"rounds"`
	Rows     []Row   `json:"rows"`      // hello-world first
	Ratio    float64 `json:"ratio"`     // the largest
	CPURatio float64 `json:"cpu_ratio"` // the largest
	Inits    Inits   `json:"inits"`
	Seconds  float64 `json:"seconds"`
}

// Row is one target.
type Row struct {
	Target   string  `json:"target"`
	BinMB    float64 `json:"binary_mb"`
	MsP50    float64 `json:"ms_p50"`
	MsP90    float64 `json:"ms_p90"`
	CPUMs    float64 `json:"cpu_ms"`    // median of the CPU time, which other work on the machine moves less
	RSSMB    float64 `json:"rss_mb"`    // median of the peaks; 0 where the system does not tell
	Ratio    float64 `json:"ratio"`     // of the medians, to hello-world's
	CPURatio float64 `json:"cpu_ratio"` // likewise, of the CPU times
	samples  []time.Duration
	cpu      []time.Duration
	peaks    []time.Duration // of memory, in kB
	path     string
	ask      request
}

// Inits is what packages do before main.
type Inits struct {
	Ms     float64 `json:"ms"` // of all, in the shortest trace
	Own    []Init  `json:"own"`
	Others []Init  `json:"others"` // the five longest
}

// ErrSlow means that a target takes too long.
var ErrSlow = errors.New("the functions start too slowly")

const configured = "KEYTURN_ENDPOINT=127.0.0.1:1" // nobody is there, and nobody is asked

// targets ask each function for what it can answer by itself, all of its configuration
// and decoding included: the calls that other requests make take what Google takes.
// Audit's first entry makes one, and so it is measured by its door.
func targets(built map[string]string) []Row {
	const json = "application/json"
	event := func(attributes string) request {
		return request{`{"message":{"attributes":{` + attributes + `},"messageId":"1"},"subscription":"projects/acme/subscriptions/s"}`, json, map[string]string{
			"Ce-Id": "1", "Ce-Specversion": "1.0", "Ce-Type": "google.cloud.pubsub.topic.v1.messagePublished", "Ce-Source": "//pubsub.googleapis.com/projects/acme/topics/t",
		}}
	}
	at := built["functions"]
	return []Row{
		{Target: "hello-world", path: built["hello"], ask: request{"", json, nil}},
		{Target: "Rotate", path: at, ask: event(`"eventType":"TOPIC_CONFIGURED"`)},
		{Target: "Alert", path: at, ask: event(`"command":"tend"`)},
		{Target: "AuditHTTP", path: at, ask: request{`{"command":"explain","text":"403 PERMISSION_DENIED"}`, json, nil}},
		{Target: "AlertHTTP", path: at, ask: request{`{"command":"list"}`, json, nil}},
	}
}

// Run builds and measures. Its error is ErrSlow where all was measured and is too slow.
func Run(ctx context.Context, c Config) (Result, error) {
	began := time.Now()
	root, err := checkout(ctx)
	if err != nil {
		return Result{}, err
	}
	dir, err := os.MkdirTemp("", "keyturn-coldstart")
	if err != nil {
		return Result{}, fmt.Errorf("making a directory to build in: %w", err)
	}
	defer os.RemoveAll(dir)
	c.Progress.Stage("building", 1)
	built, err := build(ctx, root, dir)
	if err != nil {
		return Result{}, err
	}
	r := Result{Rounds: c.Rounds, Rows: targets(built)}
	if err := r.measure(ctx, c); err != nil {
		return Result{}, err
	}
	if err := r.trace(ctx); err != nil {
		return Result{}, err
	}
	r.Seconds = time.Since(began).Seconds()
	return r, r.judge()
}

// targetOf is the entry point of a row.
func targetOf(r Row) string {
	if r.Target == "hello-world" {
		return "Hello"
	}
	return r.Target
}

// measure starts all targets in turns. The first turn, which reads the programs from
// disk, does not count.
func (r *Result) measure(ctx context.Context, c Config) error {
	c.Progress.Stage("starting", (c.Rounds+1)*len(r.Rows))
	for round := range c.Rounds + 1 {
		for i := range r.Rows {
			row := &r.Rows[i]
			s, err := run(ctx, row.path, targetOf(*row), row.ask, "KEYTURN_PROJECT=acme", configured)
			if err != nil {
				return err
			}
			if round > 0 {
				row.samples, row.cpu, row.peaks = append(row.samples, s.took), append(row.cpu, s.cpu), append(row.peaks, time.Duration(s.rss))
			}
			c.Progress.Advance(round*len(r.Rows) + i + 1)
		}
	}
	for i := range r.Rows {
		if err := r.Rows[i].sum(r.Rows[0]); err != nil {
			return err
		}
		if r.Rows[i].path != r.Rows[0].path {
			r.Ratio, r.CPURatio = max(r.Ratio, r.Rows[i].Ratio), max(r.CPURatio, r.Rows[i].CPURatio)
		}
	}
	return nil
}

// sum fills in what was measured.
func (r *Row) sum(hello Row) error {
	file, err := os.Stat(r.path)
	if err != nil {
		return fmt.Errorf("looking at the program: %w", err)
	}
	r.BinMB, r.RSSMB = float64(file.Size())/1e6, float64(quantile.Of(r.peaks, 0.5))/1e3
	r.MsP50, r.MsP90, r.CPUMs = median(r.samples), ms(quantile.Of(r.samples, 0.9)), median(r.cpu)
	r.Ratio, r.CPURatio = r.MsP50/median(hello.samples), r.CPUMs/median(hello.cpu)
	return nil
}

func median(all []time.Duration) float64 { return ms(quantile.Of(all, 0.5)) }

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// trace sees what packages do before main.
func (r *Result) trace(ctx context.Context) error {
	least := map[string]float64{}
	for range traces {
		row := r.Rows[len(r.Rows)-1]
		s, err := run(ctx, row.path, targetOf(row), row.ask, "KEYTURN_PROJECT=acme", configured, "GODEBUG=inittrace=1")
		if err != nil {
			return err
		}
		if sum := initsOf(s.log, least); r.Inits.Ms == 0 || sum < r.Inits.Ms {
			r.Inits.Ms = sum
		}
	}
	if len(least) == 0 {
		return errors.New("GODEBUG=inittrace=1 told of no package")
	}
	others := sorted(least, func(pkg string) bool { return !own(pkg) })
	r.Inits.Own, r.Inits.Others = sorted(least, own), others[:min(len(others), 5)]
	return nil
}

// judge finds a target too slow by both measures only: what else a machine does makes
// the one, or the other, jump.
func (r *Result) judge() error {
	for _, row := range r.Rows {
		if min(row.Ratio, row.CPURatio) > MaxRatio {
			return fmt.Errorf("%w: %s takes %.2f times as long as hello-world, and %.2f times the CPU time; %.0f is allowed", ErrSlow, row.Target, row.Ratio, row.CPURatio, MaxRatio)
		}
	}
	if len(r.Inits.Own) > 0 && r.Inits.Own[0].Ms > MaxInit {
		return fmt.Errorf("%w: %s takes %.2f ms before main, and %.1f is allowed", ErrSlow, r.Inits.Own[0].Package, r.Inits.Own[0].Ms, MaxInit)
	}
	return nil
}
