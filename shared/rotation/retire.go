package rotation

import (
	"slices"
	"time"
)

// retire decides the next step of a key on its way out.
func retire(now time.Time, p Policy, k Key, want Intent) (Step, bool) {
	switch {
	case k.Phase == Quarantined && k.ID == want.Revoke:
		return step(Disable, k, "revoked; somebody may have enabled it again")
	case k.Phase == Overlapping && k.Revoked:
		return step(Disable, k, "revoked")
	case k.broke(p):
		return step(Restore, k, k.Evidence.Reason)
	case k.Phase == Overlapping && !now.Before(k.Due(p)):
		return takeOut(now, p, k, Disable, "the overlap has passed")
	case k.Phase == Quarantined && !now.Before(k.Due(p)):
		return takeOut(now, p, k, Delete, "the quarantine has passed")
	case k.Phase == Quarantined && k.watched(p) && k.unseen(now) && now.After(k.settled(p)):
		return step(Examine, k, "the key was disabled: does anybody miss it?")
	}
	return Step{}, false
}

// retirePaused decides the same for a credential that is paused; see Pause.
func retirePaused(now time.Time, p Policy, k Key, want Intent) (Step, bool) {
	switch s, ok := retire(now, p, k, want); {
	case ok && (s.Action == Restore || s.Action == Disable && (k.Revoked || k.ID == want.Revoke)):
		return s, true
	case k.Phase == Overlapping && !k.Touched.IsZero():
		return step(Restore, k, "a turn that died may have disabled it, and the credential is paused")
	case ok && s.Action == Examine && k.Phase == Quarantined:
		return s, true
	}
	return Step{}, false
}

func step(a Action, k Key, reason string) (Step, bool) {
	return Step{Action: a, Key: k, Reason: reason}, true
}

// takeOut takes a key one step further out if nobody uses it, or if the policy
// does not ask or does not wait any longer.
func takeOut(now time.Time, p Policy, k Key, a Action, reason string) (Step, bool) {
	switch {
	case !k.watched(p):
		return step(a, k, reason)
	case k.unseen(now):
		return step(Examine, k, reason+": does anybody still use the key?")
	case k.Evidence.Use == Unused:
		return step(a, k, reason+": "+k.Evidence.Reason)
	case p.Stragglers == Force && !now.Before(p.holdUntil(k.Since)):
		return step(a, k, reason+", and so has the straggler limit, although: "+k.Evidence.Reason)
	}
	return Step{}, false
}

// watched reports whether it matters that somebody still uses the key.
func (k Key) watched(p Policy) bool {
	return p.Evidence != EvidenceIgnored && !k.Revoked && !k.Forced
}

// unseen reports whether the evidence is missing, or too old to go by.
func (k Key) unseen(now time.Time) bool {
	return k.Evidence == nil || !now.Before(k.Evidence.At.Add(lookEvery))
}

// settled is from when on a use of a disabled key must have failed: before that,
// it may have succeeded.
func (k Key) settled(p Policy) time.Time {
	since := k.Since
	if !k.Touched.IsZero() {
		since = k.Touched
	}
	return since.Add(p.propagation() + interval)
}

// broke reports whether disabling the key has broken one of its consumers.
func (k Key) broke(p Policy) bool {
	if k.Phase == Overlapping && k.Touched.IsZero() || k.Revoked || k.Evidence == nil || k.Evidence.Use != Used {
		return false
	}
	return k.watched(p) || k.Evidence.Handed
}

// Due is when a superseded key takes its next step on the way out, should nobody use it.
func (k Key) Due(p Policy) time.Time {
	if k.Phase == Quarantined {
		return k.Since.Add(p.quarantine())
	}
	return k.Since.Add(p.overlap())
}

// Held reports whether a key's evidence keeps it from going where it is due to
// go. A record that may still be on its way is waited for without a word.
func (k Key) Held(now time.Time, p Policy) bool {
	if !k.watched(p) || k.Evidence == nil {
		return false
	}
	switch k.Evidence.Use {
	case Used:
		return !now.Before(k.Due(p))
	case Unknown:
		return !now.Before(k.Due(p).Add(dataLate))
	}
	return false
}

// leaves is when a key takes its next step on the way out, and which.
func (k Key) leaves(p Policy) (time.Time, string) {
	at, what := k.Due(p), "key "+k.ID+" is disabled"
	if k.Phase == Quarantined {
		what = "key " + k.ID + " is deleted"
	}
	if k.Evidence != nil && k.Evidence.Use != Unused && k.watched(p) {
		return latest(at, k.Evidence.At.Add(lookEvery)), what + " once nobody uses it"
	}
	return at, what
}

// tokenLife is how long the tokens that a key has minted stay valid.
const tokenLife = time.Hour

// suspend disables the service account once the leaked key can mint no more
// tokens, and enables it again when those that it had minted have died.
func suspend(now time.Time, j Journal) (Step, bool) {
	switch {
	case j.Suspend == nil:
		return Step{}, false
	case !j.Suspended() && !slices.ContainsFunc(j.Keys(), Key.Doomed):
		return Step{Action: Suspend, Reason: "the tokens that the revoked key has minted are to die"}, true
	case j.Suspended() && !now.Before(j.Suspend.Until):
		return Step{Action: Reinstate, Reason: "the tokens that the revoked key had minted have died"}, true
	}
	return Step{}, false
}

// Suspended reports whether the service account is disabled by keyturn.
func (j Journal) Suspended() bool { return j.Suspend != nil && !j.Suspend.Until.IsZero() }
