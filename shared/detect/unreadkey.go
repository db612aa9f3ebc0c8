package detect

import "fmt"

var unread = detector(Detector{
	Name: UnreadKeyUsed,
	Rationale: "A consumer reads a new key from its secret before it uses it. A key that is used although nobody but keyturn has read its version came to its user by another way: out of keyturn's own run, or from where it was made. " +
		"It is told only of secrets whose reads were logged before, days on end.",
	Technique: "T1552.001",
	Runbook: "1. Is Data Access logging of Secret Manager still on for the project? If it was switched off, that is a finding of its own. 2. If it is on, revoke the key: a copy is out that left no trace. " +
		"3. Look at who can read keyturn's function, its staging secrets and its build.",
	Severity: High,
	Unit:     "calls, about",
})

// ungivenUse judges the use of a key that no consumer was given yet: keyturn
// itself tries a key in no way that is logged.
func ungivenUse(s *subject, k *ledgerKey, n sighting) verdict {
	v := verdictOf(unread, High, k.uses(s, n))
	v.usedOn()
	v.ofKey(k)
	v.advice = fmt.Sprintf("keyturn revoke %s --key %s", k.secret.name, k.id)
	v.reason = func() string {
		return fmt.Sprintf("key %s of %s was used from %s before consumers were given it", k.id, k.secret.name, n.name)
	}
	return v
}

const (
	readStretch = 2 * hour // reads within one are remembered by the first and the last
	readDays    = 2        // days with reads that show that reads are logged
)

// readSecret takes in that somebody but keyturn read, or tried to read, a managed
// secret.
func (g *Engine) readManaged(e *Entry, t int64) {
	reader := e.identity()
	s, _ := g.ledger.ofEntry(e, e.Resource)
	if s == nil || reader == "" || g.ledger.rotators[reader] {
		return
	}
	consumers := g.store.get(nameOf(credentialSubject + s.name))
	consumers.meet(t)
	n := sightingOf(managedRead, uint64(t/readStretch), e, t, "", "")
	consumers.sight(n)
	if s.readers[reader] || reader == s.account {
		consumers.place(e, e.fingerprint(), t)
	}
}

// awaitRead asks, at the first use of a key by consumers, whether anybody had read
// it, when all entries of that time must have come.
func (g *Engine) awaitRead(consumers *subject, k *ledgerKey, e *Entry, t int64) {
	n := sightingOf(firstUse, hash(k.id), e, t, e.fingerprint().String(), k.secret.account)
	n.day, n.events = 0, crowd{} // only the first
	if !consumers.sight(n) {
		return
	}
	consumers.sightOrigin(n, e)
	consumers.describe(e, t)
	if k.given != 0 && g.born <= k.given-day {
		g.waiting.add(wait{name: consumers.name, detector: unread.id, what: n.what}, t, t+late)
	}
}

// judgeUnread judges the first use of a key.
func (g *Engine) judgeUnread(consumers *subject, what uint64, into []Finding) []Finding {
	i, ok := place(consumers.sightings, mark{kind: firstUse, what: what})
	if !ok {
		return into
	}
	n := consumers.sightings[i]
	k := g.keyOfHash(consumers.name[len(credentialSubject):], what)
	if k == nil || k.given == 0 {
		return into
	}
	logged := make(map[int32]bool)
	for _, r := range consumers.of(managedRead) {
		if r.last >= k.given-promotion && r.first.at <= n.first.at+slack {
			return into // somebody read it in time
		}
		if r.first.at < k.given {
			logged[r.day] = true
		}
	}
	if len(logged) < readDays {
		return into
	}
	v := verdictOf(unread, High, []sighting{n})
	v.what, v.count = what, 1
	v.ofKey(k)
	v.advice = fmt.Sprintf("keyturn revoke %s --key %s", k.secret.name, k.id)
	v.reason = func() string {
		return fmt.Sprintf("key %s of %s was used from %s at %s, and nobody but keyturn had read its version since it was given out at %s; reads of this secret were logged on %d days before",
			k.id, k.secret.name, n.name, stamped(n.first.at), stamped(k.given), len(logged))
	}
	return g.tell(consumers, v, into)
}

// keyOfHash is the key of a secret by the hash of its id; nil if the ledger has none.
func (g *Engine) keyOfHash(secret string, what uint64) *ledgerKey {
	s := g.ledger.named(secret)
	if s == nil {
		return nil
	}
	for _, k := range s.keys {
		if hash(k.id) == what {
			return k
		}
	}
	return nil
}
