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
	PauseForgotten  = "pause-forgotten"  // a pause without an end keeps waiting what has been due for a day, or has lasted for a week
	KeyExpires      = "key-expires"      // the key in use stops by itself before its successor would have had its overlap
)

// patience is how long anything may be late before somebody is told.
const patience = 24 * time.Hour

// Concerns is what should have happened by now and has not. What a pause keeps from
// happening is told as the pause's.
func Concerns(now time.Time, p Policy, j Journal) []Concern {
	l := concerns{now: now}
	if j.IsLost() {
		return nil // that is told, and all else follows from it
	}
	paused := j.Paused(now)
	if in := j.Incoming; in != nil && !(paused && in.unborn()) {
		since := in.Since
		if in.unborn() {
			since = j.resumedAfter(since)
		}
		l.add(RotationStuck, in.ID, since.Add(patience), "the new key has been %s since %s", in.Phase, stamp(in.Since))
	}
	if cur := j.Current; cur != nil && !paused {
		due := NextDue(p, j)
		l.add(RotationOverdue, cur.ID, j.resumedAfter(due).Add(min(patience, p.period()/10)), "a rotation was due at %s", stamp(due))
	}
	if cur := j.Current; cur != nil && !cur.Expires.IsZero() {
		l.add(KeyExpires, cur.ID, cur.Expires.Add(-p.overlap()), "the key in use stops at %s", stamp(cur.Expires))
	}
	if paused {
		l.paused(p, j)
		return l.all
	}
	if crowd := j.Crowded(); crowd != "" {
		l.add(RotationBlocked, "", j.latestChange(), "no rotation is begun any more, but for a revocation: %s; 'keyturn status' shows them", crowd)
	}
	for _, k := range j.Retiring {
		l.retiring(p, j, k)
	}
	return l.all
}

// concerns are gathered as of a time.
type concerns struct {
	now time.Time
	all []Concern
}

// add tells a concern if it is time.
func (l *concerns) add(kind, key string, since time.Time, format string, args ...any) {
	if !since.IsZero() && l.now.After(since) {
		l.all = append(l.all, Concern{kind, key, since, fmt.Sprintf(format, args...)})
	}
}

// paused tells of a pause that somebody may have forgotten: one that ends by itself
// is as long as it was meant to be.
func (l *concerns) paused(p Policy, j Journal) {
	if by := j.Pause; by.Until.IsZero() {
		l.add(PauseForgotten, "", j.overstays(p), "%s paused it at %s (%s): nothing has been rotated or taken away since; 'keyturn resume' ends the pause", by.By, stamp(by.At), by.Why)
	}
}

func (l *concerns) retiring(p Policy, j Journal, k Key) {
	if k.Held(l.now, p) {
		l.add(KeyHeld, k.ID, p.holdUntil(k.Since), "%s key: %s", k.Phase, k.Evidence.Reason)
		return
	}
	due, what := k.leaves(p)
	l.add(RetirementStuck, k.ID, j.resumedAfter(due).Add(patience), "since %s it is due that %s", stamp(due), what)
}

// resumedAfter is when something could be done that was due: not before a pause had
// ended by itself.
func (j Journal) resumedAfter(due time.Time) time.Time {
	if j.Pause == nil {
		return due
	}
	return latest(due, j.Pause.Until)
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
