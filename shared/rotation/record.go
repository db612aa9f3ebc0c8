package rotation

import (
	"slices"
	"strings"
	"time"
)

// Outcome is what carrying out a step brought to light. Only the fields that
// the step's action names are read.
type Outcome struct {
	Mode    KeyMode // Begin: who will make the pair
	ID      string  // Publish: the key's id
	Staged  string  // Stage, Publish: version of the staging secret that holds the private half
	Version string  // Promote: version of the secret that holds the key
}

// Record is the journal after a step was carried out.
func (j Journal) Record(now time.Time, s Step, o Outcome) Journal {
	now = now.UTC()
	j = j.clone()
	switch s.Action {
	case Hasten:
		j.mark(s.Key.ID)
	case Begin:
		j.Rotation++
		j.Incoming = &Key{Phase: Intended, Since: now, Mode: o.Mode}
	case Stage:
		j.Incoming.Phase, j.Incoming.Since, j.Incoming.Staged = Staged, now, o.Staged
	case Publish:
		j.Incoming.Phase, j.Incoming.Since, j.Incoming.ID = Published, now, o.ID
		j.Incoming.Staged = o.Staged
	case Verify:
		j.Incoming.Phase, j.Incoming.Since = Verified, now
	case Promote:
		j.promote(now, o.Version)
	case Unstage:
		j.Unstage = ""
	case Disable:
		if i := j.retiring(s.Key.ID); i >= 0 {
			j.quarantine(i, now)
		}
	case Delete:
		if i := j.retiring(s.Key.ID); i >= 0 {
			j.Retiring = slices.Delete(j.Retiring, i, i+1)
		}
	case Discard:
		j.Incoming = nil
	case Repoint: // the aliases stand beside the journal, not in it
	}
	// A key that was discarded keeps its back-off until another one is promoted.
	if s.Action.Introduces() && (j.Failure == nil || j.Failure.Step != Discard || s.Action == Promote) {
		j.Failure = nil
	}
	if s.Action == Discard {
		j = j.Fail(now, s, s.Reason)
	}
	return j
}

// promote makes the incoming key the current one and sends the current one on
// its way out.
func (j *Journal) promote(now time.Time, version string) {
	if old := j.Current; old != nil {
		old.Phase, old.Since = Overlapping, now
		j.Retiring = append(j.Retiring, *old)
	}
	in := j.Incoming
	j.Current = &Key{ID: in.ID, Version: version, Phase: Active, Since: now, Mode: in.Mode, Revoked: in.Revoked}
	j.Unstage = in.Staged
	j.Incoming = nil
}

// mark makes a key, wherever it stands, one to be revoked.
func (j *Journal) mark(id string) {
	for _, k := range []*Key{j.Incoming, j.Current} {
		if k != nil && k.ID == id {
			k.Revoked = true
		}
	}
	if i := j.retiring(id); i >= 0 {
		j.Retiring[i].Revoked = true
	}
}

// quarantine begins with the first disabling; doing it again prolongs nothing.
func (j *Journal) quarantine(i int, now time.Time) {
	if j.Retiring[i].Phase != Quarantined {
		j.Retiring[i].Phase, j.Retiring[i].Since = Quarantined, now
	}
}

// Try notes, before it is made, an attempt to publish the incoming key. A crash
// then leaves a journal that knows that a key may exist.
func (j Journal) Try(now time.Time) Journal {
	j = j.clone()
	j.Incoming.Tried, j.Incoming.Answered = now.UTC(), time.Time{}
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
	return slices.Contains([]Action{Stage, Publish, Verify, Promote}, a)
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
	j.Retiring = slices.Clone(j.Retiring)
	return j
}

// shorten bounds a reason, at a character's edge.
func shorten(s string) string {
	s = strings.ToValidUTF8(s, "�")
	if r := []rune(s); len(r) > maxReason {
		return string(r[:maxReason-1]) + "…"
	}
	return s
}
