package sim

import (
	"sync"
	"testing"
	"time"

	"example.com/keyturn/internal/raced"
)

// TestCrashMatrix makes every remote call of a whole rotation life go wrong in
// every way, for each kind and mode. Nothing is sampled.
func TestCrashMatrix(t *testing.T) {
	if testing.Short() || raced.Detector {
		t.Skip("thousands of lives, one call at a time; TestSlice runs the same code with the race detector")
	}
	began, n := time.Now(), 0
	cases := make(chan crash)
	var workers sync.WaitGroup
	for range 4 { // on 2 cores: a life mostly waits for the loopback
		workers.Go(func() {
			for c := range cases {
				if err := c.live(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for _, p := range plans() {
		calls := lifeOf(t, p)
		for c := range crashesOf(p, calls) {
			n++
			cases <- c
		}
		t.Logf("%s: %d remote calls in a life", p.id, calls)
	}
	close(cases)
	workers.Wait()
	t.Logf("%d cases in %v", n, time.Since(began).Round(time.Second))
}

// lifeOf is the number of remote calls in a life without faults.
func lifeOf(t *testing.T, p plan) int {
	t.Helper()
	c := crash{plan: p}
	w, err := c.world()
	if err != nil {
		t.Fatal(err)
	}
	w.life()
	if w.judge.violation != nil {
		t.Fatalf("%v\n%v", w.judge.violation, w.trace)
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	return w.calls
}

// A key that keyturn made and nothing names would be seen.
func TestOrphanIsSeen(t *testing.T) {
	c := crash{plan: plans()[0]}
	w, err := c.world()
	if err != nil {
		t.Fatal(err)
	}
	w.life()
	lost, _, err := w.newAccountKey(w.credentials[0].account)
	if err != nil {
		t.Fatal(err)
	}
	w.judge.made(lost, maker{credential: w.credentials[0], function: true})
	w.judge.look(cause{person: true})
	if got := w.judge.orphan(w.credentials[0]); got != lost {
		t.Errorf("orphan %q, want %q", got, lost)
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
}
