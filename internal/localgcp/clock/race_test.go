package clock

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func both() map[string]*Clock { return map[string]*Clock{"frozen": NewFrozen(t0), "flowing": New()} }

// Several goroutines set, cancel, advance and read at once: a timer fires once,
// never early, and nobody sees time run backwards. A cancelled one may have been
// on its way.
func TestConcurrentUse(t *testing.T) {
	for name, c := range both() {
		t.Run(name, func(t *testing.T) {
			const workers, each = 8, 50
			var fired [workers * each]atomic.Int32
			var wg sync.WaitGroup
			for w := range workers {
				wg.Go(func() {
					last := c.Now()
					for i := w * each; i < (w+1)*each; i++ {
						due := last.Add(time.Duration(1+i%7) * time.Minute)
						cancel := c.At(due, func() {
							fired[i].Add(1)
							if c.Now().Before(due) {
								t.Error("a timer fired early")
							}
						})
						if i%5 == 0 {
							cancel()
						}
						c.Advance(time.Minute)
						if now := c.Now(); now.Before(last) {
							t.Errorf("time ran from %v back to %v", last, now)
						} else {
							last = now
						}
					}
				})
			}
			wg.Wait()
			c.Advance(time.Hour)
			for i := range fired {
				if n := fired[i].Load(); n > 1 || n == 0 && i%5 != 0 {
					t.Errorf("timer %d fired %d times", i, n)
				}
			}
		})
	}
}

func TestCancelFromAnotherTimer(t *testing.T) {
	c := NewFrozen(t0)
	cancel := c.At(t0.Add(2*time.Minute), func() { t.Error("cancelled timer fired") })
	c.At(t0.Add(time.Minute), func() { cancel() })
	c.Advance(time.Hour)
}

func TestTimersOfOneTimeFireInTheOrderOfSetting(t *testing.T) {
	c := NewFrozen(t0)
	var got, want []int
	var cancels []func()
	for i := range 100 {
		cancels = append(cancels, c.At(t0.Add(time.Minute), func() { got = append(got, i) }))
		if i%3 != 0 {
			want = append(want, i)
		}
	}
	for i := 0; i < 100; i += 3 {
		cancels[i]()
	}
	c.Advance(time.Minute)
	if !slices.Equal(got, want) {
		t.Errorf("fired %v", got)
	}
}

func TestTimerOfThePast(t *testing.T) {
	for name, c := range both() {
		t.Run(name, func(t *testing.T) {
			before := c.Now()
			fired := make(chan time.Time, 1)
			c.At(before.Add(-time.Hour), func() { fired <- c.Now() })
			if name == "frozen" {
				c.Advance(0)
			}
			select {
			case at := <-fired:
				if at.Before(before) {
					t.Errorf("it moved the clock back to %v", at)
				}
			case <-time.After(10 * time.Second):
				t.Error("it did not fire")
			}
		})
	}
}

// A flowing clock keeps its earliest timer armed, whatever is set and cancelled
// around it.
func TestFlowingClockRearms(t *testing.T) {
	c := New()
	fired := make(chan string, 3)
	at := func(d time.Duration, name string) func() { return c.At(c.Now().Add(d), func() { fired <- name }) }
	at(2*time.Millisecond, "second")
	cancel := at(time.Millisecond, "cancelled")
	cancel()
	at(time.Hour, "third")
	if got := <-fired; got != "second" {
		t.Errorf("%s fired first", got)
	}
	c.Advance(time.Hour)
	if got := <-fired; got != "third" {
		t.Errorf("%s fired after the hour", got)
	}
}

func TestTimesAreUTC(t *testing.T) {
	east := time.FixedZone("east", 3600)
	for name, c := range map[string]*Clock{"flowing": New(), "frozen": NewFrozen(t0.In(east))} {
		c.Advance(time.Minute)
		if zone := c.Now().Location(); zone != time.UTC {
			t.Errorf("%s: %v", name, zone)
		}
	}
}
