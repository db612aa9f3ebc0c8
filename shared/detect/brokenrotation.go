package detect

import (
	"fmt"
	"slices"
)

var broken = detector(Detector{
	Name: BrokenRotation,
	Rationale: "A consumer that is denied, minutes after it was given a new key, what it was allowed before, is no attacker: the rotation gave it something that does not do what the old key did. " +
		"So it is told as that, and its denials count for no other detector. Permissions that the account never had do.",
	Runbook:  "1. Roll back: the previous key is brought back at once. 2. Compare what the new key's account may with what was denied. 3. Mend the grant, and rotate again.",
	Severity: Warning,
	Unit:     "distinct permissions",
})

const (
	breaking     = 30 * minute // after consumers have a new key, in which the first denial is laid to it
	outage       = 6 * hour    // after a promotion, in which they take the key, and what it broke stays broken
	brokenWidely = 3           // permissions that make it severe
)

// brokeDown takes in the denial of what a managed account was allowed before. It
// reports whether that is due to a rotation.
func (g *Engine) brokeDown(e *Entry, s *subject, t int64, into []Finding) (found []Finding, explained bool) {
	secret := g.ledger.accounts[e.identity()]
	if secret == nil || !s.hadAll(e, t) {
		return into, false
	}
	promoted := secret.promoted(t-outage, t)
	if promoted == 0 && g.ledger.knows(t) || promoted != 0 && !g.broke(secret, promoted, e, t) {
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

// broke reports whether a denial at t is due to a rotation: it comes when consumers
// have just taken the new key, or is of nothing but what was denied then.
func (g *Engine) broke(secret *ledgerSecret, promoted int64, e *Entry, t int64) bool {
	until := g.taken(secret, promoted) + breaking
	if t <= until {
		return true
	}
	lost := g.consumers(secret).of(brokenGrant)
	for i := range e.Permissions {
		p := &e.Permissions[i]
		if !p.Granted && !slices.ContainsFunc(lost, func(d sighting) bool {
			return d.what == hash(p.Name) && d.first.at >= promoted && d.first.at <= until
		}) {
			return false
		}
	}
	return true
}

// taken is when consumers first used the key that they were given, as far as that
// was seen, and else when they were given it.
func (g *Engine) taken(secret *ledgerSecret, promoted int64) int64 {
	uses := g.consumers(secret).sightings
	for _, k := range secret.keys {
		if i, used := place(uses, mark{kind: firstUse, what: hash(k.id)}); used && k.given == promoted {
			return max(promoted, min(uses[i].first.at, promoted+outage-breaking))
		}
	}
	return promoted
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
	promoted := secret.promoted(t-outage, t)
	if promoted == 0 {
		return into
	}
	until := g.taken(secret, promoted) + breaking
	v := verdict{by: broken, what: uint64(promoted), start: promoted, severity: Warning}
	for _, d := range c.of(brokenGrant) {
		if d.first.at >= promoted && d.first.at <= until {
			v.seen = append(v.seen, d)
			v.last = max(v.last, min(d.last, promoted+outage))
		}
	}
	if len(v.seen) == 0 {
		return into
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
