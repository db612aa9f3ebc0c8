package detect

import (
	"cmp"
	"slices"
	"sort"
)

// kind is in which respect a sighting counts.
type kind uint8

const (
	deniedPermission kind = iota + 1 // one (service, permission) that was not granted
	deniedToken                      // one account of which a token or signature was denied
	testedPermission                 // one permission that testIamPermissions was asked about
	readSecret                       // one secret that was read
	policyDenial                     // one policy that denied calls
	ruleHit                          // one entry, or item in one stretch of time, that a custom rule matched
	keyUse                           // one place that a key was used from which consumers are not given
	keyBorn                          // who made a key
	keyGone                          // who deleted a key
	firstUse                         // one key of a credential
	managedRead                      // one stretch of time in which somebody but the rotator read a managed secret
	usedNetwork                      // one network that consumers are in
	usedAgent                        // one program that they are
	strangeUse                       // one place that a key was used from which is new to it
	heartbeat                        // one hour in which a log or credential was heard of
	brokenGrant                      // one permission that was denied after a rotation and had been granted before
	disguise                         // one stranger at an address
	crownAttempt                     // one stretch of time in which a crown jewel was tried
	deniedTarget                     // one dangerous permission, and what it was denied on
	strangeDenial                    // one permission that was denied to a key from where it does not belong
	stitched                         // one subject for whose the calls of a place were taken
	unnamedCall                      // what a call without a name, taken for the subject's, was sighted at
	origin                           // one address and user agent behind what a sighting is called after
	kinds
)

// permission reports whether sightings of the kind are named after what was
// asked for, rather than after somebody or some place.
func (k kind) permission() bool { return k != policyDenial && (k < keyUse || k == brokenGrant) }

// longest name of a sighting of the kind, in bytes.
func (k kind) longest() int {
	if k == stitched {
		return maxSubject
	}
	return maxName
}

// most is how many sightings of each kind are kept of one subject.
var most = [kinds]int{deniedPermission: MaxDistinct, deniedToken: MaxDistinct, testedPermission: MaxDistinct, readSecret: 256, policyDenial: 64, ruleHit: MaxDistinct,
	keyUse: 128, keyBorn: 8, keyGone: 8, firstUse: 64, managedRead: 128, usedNetwork: 64, usedAgent: 32, strangeUse: 64, brokenGrant: 64, heartbeat: 200, disguise: 8, crownAttempt: 128, deniedTarget: 64, strangeDenial: MaxDistinct, stitched: 16, unnamedCall: MaxDistinct, origin: 64}

// MaxDistinct is how many distinct items are counted of one subject. A rule with
// a higher threshold is never met.
const MaxDistinct = 512

// retention is how many days denials are remembered: four weeks, so that every
// hour of the week was seen four times, and today.
const retention = 29

// mark says what was sighted. Sightings of the same mark are one.
type mark struct {
	kind kind
	what uint64 // hash of it
	day  int32  // of Unix time; 0 for secrets, which are remembered as long as their reader
}

// order is by kind, the latest day first, so that what is beyond the bound is at
// the end of its kind.
func (m mark) order(other mark) int {
	return cmp.Or(cmp.Compare(m.kind, other.kind), cmp.Compare(other.day, m.day), cmp.Compare(m.what, other.what))
}

// stamp is one entry. The zero stamp is none.
type stamp struct {
	at     int64  // Unix time in milliseconds
	id     string // insertId
	target string // the resource or account
}

// earliest of two stamps; which of two at the same time is settled by their texts.
func (s stamp) earliest(other stamp) stamp {
	if s.at == 0 || other.at != 0 && cmp.Or(cmp.Compare(other.at, s.at), cmp.Compare(other.id, s.id), cmp.Compare(other.target, s.target)) < 0 {
		return other
	}
	return s
}

// tries are the earliest times at which something was met with, in order; 0 is none.
type tries [turnNeed]int64

func (a tries) join(b tries) tries {
	all := slices.Concat(a[:], b[:])
	slices.Sort(all)
	all = slices.DeleteFunc(slices.Compact(all), func(t int64) bool { return t == 0 })
	a = tries{}
	copy(a[:], all)
	return a
}

// between is how many of them are from t to u.
func (a tries) between(t, u int64) (n int) {
	for _, at := range a {
		if at >= t && at < u {
			n++
		}
	}
	return n
}

// sighting is all that is remembered of a mark. Everything in it is a minimum, a
// maximum or a set, so that entries may come twice and in any order, and what two
// instances saw can be put together.
type sighting struct {
	mark
	name    string // of what it is: a permission, a policy
	first   stamp
	last    int64 // Unix time in milliseconds
	won     stamp // the first success after it was denied, if any
	tries   tries // when it was denied
	events  crowd // the entries
	targets crowd // the resources
}

func (s *sighting) join(other *sighting) {
	s.name = max(s.name, other.name)
	s.first, s.won = s.first.earliest(other.first), s.won.earliest(other.won)
	s.last = max(s.last, other.last)
	s.tries = s.tries.join(other.tries)
	s.events, s.targets = s.events.join(other.events), s.targets.join(other.targets)
}

// within reports whether it is known to have been met with from a to b.
func (s *sighting) within(a, b int64) bool {
	return s.first.at >= a && s.first.at <= b || s.last >= a && s.last <= b
}

// place returns where the sighting of a mark is, or belongs.
func place(list []sighting, m mark) (int, bool) {
	return sort.Find(len(list), func(i int) int { return m.order(list[i].mark) })
}

// joined is the union of two ordered lists, within bounds.
func joined(a, b []sighting) []sighting {
	union := make([]sighting, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch c := a[0].order(b[0].mark); {
		case c < 0:
			union, a = append(union, a[0]), a[1:]
		case c > 0:
			union, b = append(union, b[0]), b[1:]
		default:
			both := a[0]
			both.join(&b[0])
			union, a, b = append(union, both), a[1:], b[1:]
		}
	}
	return bounded(append(append(union, a...), b...))
}

// bounded drops what is too old and what is too much of one kind. Both go by the
// mark alone, so what was dropped before a union would be dropped after it.
func bounded(list []sighting) []sighting {
	newest := int32(0)
	for i := range list {
		newest = max(newest, list[i].day)
	}
	var count [kinds]int
	return slices.DeleteFunc(list, func(s sighting) bool {
		count[s.kind]++
		return count[s.kind] > most[s.kind] || s.day != 0 && s.day <= newest-retention
	})
}
