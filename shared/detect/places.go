package detect

import (
	"hash/maphash"
	"math"
	"strings"
)

// places remembers who was seen lately at which (address, user agent), to know
// whose the calls are of which Google does not tell the caller: it leaves callers
// out of denied reads, unless they are service accounts of the same organisation.
// It goes by the times of the entries alone, not by the order in which they come.
type places struct {
	seed   maphash.Seed
	latest map[uint64]uint64 // key of who was seen, by place and span of time, or several
	former map[uint64]uint64 // likewise, of a while before
	since  int64             // span as of which latest was begun
	noted  []uint64          // what was noted lately, to note it only once
}

const (
	spanWidth  = 2 * minute
	spanBefore = 5 // spans before that of an unnamed call, and after, in which its caller shows
	spanAfter  = 1
	spanLater  = 5 // after, in which the caller of one that was nobody's yet shows
	spansKept  = 16

	several   = math.MaxUint64 // in the place of a key: more than one
	maxSeen   = 1 << 16        // places and spans in each of the two maps
	manyNoted = 1 << 16
)

func newPlaces(seed maphash.Seed) *places {
	return &places{seed: seed, latest: make(map[uint64]uint64), noted: make([]uint64, manyNoted)}
}

// of is the place that an entry came from, by home and user agent.
func (p *places) of(e *Entry) uint64 {
	home := maphash.String(p.seed, e.CallerIP)
	if ip, ok := ipv6(e.CallerIP); ok {
		bytes := ip.As16()
		home = maphash.Bytes(p.seed, bytes[:homeBits/8])
	}
	return blend(home, maphash.String(p.seed, e.UserAgent))
}

func spanOf(t int64) int64 { return t / spanWidth }

// note takes in that who was seen at a place at t, while the time is now.
func (p *places) note(place, who uint64, t, now int64) {
	at := blend(place, uint64(spanOf(t)))
	slot := &p.noted[at%manyNoted]
	if *slot == blend(at, who) {
		return
	}
	if age := spanOf(now) - p.since; age < 0 || age >= spansKept || len(p.latest) >= maxSeen {
		p.former, p.latest, p.since = p.latest, make(map[uint64]uint64), spanOf(now)
		clear(p.noted) // or who comes late again, as by a sweep, is taken for noted when it is forgotten
	}
	*slot = blend(at, who)
	switch p.latest[at] {
	case who:
	case 0:
		p.latest[at] = who
	default:
		p.latest[at] = several
	}
}

// who returns who was seen at a place about t, up to so many spans after it: the
// key of one, several, or 0 for nobody.
func (p *places) who(place uint64, t, after int64) (who uint64) {
	for span := spanOf(t) - spanBefore; span <= spanOf(t)+after; span++ {
		for _, seen := range []map[uint64]uint64{p.latest, p.former} {
			switch one := seen[blend(place, uint64(span))]; {
			case one != 0 && who != 0 && one != who:
				return several
			case one != 0:
				who = one
			}
		}
	}
	return who
}

// fits reports whether name may be what Google masked, as ri...e@gm...m may be
// rita.moore@gmail.com. Everybody fits what is not masked.
func fits(mask, name string) bool {
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
