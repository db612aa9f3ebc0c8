package detect

import (
	"math"
	"time"
)

// clock follows the times of the entries. An entry that is far ahead of the others,
// or far behind, does not move it, for its time may be wrong; a few in a row do:
// then the log went on after a pause, or it is another log's turn.
type clock struct {
	now   int64 // in milliseconds of Unix time
	apart int   // entries in a row that were far ahead, or, below 0, behind
	least int64 // of them, the one nearest to now
}

const (
	leap         = hour // ahead of the clock, within which an entry needs no other to confirm it
	agreed       = 3    // entries in a row that move the clock wherever they are
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
	case c.now == 0, t > c.now && t <= c.now+leap:
		*c = clock{now: t}
		return true
	case t > c.now:
		return c.doubt(t, 1)
	case t < c.now-late:
		return c.doubt(t, -1)
	}
	c.apart = 0
	return false
}

// doubt takes in a time that is far from the clock's, in a direction.
func (c *clock) doubt(t int64, way int) bool {
	if c.apart*way <= 0 {
		c.apart, c.least = 0, t
	}
	c.apart += way
	if c.least = min(c.least*int64(way), t*int64(way)) * int64(way); c.apart*way < agreed {
		return false
	}
	*c = clock{now: c.least}
	return true
}

// set tells the clock what time it is. It may be a little ahead already.
func (c *clock) set(now int64) {
	if c.now < now || c.now > now+leap {
		*c = clock{now: now}
	}
}
