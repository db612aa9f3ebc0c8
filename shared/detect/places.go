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
	seed      maphash.Seed
	spots     []spot
	strangers map[uint64][]string // by place, not stitched to anybody
}

// spot is one place; another that falls into the same slot replaces it. Times
// are seconds of Unix time.
type spot struct {
	place   uint64
	who     [2]uint64 // keys of those seen there lately
	at      [2]uint32
	crowded uint32 // when more than two were last seen there: none of them is named
	strange uint32 // when the latest stranger was seen
}

const (
	manySpots    = 1 << 15
	stitching    = 600 // seconds that an unnamed call and a named one from the same place may be apart
	maxStrangers = 8
	maxStrange   = 1 << 12 // places with strangers
)

func newPlaces(seed maphash.Seed) *places {
	return &places{seed: seed, spots: make([]spot, manySpots), strangers: make(map[uint64][]string)}
}

// of is the place that an entry came from.
func (p *places) of(e *Entry) uint64 {
	return blend(maphash.String(p.seed, e.CallerIP), maphash.String(p.seed, e.UserAgent))
}

// spot returns the slot of a place.
func (p *places) spot(place uint64) *spot {
	s := &p.spots[place%manySpots]
	if s.place != place {
		*s = spot{place: place}
	}
	return s
}

func near(a, b uint32) bool { return max(a, b)-min(a, b) <= stitching }

// named notes that who was seen at t, and returns the strangers who are to be
// taken for that one.
func (p *places) named(place, who uint64, t uint32) (strangers []string) {
	s := p.spot(place)
	switch {
	case s.who[0] == who:
		s.at[0] = max(s.at[0], t)
	case s.who[1] == who:
		s.at[1] = max(s.at[1], t)
	case near(s.crowded, t):
		s.crowded = max(s.crowded, t)
	default:
		s.admit(who, t)
	}
	if !near(s.strange, t) {
		return nil
	}
	if only, ok := s.only(t); !ok || only != who {
		return nil
	}
	strangers = p.strangers[s.place]
	delete(p.strangers, s.place)
	return strangers
}

// admit puts a new one in the place of the one longest unseen.
func (s *spot) admit(who uint64, t uint32) {
	i := 0
	if s.at[1] < s.at[0] {
		i = 1
	}
	if near(s.at[i], t) {
		s.crowded = t
		return
	}
	s.who[i], s.at[i] = who, t
}

// only returns who alone was seen about t; false if that is nobody or several.
func (s *spot) only(t uint32) (who uint64, ok bool) {
	first, second := near(s.at[0], t), near(s.at[1], t)
	switch {
	case near(s.crowded, t) || first == second:
		return 0, false
	case first:
		return s.who[0], true
	}
	return s.who[1], true
}

// stranger notes that a stranger was seen at t whom nobody is known to be.
func (p *places) stranger(s *spot, name string, t uint32) {
	known := p.strangers[s.place]
	if !near(s.strange, t) {
		known = nil
	}
	s.strange = max(s.strange, t)
	if len(known) < maxStrangers && len(p.strangers) < maxStrange && !slices.Contains(known, name) {
		p.strangers[s.place] = append(known, name)
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
