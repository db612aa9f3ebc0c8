package detect

import "fmt"

var broken = detector(Detector{
	Name: BrokenRotation,
	Rationale: "A consumer that is denied, minutes after it was given a new key, what it was allowed before, is no attacker: the rotation gave it something that does not do what the old key did. " +
		"So it is told as that, and its denials count for no other detector. Permissions that the account never had do.",
	Runbook:  "1. Roll back: the previous key is brought back at once. 2. Compare what the new key's account may with what was denied. 3. Mend the grant, and rotate again.",
	Severity: Warning,
	Unit:     "distinct permissions",
})

const (
	breaking     = 30 * minute // after a promotion, in which a denial is laid to it
	brokenWidely = 3           // permissions that make it severe
)

// brokeDown takes in the denial of what a managed account was allowed before. It
// reports whether that is due to a rotation.
func (g *Engine) brokeDown(e *Entry, s *subject, t int64, into []Finding) (found []Finding, due bool) {
	secret := g.ledger.accounts[e.identity()]
	if secret == nil || !s.hadAll(e, t) {
		return into, false
	}
	promoted := secret.promoted(t-breaking, t)
	if promoted == 0 && g.ledger.knows(t) {
		return into, false
	}
	c := g.store.get(nameOf(credentialSubject + secret.name))
	c.meet(t)
	c.describe(e, t)
	for i := range e.Permissions {
		if p := &e.Permissions[i]; !p.Granted && p.Name != "" {
			c.sight(sightingOf(brokenGrant, hash(p.Name), e, t, p.Name, e.Resource))
		}
	}
	if promoted == 0 { // as far as is known: a newer ledger will tell
		g.await(wait{name: c.name, detector: broken.id, day: dayOf(t)}, t)
		return into, false
	}
	return g.judgeBroken(c, t, into), true
}

// hadAll reports whether the subject had all that the entry denied.
func (s *subject) hadAll(e *Entry, t int64) bool {
	had := false
	for i := range e.Permissions {
		if p := &e.Permissions[i]; !p.Granted && p.Name != "" {
			if had = s.had(hash(p.Name), t); !had {
				return false
			}
		}
	}
	return had
}

// judgeBroken judges denials of about t.
func (g *Engine) judgeBroken(c *subject, t int64, into []Finding) []Finding {
	secret := g.ledger.named(c.name[len(credentialSubject):])
	if secret == nil {
		return into
	}
	promoted := secret.promoted(t-breaking, t)
	if promoted == 0 {
		return into
	}
	v := verdict{by: broken, what: uint64(promoted), start: promoted, severity: Warning}
	for _, d := range c.of(brokenGrant) {
		if d.within(promoted, promoted+breaking) {
			v.seen = append(v.seen, d)
			v.last = max(v.last, min(d.last, promoted+breaking))
		}
	}
	v.count = distinct(v.seen)
	if v.score = float64(v.count); v.count >= brokenWidely {
		v.severity = High
	}
	v.subject, v.credential = secret.account, secret.name
	v.advice = "keyturn rollback " + secret.name
	v.reason = func() string {
		return fmt.Sprintf("%s was denied %s that it was allowed before, from %s after it was given a new key at %s on",
			secret.account, counted(v.count, "permission"), lasting(earliestOf(v.seen)-promoted), stamped(promoted))
	}
	return g.tell(c, v, into)
}
