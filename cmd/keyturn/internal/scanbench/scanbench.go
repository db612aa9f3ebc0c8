// Package scanbench measures how fast keyturn goes through audit logs, side by
// side with what else goes through JSON. All ways take the same lines from
// memory, in turns, so that what else the machine does falls on all of them.
package scanbench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"
)

// Config says what Run measures.
type Config struct {
	Data     []byte // entries, one a line; required
	Rounds   int    // how often each row is measured; 0 is 9
	Turn     int    // bytes that a row goes through at a time at least, over and over where Data has fewer; 0 is 16 MiB
	Progress Progress
}

// Progress is told how far the measurement is.
type Progress interface {
	Stage(name string, total int)
	Advance(done int)
}

const (
	defaultRounds = 9
	defaultTurn   = 16 << 20
)

// Result is how fast each row was. Its JSON is a stable schema.
type Result struct {
	Bytes   int     `json:"bytes"`
	Entries int     `json:"entries"`
	Rounds  int     `json:"rounds"`
	Rows    []Row   `json:"rows"`
	Ratios  Ratios  `json:"ratios"`
	Seconds float64 `json:"seconds"`
}

// Row is the speed of one way through the file, the median of all rounds.
type Row struct {
	Name             string  `json:"name"`
	MBPerSecond      float64 `json:"mb_per_s"`
	EntriesPerSecond float64 `json:"entries_per_s"`
}

// Ratios are how many times as fast keyturn with all detectors is on one core as
// others are; and on two cores as on one: quotients of the rows' speeds.
// TwoCoresSIMD is what the second core is worth to SIMD validation of two halves
// that have nothing to do with each other: little, where the two share what they
// compute with.
type Ratios struct {
	SIMDValidate float64 `json:"simd_validate"`
	SonicStruct  float64 `json:"sonic_struct"`
	EncodingJSON float64 `json:"encoding_json"`
	TwoCores     float64 `json:"two_cores"`
	TwoCoresSIMD float64 `json:"two_cores_simd"`
}

var errNoLines = errors.New("the file has no line break: give one entry a line, as 'jq -c .[]' makes them of a JSON array")

// Run measures all rows. For its time it decides how many processors Go uses.
func Run(ctx context.Context, c Config) (Result, error) {
	if c.Rounds <= 0 {
		c.Rounds = defaultRounds
	}
	if c.Turn <= 0 {
		c.Turn = defaultTurn
	}
	began := time.Now()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	whole := newInput(c.Data, c.Turn)
	speeds := make(map[string][]float64) // of each round, in bytes per second
	all := rows()
	c.Progress.Stage("scanning", c.Rounds*len(all))
	for round := range c.Rounds {
		for i, r := range all {
			speed, err := r.measure(ctx, whole)
			if err != nil {
				return Result{}, fmt.Errorf("%s: %w", r.name, err)
			}
			speeds[r.name] = append(speeds[r.name], speed)
			c.Progress.Advance(round*len(all) + i + 1)
		}
	}
	result := Result{Bytes: len(whole.data), Entries: len(whole.lines), Rounds: c.Rounds, Seconds: time.Since(began).Seconds()}
	perEntry := float64(len(whole.data)) / float64(len(whole.lines))
	speed := make(map[string]float64)
	for _, r := range all {
		speed[r.name] = median(speeds[r.name])
		result.Rows = append(result.Rows, Row{r.name, speed[r.name] / 1e6, speed[r.name] / perEntry})
	}
	result.Ratios = Ratios{
		SIMDValidate: speed[detectors] / speed[simdValidate],
		SonicStruct:  speed[detectors] / speed[sonicStruct],
		EncodingJSON: speed[detectors] / speed[jsonStruct],
		TwoCores:     speed[twoCores] / speed[detectors],
		TwoCoresSIMD: speed[simdTwoCores] / speed[simdValidate],
	}
	return result, nil
}

// newInput takes data, as often as it takes to have turn bytes.
func newInput(data []byte, turn int) input {
	if len(data) > 0 && data[len(data)-1] != '\n' {
		data = append(slices.Clone(data), '\n')
	}
	if n := len(data); n > 0 && n < turn {
		data = bytes.Repeat(data, (turn+n-1)/n)
	}
	in := input{data: data}
	for line := range bytes.Lines(data) {
		in.lines = append(in.lines, line[:len(line)-1])
	}
	return in
}

// measure returns how many bytes a second the row goes through.
func (r row) measure(ctx context.Context, whole input) (float64, error) {
	in := whole.part(r.share)
	runtime.GOMAXPROCS(r.cores)
	runtime.GC() // what the row before left behind is not for this one to clean up
	began := time.Now()
	if err := r.run(ctx, in); err != nil {
		return 0, err
	}
	return float64(len(in.data)) / time.Since(began).Seconds(), ctx.Err()
}

// part is the first 1/share of the lines.
func (in input) part(share int) input {
	if share == 1 || len(in.lines) < share {
		return in
	}
	n := bytes.LastIndexByte(in.data[:len(in.data)/share], '\n') + 1
	data := in.data[:n]
	return input{data, in.lines[:bytes.Count(data, []byte("\n"))]}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
