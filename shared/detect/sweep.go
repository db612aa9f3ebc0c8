package detect

import (
	"fmt"
	"strings"
)

var sweep = detector(Detector{
	Name: PermissionSweep,
	Rationale: "testIamPermissions answers which of a list of permissions the caller has, and nothing is denied: it is how tools enumerate quietly. " +
		"Programs test the few that they need; the console tests more, to know which buttons to show, and says by its user agent that it is a browser.",
	Technique: "T1069.003",
	Runbook: "1. Ask the subject's owner for the program behind the user agent. 2. If it is not known, list what the answers gave away (Permissions that the subject has), " +
		"and look for their use since first_seen. 3. Revoke the key.",
	Severity: High,
	Unit:     "distinct permissions asked about within a day",
})

const (
	sweepWidth   = day
	sweepNeed    = 250
	sweepBrowser = 400 // of somebody who seems to use the console
)

// tested takes in a call that asked which permissions the subject has.
func (g *Engine) tested(e *Entry, s *subject, t int64, into []Finding) []Finding {
	news := false
	for i, name := range e.Tested {
		n := sightingOf(testedPermission, hash(name), e, t, name, e.Resource)
		n.events, n.targets = crowd{}, crowd{} // only which, since when
		if i > 0 {
			n.first.id, n.first.target = "", "" // the first one's, of the same call, are enough
		}
		news = s.sight(n) || news
	}
	if !news {
		return into
	}
	s.describe(e, t)
	return g.swept(s, t, into)
}

// swept judges the permissions that were asked about in the day about t.
func (g *Engine) swept(s *subject, t int64, into []Finding) []Finding {
	tests := s.of(testedPermission)
	usual := make(map[uint64]bool) // what it tested before
	for i := range tests {
		if tests[i].first.at < t-2*sweepWidth {
			usual[tests[i].what] = true
		}
	}
	most, from, to := densest(tests, t, sweepWidth, func(d *sighting) int {
		if usual[d.what] {
			return 0
		}
		return 1
	})
	need := sweepNeed
	if s.browses() {
		need = sweepBrowser
	}
	v := verdict{by: sweep, score: float64(most) / (float64(need) * s.factor()), severity: High, count: most, seen: between(tests, from, to), last: to}
	v.start, _ = run(tests, from)
	v.reason = func() string {
		return fmt.Sprintf("%s asked which of %d distinct permissions it has, within a day; programs ask about the few that they need, and from %d on it is taken for a sweep",
			visible(s.shown(), maxSubject), most, need)
	}
	return g.tell(s, v, into)
}

// browses reports whether the subject was last seen with a browser.
func (s *subject) browses() bool {
	_, agent, _ := strings.Cut(s.notes[noteFrom].text, " ")
	return strings.HasPrefix(agent, "Mozilla/") || strings.HasPrefix(s.notes[noteFrom].text, "Mozilla/")
}
