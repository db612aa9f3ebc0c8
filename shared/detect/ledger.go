package detect

import "time"

// Ledger is what the rotator knows of the credentials it manages: plain data,
// read from Secret Manager or from a file.
type Ledger struct {
	Keys     []LedgerKey    `json:"keys"`
	Secrets  []LedgerSecret `json:"secrets"`
	Rotators []string       `json:"rotators"` // principals that keyturn itself acts as
	Retired  []RetiredKey   `json:"retired"`
}

// LedgerKey is one key that exists, or may exist.
type LedgerKey struct {
	ID     string    `json:"id"`             // of the key: 40 hexadecimal digits of a service account key, the uid of an API key
	Secret string    `json:"secret"`         // projects/P/secrets/S: the credential that it belongs to
	Kind   string    `json:"kind"`           // such as service-account-key
	State  string    `json:"state"`          // such as active, overlapping or quarantined: a phase of a rotation
	Since  time.Time `json:"since"`          // when it entered State
	Given  time.Time `json:"given,omitzero"` // when consumers were first given it; zero while they were not
}

// RetiredKey is a key that keyturn has deleted.
type RetiredKey struct {
	ID      string    `json:"id"`
	Secret  string    `json:"secret"`
	Deleted time.Time `json:"deleted"`
}

// LedgerSecret is one managed secret.
type LedgerSecret struct {
	Name    string   `json:"name"`              // projects/P/secrets/S
	Target  string   `json:"target,omitempty"`  // full name of what its keys belong to, such as a service account
	Readers []string `json:"readers,omitempty"` // principals known to read it; empty when not known
}

// credentials returns the secret that each key id belongs to.
func (l *Ledger) credentials() map[string]string {
	secrets := make(map[string]string)
	if l == nil {
		return secrets
	}
	for _, k := range l.Retired {
		secrets[k.ID] = k.Secret
	}
	for _, k := range l.Keys {
		secrets[k.ID] = k.Secret
	}
	return secrets
}

// rotators returns the principals that the rotator acts as.
func (l *Ledger) rotators() map[string]bool {
	names := make(map[string]bool)
	if l != nil {
		for _, name := range l.Rotators {
			names[name] = true
		}
	}
	return names
}
