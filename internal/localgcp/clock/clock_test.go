package clock

import (
	"slices"
	"testing"
	"time"
)

var t0 = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func TestLeapFiresTimersAtItsEnd(t *testing.T) {
	c := NewFrozen(t0)
	var fired []time.Duration
	note := func() { fired = append(fired, c.Now().Sub(t0)) }
	var hourly func()
	hourly = func() { note(); c.At(c.Now().Add(time.Hour), hourly) }
	c.At(t0.Add(time.Hour), hourly)
	c.At(t0.Add(4*time.Hour), note)

	c.Leap(3 * time.Hour)
	if want := []time.Duration{3 * time.Hour}; !slices.Equal(fired, want) {
		t.Errorf("fired at %v, want %v", fired, want)
	}
	c.Advance(time.Hour)
	if want := []time.Duration{3 * time.Hour, 4 * time.Hour, 4 * time.Hour}; !slices.Equal(fired, want) {
		t.Errorf("fired at %v, want %v", fired, want)
	}
}

func TestAdvanceFiresTimersInOrderAtTheirOwnTime(t *testing.T) {
	c := NewFrozen(t0)
	var fired []time.Duration
	note := func() { fired = append(fired, c.Now().Sub(t0)) }
	c.At(t0.Add(2*time.Hour), note)
	c.At(t0.Add(time.Hour), func() {
		note()
		c.At(t0.Add(90*time.Minute), note) // set by a timer, still on the way
	})
	c.At(t0.Add(4*time.Hour), note)

	c.Advance(3 * time.Hour)

	want := []time.Duration{time.Hour, 90 * time.Minute, 2 * time.Hour}
	if len(fired) != len(want) {
		t.Fatalf("fired at %v, want %v", fired, want)
	}
	for i := range want {
		if fired[i] != want[i] {
			t.Errorf("timer %d fired at %v, want %v", i, fired[i], want[i])
		}
	}
	if got := c.Now(); !got.Equal(t0.Add(3 * time.Hour)) {
		t.Errorf("clock stands at %v after advancing 3h", got)
	}
}

func TestCancelledTimerDoesNotFire(t *testing.T) {
	c := NewFrozen(t0)
	cancel := c.At(t0.Add(time.Minute), func() { t.Error("cancelled timer fired") })
	cancel()
	cancel() // a second call is harmless
	c.Advance(time.Hour)
}

func TestFlowingClockFiresByItselfAndCanJump(t *testing.T) {
	c := New()
	fired := make(chan struct{})
	c.At(c.Now().Add(time.Millisecond), func() { close(fired) })
	select {
	case <-fired:
	case <-time.After(10 * time.Second):
		t.Fatal("timer of a flowing clock did not fire")
	}
	before := time.Now()
	c.Advance(time.Hour)
	if got := c.Now().Sub(before); got < time.Hour {
		t.Errorf("clock is %v ahead after advancing 1h", got)
	}
}
