package abuse

import (
	"iter"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"time"

	"example.com/keyturn/shared/detect"
)

// Event is one entry as it reaches a detector.
type Event struct {
	Entry   detect.Entry
	Arrival time.Time
	Episode int  // index into the world's Episodes
	Again   bool // whether it was delivered before
}

// Events are all entries of the world in order of arrival, some late, some out
// of order and some twice.
func (w *World) Events() iter.Seq[*Event] {
	return func(yield func(*Event) bool) {
		var waiting []*Event
		for n := range Days + 2 {
			waiting = append(waiting, w.scripted[n]...)
			if n < Days {
				waiting = append(waiting, w.everyday(n)...)
			}
			slices.SortStableFunc(waiting, func(a, b *Event) int { return a.Arrival.Compare(b.Arrival) })
			end := Start.Add(time.Duration(n+1) * day)
			arrived := sort.Search(len(waiting), func(i int) bool { return n <= Days && !waiting[i].Arrival.Before(end) })
			for _, e := range waiting[:arrived] {
				if !w.muted(e) && !yield(e) {
					return
				}
			}
			waiting = slices.Clone(waiting[arrived:])
		}
	}
}

// deliver sends an entry on its way: it gets an id, arrives some seconds after
// its time, now and then a minute, and in one of two hundred cases twice.
func deliver(r *rand.Rand, e detect.Entry, episode int, late time.Duration) []*Event {
	e.InsertID = strconv.FormatUint(r.Uint64(), 36)
	lag := 300*time.Millisecond + time.Duration(r.ExpFloat64()*float64(2*time.Second)) + late
	if chance(r, 0.005) {
		lag += between(r, 0, 2*time.Minute)
	}
	events := []*Event{{Entry: e, Arrival: e.Time.Add(lag), Episode: episode}}
	if chance(r, 0.005) {
		again := *events[0]
		again.Arrival, again.Again = again.Arrival.Add(between(r, time.Second, 20*time.Minute)), true
		events = append(events, &again)
	}
	return events
}
