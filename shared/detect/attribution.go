package detect

import (
	"fmt"
	"math/bits"
)

// sightDenied takes in a sighting of what was refused, and notes it if the entry does
// not name the subject: it was taken for its call by where it came from.
func (s *subject) sightDenied(n sighting, e *Entry) (news bool) {
	if e.identity() == "" && !s.stranger() {
		s.sight(sighting{mark: mark{unnamedCall, n.what, n.day}, first: stamp{at: n.first.at, id: e.InsertID}, last: n.last, events: n.events})
	}
	return s.sight(n)
}

// attribution says how much of the evidence names nobody; "" is nothing of it.
func (s *subject) attribution(seen []sighting) string {
	all, unnamed := newCalls(), newCalls()
	for i := range seen {
		all.add(&seen[i])
		if at, ok := place(s.sightings, mark{unnamedCall, seen[i].what, seen[i].day}); ok {
			unnamed.add(&s.sightings[at])
		}
	}
	by := "address and user agent"
	if s.stranger() {
		unnamed = all
	}
	if s.address() {
		by = "address"
	}
	n, exact := all.size()
	if m, _ := unnamed.size(); m > 0 && exact {
		return fmt.Sprintf(", by %s: %d of %s nobody", by, min(m, n), naming(n))
	} else if m > 0 {
		return fmt.Sprintf(", by %s: about %d of %s nobody", by, min(m, n), naming(n))
	}
	return ""
}

func naming(calls int) string {
	if calls == 1 {
		return "1 call names"
	}
	return fmt.Sprintf("%d calls name", calls)
}

// calls are the entries of sightings.
type calls struct {
	events crowd
	first  map[string]bool // the first ones
}

func newCalls() calls { return calls{first: make(map[string]bool)} }

func (c *calls) add(s *sighting) {
	c.events = c.events.join(s.events)
	c.first[s.first.id] = true
}

// size is how many there are, and whether that is exact: there are no more than the
// first ones, as far as can be seen.
func (c *calls) size() (n int, exact bool) {
	if c.events == (crowd{}) {
		return 0, true
	}
	if n = c.events.size(); bits.OnesCount64(c.events.near) > len(c.first) {
		return n, false
	}
	return len(c.first), true
}
