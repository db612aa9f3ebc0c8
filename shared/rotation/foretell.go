package rotation

import (
	"cmp"
	"time"
)

// Prospect is a step that is going to be taken.
type Prospect struct {
	At   time.Time // policy time at which it falls due; the first sweep from then on takes it
	Step Step
}

// NewKey stands for the id of a key that is still to be made.
const NewKey = "new"

// maxProspects is more than a rotation and all that can be left of others take.
const maxProspects = 200

// Foretell is what is going to be done, in order, from now on: what is in hand to its
// end, or else the next rotation to its end. It goes by the same decisions as Decide,
// and supposes that every step succeeds, that a new key authenticates once it has
// propagated, that nobody uses old keys any more, and that want is all that anybody
// asks for. A pause that somebody has to end is the end of it.
func Foretell(now time.Time, c Credential, seen Observed, want Intent) []Prospect {
	f := forecast{now: now, c: c, seen: seen, begun: !c.Journal.Idle()}
	for len(f.found) < maxProspects {
		taken := f.take(want)
		want = Intent{}
		if taken {
			continue
		}
		if f.begun && f.c.Journal.Idle() || !f.sleep() {
			break
		}
	}
	return f.found
}

// forecast is how far a foretelling has come.
type forecast struct {
	now   time.Time
	c     Credential // as it will stand then
	seen  Observed
	begun bool // something is in hand, or was
	found []Prospect
}

// take foretells the steps that are due now.
func (f *forecast) take(want Intent) (taken bool) {
	p, j := f.c.Policy, f.c.Journal
	for _, s := range Decide(f.now, p, j, f.seen, want) {
		if s.Action == Verify && f.now.Before(j.Incoming.known(f.now, p)) {
			continue // it is tried all the same, and waits
		}
		taken, f.begun = true, f.begun || s.Action != Repoint
		f.found = append(f.found, Prospect{f.now, s})
		f.c.Journal = f.c.Journal.Record(f.now, s, f.supposed(s))
	}
	f.seen = Observed{Aliases: f.c.Journal.Aliases()}
	return taken
}

// supposed is what a step brings to light if all goes well.
func (f *forecast) supposed(s Step) Outcome {
	o := Outcome{ID: cmp.Or(s.Key.ID, f.newID()), Staged: s.Key.Staged, Version: NewKey, Unstaged: true, Fresh: true}
	switch s.Action {
	case Begin:
		if f.c.Kind == ServiceAccountKey {
			o.Mode = f.c.Policy.Mode()
		}
	case Examine:
		o.Evidence = evidence(f.now, Unused, "as is supposed, nobody uses it")
	}
	return o
}

// newID is of the form that tells the kinds apart: a deleted API key is remembered.
func (f *forecast) newID() string {
	if f.c.Kind == APIKey {
		return "projects/" + f.c.Project() + "/locations/global/keys/" + NewKey
	}
	return NewKey
}

// sleep goes to when something falls due next; false if nothing does by itself.
func (f *forecast) sleep() bool {
	p, j := f.c.Policy, f.c.Journal
	var wake time.Time
	at := func(t time.Time) {
		if t.After(f.now) && (wake.IsZero() || t.Before(wake)) {
			wake = t
		}
	}
	at(j.Failure.retryAt())
	if j.Incoming != nil && j.Incoming.Phase == Published { // before, nobody knows when it will be
		at(j.Incoming.known(f.now, p))
	}
	if j.Suspend != nil {
		at(j.Suspend.Until)
	}
	if j.Pause != nil {
		at(j.Pause.Until)
	}
	for _, k := range j.Retiring {
		at(k.Due(p))
		if k.Evidence != nil && k.Evidence.Use != Unused {
			at(k.Evidence.At.Add(lookEvery))
		}
	}
	if j.Idle() {
		at(NextDue(p, j))
	}
	if wake.IsZero() {
		return false
	}
	f.now = wake
	return true
}
