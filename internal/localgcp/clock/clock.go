// Package clock is the policy clock of the embedded Google Cloud: rotation
// periods, propagation, schedules and certificate validity are read from it,
// while protocol times (token lifetimes, acknowledgement deadlines) stay on
// the machine's clock.
package clock

import (
	"container/heap"
	"sync"
	"time"
)

// Clock tells policy time. It flows with the machine's clock unless it was
// made frozen, and either kind can be moved forward by Advance.
// It is safe for concurrent use.
type Clock struct {
	mu      sync.Mutex
	frozen  bool
	offset  time.Duration // policy time minus machine time, of a flowing clock
	at      time.Time     // policy time, of a frozen clock
	pending timers
	set     uint64      // timers so far
	wake    *time.Timer // fires the next timer of a flowing clock
	moving  sync.Mutex  // serialises Advance, so that timers fire in order
}

// New returns a flowing clock that starts at the machine's time.
func New() *Clock { return &Clock{} }

// NewFrozen returns a clock that stands at start until it is advanced.
func NewFrozen(start time.Time) *Clock { return &Clock{frozen: true, at: start.UTC()} }

// Now returns the policy time, in UTC.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *Clock) now() time.Time {
	if c.frozen {
		return c.at
	}
	return time.Now().Add(c.offset).UTC()
}

// Advance moves the clock forward by d. Every timer that falls due on the way
// runs, in order and in the caller's goroutine, with the clock standing at its
// own time: a job due every five minutes fires twelve times in an hour.
func (c *Clock) Advance(d time.Duration) {
	c.moving.Lock()
	defer c.moving.Unlock()
	target := c.Now().Add(d)
	c.run(target)
	c.stand(target)
}

// Leap is Advance for long ways: the clock stands at the end of the way already when
// the timers that fall due on it run, so that what is set again goes on from there.
func (c *Clock) Leap(d time.Duration) {
	c.moving.Lock()
	defer c.moving.Unlock()
	target := c.Now().Add(d)
	c.stand(target)
	c.run(target)
}

// run runs the timers that are due by target.
func (c *Clock) run(target time.Time) {
	for f := c.takeDue(target); f != nil; f = c.takeDue(target) {
		f()
	}
}

func (c *Clock) stand(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moveTo(at)
	c.arm()
}

// At runs f once the clock has reached t, in a goroutine of the clock's own or
// in that of the caller of Advance; f must not call Advance. If the clock is
// frozen, that takes an Advance, however short, even when t is past. The
// returned function cancels it, if f has not begun.
func (c *Clock) At(t time.Time, f func()) (cancel func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.set++
	tm := &timer{at: t, n: c.set, f: f}
	heap.Push(&c.pending, tm)
	c.arm()
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if tm.index >= 0 {
			heap.Remove(&c.pending, tm.index)
			c.arm()
		}
	}
}

// takeDue removes the earliest timer due by target, moves the clock to its
// time and returns its function; nil when none is due.
func (c *Clock) takeDue(target time.Time) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.pending) == 0 || c.pending[0].at.After(target) {
		return nil
	}
	tm := heap.Pop(&c.pending).(*timer)
	c.moveTo(tm.at)
	return tm.f
}

// moveTo never moves backwards: a timer set for the past fires now.
func (c *Clock) moveTo(t time.Time) {
	if t.Before(c.now()) {
		return
	}
	if c.frozen {
		c.at = t
		return
	}
	c.offset = time.Until(t)
}

// arm sets the wake-up of a flowing clock to its earliest timer.
func (c *Clock) arm() {
	if c.frozen {
		return
	}
	if c.wake != nil {
		c.wake.Stop()
	}
	if len(c.pending) > 0 {
		c.wake = time.AfterFunc(c.pending[0].at.Sub(c.now()), func() { c.Advance(0) })
	}
}

type timer struct {
	at    time.Time
	n     uint64 // timers of one time fire in the order in which they were set
	f     func()
	index int // in the heap; -1 once taken out
}

type timers []*timer

func (q timers) Len() int { return len(q) }

func (q timers) Less(i, j int) bool {
	if q[i].at.Equal(q[j].at) {
		return q[i].n < q[j].n
	}
	return q[i].at.Before(q[j].at)
}

func (q timers) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *timers) Push(x any) {
	tm := x.(*timer)
	tm.index = len(*q)
	*q = append(*q, tm)
}

func (q *timers) Pop() any {
	last := len(*q) - 1
	tm := (*q)[last]
	*q = (*q)[:last]
	tm.index = -1
	return tm
}
