package rotation

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Phase is where one key stands on its way from intent to deletion.
type Phase string

// The phases, in order. A deleted key leaves the journal.
const (
	Intended    Phase = "intended"    // the journal says that a key will be made; nothing may exist yet
	Staged      Phase = "staged"      // upload mode: the private half is in the staging secret
	Published   Phase = "published"   // Google knows the key, under Key.ID
	Verified    Phase = "verified"    // the key has authenticated
	Active      Phase = "active"      // consumers are given this key
	Overlapping Phase = "overlapping" // superseded, still valid
	Quarantined Phase = "quarantined" // disabled, can be brought back
)

// Key is one key of the credential, as far as keyturn brought it.
type Key struct {
	ID       string    `json:"id,omitempty"`      // 40 hex digits of a service-account key, or an API key's resource name
	Version  string    `json:"version,omitempty"` // version number of the secret that holds it
	Phase    Phase     `json:"phase"`
	Since    time.Time `json:"since"`             // policy time at which it entered Phase
	Mode     KeyMode   `json:"mode,omitempty"`    // who made the pair
	Staged   string    `json:"staged,omitempty"`  // version number in the staging secret
	Tried    time.Time `json:"tried,omitzero"`    // policy time of the last attempt to publish it
	Answered time.Time `json:"answered,omitzero"` // policy time at which that attempt failed; zero if nobody lived to see
	Revoked  bool      `json:"revoked,omitempty"` // to stop working: at once, or as soon as it is replaced
}

// Lease keeps two triggers from working on one credential at once. Its times
// are the machine's, not policy time. The journal's etag is the fence: a
// holder whose lease was taken over cannot write any more.
type Lease struct {
	Holder string    `json:"holder"`
	Until  time.Time `json:"until"`
}

// Failure is the latest failure of the rotation in hand.
type Failure struct {
	Step   Action    `json:"step"`
	Reason string    `json:"reason"`
	Count  int       `json:"count"`
	At     time.Time `json:"at"`
}

// Journal is the write-ahead record of a credential's rotations.
type Journal struct {
	Format   int      `json:"v"`
	Rotation int      `json:"rotation"` // number of the latest rotation begun; 0 before the first
	Lease    *Lease   `json:"lease,omitempty"`
	Incoming *Key     `json:"incoming,omitempty"` // being introduced
	Current  *Key     `json:"current,omitempty"`  // what consumers are given; nil before the first rotation of an empty secret
	Retiring []Key    `json:"retiring,omitempty"` // superseded, oldest first
	Unstage  string   `json:"unstage,omitempty"`  // version of the staging secret that is to be destroyed
	Failure  *Failure `json:"failure,omitempty"`
}

const (
	journalFormat = 1
	// maxJournal keeps the journal, with the policy and what the owner adds,
	// under Secret Manager's 16 KiB for all annotations together.
	maxJournal = 8 << 10
	maxReason  = 300
)

// ErrJournal means that a journal annotation cannot be understood. It is never
// repaired by guessing: a wrong guess deletes a live key.
var ErrJournal = errors.New("journal cannot be read")

// ParseJournal reads the annotation. Its absence is an error, too: taken for a
// new credential, the keys that it named would be forgotten.
func ParseJournal(text string) (Journal, error) {
	var j Journal
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&j); err != nil {
		return Journal{}, fmt.Errorf("annotation %s: %w: %w; restore it from the audit log of the secret", AnnotationJourn, ErrJournal, err)
	}
	if err := errors.Join(endOf(dec), j.validate()); err != nil {
		return Journal{}, fmt.Errorf("annotation %s: %w: %w", AnnotationJourn, ErrJournal, err)
	}
	return j, nil
}

func endOf(dec *json.Decoder) error { return check(!dec.More(), "more than one JSON value") }

// Encode writes the journal as ParseJournal reads it.
func (j Journal) Encode() (string, error) {
	j.Format = journalFormat
	b, err := json.Marshal(j)
	if err != nil {
		return "", fmt.Errorf("encoding the journal: %w", err)
	}
	if len(b) > maxJournal {
		return "", fmt.Errorf("journal has %d bytes, more than %d: %d keys wait to be retired; see 'keyturn status'", len(b), maxJournal, len(j.Retiring))
	}
	return string(b), nil
}

func (j Journal) validate() error {
	problems := []error{
		check(j.Format == journalFormat, "format %d is not one this keyturn knows (%d)", j.Format, journalFormat),
		check(j.Rotation >= 0, "rotation %d is negative", j.Rotation),
	}
	if j.Incoming != nil {
		problems = append(problems, j.Incoming.validate("incoming", Intended, Staged, Published, Verified))
	}
	if j.Current != nil {
		problems = append(problems, j.Current.validate("current", Active))
	}
	for i := range j.Retiring {
		problems = append(problems, j.Retiring[i].validate("retiring", Overlapping, Quarantined))
	}
	return errors.Join(problems...)
}

func (k Key) validate(where string, allowed ...Phase) error {
	named := k.ID != "" || k.Phase == Intended || k.Phase == Staged
	held := k.Version != "" || k.Phase == Intended || k.Phase == Staged || k.Phase == Published || k.Phase == Verified
	return errors.Join(
		check(slices.Contains(allowed, k.Phase), "%s key has phase %q, want one of %v", where, k.Phase, allowed),
		check(named, "%s key in phase %s has no id", where, k.Phase),
		check(held, "%s key in phase %s has no version", where, k.Phase),
		check(!k.Since.IsZero(), "%s key has no time", where),
	)
}

// Keys lists every key that the journal names.
func (j Journal) Keys() []Key {
	keys := slices.Clone(j.Retiring)
	if j.Current != nil {
		keys = append(keys, *j.Current)
	}
	if j.Incoming != nil {
		keys = append(keys, *j.Incoming)
	}
	return keys
}

// Names reports whether the journal names the key id.
func (j Journal) Names(id string) bool {
	return id != "" && slices.ContainsFunc(j.Keys(), func(k Key) bool { return k.ID == id })
}

// Claim takes the lease for holder until wall+ttl. It fails while another
// holder's lease lasts; one that ends later than any lease could, from a clock
// that was ahead, does not count.
func (j Journal) Claim(holder string, wall time.Time, ttl time.Duration) (Journal, bool) {
	if l := j.Lease; l != nil && l.Holder != holder && wall.Before(l.Until) && l.Until.Before(wall.Add(ttl+time.Minute)) {
		return j, false
	}
	j.Lease = &Lease{Holder: holder, Until: wall.Add(ttl).UTC().Truncate(time.Second)}
	return j, true
}

// Released is the journal without its lease.
func (j Journal) Released() Journal {
	j.Lease = nil
	return j
}
