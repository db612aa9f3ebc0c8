package detect

import (
	"strings"
	"time"
)

// How late a ledger may be.
const (
	patient    = 75 * minute // that something is held back until a newer one comes: one is read each hour
	journaling = 2 * minute  // after something was done until the journal says so
)

// knows reports whether the ledger has all that was done until t.
func (x *ledgerIndex) knows(t int64) bool { return t <= x.at-journaling }

// await asks what a newer ledger will answer.
func (g *Engine) await(q wait, t int64) {
	g.waiting.add(q, t, t+patient)
	g.wanted = earliest(g.wanted, t)
}

// unknowable reports whether no ledger will ever say what a key was at t.
func (g *Engine) unknowable(t int64) bool {
	if !g.config.Final || g.ledger.knows(t) {
		return false
	}
	g.wanted = earliest(g.wanted, t)
	return true
}

// Wants returns as of when, at least, a newer ledger would tell whether something
// that is held back is a finding; zero is that nothing is.
func (g *Engine) Wants() time.Time {
	if g.wanted == 0 {
		return time.Time{}
	}
	return instant(g.wanted + journaling)
}

// Know gives the Engine a newer ledger, and appends what had been held back until
// one came that knows of it.
func (g *Engine) Know(l *Ledger, into []Finding) []Finding {
	g.ledger, g.wanted = l.index(), 0
	for _, q := range g.waiting.questions {
		switch {
		case q.detector != stolen.id && q.detector != broken.id && (q.detector != foreign.id || q.day == ownBirth):
		case g.ledger.knows(q.at):
			g.waiting.add(q.wait, q.at, g.clock.now)
		default:
			g.wanted = earliest(g.wanted, q.at)
		}
	}
	return g.settle(g.clock.now, into)
}

// consult takes in what the entry says of keys and managed secrets.
func (g *Engine) consult(e *Entry, place uint64, t int64, into []Finding) []Finding {
	if e.LogName != "" {
		g.hear(logSubject, e.LogName, t)
	}
	if e.KeyName != "" {
		into = g.used(e, place, t, into)
	}
	if g.ledger.empty {
		return into
	}
	switch {
	case e.Born != "" && e.Code == 0:
		into = g.madeKey(e, t, into)
	case e.Service == "secretmanager.googleapis.com":
		if isSecretRead(e) && !e.denied() {
			g.readManaged(e, t)
		}
	case e.Service == "iam.googleapis.com":
		if e.Code == 0 && strings.HasSuffix(e.Method, ".DeleteServiceAccountKey") {
			g.deletedKey(e, t)
		}
	}
	return into
}
