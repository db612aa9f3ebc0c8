package scanbench

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

type silent struct{ done, total int }

func (s *silent) Stage(_ string, total int) { s.total = total }
func (s *silent) Advance(done int)          { s.done = done }

func TestRun(t *testing.T) {
	progress := &silent{}
	r, err := Run(t.Context(), Config{Data: Generate(1 << 20), Rounds: 1, Turn: 3 << 20, Progress: progress})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{memory, simdValidate, sonicStruct, jsonStruct, scanner, detectors, twoCores, simdTwoCores} {
		if !slices.ContainsFunc(r.Rows, func(r Row) bool { return r.Name == want && r.MBPerSecond > 0 && r.EntriesPerSecond > 0 }) {
			t.Errorf("no speed of %q: %+v", want, r.Rows)
		}
	}
	speed := make(map[string]float64)
	for _, row := range r.Rows {
		speed[row.Name] = row.MBPerSecond
	}
	for _, x := range []struct {
		got     float64
		of, to  string
		atLeast float64
	}{
		{r.Ratios.SIMDValidate, detectors, simdValidate, 0}, {r.Ratios.SonicStruct, detectors, sonicStruct, 0}, {r.Ratios.EncodingJSON, detectors, jsonStruct, 1},
		{r.Ratios.TwoCores, twoCores, detectors, 0}, {r.Ratios.TwoCoresSIMD, simdTwoCores, simdValidate, 0},
	} {
		if want := speed[x.of] / speed[x.to]; math.Abs(x.got-want) > 1e-6*want || x.got <= x.atLeast {
			t.Errorf("the ratio of %q to %q is %v, and the rows say %v", x.of, x.to, x.got, want)
		}
	}
	if r.Bytes < 3<<20 || r.Entries < r.Bytes/4200 || progress.done != progress.total || r.Seconds <= 0 {
		t.Errorf("%d bytes, %d entries, %d of %d steps", r.Bytes, r.Entries, progress.done, progress.total)
	}
}

func TestRunRefuses(t *testing.T) {
	for data, want := range map[string]string{"{}\nx\n": "line 2", "\n\n": "line 1"} {
		if _, err := Run(t.Context(), Config{Data: []byte(data), Turn: 1, Progress: &silent{}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", data, err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, Config{Data: []byte("{}"), Progress: &silent{}}); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}
