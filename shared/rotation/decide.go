package rotation

import (
	"slices"
	"time"
)

// Action is what a step does.
type Action string

// The actions of a rotation. Each is idempotent: done twice, or again after a
// lost reply, it does nothing more.
const (
	Hasten    Action = "hasten"    // write into the journal that a key is to be revoked
	Begin     Action = "begin"     // write the intent of a new key into the journal
	Stage     Action = "stage"     // make the pair; put the private half into the staging secret
	Publish   Action = "publish"   // make the key known to Google
	FallBack  Action = "fall-back" // let Google make the pair, because it denies uploads
	Verify    Action = "verify"    // authenticate with it
	Promote   Action = "promote"   // add it as the newest version and point the aliases at it
	Discard   Action = "discard"   // give up the incoming key; remove it, unless consumers may have it
	Unstage   Action = "unstage"   // destroy what the staging secret still holds
	Examine   Action = "examine"   // gather evidence of an old key's use
	Keep      Action = "keep"      // begin the overlap of an old key anew, because consumers are still given it
	Disable   Action = "disable"   // disable a superseded key and its versions
	Restore   Action = "restore"   // enable a disabled key again, because somebody uses it
	Delete    Action = "delete"    // delete a quarantined key and destroy its versions
	Recall    Action = "recall"    // enable an old key again, to be given to consumers once more
	Suspend   Action = "suspend"   // disable the service account, and with it the tokens that its keys have minted
	Reinstate Action = "reinstate" // enable the service account again
	Repoint   Action = "repoint"   // put the aliases back where the journal says they belong
)

// Step is one thing to do now.
type Step struct {
	Action Action
	Key    Key    // the key it concerns; zero where it concerns none
	Reason string // why now, for people
	Tokens bool   // Hasten: the tokens that the key has minted are to die, too
	// Otherwise is done instead if Google turns out not to be ready for Action;
	// empty is to wait for the next trigger.
	Otherwise Action
}

// Intent is what a trigger wants. The zero Intent is the schedule's: go on with
// what is in hand and begin what is due.
type Intent struct {
	// Rotate asks for a rotation now, Rollback for the previous key to be given
	// to consumers again; either only if After is still the number of the latest
	// rotation: the same request delivered twice is carried out once.
	Rotate   bool
	Rollback bool
	After    int
	// Revoke names a key that must stop working as soon as a verified
	// replacement is in place, or at once if it has been superseded already;
	// KillTokens asks the same for the tokens that it has minted. Both are asked
	// for once; the journal remembers them.
	Revoke     string
	KillTokens bool
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
	steps := hasten(j, want)
	if j.IsLost() {
		return steps // there is nothing to work on, and no key that works
	}
	if s, ok := suspend(now, j); ok {
		return append(steps, s)
	}
	if j.Suspended() {
		return steps // nothing authenticates, so that nothing can be verified
	}
	next, ok := introduce(now, p, j, want)
	if ok {
		steps = append(steps, next)
	}
	if j.unstages() {
		steps = append(steps, Step{Action: Unstage, Reason: "a staging copy is not needed any more"})
	}
	if misplaced(j, seen) {
		steps = append(steps, Step{Action: Repoint, Reason: "the aliases do not name the versions that the journal names"})
	}
	for _, k := range j.Retiring {
		s, ok := retire(now, p, k, want)
		if j.Paused(now) {
			s, ok = retirePaused(now, p, k, want)
		}
		if ok && !(next.Action == Recall && next.Key.ID == k.ID) {
			steps = append(steps, s)
		}
	}
	return steps
}

// hasten notes what is asked for urgently, once.
func hasten(j Journal, want Intent) []Step {
	for _, k := range j.Keys() {
		tokens := want.KillTokens && j.Suspend == nil && !k.Killed
		if k.ID != "" && k.ID == want.Revoke && (!k.Revoked || tokens) {
			return []Step{{Action: Hasten, Key: k, Tokens: tokens, Reason: "the key is to be revoked"}}
		}
	}
	return nil
}

// introduce decides the next step of the key that is coming in.
func introduce(now time.Time, p Policy, j Journal, want Intent) (Step, bool) {
	if want.Rollback && want.After == j.Rotation {
		return rollBack(now, j)
	}
	if j.Incoming == nil {
		reason, begin := due(now, p, j, want)
		return Step{Action: Begin, Reason: reason}, begin
	}
	in := *j.Incoming
	if in.Revoked {
		return Step{Action: Discard, Key: in, Reason: "revoked before it was given to consumers"}, true
	}
	urgent := j.Current != nil && j.Current.Revoked
	waits := now.Before(j.Failure.retryAt()) || j.Paused(now) && in.unborn()
	if waits && !want.Rotate && !urgent {
		return Step{}, false
	}
	return bringIn(now, p, in), true
}

func bringIn(now time.Time, p Policy, in Key) Step {
	switch in.Phase {
	case Intended:
		if in.Mode == Upload {
			return Step{Action: Stage, Key: in, Reason: "no private half is staged yet"}
		}
		return Step{Action: Publish, Key: in, Reason: "the key is intended and does not exist yet"}
	case Staged:
		return Step{Action: Publish, Key: in, Reason: "the private half is safe in the staging secret"}
	case Published:
		verify := Step{Action: Verify, Key: in, Reason: "consumers get it once it has authenticated"}
		if now.After(in.Since.Add(p.verifyWithin())) {
			verify.Otherwise = Discard // the triggers may all have come late: it gets its chance first
		}
		return verify
	}
	return Step{Action: Promote, Key: in, Reason: "the key has authenticated"}
}

