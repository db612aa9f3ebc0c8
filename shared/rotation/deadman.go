package rotation

import (
	"fmt"
	"time"
)

// Concern is something that has not happened although it should have: what a
// dead-man's switch tells.
type Concern struct {
	Kind   string    // which of the kinds below; with Key it stays the same for as long as the concern lasts
	Key    string    // id of the key concerned; empty where there is none
	Since  time.Time // policy time at which it should have happened
	Reason string
}

// The kinds of concern.
const (
	RotationOverdue = "rotation-overdue" // the time for a rotation has passed, and no new version came
	RotationBlocked = "rotation-blocked" // no rotation is begun any more, because the journal is crowded
	RotationStuck   = "rotation-stuck"   // a key coming in has been in one phase for a day
	RetirementStuck = "retirement-stuck" // a key going out should have taken its next step a day ago
	KeyHeld         = "key-held"         // a key going out is still used, or may be, beyond the straggler limit
	KeyExpires      = "key-expires"      // the key in use stops by itself before its successor would have had its overlap
)

// patience is how long anything may be late before somebody is told.
const patience = 24 * time.Hour

// Concerns is what should have happened by now and has not.
func Concerns(now time.Time, p Policy, j Journal) []Concern {
	var all []Concern
	add := func(kind, key string, since time.Time, format string, args ...any) {
		if !since.IsZero() && now.After(since) {
			all = append(all, Concern{kind, key, since, fmt.Sprintf(format, args...)})
		}
	}
	if in := j.Incoming; in != nil {
		add(RotationStuck, in.ID, in.Since.Add(patience), "the new key has been %s since %s", in.Phase, stamp(in.Since))
	}
	if cur := j.Current; cur != nil {
		due := NextDue(p, j)
		add(RotationOverdue, cur.ID, due.Add(min(patience, p.period()/10)), "a rotation was due at %s", stamp(due))
		if !cur.Expires.IsZero() {
			add(KeyExpires, cur.ID, cur.Expires.Add(-p.overlap()), "the key in use stops at %s", stamp(cur.Expires))
		}
	}
	if crowd := j.Crowded(); crowd != "" {
		add(RotationBlocked, "", j.latestChange(), "no rotation is begun any more, but for a revocation: %s; 'keyturn status' shows them", crowd)
	}
	for _, k := range j.Retiring {
		if k.Held(now, p) {
			add(KeyHeld, k.ID, p.holdUntil(k.Since), "%s key: %s", k.Phase, k.Evidence.Reason)
			continue
		}
		due, what := k.leaves(p)
		add(RetirementStuck, k.ID, due.Add(patience), "since %s it is due that %s", stamp(due), what)
	}
	return all
}

// latestChange is when the latest rotation ended, well or badly.
func (j Journal) latestChange() time.Time {
	switch {
	case j.Current != nil:
		return j.Current.Since
	case j.Failure != nil:
		return j.Failure.At
	}
	return time.Time{}
}
