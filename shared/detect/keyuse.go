package detect

import (
	"slices"
	"strings"
)

// Subjects other than callers: a key, or version of a secret, and a credential
// with its consumers. No caller's name begins like them.
const (
	keySubject        = "\x01"
	credentialSubject = "\x02"
)

// about is what a finding says of a credential rather than of its subject.
type about struct {
	subject    string   // who is told as the subject; "" is the subject's own name
	credential string   // projects/P/secrets/S
	key        string   // id of the key that it is about; "" is the one that the subject used last
	from       []string // what its sightings are called after
	advice     string   // "" is the general one
	query      string   // of entries that the link opens; "" is the evidence
	asked      [2]int64 // from when to when query looks, in milliseconds of Unix time; zero is as long as the episode
	link       string   // "" is to Logs Explorer
}

// used takes in the use of a user-managed key. What is as it should be teaches
// where its consumers are; anything else is judged.
func (g *Engine) used(e *Entry, place uint64, t int64, into []Finding) []Finding {
	k := g.ledger.key(e.KeyName)
	state := k.at(t)
	if state == keyActive || state == keyOld {
		g.hear(credentialSubject, k.secret.name, t)
	}
	if state == keyActive || state == keyForeign && !g.ledger.manages(e.KeyName) {
		p := g.prints.of(e.KeyName, place)
		if p.again(t) {
			return into
		}
		return g.usual(e, k, p, t, into)
	}
	f := e.fingerprint()
	n := sightingOf(keyUse, hash(f.network, f.agent), e, t, f.String(), accountOf(e.KeyName))
	s := g.store.get(nameOf(keySubject + lastPart(e.KeyName)))
	s.meet(t)
	s.describe(e, t)
	s.sight(n)
	s.sightOrigin(n, e)
	if !g.ledger.knows(t) && state != keyOld && state != keyDeleted {
		g.await(wait{s.name, stolen.id, n.what, n.day}, t)
		return into
	}
	return g.judgeUse(s, n.mark, into)
}

// judgeUse judges uses of a key on one day from one place, by the state that the
// key was in.
func (g *Engine) judgeUse(s *subject, m mark, into []Finding) []Finding {
	i, ok := place(s.sightings, m)
	if !ok {
		return into
	}
	k := g.ledger.key(s.name[len(keySubject):])
	n := s.sightings[i]
	switch k.at(n.first.at) {
	case keyForeign:
		return g.judgeForeign(s, into)
	case keyUngiven:
		if g.unknowable(n.first.at) {
			return into
		}
		return g.tell(s, ungivenUse(s, k, n), into)
	case keyOld:
		return g.tell(s, g.oldUse(s, k, n), into)
	case keyDisabled, keyDeleted:
		return g.tell(s, retiredUse(s, k, n), into)
	}
	return into
}

// uses are the sightings of the key in the same state as n, the verdict's evidence.
func (k *ledgerKey) uses(s *subject, n sighting) []sighting {
	state := k.at(n.first.at)
	return slices.DeleteFunc(slices.Clone(s.of(keyUse)), func(u sighting) bool { return k.at(u.first.at) != state })
}

// usedOn has the verdict told anew when there are twice as many calls: what a thief
// does is worth telling as long as it goes on.
func (v *verdict) usedOn() { v.score = max(v.score, float64(v.count)) }

// verdictOf sums up uses of a key: it is told anew when there are twice as many places.
func verdictOf(by *Detector, severity Severity, uses []sighting) verdict {
	v := verdict{by: by, severity: severity, score: float64(distinct(uses)), seen: uses}
	for _, u := range uses {
		v.count += u.events.size()
		v.start, v.last = earliest(v.start, u.first.at), max(v.last, u.last)
		if !slices.Contains(v.from, u.name) && len(v.from) < maxListed {
			v.from = append(v.from, u.name)
		}
	}
	return v
}

// ofKey says whose the key is.
func (v *verdict) ofKey(k *ledgerKey) {
	v.credential, v.key, v.subject = k.secret.name, k.id, k.secret.account
	if v.subject == "" {
		v.subject = k.id
	}
}

// consumers is what is known of a credential's consumers, only to be read.
func (g *Engine) consumers(s *ledgerSecret) *subject {
	known := g.store.known(g.store.key(nameOf(credentialSubject + s.name)))
	if known == nil {
		return new(subject)
	}
	return known
}

// accountOf is the e-mail in a key's full name; "" if it has none.
func accountOf(key string) string {
	_, rest, _ := strings.Cut(key, "/serviceAccounts/")
	account, _, _ := strings.Cut(rest, "/")
	return account
}
