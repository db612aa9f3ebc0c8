package detect

import (
	"cmp"
	"fmt"
	"time"
)

var policies = detector(Detector{
	Name: PolicyDenial,
	Rationale: "VPC Service Controls and the organisation's policies refuse calls that were granted: by where they come from, or by what nobody may do. A misconfigured batch is refused thousands of times, " +
		"and published rules that tell each of them have drowned their users. So they are a class of their own, told once a day for each subject and policy, with their number, and never page anybody.",
	Technique: "T1530",
	Runbook: "1. Where many come from one job, have the policy's owner let it in, or its owner move it. 2. Where they come from outside, ask whether the subject's credential belongs there: " +
		"a stolen one often meets a perimeter first.",
	Severity: Info,
	Unit:     "denied calls, about",
})

// refused takes in a call that a policy denied: the day's first is told at once,
// and how many there were when the day is over.
func (g *Engine) refused(e *Entry, s *subject, t int64, into []Finding) []Finding {
	policy := cmp.Or(e.Violation, "VPC_SERVICE_CONTROLS")
	what := hash(policy, e.Project)
	news := s.sightDenied(sightingOf(policyDenial, what, e, t, policy, e.Resource), e)
	s.describe(e, t)
	if !news {
		return into
	}
	today := dayOf(t)
	g.waiting.add(wait{s.name, policies.id, what, today}, t, int64(today+1)*day+late)
	return g.judgePolicy(s, what, today, into)
}

// judgePolicy tells of one day.
func (g *Engine) judgePolicy(s *subject, what uint64, today int32, into []Finding) []Finding {
	i, ok := place(s.sightings, mark{policyDenial, what, today})
	if !ok {
		return into
	}
	d := s.sightings[i]
	n := d.events.size()
	return g.tell(s, verdict{
		by: policies, what: what ^ uint64(today), start: d.first.at, last: d.last, score: float64(n), severity: Info, count: n, seen: []sighting{d},
		reason: func() string {
			return fmt.Sprintf("the policy %s denied %s about %s on %s, by where they came from or what nobody may do; told once a day",
				d.name, visible(s.shown(), maxSubject), counted(n, "call"), instant(d.first.at).Format(time.DateOnly))
		},
	}, into)
}
