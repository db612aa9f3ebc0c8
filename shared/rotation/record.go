package rotation

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Outcome is what carrying out a step brought to light. Only the fields that
// the step's action names are read.
type Outcome struct {
	Mode     KeyMode   // Begin: who will make the pair; empty for kinds without pairs
	ID       string    // Publish: the key's id
	Expires  time.Time // Publish: when the key stops by itself; zero is never
	Staged   string    // Stage, Publish: version of the staging secret that holds the private half
	Fresh    bool      // Stage: the pair was made a moment ago, so that no attempt can have published it
	Denied   string    // FallBack: the constraint that denies uploads
	Version  string    // Promote: version of the secret that holds the key
	Unstaged bool      // Promote: the staging copy is destroyed already
	Evidence Evidence  // Examine, Keep
	Foreign  bool      // Suspend: somebody else has disabled the account
}

// Record is the journal after a step was carried out.
func (j Journal) Record(now time.Time, s Step, o Outcome) Journal {
	now = now.UTC()
	j = j.clone()
	switch s.Action {
	case Begin, Stage, Publish, FallBack, Verify, Promote, Discard:
		j.introduced(now, s, o)
	case Unstage:
		left := j.Left()
		if j.Unstage = ""; j.MayHaveStaged() && slices.Contains(left, unrecorded) {
			j.Unstage = unrecorded
		}
	case Suspend:
		j.Suspend = &Suspension{Until: now.Add(tokenLife)}
		if o.Foreign {
			j.Suspend = nil
		}
	case Reinstate:
		j.Suspend = nil
	case Hasten:
		j.mark(s)
	case Repoint: // the aliases stand beside the journal, not in it
	default:
		j.retired(now, s, o)
	}
	return j.settle(now, s)
}

// introduced notes a step of the key coming in.
func (j *Journal) introduced(now time.Time, s Step, o Outcome) {
	in := j.Incoming
	switch s.Action {
	case Begin:
		j.Rotation++
		j.Incoming = &Key{Phase: Intended, Since: now, Mode: o.Mode}
		if o.Mode != "" {
			j.Incoming.Tried = now // by the turn that begins it
		}
	case Stage:
		in.Phase, in.Since, in.Staged = Staged, now, o.Staged
		j.stage(o.Staged)
		if o.Fresh {
			in.Tried, in.Answered = time.Time{}, time.Time{}
		}
	case Publish:
		in.Phase, in.Since, in.ID, in.Expires, in.Staged = Published, now, o.ID, o.Expires, o.Staged
		j.stage(o.Staged)
	case FallBack:
		j.leave(in.Staged) // the private half of a key that never was
		*in = Key{Phase: Intended, Since: now, Mode: Create, Denied: clip(o.Denied, briefReason), Tried: now}
	case Verify:
		in.Phase, in.Since = Verified, now
	case Promote:
		j.promote(now, o)
	case Discard:
		j.discard(now)
	}
}

// promote makes the incoming key the current one and sends the current one on
// its way out.
func (j *Journal) promote(now time.Time, o Outcome) {
	for i, k := range j.Retiring {
		if k.Phase == Overlapping && k.Evidence != nil && k.Evidence.Handed {
			j.Retiring[i].Since = now // until now consumers may have been given it
		}
	}
	if old := j.Current; old != nil {
		old.Phase, old.Since = Overlapping, now
		j.Retiring = append(j.Retiring, *old)
	}
	in := j.Incoming
	if !o.Unstaged {
		j.leave(in.Staged)
	}
	j.Current = &Key{
		ID: in.ID, Version: o.Version, Phase: Active, Since: now, Given: in.Given, Expires: in.Expires,
		Mode: in.Mode, Denied: in.Denied, Revoked: in.Revoked, Tests: in.Tests,
	}
	if in.Given.IsZero() { // one that is given once more keeps its history: its users do
		j.Current.Given = now
	}
	if in.Version != "" && in.Version != o.Version {
		j.Current.Copies = in.Versions()
	}
	j.Incoming = nil
}

