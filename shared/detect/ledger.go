package detect

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Ledger is what the rotator knows of the credentials it manages: plain data,
// read from Secret Manager or from a file. Entries are judged by the state that a
// key had at their time, so that a ledger of today serves for a log of last month.
type Ledger struct {
	At       time.Time      `json:"at,omitzero"` // when it was read: of what is logged later a newer ledger is awaited for a while; zero is later than all
	Keys     []LedgerKey    `json:"keys"`
	Secrets  []LedgerSecret `json:"secrets"`
	Rotators []string       `json:"rotators"` // principals that keyturn itself acts as
	Retired  []RetiredKey   `json:"retired"`
}

// LedgerKey is one key that exists, or may exist.
type LedgerKey struct {
	ID         string    `json:"id"`                  // 40 hexadecimal digits of a service account key, or the resource name of an API key
	Secret     string    `json:"secret"`              // projects/P/secrets/S: the credential that it belongs to
	Kind       string    `json:"kind"`                // such as service-account-key
	State      string    `json:"state"`               // such as active, overlapping or quarantined: a phase of a rotation
	Since      time.Time `json:"since"`               // when it entered State
	Given      time.Time `json:"given,omitzero"`      // when consumers were first given it; zero while they were not
	Superseded time.Time `json:"superseded,omitzero"` // when they were given the next one; zero is when the next key of the secret was given
	Disabled   time.Time `json:"disabled,omitzero"`   // zero is Since of a quarantined key, and else not yet
	Until      time.Time `json:"until,omitzero"`      // when it is disabled, or deleted if it is quarantined, should nobody use it; zero when not known
	Versions   []string  `json:"versions,omitempty"`  // numbers of the secret's versions that hold it; empty when not known
}

// RetiredKey is a key that keyturn has deleted.
type RetiredKey struct {
	ID         string    `json:"id"`
	Secret     string    `json:"secret"`
	Given      time.Time `json:"given,omitzero"` // this and the next two as of a LedgerKey
	Superseded time.Time `json:"superseded,omitzero"`
	Disabled   time.Time `json:"disabled,omitzero"`
	Deleted    time.Time `json:"deleted"`
	Versions   []string  `json:"versions,omitempty"`
}

// LedgerSecret is one managed secret.
type LedgerSecret struct {
	Name    string            `json:"name"`              // projects/P/secrets/S
	Target  string            `json:"target,omitempty"`  // full name of what its keys belong to, such as a service account
	Readers []string          `json:"readers,omitempty"` // principals known to read it; empty when not known
	Labels  map[string]string `json:"labels,omitempty"`  // that its owner gave it: they end up in findings

	Rotation int `json:"rotation,omitempty"` // number of the latest rotation that was begun; 0 when not known
}

// Validate reports what in the ledger, such as one from a file, nobody wrote who
// knows what it is: an Engine would take it for a ledger of no keys.
func (l *Ledger) Validate() error {
	if l.At.IsZero() {
		return errors.New(`it has no "at", the time that it is of`)
	}
	for _, k := range l.Keys {
		if !slices.Contains(phases, k.State) {
			return fmt.Errorf("key %q is in state %q, which is none of %s", k.ID, k.State, strings.Join(phases, ", "))
		}
	}
	return nil
}

// maxRetired is how many retired keys a ledger carries on of each secret.
const maxRetired = 32

// Follow returns l, with the keys that an earlier ledger of the same credentials
// had and l has not any more among the retired ones: journals forget what was
// deleted. Such a key was deleted by the time that l was read.
func (l Ledger) Follow(earlier *Ledger) *Ledger {
	if earlier == nil {
		return &l
	}
	known, managed := make(map[string]bool), make(map[string]bool)
	for _, k := range l.Keys {
		known[k.ID] = true
	}
	for _, s := range l.Secrets {
		managed[s.Name] = true
	}
	retired := slices.Clone(l.Retired)
	for _, k := range retired {
		known[k.ID] = true
	}
	for _, k := range earlier.retired(l.At) {
		if !known[k.ID] && managed[k.Secret] {
			retired, known[k.ID] = append(retired, k), true
		}
	}
	l.Retired = latestRetired(retired)
	return &l
}

// retired are all keys that were retired, or given and then deleted until now.
func (l *Ledger) retired(now time.Time) []RetiredKey {
	retired := slices.Clone(l.Retired)
	for _, k := range l.Keys {
		if k.Given.IsZero() {
			continue // nobody but keyturn ever had it
		}
		gone := RetiredKey{ID: k.ID, Secret: k.Secret, Given: k.Given, Superseded: k.Superseded, Disabled: k.Disabled, Deleted: now, Versions: k.Versions}
		if k.State == quarantined && gone.Disabled.IsZero() {
			gone.Disabled = k.Since
		}
		retired = append(retired, gone)
	}
	return retired
}

// IDs are those of all keys, in order.
func (l *Ledger) IDs() []string {
	var ids []string
	for _, k := range l.index().keys {
		ids = append(ids, k.id)
	}
	slices.Sort(ids)
	return ids
}

// Ended are the ids of the keys that were disabled or deleted, in order, by the
// secret that they belong to.
func (l *Ledger) Ended() map[string][]string {
	ended := make(map[string][]string)
	for _, k := range l.index().keys {
		if k.end() != 0 {
			ended[k.secret.name] = append(ended[k.secret.name], k.id)
		}
	}
	for _, ids := range ended {
		slices.Sort(ids)
	}
	return ended
}

// latestRetired keeps the latest of each secret, in the order of their ends.
func latestRetired(keys []RetiredKey) []RetiredKey {
	slices.SortFunc(keys, func(a, b RetiredKey) int {
		return cmp.Or(a.Deleted.Compare(b.Deleted), cmp.Compare(a.ID, b.ID))
	})
	count := make(map[string]int)
	for _, k := range keys {
		count[k.Secret]++
	}
	return slices.DeleteFunc(keys, func(k RetiredKey) bool {
		count[k.Secret]--
		return count[k.Secret] >= maxRetired
	})
}
