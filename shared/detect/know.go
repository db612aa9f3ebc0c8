package detect

import "strings"

// Know gives the Engine a newer ledger, and appends what had been held back until
// one came that knows of it.
func (g *Engine) Know(l *Ledger, into []Finding) []Finding {
	into = g.repeat(into)
	g.ledger = l.index()
	g.waiting.hasten(g.ledger.at, g.clock.now, stolen.id, broken.id)
	return g.settle(g.clock.now, into)
}

// hasten makes the questions of some detectors due now which arose until at.
func (w *waiting) hasten(at, now int64, detectors ...uint32) {
	for q, d := range w.questions {
		for _, one := range detectors {
			if q.detector == one && d.at <= at && d.by > now {
				w.questions[q] = due{d.at, now}
				w.wake = min(w.wake, now)
			}
		}
	}
}

// consult takes in what the entry says of keys and managed secrets.
func (g *Engine) consult(e *Entry, t int64, into []Finding) []Finding {
	if e.KeyName != "" {
		into = g.used(e, t, into)
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
