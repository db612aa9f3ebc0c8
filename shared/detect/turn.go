package detect

import (
	"cmp"
	"fmt"
)

var turned = detector(Detector{
	Name: FailureThenSuccess,
	Rationale: "A permission that was denied again and again and then works was granted in between. Where an administrator granted it, that is the end of an incident and nobody's business; " +
		"where no grant was logged, somebody found a way around, or, with a permission it has elsewhere, tried one door after another until one opened; and where the subject granted it to itself, it has taken over. The verdict waits for grants that are logged late.",
	Technique: "T1548",
	Runbook: "1. Look for the change by which the subject came to the permission: policies, roles, groups, other accounts it can be. 2. If the subject made it itself, revoke the subject and undo the change. " +
		"3. If there is none, suspect a second identity behind the success: compare address and user agent before and after.",
	Severity: High,
	Unit:     "failures before the success",
})

const (
	turnNeed    = 5    // failures
	turnDanger  = 3    // failures, of a dangerous permission
	turnDoors   = 5    // secrets, buckets or the like that were denied before another one opened
	turnWidth   = day  // between the failures and the success
	turnEarlier = hour // before the first failure, in which a grant explains: they take minutes to work
)

// awaitTurn notes a success of what was denied, to be judged when the grant that
// explains it must have been logged.
func (g *Engine) awaitTurn(e *Entry, s *subject, t int64) {
	if len(s.sightings) == 0 || s.sightings[0].kind != deniedPermission {
		return // that kind is the first
	}
	door := doorOf(e)
	onDoor := opened(door)
	if isMinting(e) {
		onDoor = tokenOf(cmp.Or(e.Account, e.Resource))
	}
	for i := range e.Permissions {
		if p := &e.Permissions[i]; p.Granted && p.Name != "" {
			g.turn(s, hash(p.Name), onDoor, stamp{t, e.InsertID, cmp.Or(door, p.Resource, e.Resource)})
		}
	}
	if len(e.Permissions) == 0 {
		g.turn(s, hash(e.Service, e.Method), 0, stamp{t, e.InsertID, e.Resource})
	}
}

// turn notes a success of one permission, unless the same was seen, on the same
// door, before it was denied.
func (g *Engine) turn(s *subject, what, onDoor uint64, won stamp) {
	for _, today := range []int32{dayOf(won.at), dayOf(won.at) - 1} {
		i, ok := place(s.sightings, mark{deniedPermission, what, today})
		if !ok {
			continue
		}
		d := &s.sightings[i]
		if d.first.at >= won.at || d.won.at != 0 && d.won.at <= won.at || s.hadBy(what, d.first.at) && s.hadBy(onDoor, d.first.at) {
			continue
		}
		d.won = won.kept()
		g.waiting.add(wait{name: s.name, detector: turned.id, what: what}, won.at, won.at+g.patience)
	}
}

// judgeTurn looks at what was denied and then worked at about t.
func (g *Engine) judgeTurn(s *subject, what uint64, t int64, into []Finding) []Finding {
	v := verdict{by: turned, what: what, severity: High}
	won, doors, same := stamp{}, crowd{}, false
	for _, d := range s.of(deniedPermission) {
		if d.what == what && d.won.at != 0 && d.won.at-d.last < turnWidth && max(d.won.at-t, t-d.won.at) < turnWidth {
			v.seen = append(v.seen, d)
			v.count += d.events.size()
			won = won.earliest(d.won)
			doors = doors.join(d.targets)
			same = same || d.targets.has(hash(d.won.target))
			v.start = earliest(v.start, d.first.at)
		}
	}
	need := turnNeed
	if v.count > 0 && dangerous(v.seen[0].name) {
		need = turnDanger
	}
	if v.count < need || s.hadBy(what, v.start) && !same && doors.size() < turnDoors {
		return into
	}
	v.last = won.at
	v.score = float64(v.count) / float64(need)
	other, self := g.changes.explain(s.name, s.notes[noteProject].text, won.target, v.start-turnEarlier, v.last+slack)
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
