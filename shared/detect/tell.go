package detect

import (
	"cmp"
	"math"
	"slices"
)

// verdict is what a detector makes of a subject. Below a score of 1 there is
// nothing to tell.
type verdict struct {
	by       *Detector
	what     uint64 // what the episode is about, if the subject alone does not say
	start    int64  // of the episode, in milliseconds of Unix time
	last     int64
	score    float64
	severity Severity
	count    int
	seen     []sighting // the evidence
	about
	reason func() string
}

// tell appends the finding of a verdict, unless its episode was told and has
// neither doubled nor got more severe since; see conclude.
func (g *Engine) tell(s *subject, v verdict, into []Finding) []Finding {
	if v.score < 1 {
		return into
	}
	t := told{v.by.id, v.what, v.start, int8(min(math.Log2(v.score), 100)), v.severity.rank()}
	known := s.episode(v)
	if known < 0 && g.named(s, v, t) {
		return into
	}
	if known >= 0 {
		t.start = s.told[known].start
	}
	now := known < 0 || t.worse(s.told[known])
	if g.note(s, v, t, now); !now {
		return into
	}
	s.tell(t)
	return append(into, g.finding(s, v, t, known >= 0))
}

// episode is where the one of a verdict is among those that were told; -1 is that
// it was not.
func (s *subject) episode(v verdict) int {
	return slices.IndexFunc(s.told, func(k told) bool {
		return k.detector == v.by.id && k.what == v.what && k.start >= v.start-pause && k.start <= v.last
	})
}

// worse reports whether there is more to tell than what was told.
func (t told) worse(than told) bool { return t.level > than.level || t.severity > than.severity }

// pause ends an episode. It is longer than a day, for what comes every night.
const pause = 30 * hour

// run returns when the episode began that t lies in, and when it ended: it goes
// on until a pause without a sighting of its kind.
func run(list []sighting, t int64) (start, last int64) {
	type span struct{ from, to int64 }
	spans := make([]span, len(list))
	for i := range list {
		spans[i] = span{list[i].first.at, list[i].last}
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	for _, s := range spans {
		if s.from > last+pause {
			if last != 0 && t <= last {
				break
			}
			start = s.from
		}
		last = max(last, s.to)
	}
	return start, last
}

// densest finds, not further than width from t, the stretch of that width whose
// sightings weigh most, and returns their weight and when the stretch begins and
// ends. Several sightings of the same weigh once.
func densest(list []sighting, t, width int64, weight func(*sighting) int) (most int, from, to int64) {
	type point struct {
		at, what uint64
		weight   int
	}
	var points []point
	for i := range list {
		s := &list[i]
		if w := weight(s); w > 0 && s.within(t-width, t+width) {
			points = append(points, point{uint64(s.first.at), s.item(), w}, point{uint64(s.last), s.item(), w})
		}
	}
	slices.SortFunc(points, func(a, b point) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.what, b.what)) })
	inside, sum, oldest := make(map[uint64]int, len(points)), 0, 0
	for _, p := range points {
		if inside[p.what]++; inside[p.what] == 1 {
			sum += p.weight
		}
		for ; p.at-points[oldest].at > uint64(width); oldest++ {
			if o := points[oldest]; inside[o.what] == 1 {
				sum -= o.weight
			}
			inside[points[oldest].what]--
		}
		if sum > most {
			most, from, to = sum, int64(points[oldest].at), int64(p.at)
		}
	}
	return most, from, to
}

// between returns the sightings known to have been met with from a to b.
func between(list []sighting, a, b int64) []sighting {
	var found []sighting
	for i := range list {
		if list[i].within(a, b) {
			found = append(found, list[i])
		}
	}
	return found
}

// distinct is how many different things were sighted.
func distinct(list []sighting) int {
	seen := make(map[uint64]bool, len(list))
	for i := range list {
		seen[list[i].what] = true
	}
	return len(seen)
}
