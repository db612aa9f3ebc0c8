package detect

import (
	"hash/maphash"
	"slices"
	"strings"
)

// places remembers who was seen lately at which (address, user agent), to know
// whose the calls are of which Google does not tell the caller: it leaves callers
// out of denied reads, unless they are service accounts of the same organisation.
type places struct {
	seed  maphash.Seed
	slots []spot
}

// spot is one place; another that falls into the same slot replaces it.
type spot struct {
	place     uint64
	names     [2]string // seen there lately
	at        [2]int64
	crowded   int64    // when more than two were last seen there: none of them is named
	strangers []string // seen there lately, and not stitched to anybody
	strange   int64    // when the latest stranger was seen
}

const (
	spots        = 1 << 13
	stitching    = 10 * minute // that an unnamed call and a named one from the same place may be apart
	maxStrangers = 8
)

func newPlaces() *places {
	return &places{seed: maphash.MakeSeed(), slots: make([]spot, spots)}
}

// spot returns the slot of the place that an entry came from.
func (p *places) spot(e *Entry) *spot {
	place := stir(maphash.String(p.seed, e.CallerIP)*31 + maphash.String(p.seed, e.UserAgent))
	s := &p.slots[place%spots]
	if s.place != place {
		*s = spot{place: place}
	}
	return s
}

func near(a, b int64) bool { return max(a-b, b-a) <= stitching }

// named notes that name was seen at t, and returns the strangers who are to be
// taken for it.
func (s *spot) named(name string, t int64) (strangers []string) {
	switch {
	case s.names[0] == name:
		s.at[0] = max(s.at[0], t)
	case s.names[1] == name:
		s.at[1] = max(s.at[1], t)
	case s.crowded != 0 && near(s.crowded, t):
		s.crowded = max(s.crowded, t)
	default:
		s.admit(name, t)
	}
	if len(s.strangers) == 0 || !near(s.strange, t) || s.only(t) != name {
		return nil
	}
	strangers, s.strangers = s.strangers, nil
	return strangers
}

// admit puts a new name in the place of the one longest unseen.
func (s *spot) admit(name string, t int64) {
	i := 0
	if s.at[1] < s.at[0] {
		i = 1
	}
	if s.at[i] != 0 && near(s.at[i], t) {
		s.crowded = t
		return
	}
	s.names[i], s.at[i] = string([]byte(name)), t
}

// only returns who alone was seen about t; "" if that is nobody or several.
func (s *spot) only(t int64) string {
	if s.crowded != 0 && near(s.crowded, t) {
		return ""
	}
	first, second := s.at[0] != 0 && near(s.at[0], t), s.at[1] != 0 && near(s.at[1], t)
	switch {
	case first && !second:
		return s.names[0]
	case second && !first:
		return s.names[1]
	}
	return ""
}

// stranger notes that a stranger was seen at t whom nobody is known to be.
func (s *spot) stranger(name string, t int64) {
	if !near(s.strange, t) {
		s.strangers = nil
	}
	s.strange = max(s.strange, t)
	if len(s.strangers) < maxStrangers && !slices.Contains(s.strangers, name) {
		s.strangers = append(s.strangers, name)
	}
}

// fits reports whether name may be what Google masked, as ri...e@gm...m may be
// rita.moore@gmail.com. Everybody fits what is not masked.
func fits(mask, name string) bool {
	mask, _, _ = strings.Cut(mask, " ")
	parts := strings.Split(mask, "...")
	if len(parts) == 1 {
		return true
	}
	rest, ok := strings.CutPrefix(name, parts[0])
	for _, part := range parts[1:] {
		_, after, found := strings.Cut(rest, part)
		rest, ok = after, ok && found
	}
	return ok && strings.HasSuffix(name, parts[len(parts)-1])
}

// caller names the caller of an entry that does not: who alone was seen at the
// same place, or else a stranger.
func (g *Engine) caller(e *Entry, t int64) (name string, strange bool) {
	if !e.located() {
		return e.stranger(), true
	}
	spot := g.places.spot(e)
	if name := spot.only(t); name != "" && fits(e.Principal, name) {
		return name, false
	}
	name = e.stranger()
	spot.stranger(name, t)
	return name, true
}

// stitch takes strangers, seen minutes ago where name was just seen, for name.
func (g *Engine) stitch(name string, strangers []string, t int64, into []Finding) []Finding {
	for _, stranger := range strangers {
		s := g.store.find(stranger)
		if s == nil || !fits(stranger, name) {
			continue
		}
		s.noted(noteName, t, name)
		seen := s.since(t - stitching)
		known := g.store.get(name)
		known.join(seen)
		into = g.judge(known, t, into)
	}
	return into
}

// since returns what a subject was denied from t on.
func (s *subject) since(t int64) *subject {
	seen := &subject{name: s.name, born: t, seen: s.seen, notes: s.notes}
	seen.notes[noteName] = note{}
	for _, n := range s.sightings {
		if n.last >= t {
			seen.sightings = append(seen.sightings, n)
		}
	}
	return seen
}

// strangers is the detector of those who wait for all others to be asked about a stranger.
const strangers = 0

// judgeStranger asks the detectors about a stranger, unless it is known meanwhile
// who it was: then they were asked about that one.
func (g *Engine) judgeStranger(s *subject, at int64, into []Finding) []Finding {
	if n := s.notes[noteName]; n.at != 0 && near(n.at, at) {
		return into
	}
	return g.judge(s, at, into)
}
