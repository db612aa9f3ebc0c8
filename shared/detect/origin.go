package detect

import (
	"cmp"
	"slices"
	"strings"
)

// sightOrigin notes from which address exactly, and with which user agent, the entry
// of a sighting came: what the sighting is called after is less than that.
func (s *subject) sightOrigin(n sighting, e *Entry) {
	from := strings.TrimSpace(e.CallerIP + " " + e.UserAgent)
	t := n.first.at
	s.sight(sighting{mark: mark{origin, hash(n.name, from), dayOf(t)}, name: from, first: stamp{at: t, id: e.InsertID, target: n.name}, last: t})
}

// origins are the addresses and user agents behind the names of a verdict's
// sightings, the latest first; of a name without any, the name.
func (s *subject) origins(v verdict) []string {
	known := slices.Clone(s.of(origin))
	slices.SortFunc(known, func(a, b sighting) int {
		return cmp.Or(cmp.Compare(b.last, a.last), cmp.Compare(a.name, b.name))
	})
	var from []string
	for _, name := range v.from {
		before := len(from)
		for _, o := range known {
			if o.first.target == name && o.last >= v.start && o.first.at <= v.last && !slices.Contains(from, o.name) {
				from = append(from, o.name)
			}
		}
		if len(from) == before {
			from = append(from, name)
		}
	}
	return from[:min(len(from), maxListed)]
}