// rollBack makes way for the previous key, and calls it back.
func rollBack(now time.Time, j Journal) (Step, bool) {
	k, ok := j.Previous(now)
	switch {
	case !ok || j.WornOut() || j.Incoming != nil && j.Incoming.Back:
		return Step{}, false
	case j.Incoming != nil:
		return Step{Action: Discard, Key: *j.Incoming, Reason: "the previous key is to be brought back"}, true
	}
	return Step{Action: Recall, Key: k, Reason: "the previous key is to be brought back"}, true
}

// undeletable is how long Google can undelete an API key, with a margin.
const undeletable = 29 * 24 * time.Hour

// Previous is the key that a rollback brings back: the newest superseded one
// that consumers were given and nobody has revoked, or else the API key that was
// deleted last.
func (j Journal) Previous(now time.Time) (Key, bool) {
	for _, k := range slices.Backward(j.Retiring) {
		if !k.Revoked && k.Version != "" {
			return k, true
		}
	}
	if d := j.Deleted; d != nil && !d.Revoked && now.Before(d.Since.Add(undeletable)) {
		return *d, true
	}
	return Key{}, false
}

// due says whether a new rotation begins, and why.
func due(now time.Time, p Policy, j Journal, want Intent) (string, bool) {
	switch {
	case j.Current != nil && j.Current.Revoked:
		return "the key in use is to be revoked", !j.full()
	case j.Crowded() != "":
		return "", false
	case want.Rotate && want.After == j.Rotation:
		return "asked for", true
	case j.Paused(now):
		return "", false
	case now.Before(j.Failure.retryAt()):
		return "", false
	case j.Current == nil:
		return "the secret holds no key yet", true
	case j.Failure != nil && j.Failure.Step == Discard: // whoever asked for it got nothing yet
		return "the last new key was given up", true
	case !now.Before(NextDue(p, j)):
		return "the period has passed, or the key expires soon", true
	}
	return "", false
}

// NextDue is when the next rotation is due; the zero time for a credential
// that has no key yet. A key that expires is replaced in time for its consumers
// to move.
func NextDue(p Policy, j Journal) time.Time {
	if j.Current == nil {
		return time.Time{}
	}
	at := j.Current.Since.Add(p.period())
	if expires := j.Current.Expires; !expires.IsZero() {
		soon := expires.Add(-p.overlap() - p.quarantine())
		if soon.Before(at) {
			at = latest(soon, j.Current.Since.Add(minPeriod))
		}
	}
	return at
}

// Next is when the next step falls due, or fell due, and what for. The sweep that comes
// first from then on takes it: a time that is long over says that none came. It is zero
// for a credential that has no key yet, and for one that is paused until somebody resumes
// it, or whose service account is deleted.
func Next(now time.Time, p Policy, j Journal) (time.Time, string) {
	switch {
	case j.IsLost():
		return time.Time{}, "nothing is done before the service account is there again"
	case j.Suspended():
		return j.Suspend.Until, "the service account is enabled again"
	case j.Incoming != nil && !(j.Paused(now) && j.Incoming.unborn()):
		return j.goesOn(now, p)
	case j.Paused(now):
		return j.Pause.Until, "it is paused: nothing is begun, and no old key goes"
	}
	at, what := latest(NextDue(p, j), j.Failure.retryAt()), "the next rotation is due"
	if crowd := j.Crowded(); crowd != "" {
		at, what = time.Time{}, "no rotation is begun: "+crowd
	}
	for _, k := range j.Retiring {
		t, then := k.leaves(p)
		if at.IsZero() || t.Before(at) {
			at, what = t, then
		}
	}
	return at, what
}

// goesOn is when and how the key coming in goes on. What failed with one that was
// given up before is no failure of this one.
func (j Journal) goesOn(now time.Time, p Policy) (time.Time, string) {
	if f := j.Failure; f != nil && f.Step != Discard {
		return f.retryAt(), "a sweep tries again to " + string(f.Step) + " the new key"
	}
	if in := j.Incoming; in.Phase == Intended || in.Phase == Staged { // by a turn that died, or ran out of time
		return latest(in.Since, j.Failure.retryAt()), "a sweep goes on to make the new key"
	}
	return latest(j.Incoming.known(now, p), j.Failure.retryAt()), "a sweep goes on once the new key has propagated"
}

// Replaced is about when the key coming in will have authenticated, and the one in
// use can go: zero if none is coming in, and while it fails.
func Replaced(now time.Time, p Policy, j Journal) time.Time {
	if j.Incoming == nil || j.Failure != nil {
		return time.Time{}
	}
	return latest(now, j.Incoming.known(now, p))
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
	for _, k := range j.Retiring {
		if k.Version != "" {
			aliases[AliasPrevious] = k.Version
		}
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
	return j.Incoming == nil && len(j.Retiring) == 0 && j.Unstage == "" && j.Suspend == nil
}

func (j Journal) retiring(id string) int {
	return slices.IndexFunc(j.Retiring, func(k Key) bool { return k.ID == id })
}
