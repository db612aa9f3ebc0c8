package detect

import (
	"math"
	"time"
)

// clock follows the times of the entries. One entry that is ahead of all others
// does not move it, for its time may be wrong; two that agree do.
type clock struct {
	now   int64 // in milliseconds of Unix time
	ahead int64 // of an entry that nothing has confirmed yet
}

const (
	leap         = hour // within which an entry needs no other to confirm it
	earliestTime = 946_684_800_000
	latestTime   = math.MaxInt64
)

// Plausible reports whether detectors judge entries of a time: those of this
// century, as nothing was logged before.
func Plausible(t time.Time) bool { return plausible(t.UnixMilli()) }

func plausible(t int64) bool { return t >= earliestTime && t < earliestTime+100*366*day }

// advance reports whether the clock moved.
func (c *clock) advance(t int64) bool {
	switch {
	case t <= c.now:
		return false
	case t > c.now+leap && c.now != 0 && (c.ahead == 0 || max(t-c.ahead, c.ahead-t) > leap):
		c.ahead = t
		return false
	case t > c.now+leap && c.now != 0:
		t = min(t, c.ahead)
	}
	c.now, c.ahead = t, 0
	return true
}
