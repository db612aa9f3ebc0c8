package rotation

import (
	"slices"
	"time"
)

// Action is what a step does.
type Action string

// The actions of a rotation, in the order in which a key meets them. Each is
// idempotent: done twice, or again after a lost reply, it does nothing more.
const (
	Hasten  Action = "hasten"  // write into the journal that a key is to be revoked
	Begin   Action = "begin"   // write the intent of a new key into the journal
	Stage   Action = "stage"   // make the pair; put the private half into the staging secret
	Publish Action = "publish" // make the key known to Google
	Verify  Action = "verify"  // authenticate with it
	Promote Action = "promote" // add it as the newest version and point the aliases at it
	Unstage Action = "unstage" // destroy the staging copy
	Disable Action = "disable" // disable a superseded key and its version
	Delete  Action = "delete"  // delete a quarantined key and destroy its version
	Discard Action = "discard" // give up the incoming key and remove every trace of it
	Repoint Action = "repoint" // put the aliases back where the journal says they belong
)

// Step is one thing to do now.
type Step struct {
	Action Action
	Key    Key    // the key it concerns; zero for Begin, Unstage and Repoint
	Reason string // why now, for people
	// Otherwise is done instead if Google turns out not to be ready for Action;
	// empty is to wait for the next trigger.
	Otherwise Action
}

// Intent is what a trigger wants. The zero Intent is the schedule's: go on with
// what is in hand and begin what is due.
type Intent struct {
	// Rotate asks for a rotation now, but only if After is still the number of
	// the latest one: the same request delivered twice rotates once.
	Rotate bool
	After  int
	// Revoke names a key that must stop working as soon as a verified
	// replacement is in place, or at once if it has been superseded already. It
	// is asked for once; the journal remembers it.
	Revoke string
}

// Observed is what was seen of the credential's secret beside its journal.
type Observed struct {
	Aliases map[string]string // alias → version number
}

// Decide says what is to be done now: at most one step that brings the next key
// in, and every step that is due for the keys on their way out. A laggard among
// the old keys never holds up the next rotation, and a failing rotation never
// keeps an old key alive. No steps means that there is nothing to do yet.
func Decide(now time.Time, p Policy, j Journal, seen Observed, want Intent) []Step {
	var steps []Step
	for _, k := range j.Keys() {
		if k.ID != "" && k.ID == want.Revoke && !k.Revoked {
			steps = append(steps, Step{Action: Hasten, Key: k, Reason: "the key is to be revoked"})
		}
	}
	if s, ok := introduce(now, p, j, want); ok {
		steps = append(steps, s)
	}
	if j.Unstage != "" {
		steps = append(steps, Step{Action: Unstage, Reason: "the key is verified and promoted; its staging copy is not needed any more"})
	}
	if misplaced(j, seen) {
		steps = append(steps, Step{Action: Repoint, Reason: "the aliases do not name the versions that the journal names"})
	}
	for _, k := range j.Retiring {
		if s, ok := retire(now, p, k, want); ok {
			steps = append(steps, s)
		}
	}
	return steps
}

// introduce decides the next step of the key that is coming in.
func introduce(now time.Time, p Policy, j Journal, want Intent) (Step, bool) {
	if j.Incoming == nil {
		reason, begin := due(now, p, j, want)
		return Step{Action: Begin, Reason: reason}, begin
	}
	in := *j.Incoming
	if in.Revoked {
		// A turn that died may have given it to consumers already: then it has to be replaced like any other.
		return Step{Action: Discard, Key: in, Reason: "revoked before it was given to anybody", Otherwise: Promote}, true
	}
	urgent := j.Current != nil && j.Current.Revoked
	if now.Before(j.Failure.retryAt()) && !want.Rotate && !urgent {
		return Step{}, false
	}
	switch in.Phase {
	case Intended:
		if in.Mode == Upload {
			return step(Stage, in, "no private half is staged yet")
		}
		return step(Publish, in, "the key is intended and does not exist yet")
	case Staged:
		return step(Publish, in, "the private half is safe in the staging secret")
	case Published:
		verify, _ := step(Verify, in, "Google has accepted the key")
		if now.After(in.Since.Add(p.verifyWithin())) {
			verify.Otherwise = Discard // the triggers may all have come late: it gets its chance first
		}
		return verify, true
	default:
		return step(Promote, in, "the key has authenticated")
	}
}

