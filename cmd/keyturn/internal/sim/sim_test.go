package sim

import (
	"context"
	"errors"
	"slices"
	"testing"
)

// TestSlice is the beginning of what 'keyturn bench sim' does at length.
func TestSlice(t *testing.T) {
	told := 0
	r, err := Run(t.Context(), Config{Seeds: 40, First: 1, Progress: func(int) { told++ }})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d seeds, %d remote calls, %d keys promoted, %.1f s", r.Seeds, r.Calls, r.Rotations, r.Seconds)
	for _, f := range r.Failures {
		t.Errorf("seed %d: %v; 'keyturn bench sim --seed %d' tells the story", f.Seed, f.Violation, f.Seed)
	}
	if r.Seeds != 40 || told != 40 || r.Calls < 40*50 || r.Rotations < 40 || r.Seconds <= 0 {
		t.Errorf("%+v after %d reports: that is not what 40 worlds are like", r, told)
	}
}

// A seed is worth something only if it makes the same world again, by whatever
// way the calls go.
func TestSameSeedSameStory(t *testing.T) {
	for _, seed := range []uint64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 232, 802} { // in the last two the reply of a list is lost
		first, err := Replay(seed)
		if err != nil {
			t.Fatal(err)
		}
		second, err := Config{Network: true}.live(seed)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(first.Trace, second.Trace) {
			t.Errorf("seed %d: the two stories differ from line %d on", seed, difference(first.Trace, second.Trace))
		}
	}
}

func difference(a, b []string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i + 1
		}
	}
	return min(len(a), len(b)) + 1
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, err := Run(ctx, Config{Seeds: 1 << 30, Workers: 2, Progress: func(int) { cancel() }})
	if !errors.Is(err, context.Canceled) || r.Seeds > 4 {
		t.Errorf("%d seeds, error %v", r.Seeds, err)
	}
}
