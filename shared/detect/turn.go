package detect

import "fmt"

var turned = detector(Detector{
	Name: FailureThenSuccess,
	Rationale: "A permission that was denied again and again and then works was granted in between. Where an administrator granted it, that is the end of an incident and nobody's business; " +
		"where no grant was logged, somebody found a way around; and where the subject granted it to itself, it has taken over. The verdict waits for grants that are logged late.",
	Technique: "T1548",
	Runbook: "1. Look for the change by which the subject came to the permission: policies, roles, groups, other accounts it can be. 2. If the subject made it itself, revoke the subject and undo the change. " +
		"3. If there is none, suspect a second identity behind the success: compare address and user agent before and after.",
	Severity: High,
	Unit:     "failures before the success",
})

const (
	turnNeed    = 5    // failures
	turnDanger  = 3    // failures, of a dangerous permission
	turnWidth   = day  // between the failures and the success
	turnEarlier = hour // before the first failure, in which a grant explains: they take minutes to work
)

// awaitTurn notes a success of what was denied, to be judged when the grant that
// explains it must have been logged.
func (g *Engine) awaitTurn(e *Entry, s *subject, t int64) {
	won := stamp{t, e.InsertID, e.Resource}
	note := func(what uint64, won stamp) {
		for _, today := range []int32{dayOf(t), dayOf(t) - 1} {
			i, ok := place(s.sightings, mark{deniedPermission, what, today})
			if !ok || s.sightings[i].first.at >= t || s.sightings[i].won.at != 0 && s.sightings[i].won.at <= t {
				continue
			}
			s.sightings[i].won = won.kept()
			g.waiting.add(wait{name: s.name, detector: turned.id, what: what}, t, t+g.patience)
		}
	}
	for i := range e.Permissions {
		if p := &e.Permissions[i]; p.Granted && p.Name != "" {
			if p.Resource != "" {
				won.target = p.Resource
			}
			note(hash(p.Name), won)
		}
	}
	if len(e.Permissions) == 0 {
		note(hash(e.Service, e.Method), won)
	}
}

// judgeTurn looks at what was denied and then worked at about t.
func (g *Engine) judgeTurn(s *subject, what uint64, t int64, into []Finding) []Finding {
	v := verdict{by: turned, what: what, severity: High}
	won, same := stamp{}, false
	for _, d := range s.of(deniedPermission) {
		if d.what == what && d.won.at != 0 && d.won.at-d.last < turnWidth && max(d.won.at-t, t-d.won.at) < turnWidth {
			v.seen = append(v.seen, d)
			v.count += d.events.size()
			won = won.earliest(d.won)
			same = same || d.targets.has(hash(d.won.target))
			v.start = earliest(v.start, d.first.at)
		}
	}
	need := turnNeed
	if v.count > 0 && dangerous(v.seen[0].name) {
		need = turnDanger
	}
	if v.count < need || s.hadBy(what, v.start) && !same {
		return into
	}
	v.last = won.at
	v.score = float64(v.count) / float64(need)
	other, self := g.changes.explain(s.name, s.notes[noteProject].text, v.start-turnEarlier, v.last+slack)
	switch {
	case self:
		v.severity = Critical
	case other || s.system():
		return into
	}
	v.reason = func() string { return g.turnReason(s, v, self) }
	return g.tell(s, v, into)
}

func (g *Engine) turnReason(s *subject, v verdict, self bool) string {
	how := fmt.Sprintf("no change of a policy was logged up to %s later that explains it", lasting(g.patience))
	if self {
		how = "the subject changed a policy in its own favour in between"
	}
	return fmt.Sprintf("%s was denied %s about %d times within %s, and then it worked; %s",
		visible(s.shown(), maxSubject), v.seen[0].name, v.count, lasting(v.last-v.start), how)
}
