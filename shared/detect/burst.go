package detect

import (
	"cmp"
	"slices"
	"time"
)

// Limits say how much of what a detector takes for abuse.
type Limits struct {
	Window   time.Duration // in which distinct denials are counted; 0 is 10 minutes
	Distinct int           // from how many on they are a finding; 0 is 8
}

func (l Limits) withDefaults() Limits {
	if l.Window <= 0 {
		l.Window = 10 * time.Minute
	}
	if l.Distinct <= 0 {
		l.Distinct = 8
	}
	return l
}

// Bounds of what is kept of one subject: at the very most some 100 KB.
const (
	maxSightings = 256
	maxName      = 128 // bytes of a permission, target or insertId
	maxKeyName   = 256
)

// State is what is remembered of one Key. The zero State is a subject never
// seen. A State is a value: Observe leaves the one it was given as it was.
type State struct {
	Sightings []Sighting // in order of arrival; beyond maxSightings the oldest go
	Episode   Episode    // the latest one; zero while none was told
	KeyName   string     // the service account key that was used last, when any entry told
}

// Sighting is one item as it was denied within one minute, so that a retry loop
// takes little room. Any window of a minute or more that holds one of its
// denials holds the first or the last.
type Sighting struct {
	Item        Item
	First, Last time.Time
	InsertID    string // of one of the entries
}

// Episode is a burst from its first to its latest denial, with no pause longer
// than the window.
type Episode struct {
	First, Last time.Time
	Level       int // number of distinct items that was last told, rounded down to a doubling
	Severity    Severity
	Revision    int
}

// Observe takes one entry into the state of its Key and returns what is to be
// told: an episode once, and again each time that it doubled or got more severe.
// It counts distinct items, so neither duplicates nor retry loops add to it; and
// it goes by the times of the entries, so late ones count and order hardly
// matters. A burst from before the latest episode is not told.
func Observe(l Limits, s State, e Entry) (State, []Finding) {
	key, ok := KeyOf(e)
	if !ok {
		return s, nil
	}
	l = l.withDefaults()
	s.Sightings = remember(s.Sightings, e)
	s.KeyName = cmp.Or(visible(e.KeyName, maxKeyName), s.KeyName)
	ep, ok := s.episodeAt(e.Time, l)
	if !ok {
		return s, nil
	}
	seen := between(s.Sightings, ep.First, ep.Last)
	count := len(distinct(seen))
	severity := severityOf(key.Detector, seen, count, l)
	if level := levelOf(count, l.Distinct); level > ep.Level || severity.above(ep.Severity) {
		ep.Level, ep.Severity, ep.Revision = max(level, ep.Level), severity, ep.Revision+1
		s.Episode = ep
		return s, []Finding{describe(l, key, s, seen, e)}
	}
	s.Episode = ep
	return s, nil
}

// episodeAt returns the episode that a denial at t belongs to, if any.
func (s State) episodeAt(t time.Time, l Limits) (Episode, bool) {
	ep := s.Episode
	if ep.Level > 0 {
		if t.Before(ep.First.Add(-l.Window)) {
			return Episode{}, false
		}
		if !t.After(ep.Last.Add(l.Window)) {
			ep.First, ep.Last = earlier(ep.First, t), later(ep.Last, t)
			return ep, true
		}
	}
	first, last, ok := burst(s.Sightings, t, l)
	return Episode{First: first, Last: last}, ok
}

// remember returns a copy of the sightings that has those of e.
func remember(sightings []Sighting, e Entry) []Sighting {
	sightings = slices.Clone(sightings)
	for _, item := range e.items() {
		i := slices.IndexFunc(sightings, func(s Sighting) bool {
			return s.Item == item && s.First.Truncate(time.Minute).Equal(e.Time.Truncate(time.Minute))
		})
		if i >= 0 {
			sightings[i].First, sightings[i].Last = earlier(sightings[i].First, e.Time), later(sightings[i].Last, e.Time)
			continue
		}
		if len(sightings) >= maxSightings {
			sightings = slices.Delete(sightings, 0, len(sightings)-maxSightings+1)
		}
		sightings = append(sightings, Sighting{item, e.Time, e.Time, visible(e.InsertID, maxName)})
	}
	return sightings
}

// burst looks, not further than a window from t, for the first window with
// enough distinct items, and returns when its first and last denial were.
func burst(sightings []Sighting, t time.Time, l Limits) (first, last time.Time, ok bool) {
	type denial struct {
		at   time.Time
		item Item
	}
	var denials []denial
	for _, s := range between(sightings, t.Add(-l.Window), t.Add(l.Window)) {
		denials = append(denials, denial{s.First, s.Item}, denial{s.Last, s.Item})
	}
	slices.SortFunc(denials, func(a, b denial) int { return a.at.Compare(b.at) })
	inside := make(map[Item]int)
	oldest := 0
	for _, d := range denials {
		inside[d.item]++
		for ; d.at.Sub(denials[oldest].at) > l.Window; oldest++ {
			if inside[denials[oldest].item]--; inside[denials[oldest].item] == 0 {
				delete(inside, denials[oldest].item)
			}
		}
		if len(inside) >= l.Distinct {
			return denials[oldest].at, d.at, true
		}
	}
	return time.Time{}, time.Time{}, false
}

// between returns the sightings that have a denial from first to last.
func between(sightings []Sighting, first, last time.Time) []Sighting {
	in := func(t time.Time) bool { return !t.Before(first) && !t.After(last) }
	var found []Sighting
	for _, s := range sightings {
		if in(s.First) || in(s.Last) {
			found = append(found, s)
		}
	}
	return found
}

func distinct(sightings []Sighting) map[Item]bool {
	items := make(map[Item]bool, len(sightings))
	for _, s := range sightings {
		items[s.Item] = true
	}
	return items
}

// levelOf is the highest doubling of threshold that count has reached; 0 below it.
func levelOf(count, threshold int) int {
	if count < threshold {
		return 0
	}
	level := threshold
	for level*2 <= count {
		level *= 2
	}
	return level
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
