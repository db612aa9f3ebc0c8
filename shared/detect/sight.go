package detect

import (
	"cmp"
	"math/bits"
	"strings"
)

// Bounds of texts that are kept, in bytes.
const (
	maxName    = 128 // of a permission, target or insertId
	maxKeyName = 256
	maxFrom    = 200
	maxChain   = 300
)

func dayOf(t int64) int32 { return int32(t / day) }

// eventHash tells entries apart: the same one, delivered twice, has the same.
func eventHash(e *Entry, t int64) uint64 {
	return stir(hash(e.LogName, e.InsertID) ^ uint64(t))
}

// sightingOf is the one of an entry at something.
func sightingOf(k kind, what uint64, e *Entry, t int64, name, target string) sighting {
	s := sighting{mark: mark{k, what, dayOf(t)}, name: name, first: stamp{t, e.InsertID, target}, last: t}
	s.events.add(eventHash(e, t))
	s.targets.add(hash(target))
	return s
}

func denialOf(what uint64, e *Entry, t int64, name, target string) sighting {
	s := sightingOf(deniedPermission, what, e, t, name, target)
	s.tries[0] = t
	return s
}

// sightDenial notes what the entry was denied: the permissions that were not
// granted, or the method where the entry names none, and of tokens the account,
// too. It reports whether any of it is news.
func (s *subject) sightDenial(e *Entry, t int64) (news bool) {
	named := false
	for i := range e.Permissions {
		if p := &e.Permissions[i]; !p.Granted && p.Name != "" {
			named = true
			s.refuse(hash(p.Name), t)
			target := cmp.Or(doorOf(e), p.Resource, e.Resource)
			news = s.sightDenied(denialOf(hash(p.Name), e, t, p.Name, target), e) || news
			news = s.sightBreadth(p.Name, target, e, t) || news
		}
	}
	if !named {
		s.refuse(hash(e.Service, e.Method), t)
		news = s.sightDenied(denialOf(hash(e.Service, e.Method), e, t, e.Service+"/"+e.Method, e.Resource), e)
	}
	if isMinting(e) {
		account := cmp.Or(e.Account, e.Resource)
		news = s.sightDenied(sightingOf(deniedToken, tokenOf(account), e, t, e.Method, account), e) || news
	}
	return news
}

// sightBreadth notes what a dangerous permission was denied on, unless the subject
// once got into that: tokens apart, which are counted by themselves. It reports
// whether it was denied on twice as much as before.
func (s *subject) sightBreadth(permission, target string, e *Entry, t int64) (news bool) {
	if !dangerous(permission) || isMinting(e) || s.had(opened(target), t) {
		return false
	}
	before := breadth(s.of(deniedTarget), hash(permission))
	s.sight(sightingOf(deniedTarget, hash(permission), e, t, permission, target))
	return breadth(s.of(deniedTarget), hash(permission)) > before
}

// breadth is how often what a permission was denied on doubled, from 8 on.
func breadth(list []sighting, permission uint64) int { return breadthOf(targetsOf(list, permission)) }

func breadthOf(targets crowd) int { return max(bits.Len(uint(targets.size()))-4, 0) }

// targetsOf is what a permission was denied on.
func targetsOf(list []sighting, permission uint64) (targets crowd) {
	for i := range list {
		if list[i].what == permission {
			targets = targets.join(list[i].targets)
		}
	}
	return targets
}

func tokenOf(account string) uint64 { return hash("token of", account) }

// sightGrants notes what the entry shows the subject to have.
func (s *subject) sightGrants(e *Entry, t int64) {
	for i := range e.Permissions {
		if p := &e.Permissions[i]; p.Granted && p.Name != "" {
			s.grant(hash(p.Name), t)
			if !reads(p.Name) {
				s.grant(changesOf(p.Name), t)
			}
		}
	}
	if len(e.Permissions) == 0 {
		s.grant(hash(e.Service, e.Method), t)
	}
	if isMinting(e) {
		s.grant(tokenOf(cmp.Or(e.Account, e.Resource)), t)
	} else if door := doorOf(e); door != "" {
		s.grant(opened(door), t)
	}
}

// doorOf is the secret, bucket, dataset or account that the call is about: what a
// thief tries one after another with the same permission. "" is none of them.
func doorOf(e *Entry) string {
	parts := 4 // projects/P/secrets/S/…
	switch e.Service {
	case "secretmanager.googleapis.com", "storage.googleapis.com", "bigquery.googleapis.com":
	case "iamcredentials.googleapis.com":
		return cmp.Or(e.Account, e.Resource)
	default:
		return ""
	}
	for i := range len(e.Resource) {
		if e.Resource[i] == '/' {
			if parts--; parts == 0 {
				return e.Resource[:i]
			}
		}
	}
	return e.Resource
}

// opened stands for any permission on a door.
func opened(door string) uint64 { return hash("opened", door) }

// describe notes who the subject is and where it came from.
func (s *subject) describe(e *Entry, t int64) {
	s.noted(noteKey, t, visible(e.KeyName, maxKeyName))
	s.noted(noteProject, t, visible(e.Project, maxName))
	s.noted(noteFrom, t, visible(strings.TrimSpace(e.CallerIP+" "+e.UserAgent), maxFrom))
	if len(e.Delegation) > 0 {
		s.noted(noteChain, t, visible(strings.Join(e.Delegation, chainSeparator), maxChain))
	}
}

// noted keeps the latest text that is one.
func (s *subject) noted(which int, t int64, text string) {
	if text != "" {
		s.notes[which] = s.notes[which].latest(note{t, text})
	}
}
