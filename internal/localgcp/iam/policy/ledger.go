package policy

import (
	"cmp"
	"maps"
	"slices"
)

// Use is a permission that a service account needed, and had or had not.
type Use struct {
	Caller     string // e-mail address
	Permission string
	Resource   string // that something was done with
	On, Role   string // the resource whose policy granted it, and as part of what; empty if none did
}

// Granted reports whether the caller had the permission.
func (u Use) Granted() bool { return u.Role != "" }

// maxUses is how many different uses are kept. More than that are not noted.
const maxUses = 20_000

func (s *Store) note(u Use) {
	if _, known := s.uses[u]; known || len(s.uses) < maxUses {
		s.uses[u]++
	}
}

// Uses are all that were noted, each once, in order. What the owner does is none.
func (s *Store) Uses() []Use {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Keys(s.uses), func(a, b Use) int {
		return cmp.Or(cmp.Compare(a.Caller, b.Caller), cmp.Compare(a.Permission, b.Permission), cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.On, b.On), cmp.Compare(a.Role, b.Role))
	})
}
