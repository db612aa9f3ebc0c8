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

// win is a success of what may have been denied before.
type win struct {
	name  string // of the subject
	what  uint64 // the permission
	door  uint64 // what it was on; 0 for nothing that is tried one after another
	stamp stamp
}

func (w win) order(other win) int {
	return cmp.Or(cmp.Compare(w.stamp.at, other.stamp.at), cmp.Compare(w.stamp.id, other.stamp.id), cmp.Compare(w.name, other.name), cmp.Compare(w.what, other.what))
}

// awaitTurn notes what the call was the first to succeed in, and what was denied
// before, to be looked at when all denials before it have come.
func (g *Engine) awaitTurn(e *Entry, s *subject, t int64) {
	target, door := doorOf(e), uint64(0)
	if isMinting(e) {
		door = tokenOf(cmp.Or(e.Account, e.Resource))
	} else if target != "" {
		door = opened(target)
	}
	for i := range e.Permissions {
		if p := &e.Permissions[i]; p.Granted && p.Name != "" {
			g.win(s, win{s.name, hash(p.Name), door, stamp{t, e.InsertID, cmp.Or(target, p.Resource, e.Resource)}})
		}
	}
	if len(e.Permissions) == 0 {
		g.win(s, win{s.name, hash(e.Service, e.Method), 0, stamp{t, e.InsertID, e.Resource}})
	}
}

// win notes a success, unless the subject had it long ago and was not denied it.
func (g *Engine) win(s *subject, w win) {
	if _, denied := findGrant(s.refused, w.what); !denied && s.hadBy(w.what, w.stamp.at) && (w.door == 0 || s.hadBy(w.door, w.stamp.at)) {
		return
	}
	w.stamp = w.stamp.kept()
	if !g.backlog.holdWin(w, dueAfter(w.stamp.at, spanAfter)) {
		g.turn(w)
	}
}

// turn looks at a success when all denials before it are known.
func (g *Engine) turn(w win) {
	s := g.store.find(w.name)
	if s == nil {
		return
	}
	for _, today := range []int32{dayOf(w.stamp.at), dayOf(w.stamp.at) - 1} {
		i, ok := place(s.sightings, mark{deniedPermission, w.what, today})
		if !ok || s.sightings[i].first.at >= w.stamp.at || s.hadBy(w.what, s.sightings[i].first.at) && !s.opens(w, s.sightings[i].first.at) {
			continue
		}
		d := &s.sightings[i]
		d.won = d.won.earliest(w.stamp)
		g.waiting.add(wait{name: s.name, detector: turned.id, what: w.what}, w.stamp.at, w.stamp.at+g.patience)
	}
}

// doubting is how long it takes at most until what was denied is in doubt: until
// then a success of what the subject has elsewhere may go by.
const doubting = 10 * minute

// opens reports whether a success of what the subject has elsewhere, denied since a
// time, was on something that it had not got into before.
func (s *subject) opens(w win, since int64) bool {
	if w.door == 0 {
		return w.stamp.at-since > doubting
	}
	return !s.hadBy(w.door, since)
}

// judgeTurn looks at what was denied and then worked at about t.
func (g *Engine) judgeTurn(s *subject, what uint64, t int64, into []Finding) []Finding {
	v := verdict{by: turned, what: what, severity: High}
	won, doors, same, tried := stamp{}, crowd{}, false, 0
	for _, d := range s.of(deniedPermission) {
		if d.what == what && d.won.at != 0 && d.won.at-d.last < turnWidth && max(d.won.at-t, t-d.won.at) < turnWidth {
			v.seen = append(v.seen, d)
			before := d.tries.between(d.won.at-turnWidth, d.won.at)
			if tried += before; d.last < d.won.at {
				before = d.events.size()
			}
			v.count += before
			won = won.earliest(d.won)
			doors = doors.join(d.targets)
			same = same || d.targets.has(hash(d.won.target))
			v.start = earliest(v.start, d.first.at)
		}
	}
	need := turnNeed
	if tried > 0 && dangerous(v.seen[0].name) {
		need = turnDanger
	}
	if tried < need || s.hadBy(what, v.start) && !same && doors.size() < turnDoors {
		return into
	}
	v.last = won.at
	v.count = max(v.count, tried) // a crowd may count one less
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
	return fmt.Sprintf("%s was denied %s about %s within %s, and then it worked; %s",
		visible(s.shown(), maxSubject), v.seen[0].name, counted(v.count, "time"), lasting(v.last-v.start), how)
}
