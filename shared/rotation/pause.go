package rotation

import "time"

// Pause has the schedule leave a credential alone, because somebody said so. While
// it lasts
//
//   - no rotation begins but one that a person asks for by name, and one that
//     replaces a key in use that is to be revoked: a revocation always works, and
//     so does a rollback;
//   - a rotation in flight goes on until consumers have the new key, or it is given
//     up, if the key exists or may exist: a key that nobody knows of is the worse
//     end. The old one stays valid. One of which Google cannot have heard yet waits;
//   - no old key is disabled or deleted, whatever is due, but one that is to be
//     revoked, which is disabled and kept;
//   - a disabled key is watched on, and brought back if somebody misses it. One
//     that a turn that died may have disabled is brought back at once.
//
// Staging copies that are not needed are destroyed and aliases put back as ever.
type Pause struct {
	By    string    `json:"by"`
	Why   string    `json:"why"`
	At    time.Time `json:"at"`             // policy time
	Until time.Time `json:"until,omitzero"` // policy time at which it ends by itself; zero is when somebody resumes
}

// Paused reports whether the schedule leaves the credential alone.
func (j Journal) Paused(now time.Time) bool {
	return j.Pause != nil && (j.Pause.Until.IsZero() || now.Before(j.Pause.Until))
}

// WithPause is the journal with a pause, which replaces an earlier one.
func (j Journal) WithPause(p Pause) Journal {
	p.By, p.Why, p.At, p.Until = clip(p.By, briefReason), shorten(p.Why), p.At.UTC(), p.Until.UTC()
	j.Pause = &p
	return j
}

// Resumed is the journal without a pause.
func (j Journal) Resumed() Journal {
	j.Pause = nil
	return j
}

// unborn reports whether Google cannot have heard of a key coming in. The name of an
// API key is chosen here, so that its attempts are not noted.
func (k Key) unborn() bool {
	return (k.Phase == Intended || k.Phase == Staged) && k.Mode != "" && k.Tried.IsZero()
}

// forgetful is how long a pause may last before somebody is reminded of it.
const forgetful = 7 * 24 * time.Hour

// overstays is from when on a pause without an end is told as overdue: when it has
// kept waiting, for as long as anything may be late, what was due, and after a week.
func (j Journal) overstays(p Policy) time.Time {
	at := j.Pause.At.Add(forgetful)
	for _, due := range j.heldBack(p) {
		if late := latest(due, j.Pause.At).Add(min(patience, p.period()/10)); late.Before(at) {
			at = late
		}
	}
	return at
}

// heldBack is when that falls due which a pause keeps from being done.
func (j Journal) heldBack(p Policy) []time.Time {
	var due []time.Time
	if j.Incoming == nil && j.Current != nil {
		due = append(due, NextDue(p, j))
	}
	for _, k := range j.Retiring {
		due = append(due, k.Due(p))
	}
	return due
}
