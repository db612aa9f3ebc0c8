package rotation

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// Phase is where one key stands on its way from intent to deletion.
type Phase string

// The phases, in order. A deleted service-account key is remembered as a RetiredKey alone.
const (
	Intended    Phase = "intended"    // the journal says that a key will be made; one may exist, should the maker have died
	Staged      Phase = "staged"      // upload mode: the private half is in the staging secret
	Published   Phase = "published"   // Google knows the key, under Key.ID
	Verified    Phase = "verified"    // the key has authenticated
	Active      Phase = "active"      // consumers are given this key
	Overlapping Phase = "overlapping" // superseded, still valid
	Quarantined Phase = "quarantined" // disabled, can be brought back
	Deleted     Phase = "deleted"     // of an API key, which Google keeps for 30 days
)

// Key is one key of the credential, as far as keyturn brought it.
type Key struct {
	ID       string    `json:"id,omitempty"`      // 40 hex digits of a service-account key, or an API key's resource name
	Version  string    `json:"version,omitempty"` // version number of the secret that holds it; empty before one does, and where none is known to
	Copies   []string  `json:"copies,omitempty"`  // earlier versions that hold it, too, since it was brought back
	Phase    Phase     `json:"phase"`
	Since    time.Time `json:"since"`             // policy time at which it entered Phase
	Given    time.Time `json:"given,omitzero"`    // policy time at which consumers were first given it
	Expires  time.Time `json:"expires,omitzero"`  // when it stops by itself; zero is never
	Mode     KeyMode   `json:"mode,omitempty"`    // who made the pair
	Denied   string    `json:"denied,omitempty"`  // the constraint that denied uploading it, so that Google made the pair
	Staged   string    `json:"staged,omitempty"`  // version number in the staging secret
	Tried    time.Time `json:"tried,omitzero"`    // policy time of the last attempt to publish it, or to enable it again
	Answered time.Time `json:"answered,omitzero"` // policy time at which that attempt failed; zero if nobody lived to see
	Revoked  bool      `json:"revoked,omitempty"` // to stop working: at once, or as soon as it is replaced
	Killed   bool      `json:"killed,omitempty"`  // its tokens were to die, too, which is asked for once
	Back     bool      `json:"back,omitempty"`    // on its way back to consumers
	Forced   bool      `json:"forced,omitempty"`  // taken away although it may be in use
	Touched  time.Time `json:"touched,omitzero"`  // policy time of the first attempt to disable it, from which on it may not work
	Evidence *Evidence `json:"evidence,omitempty"`
	// Tests are the latest policy times, oldest first, at which keyturn itself used
	// the key, a time for each use that Cloud Monitoring counts: they are no evidence
	// that anybody else uses it.
	Tests []time.Time `json:"tests,omitempty"`
}

// maxTests is how many of keyturn's own uses of a key are remembered: more than
// its verification and two retirements take.
const maxTests = 24

// test notes so many uses of keyturn's own.
func (k *Key) test(now time.Time, uses int) {
	tests := append(slices.Clone(k.Tests), slices.Repeat([]time.Time{now.UTC().Truncate(time.Second)}, uses)...)
	k.Tests = tests[max(0, len(tests)-maxTests):]
}

// ShortID is the last part of a key's id, by which people call it: the id itself,
// but of an API key.
func ShortID(id string) string { return id[strings.LastIndex(id, "/")+1:] }

// IsCalled reports whether id, in full or short, is the key's.
func (k Key) IsCalled(id string) bool {
	return k.ID != "" && (id == k.ID || id == ShortID(k.ID))
}

// Doomed reports whether the key is to be revoked and works until then.
func (k Key) Doomed() bool { return k.Revoked && k.Phase != Quarantined }

// known is when Google knows a key coming in everywhere, if it is published by now.
func (k Key) known(now time.Time, p Policy) time.Time {
	switch k.Phase {
	case Published:
		return k.Since.Add(p.propagation())
	case Verified:
		return k.Since
	}
	return now.Add(p.propagation())
}

// Versions are the numbers of the versions that hold the key.
func (k Key) Versions() []string {
	if k.Version == "" {
		return k.Copies
	}
	return append(slices.Clone(k.Copies), k.Version)
}

func (k Key) validate(where string, allowed ...Phase) error {
	named := k.ID != "" || k.Phase == Intended || k.Phase == Staged
	held := k.Version != "" || k.Phase != Active
	return errors.Join(
		check(slices.Contains(allowed, k.Phase), "%s key has phase %q, want one of %v", where, k.Phase, allowed),
		check(named, "%s key in phase %s has no id", where, k.Phase),
		check(held, "%s key in phase %s has no version", where, k.Phase),
		check(!k.Since.IsZero(), "%s key has no time", where),
	)
}
