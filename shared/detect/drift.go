package detect

import (
	"cmp"
	"fmt"
	"time"
)

var drift = detector(Detector{
	Name: KeyDrift,
	Rationale: "A key lies where its consumer runs: it is used from the same networks by the same program, for months. From a network where it was never seen, by a program that never used it, it is likely a copy. " +
		"A new network alone is told for information, since consumers do move; a new program alone is not told. Consumers that come from ever new networks have none of their own.",
	Technique: "T1078.004",
	Runbook: "1. Ask the key's owner whether a consumer moved. 2. If not, revoke the key; consumers get a new one. " +
		"3. Read in the link what was done from there since first_seen.",
	Severity: High,
	Unit:     "calls, about",
	Learns:   time.Duration(settling) * time.Millisecond,
})

// usual takes in a use of a key that consumers are given, or of one that nobody
// manages.
func (g *Engine) usual(e *Entry, k *ledgerKey, p *print, t int64, into []Finding) []Finding {
	s, f := g.store.get(usedBy(e.KeyName, k)), p.fingerprint(e)
	if k != nil {
		g.awaitRead(s, k, e, t)
	}
	a := s.acquainted(f, t)
	if !a.settled || a.network || a.roaming {
		s.place(e, f, t)
		if !a.roaming {
			p.until = t + restInterval // its network is the consumer's, or is about to be
		}
		return into
	}
	n := sightingOf(strangeUse, hash(f.network, f.agent), e, t, f.String(), accountOf(e.KeyName))
	s.sight(n)
	s.sightOrigin(n, e)
	s.describe(e, t)
	s.place(e, f, t)
	return g.drifted(s, k, n, a, into)
}

// usedBy names the subject whose places are known: a credential, or a key that
// nobody manages.
func usedBy(key string, k *ledgerKey) string {
	if k != nil {
		return nameOf(credentialSubject + k.secret.name)
	}
	return nameOf(keySubject + key)
}

// strange reports whether a key was used from where it does not belong.
func (g *Engine) strange(e *Entry, t int64) bool {
	if e.KeyName == "" {
		return false
	}
	s := g.store.known(g.store.key(usedBy(e.KeyName, g.ledger.key(e.KeyName))))
	return s != nil && s.acquainted(e.fingerprint(), t).stranger()
}

// sightStrange notes what was denied to a key from where it does not belong, and
// reports whether that is news.
func (s *subject) sightStrange(e *Entry, t int64) (news bool) {
	for i := range e.Permissions {
		if p := &e.Permissions[i]; !p.Granted && p.Name != "" {
			news = s.sight(sighting{mark: mark{strangeDenial, hash(p.Name), dayOf(t)}, first: stamp{at: t, id: e.InsertID}, last: t}) || news
		}
	}
	return news
}

// drifted judges a key's use from a network that is new to it.
func (g *Engine) drifted(s *subject, k *ledgerKey, n sighting, a acquaintance, into []Finding) []Finding {
	var alike []sighting
	for _, u := range s.of(strangeUse) {
		if u.what == n.what {
			alike = append(alike, u)
		}
	}
	v := verdictOf(drift, Info, alike)
	v.what = n.what
	if !a.agent {
		v.severity = High
	}
	key := lastPart(s.notes[noteKey].text)
	v.subject = cmp.Or(n.first.target, key)
	if k != nil {
		v.ofKey(k)
		v.advice = fmt.Sprintf("keyturn revoke %s --key %s, unless its owner knows that a consumer moved", k.secret.name, k.id)
	}
	v.reason = func() string {
		return fmt.Sprintf("key %s of %s was used %s, in the %s that it has been watched", key, v.subject, a.from(parseFingerprint(n.name)), lasting(n.first.at-s.born))
	}
	return g.tell(s, v, into)
}
