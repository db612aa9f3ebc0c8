package detect

import (
	"cmp"
	"slices"
)

// subject is what is remembered of one caller. Two subjects of the same name,
// from two instances, join: see join.
type subject struct {
	name       string
	born, seen int64      // Unix time in milliseconds of its earliest and latest entry
	granted    []grant    // permissions it was seen to have
	refused    []grant    // permissions it was denied, since the first time
	sightings  []sighting // ordered
	told       []told     // ordered
	notes      [noteKinds]note

	heat // where the store keeps it
}

// grant is one permission, by a hash of 32 bits, and the second of Unix time since
// when it is known to be granted, or refused.
type grant struct {
	pair  uint32
	since uint32
}

const (
	maxGranted = 512 // permissions that are known to be granted, or refused; of more, those of the smallest hashes
	maxTold    = 64
)

// told is an episode that was told, and how bad it was.
type told struct {
	detector uint32 // hash of its name
	what     uint64 // what the episode is about, if the subject alone does not say
	start    int64  // Unix time in milliseconds
	level    int8   // doublings of the score
	severity int8
}

func (t told) order(other told) int {
	return cmp.Or(cmp.Compare(other.start, t.start), cmp.Compare(t.detector, other.detector), cmp.Compare(t.what, other.what))
}

// note is the latest of something that describes the subject.
type note struct {
	at   int64
	text string
}

func (n note) latest(other note) note {
	if cmp.Or(cmp.Compare(n.at, other.at), cmp.Compare(n.text, other.text)) < 0 {
		return other
	}
	return n
}

// What is noted of a subject once it was sighted at something.
const (
	noteKey     = iota // full name of the service account key that was used
	noteProject        // where
	noteFrom           // address and user agent
	noteChain          // who impersonated whom to act as the subject, separated by chainSeparator
	noteKinds
)

const chainSeparator = " > "

// join makes s what it were if it had seen what other saw, too. It is
// idempotent, commutative and associative.
func (s *subject) join(other *subject) {
	s.born, s.seen = earliest(s.born, other.born), max(s.seen, other.seen)
	s.granted = joinGranted(s.granted, other.granted)
	s.refused = joinGranted(s.refused, other.refused)
	s.sightings = joined(s.sightings, other.sightings)
	for _, t := range other.told {
		s.tell(t)
	}
	for i := range s.notes {
		s.notes[i] = s.notes[i].latest(other.notes[i])
	}
}

func earliest(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

func joinGranted(a, b []grant) []grant {
	all := slices.Concat(a, b)
	slices.SortFunc(all, func(x, y grant) int { return cmp.Or(cmp.Compare(x.pair, y.pair), cmp.Compare(x.since, y.since)) })
	all = slices.CompactFunc(all, func(x, y grant) bool { return x.pair == y.pair })
	return all[:min(len(all), maxGranted)]
}

// tell notes that an episode was told.
func (s *subject) tell(t told) {
	i, ok := slices.BinarySearchFunc(s.told, t, told.order)
	if ok {
		s.told[i].level, s.told[i].severity = max(s.told[i].level, t.level), max(s.told[i].severity, t.severity)
		return
	}
	s.told = slices.Insert(s.told, i, t)
	s.told = s.told[:min(len(s.told), maxTold)]
}

// meet notes that the subject was seen at t.
func (s *subject) meet(t int64) { s.born, s.seen = earliest(s.born, t), max(s.seen, t) }

// grant notes that the subject had a permission at t, and refuse that it had not.
func (s *subject) grant(pair uint64, t int64)  { s.granted = noteGrant(s.granted, pair, t) }
func (s *subject) refuse(pair uint64, t int64) { s.refused = noteGrant(s.refused, pair, t) }

func noteGrant(list []grant, pair uint64, t int64) []grant {
	since := uint32(t / second)
	i, ok := findGrant(list, pair)
	switch {
	case ok:
		list[i].since = min(list[i].since, since)
	case i < maxGranted:
		list = slices.Insert(list, i, grant{uint32(pair), since})
	}
	return list[:min(len(list), maxGranted)]
}

func findGrant(list []grant, pair uint64) (int, bool) {
	return slices.BinarySearchFunc(list, uint32(pair), func(g grant, pair uint32) int { return cmp.Compare(g.pair, pair) })
}

// refusedSince returns when the subject was first denied what is in a sighting.
func (s *subject) refusedSince(d *sighting) int64 {
	if i, ok := findGrant(s.refused, d.what); ok {
		return min(d.first.at, int64(s.refused[i].since)*second)
	}
	return d.first.at
}

// had reports whether the subject was seen to have a permission before t, by
// more than entries come out of order: a shuffle of the log must not change it.
func (s *subject) had(pair uint64, t int64) bool { return s.knownToHave(pair) <= t }

// knownToHave is when it is known that the subject has a permission; the end of time
// if it does not.
func (s *subject) knownToHave(pair uint64) int64 {
	if i, ok := findGrant(s.granted, pair); ok {
		return int64(s.granted[i].since)*second + slack + minute
	}
	return latestTime
}

// hadBy is had for those who have waited for all entries up to t.
func (s *subject) hadBy(pair uint64, t int64) bool {
	i, ok := findGrant(s.granted, pair)
	return ok && int64(s.granted[i].since)*second <= t
}

// Units of time in milliseconds.
const (
	second = int64(1000)
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

// slack is how much entries come out of order.
const slack = 3 * minute

// sight takes in one sighting and reports whether it is news: of another mark,
// or earlier than known.
func (s *subject) sight(n sighting) (news bool) {
	i, ok := place(s.sightings, n.mark)
	if ok {
		known := &s.sightings[i]
		if news = n.first.at < known.first.at; n.first.at <= known.first.at {
			n.first = n.first.kept()
		}
		n.name = known.name
		known.join(&n)
		return news
	}
	n.name, n.first = visible(n.name, n.kind.longest()), n.first.kept()
	s.sightings = bounded(slices.Insert(s.sightings, i, n))
	return true
}

// kept is a stamp whose texts are safe and lie in no buffer.
func (s stamp) kept() stamp {
	return stamp{s.at, visible(s.id, maxName), visible(s.target, maxName)}
}

// of returns the sightings of a kind.
func (s *subject) of(k kind) []sighting {
	from, _ := place(s.sightings, mark{kind: k, day: 1<<31 - 1})
	to, _ := place(s.sightings, mark{kind: k + 1, day: 1<<31 - 1})
	return s.sightings[from:to]
}
