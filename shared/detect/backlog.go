package detect

import (
	"container/heap"
	"math"
	"slices"
	"time"
)

// backlog holds what can be looked at only when all entries about its time have
// come: unnamed calls, until it is known who else was at the same place, and
// successes, until all denials before them are known.
type backlog struct {
	batches map[int64]*batch // by when they are due, in milliseconds of Unix time
	dues    dues             // of all batches
	unnamed int              // in all batches
	bytes   int              // of them
	wins    int              // in all batches
	refused map[string]int   // what found no room, by what it is
	wake    int64            // when the first of them is due
}

type batch struct {
	unnamed []string // entries, as JSON
	wins    []win
}

// Bounds of what is held back; of more, each is looked at as it comes.
const (
	maxBacklog      = 1 << 14  // unnamed calls, and successes
	maxBacklogBytes = 32 << 20 // of unnamed calls, whose texts are as long as their callers like
)

// What finds no room, in the place of a detector's name.
const (
	unnamedCallers = "callers-without-a-name"
	newSuccesses   = "successes-after-failures"
)

func newBacklog() backlog {
	return backlog{batches: make(map[int64]*batch), refused: make(map[string]int), wake: math.MaxInt64}
}

// LongestHold is how long after its time an entry is held back at most, while time goes
// on: until then Share does not tell of it. A success is held back for less than an
// unnamed call.
const LongestHold = time.Duration((spanLater+1)*spanWidth+slack) * time.Millisecond

// dueAfter is when all entries have come up to so many spans of time after that of t.
func dueAfter(t, spans int64) int64 { return (spanOf(t)+spans+1)*spanWidth + slack }

// batch returns the one of a time, to be added to.
func (b *backlog) batch(due int64) *batch {
	if b.batches[due] == nil {
		b.batches[due] = new(batch)
		heap.Push(&b.dues, due)
		b.wake = b.dues[0]
	}
	return b.batches[due]
}

// holdCall reports whether there was room for an unnamed call.
func (b *backlog) holdCall(record string, due int64) bool {
	if b.unnamed >= maxBacklog || b.bytes+len(record) > maxBacklogBytes {
		b.refused[unnamedCallers]++
		return false
	}
	batch := b.batch(due)
	batch.unnamed = append(batch.unnamed, record)
	b.unnamed, b.bytes = b.unnamed+1, b.bytes+len(record)
	return true
}

// holdWin reports whether there was room for a success.
func (b *backlog) holdWin(w win, due int64) bool {
	if b.wins >= maxBacklog {
		b.refused[newSuccesses]++
		return false
	}
	batch := b.batch(due)
	batch.wins = append(batch.wins, w)
	b.wins++
	return true
}

// take removes the batch that is due first.
func (b *backlog) take() *batch {
	due := heap.Pop(&b.dues).(int64)
	first := b.batches[due]
	delete(b.batches, due)
	b.unnamed -= len(first.unnamed)
	for _, record := range first.unnamed {
		b.bytes -= len(record)
	}
	b.wins -= len(first.wins)
	b.wake = math.MaxInt64
	if len(b.dues) > 0 {
		b.wake = b.dues[0]
	}
	return first
}

// dues is a heap of times, the first on top.
type dues []int64

func (d dues) Len() int           { return len(d) }
func (d dues) Less(i, j int) bool { return d[i] < d[j] }
func (d dues) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }

// Push implements heap.Interface.
func (d *dues) Push(due any) { *d = append(*d, due.(int64)) }

// Pop implements heap.Interface.
func (d *dues) Pop() any {
	last := len(*d) - 1
	due := (*d)[last]
	*d = (*d)[:last]
	return due
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
