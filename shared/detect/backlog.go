package detect

import (
	"math"
	"slices"
	"time"
)

// backlog holds what can be looked at only when all entries about its time have
// come: unnamed calls, until it is known who else was at the same place, and
// successes, until all denials before them are known.
type backlog struct {
	batches map[int64]*batch // by when they are due, in milliseconds of Unix time
	unnamed int              // in all batches
	wins    int              // likewise
	unasked int              // unnamed calls that found no room
	wake    int64            // when the first of them is due
}

type batch struct {
	unnamed []string // entries, as JSON
	wins    []win
}

// maxBacklog bounds the unnamed calls that are held back, and the successes; of
// more, each is looked at as it comes.
const maxBacklog = 1 << 14

func newBacklog() backlog { return backlog{batches: make(map[int64]*batch), wake: math.MaxInt64} }

// LongestHold is how long after its time an entry is held back at most, while time goes
// on: until then Share does not tell of it. A success is held back for less than an
// unnamed call.
const LongestHold = time.Duration((spanLater+1)*spanWidth+slack) * time.Millisecond

// dueAfter is when all entries have come up to so many spans of time after that of t.
func dueAfter(t, spans int64) int64 { return (spanOf(t)+spans+1)*spanWidth + slack }

// batch returns the one of a time, to be added to.
func (b *backlog) batch(due int64) *batch {
	b.wake = min(b.wake, due)
	if b.batches[due] == nil {
		b.batches[due] = new(batch)
	}
	return b.batches[due]
}

// holdCall reports whether there was room for an unnamed call.
func (b *backlog) holdCall(record string, due int64) bool {
	if b.unnamed >= maxBacklog {
		b.unasked++
		return false
	}
	batch := b.batch(due)
	batch.unnamed = append(batch.unnamed, record)
	b.unnamed++
	return true
}

// holdWin reports whether there was room for a success.
func (b *backlog) holdWin(w win, due int64) bool {
	if b.wins >= maxBacklog {
		return false
	}
	batch := b.batch(due)
	batch.wins = append(batch.wins, w)
	b.wins++
	return true
}

// take removes the batch that is due first.
func (b *backlog) take() *batch {
	first := b.batches[b.wake]
	delete(b.batches, b.wake)
	b.unnamed -= len(first.unnamed)
	b.wins -= len(first.wins)
	b.wake = math.MaxInt64
	for due := range b.batches {
		b.wake = min(b.wake, due)
	}
	return first
}

// settle looks at what is due, in the order in which it is.
func (g *Engine) settle(now int64, into []Finding) []Finding {
	for len(g.backlog.batches) > 0 && g.backlog.wake <= now {
		due := g.backlog.wake
		into = g.answer(due, into)
		batch := g.backlog.take()
		into = g.identify(batch.unnamed, due, into)
		slices.SortFunc(batch.wins, win.order)
		for _, w := range batch.wins {
			g.turn(w)
		}
	}
	return g.answer(now, into)
}
