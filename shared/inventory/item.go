package inventory

import (
	"slices"
	"time"

	"example.com/keyturn/shared/rotation"
)

// Kind says what a credential is: one of rotation's, or one that keyturn does not
// rotate.
type Kind string

// The kinds.
const (
	AccountKeyKind  Kind = Kind(rotation.ServiceAccountKey)
	APIKeyKind      Kind = Kind(rotation.APIKey)
	HMACKeyKind     Kind = "hmac-key"
	OAuthSecretKind Kind = "oauth-client-secret"
)

// State is how a credential stands in one word, the worst that there is to say.
type State string

// The states, worst first.
const (
	Exposed   State = "exposed"   // Google found it in public or in an attacker's hands
	Orphan    State = "orphan"    // keyturn made it, and no journal names it; it may be in use all the same
	Unmanaged State = "unmanaged" // nobody rotates it
	Unclear   State = "unknown"   // whether keyturn rotates it could not be read
	Managed   State = "managed"   // keyturn rotates it
	Disabled  State = "disabled"  // it cannot be used, and keyturn does not rotate it
	Expired   State = "expired"   // as Disabled, by itself
)

// states in their order.
var states = []State{Exposed, Orphan, Unmanaged, Unclear, Managed, Disabled, Expired}

// Place says where a credential's private half, or its string, is known to be.
type Place struct {
	Where    Where    `json:"where"`
	Secret   string   `json:"secret,omitempty"`   // projects/P/secrets/S; empty unless Where is InVersion or InStaging
	Versions []string `json:"versions,omitempty"` // numbers of its versions
}

// Where is a kind of place.
type Where string

// The places.
const (
	InVersion Where = "secret-version"
	InStaging Where = "staging" // of keyturn, until it is verified
	AtGoogle  Where = "google"  // whoever may do so reads it there again, as the string of an API key
	Nowhere   Where = "nowhere" // that keyturn knows of: whoever made it has it
)

// Item is one credential of a scope.
type Item struct {
	Kind    Kind   `json:"kind"`
	Project string `json:"project"`
	ID      string `json:"id"`                // short: hexadecimal digits, access id, or last part of the name
	Name    string `json:"name"`              // full resource name, without the leading //service/
	Owner   string `json:"owner"`             // e-mail address of the service account that it acts as, else the display name: print it escaped
	Account string `json:"account,omitempty"` // e-mail address of the service account that it acts as; empty if there is none

	State    State     `json:"state"`
	Why      string    `json:"why"`                // the state, in words
	Secret   string    `json:"secret,omitempty"`   // projects/P/secrets/S: the credential that it belongs to; empty unless keyturn rotates it
	Phase    string    `json:"phase,omitempty"`    // a phase of a rotation; empty unless keyturn rotates it
	Disabled bool      `json:"disabled,omitempty"` // it, or its account, is
	Reason   string    `json:"disableReason,omitempty"`
	Created  time.Time `json:"created,omitzero"` // zero if Google does not tell
	AgeDays  int       `json:"ageDays"`          // whole days; -1 if Google does not tell
	Expires  time.Time `json:"expires,omitzero"` // zero is never
	Use      Use       `json:"use"`
	Private  Place     `json:"privateHalf"`
	Keyless  []Way     `json:"keyless"`           // how it could be done without; empty if no way is known
	Keys     int       `json:"keys,omitempty"`    // of a service-account key: how many the account has
	Instead  string    `json:"instead,omitempty"` // projects/P/secrets/S: a credential that keyturn rotates, of the same account or registered by this API key; empty if there is none
}

// Rotates reports whether keyturn rotates credentials of the kind.
func (k Kind) Rotates() bool { return k == AccountKeyKind || k == APIKeyKind }

// days is a time in whole days; -1 if it began at no known time.
func days(since, now time.Time) int {
	if since.IsZero() {
		return -1
	}
	return max(0, int(now.Sub(since)/(24*time.Hour)))
}

// States are all that there are, worst first.
func States() []State { return slices.Clone(states) }

// Spare reports whether it is certain that nobody needs the credential: it can never
// be used again, or it was not for as long as uses are recorded. Nothing else is a
// reason to disable or to delete it, and one that keyturn rotates, or may rotate, is
// never spare.
func (i Item) Spare() bool {
	switch {
	case i.State == Managed, i.State == Unclear, i.Secret != "":
		return false
	case i.State == Expired:
		return true
	}
	return i.Use.Verdict == rotation.Unused && i.AgeDays >= int(rotation.Window/(24*time.Hour))
}