func step(a Action, k Key, reason string) (Step, bool) {
	return Step{Action: a, Key: k, Reason: reason}, true
}

// due says whether a new rotation begins, and why.
func due(now time.Time, p Policy, j Journal, want Intent) (string, bool) {
	switch {
	case j.Current != nil && j.Current.Revoked:
		return "the key in use is to be revoked", true
	case want.Rotate && want.After == j.Rotation:
		return "asked for", true
	case now.Before(j.Failure.retryAt()):
		return "", false
	case j.Current == nil:
		return "the secret holds no key yet", true
	case !now.Before(NextDue(p, j)):
		return "the period has passed", true
	}
	return "", false
}

// NextDue is when the next rotation is due; the zero time for a credential
// that has no key yet.
func NextDue(p Policy, j Journal) time.Time {
	if j.Current == nil {
		return time.Time{}
	}
	return j.Current.Since.Add(p.period())
}

// Next is when the next step falls due, and what for: at or before now when the
// next trigger, such as a sweep, goes on with what is in hand.
func Next(now time.Time, p Policy, j Journal) (time.Time, string) {
	if j.Incoming != nil {
		return now, "the next sweep goes on with the new key"
	}
	at, what := NextDue(p, j), "the next rotation is due"
	for _, k := range j.Retiring {
		t, then := k.Since.Add(p.overlap()), "key "+k.ID+" is disabled"
		if k.Phase == Quarantined {
			t, then = k.Since.Add(p.quarantine()), "key "+k.ID+" is deleted"
		}
		if at.IsZero() || t.Before(at) {
			at, what = t, then
		}
	}
	return at, what
}

// retire decides the next step of a key on its way out.
func retire(now time.Time, p Policy, k Key, want Intent) (Step, bool) {
	switch {
	case k.Phase == Quarantined && k.ID == want.Revoke:
		return step(Disable, k, "revoked; somebody may have enabled it again")
	case k.Phase == Overlapping && k.Revoked:
		return step(Disable, k, "revoked")
	case k.Phase == Overlapping && !now.Before(k.Since.Add(p.overlap())):
		return step(Disable, k, "the overlap has passed")
	case k.Phase == Quarantined && !now.Before(k.Since.Add(p.quarantine())):
		return step(Delete, k, "the quarantine has passed")
	}
	return Step{}, false
}

// misplaced reports whether an alias is not where the journal puts it, which
// happens when somebody moves it by hand.
func misplaced(j Journal, seen Observed) bool {
	for alias, version := range j.Aliases() {
		if seen.Aliases[alias] != version {
			return true
		}
	}
	return false
}

// Aliases is where the aliases belong: current at the key in use, previous at
// the one before it while that can still be brought back.
func (j Journal) Aliases() map[string]string {
	aliases := map[string]string{}
	if j.Current != nil {
		aliases[AliasCurrent] = j.Current.Version
	}
	if n := len(j.Retiring); n > 0 {
		aliases[AliasPrevious] = j.Retiring[n-1].Version
	}
	return aliases
}

// retryAt is when a failed step is tried again: after 1, 2, 4 … minutes, at
// most an hour.
func (f *Failure) retryAt() time.Time {
	if f == nil {
		return time.Time{}
	}
	return f.At.Add(min(time.Minute<<min(max(f.Count-1, 0), 6), time.Hour))
}

// Idle reports whether no rotation is in hand and no key waits to be retired.
func (j Journal) Idle() bool {
	return j.Incoming == nil && len(j.Retiring) == 0 && j.Unstage == ""
}

func (j Journal) retiring(id string) int {
	return slices.IndexFunc(j.Retiring, func(k Key) bool { return k.ID == id })
}