// discard forgets the incoming key. One that consumers have, or may have been
// given by a turn that died before it could say so, goes on its way out like any
// other that was superseded.
func (j *Journal) discard(now time.Time) {
	in := *j.Incoming
	j.Incoming = nil
	if in.Mode != "" && !in.Back {
		j.leave(cmp.Or(in.Staged, unrecorded))
	}
	if in.Back || in.Phase == Verified {
		in.Phase, in.Since, in.Back, in.Staged = Overlapping, now, false, ""
		j.Retiring = append(j.Retiring, in)
	}
}

// stage notes the newest version of the staging secret. What lies between it and
// the newest that was known was added by calls whose reply was lost.
func (j *Journal) stage(version string) {
	newest, err := strconv.Atoi(version)
	if err != nil {
		return // a kind without pairs
	}
	known, _ := strconv.Atoi(j.Staging) // none is 0
	for n := known + 1; n < newest; n++ {
		j.leave(strconv.Itoa(n))
	}
	j.Staging = version
}

// unrecorded stands for a version of the staging secret that a turn may have
// added before it died.
const unrecorded = "?"

// leave notes a version of the staging secret that is to be destroyed.
func (j *Journal) leave(version string) {
	if left := j.Left(); version != "" && !slices.Contains(left, version) {
		j.Unstage = strings.Join(append(left, version), ",")
	}
}

// Left are the versions of the staging secret that are to be destroyed, one of
// which may be of no known number.
func (j Journal) Left() []string {
	if j.Unstage == "" {
		return nil
	}
	return strings.Split(j.Unstage, ",")
}

// MayHaveStaged reports whether a version of the staging secret that the journal
// does not know of may hold the private half of the key coming in: a turn that
// died has left it.
func (j Journal) MayHaveStaged() bool {
	return j.Incoming != nil && j.Incoming.Phase == Intended && j.Incoming.Mode != ""
}

// unstages reports whether there is something in the staging secret to destroy.
func (j Journal) unstages() bool {
	known := func(version string) bool { return version != unrecorded }
	return j.Unstage != "" && (!j.MayHaveStaged() || slices.ContainsFunc(j.Left(), known))
}

// retired notes a step of a key on its way out.
func (j *Journal) retired(now time.Time, s Step, o Outcome) {
	i := j.retiring(s.Key.ID)
	if i < 0 {
		if s.Action == Recall && j.Deleted != nil && j.Deleted.ID == s.Key.ID {
			j.recall(now, *j.Deleted)
			j.Deleted = nil
			j.forget(s.Key.ID)
		}
		return
	}
	k := &j.Retiring[i]
	switch s.Action {
	case Examine:
		k.Evidence = &o.Evidence
	case Keep:
		k.keep(now, o.Evidence)
		k.Touched = s.Key.Touched // this turn has not disabled it
	case Disable:
		k.disable(now)
	case Restore:
		k.Phase, k.Since, k.Touched = Overlapping, now, time.Time{}
	case Recall:
		back := *k
		j.Retiring = slices.Delete(j.Retiring, i, i+1)
		j.recall(now, back)
	case Delete:
		j.remove(now, i)
	}
}

// disable begins the quarantine with the first disabling; doing it again
// prolongs nothing.
func (k *Key) disable(now time.Time) {
	if k.Phase == Quarantined {
		return
	}
	k.Forced = k.Evidence != nil && k.Evidence.Use != Unused
	k.Phase, k.Since, k.Evidence = Quarantined, now, nil
}

// keep has the overlap begin when consumers are not given the key any more.
func (k *Key) keep(now time.Time, e Evidence) {
	k.Evidence = &e
	if k.Phase == Overlapping {
		k.Since = now
	}
}

// recall has a key come in once more. Enabling one that was disabled takes time
// to be known everywhere, as publishing does.
func (j *Journal) recall(now time.Time, k Key) {
	if k.Phase != Overlapping || !k.Touched.IsZero() {
		k.Tried = now
	}
	k.Phase, k.Since, k.Back, k.Forced, k.Touched, k.Evidence = Published, now, true, false, time.Time{}, nil
	j.Rotation++
	j.Incoming, j.Failure = &k, nil
}

