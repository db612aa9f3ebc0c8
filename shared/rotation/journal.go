package rotation

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Lease keeps two triggers from working on one credential at once. Its times
// are the machine's, not policy time. The etag of the secret is the fencing
// token: each write presents the one that it follows, so that a holder whose
// lease was taken over cannot write any more.
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

// Times is how often it failed, for people.
func (f Failure) Times() string {
	if f.Count == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", f.Count)
}

// Journal is the write-ahead record of a credential's rotations.
type Journal struct {
	Format   int          `json:"v"`
	Rotation int          `json:"rotation"` // number of the latest rotation begun; 0 before the first
	Lease    *Lease       `json:"lease,omitempty"`
	Incoming *Key         `json:"incoming,omitempty"` // being introduced
	Current  *Key         `json:"current,omitempty"`  // what consumers are given; nil before the first rotation of an empty secret
	Retiring []Key        `json:"retiring,omitempty"` // superseded, oldest first
	Deleted  *Key         `json:"deleted,omitempty"`  // the API key that was deleted last: it can be undeleted
	Retired  []RetiredKey `json:"retired,omitempty"`  // deleted lately, oldest first
	Staging  string       `json:"staging,omitempty"`  // the newest version of the staging secret that was ever recorded
	Unstage  string       `json:"unstage,omitempty"`  // versions of the staging secret that are to be destroyed, joined by commas; see Left
	Suspend  *Suspension  `json:"suspend,omitempty"`  // the service account is, or is to be, disabled
	Gone     time.Time    `json:"gone,omitzero"`      // policy time at which the service account was found to be deleted; zero is not
	Failure  *Failure     `json:"failure,omitempty"`
	Pause    *Pause       `json:"pause,omitempty"`    // the schedule leaves it alone; one that is over may still stand here
	Requests []Request    `json:"requests,omitempty"` // the last few, oldest first
}

// Suspension is the disabling of a whole service account, which nothing else than
// the tokens that a leaked key has minted calls for.
type Suspension struct {
	Tried bool      `json:"tried,omitempty"` // keyturn may have disabled it: it was enabled before
	Until time.Time `json:"until,omitzero"`  // policy time at which it is enabled again; zero before it was disabled
}

const (
	journalFormat = 4
	// maxJournal keeps the journal, with the policy and what the owner adds,
	// under Secret Manager's 16 KiB for all annotations together. Crowded keeps
	// it from being reached.
	maxJournal = 10 << 10
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
	j = j.upgrade()
	if err := errors.Join(endOf(dec), j.validate()); err != nil {
		return Journal{}, fmt.Errorf("annotation %s: %w: %w", AnnotationJourn, ErrJournal, err)
	}
	return j, nil
}

// upgrade brings a journal of an older format up to this one. Format 1 did not
// say since when consumers were given a key, and format 2 remembered no deleted
// key but one that can be undeleted. Format 3 knew no pauses and no requests.
func (j Journal) upgrade() Journal {
	if j.Format == 1 {
		j.Format = 2
		if j.Current != nil && j.Current.Given.IsZero() {
			j.Current.Given = j.Current.Since
		}
	}
	if j.Format == 2 {
		j.Format = 3
		if j.Deleted != nil {
			j.remember(j.Deleted.inShort(j.Deleted.Since))
		}
	}
	if j.Format == 3 && j.Pause == nil && j.Requests == nil {
		j.Format = 4
	}
	return j
}

func endOf(dec *json.Decoder) error { return check(!dec.More(), "more than one JSON value") }

// Encode writes the journal as ParseJournal reads it. One that would be too
// large goes without what can be spared: first all requests but the latest, then
// texts, then retired keys.
func (j Journal) Encode() (string, error) {
	j.Format = journalFormat
	text, err := inJSON(j)
	for _, spare := range []func(Journal) (Journal, bool){sparesRequests, sparesTexts, sparesRetired} {
		for more := true; more && err == nil && len(text) > maxJournal; {
			if j, more = spare(j); more {
				text, err = inJSON(j)
			}
		}
	}
	if err != nil {
		return "", fmt.Errorf("encoding the journal: %w", err)
	}
	if len(text) > maxJournal {
		return "", fmt.Errorf("journal has %d bytes, more than %d: %d keys wait to be retired; see 'keyturn status'", len(text), maxJournal, len(j.Retiring))
	}
	return text, nil
}

// inJSON leaves <, > and & as they are: no browser reads a journal.
func inJSON(v any) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
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
	if j.Deleted != nil {
		problems = append(problems, j.Deleted.validate("deleted", Deleted))
	}
	if j.Pause != nil {
		problems = append(problems, check(!j.Pause.At.IsZero(), "the pause has no time"))
	}
	for _, r := range j.Requests {
		problems = append(problems, check(r.Verb != "" && !r.At.IsZero(), "a request has no verb or no time"))
	}
	for _, k := range j.Retired {
		problems = append(problems, check(k.ID != "" && !k.Deleted.IsZero(), "a retired key has no id or no time"))
	}
	return errors.Join(problems...)
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

// Find is the key that id, in full or short, calls: one key, or none.
func (j Journal) Find(id string) (Key, bool) {
	called := slices.DeleteFunc(j.Keys(), func(k Key) bool { return !k.IsCalled(id) })
	if len(called) != 1 {
		return Key{}, false
	}
	return called[0], true
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
