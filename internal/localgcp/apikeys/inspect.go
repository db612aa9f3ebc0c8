package apikeys

import (
	"cmp"
	"slices"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
)

// Standing is how a key stands in truth, whatever its users see of it. It must
// not be changed.
type Standing struct {
	Key    *apikeyspb.Key // without its string
	Seen   *apikeyspb.Key // as the APIs that it is used on see it now; nil when they know none
	String string
	Born   int // orders keys by their creation
}

// Inspect tells how the keys that are not deleted stand, oldest first.
func (s *Service) Inspect() []Standing {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Clock.Now()
	var all []Standing
	for _, k := range s.keys {
		if !k.deleted() {
			all = append(all, Standing{Key: k.current, Seen: k.seenAt(now), String: k.secret, Born: k.born})
		}
	}
	slices.SortFunc(all, func(a, b Standing) int { return cmp.Compare(a.Born, b.Born) })
	return all
}