// mark makes a key, wherever it stands, one to be revoked.
func (j *Journal) mark(s Step) {
	marked := []*Key{j.Incoming, j.Current}
	if i := j.retiring(s.Key.ID); i >= 0 {
		marked = append(marked, &j.Retiring[i])
	}
	for _, k := range marked {
		if k != nil && k.ID == s.Key.ID {
			k.Revoked, k.Killed = true, k.Killed || s.Tokens
		}
	}
	if s.Tokens {
		j.Suspend = &Suspension{}
	}
}

// settle takes back the failure that a step has overcome. A key that was
// discarded keeps its back-off until another one is promoted.
func (j Journal) settle(now time.Time, s Step) Journal {
	if s.Action == Discard && !s.Key.Back {
		return j.Fail(now, s, s.Reason)
	}
	if s.Action.Introduces() && (j.Failure == nil || j.Failure.Step != Discard || s.Action == Promote) {
		j.Failure = nil
	}
	return j
}

// Try notes, before it is made, an attempt to publish the incoming key. A crash
// then leaves a journal that knows that a key may exist.
func (j Journal) Try(now time.Time) Journal {
	j = j.clone()
	j.Incoming.Tried, j.Incoming.Answered = now.UTC(), time.Time{}
	return j
}

// Touch notes, before it is made, an attempt to disable each key that steps
// disable. A crash then leaves a journal that knows that the key may not work.
func (j Journal) Touch(now time.Time, steps []Step) Journal {
	j = j.clone()
	for _, s := range steps {
		if i := j.retiring(s.Key.ID); i >= 0 && s.Action == Disable && j.Retiring[i].Touched.IsZero() {
			j.Retiring[i].Touched = now.UTC()
		}
	}
	return j
}

// Answer notes that the attempt to publish failed with an answer. A refusal
// says that no key was made; after any other answer none is made later.
func (j Journal) Answer(now time.Time, refused bool) Journal {
	j = j.clone()
	if refused {
		j.Incoming.Tried = time.Time{}
		return j
	}
	j.Incoming.Answered = now.UTC()
	return j
}

// Rectify has the key coming in date from now: a wrong clock wrote its times.
func (j Journal) Rectify(now time.Time) Journal {
	j = j.clone()
	for _, at := range []*time.Time{&j.Incoming.Since, &j.Incoming.Tried, &j.Incoming.Answered} {
		if !at.IsZero() {
			*at = now.UTC()
		}
	}
	return j
}

// TrySuspend notes, before it is done, that keyturn disables the service account.
func (j Journal) TrySuspend() Journal {
	j.Suspend = &Suspension{Tried: true}
	return j
}

// Test notes that keyturn itself is using a key, coming in or in use, in so many
// calls, which Cloud Monitoring counts whether they succeed or not.
func (j Journal) Test(now time.Time, id string, uses int) Journal {
	j = j.clone()
	for _, k := range []*Key{j.Incoming, j.Current} {
		if k != nil && k.ID == id {
			k.test(now, uses)
		}
	}
	return j
}

// Fail is the journal after a step failed. reason must hold no secret material.
func (j Journal) Fail(now time.Time, s Step, reason string) Journal {
	count := 1
	if j.Failure != nil {
		count = j.Failure.Count + 1
	}
	j.Failure = &Failure{Step: s.Action, Reason: shorten(reason), Count: count, At: now.UTC()}
	return j
}

// Introduces reports whether the action brings a new key in.
func (a Action) Introduces() bool {
	return slices.Contains([]Action{Stage, Publish, FallBack, Verify, Promote}, a)
}

func (j Journal) clone() Journal {
	if j.Incoming != nil {
		in := *j.Incoming
		j.Incoming = &in
	}
	if j.Current != nil {
		cur := *j.Current
		j.Current = &cur
	}
	if j.Deleted != nil {
		del := *j.Deleted
		j.Deleted = &del
	}
	j.Retiring, j.Retired = slices.Clone(j.Retiring), slices.Clone(j.Retired)
	return j
}
