package detect

import (
	"fmt"
	"strings"
	"time"
)

// Standing is what a key is in the rotation of its credential as of a ledger, however
// long before it was used. The zero Standing is that no ledger was at hand.
type Standing struct {
	State    string    `json:"state"`              // unmanaged: no journal knows it; staged: consumers were not given it yet; current; previous: superseded, and still working; quarantined: disabled; deleted
	At       time.Time `json:"at,omitzero"`        // when the ledger was read; zero when that is not known
	Since    time.Time `json:"since,omitzero"`     // when it became that; zero when not known
	Until    time.Time `json:"until,omitzero"`     // when a previous key is disabled, or a quarantined one deleted, should nobody use it; zero when not known
	Versions []string  `json:"versions,omitempty"` // of the secret, that hold it; empty when not known
	Rotation int       `json:"rotation,omitempty"` // number of the latest rotation of the credential; 0 when not known
}

// What a key may be, as Standing.State names it.
const (
	unmanagedKey   = "unmanaged"
	stagedKey      = "staged"
	currentKey     = "current"
	previousKey    = "previous"
	quarantinedKey = "quarantined"
	deletedKey     = "deleted"
)

// works reports whether somebody may be using the key.
func (s Standing) works() bool {
	return s.State == "" || s.State == unmanagedKey || s.State == currentKey || s.State == previousKey
}

// standing is that of the key of a full name.
func (g *Engine) standing(key string) Standing {
	x := g.ledger
	if key == "" || x.missing {
		return Standing{}
	}
	s := Standing{State: unmanagedKey}
	if k := x.key(key); k != nil {
		s = k.standing()
	}
	if x.at != latestTime {
		s.At = instant(x.at)
	}
	return s
}

// standing is what the key is in the ledger, rather than what it was at some time.
func (k *ledgerKey) standing() Standing {
	s := Standing{Versions: k.versions, Rotation: k.secret.rotation}
	var since, until int64
	switch {
	case k.deleted != 0:
		s.State, since = deletedKey, k.deleted
	case k.disabled != 0:
		s.State, since, until = quarantinedKey, k.disabled, k.until
	case k.waiting:
		s.State, since = stagedKey, k.since
	case k.superseded != 0:
		s.State, since, until = previousKey, k.superseded, k.until
	default:
		s.State, since = currentKey, max(k.since, k.given)
	}
	if since != 0 {
		s.Since = instant(since)
	}
	if until != 0 {
		s.Until = instant(until)
	}
	return s
}

// String is the standing in a line for people; "" if no ledger was at hand.
func (s Standing) String() string {
	if s.State == "" {
		return ""
	}
	told := s.State
	switch s.State {
	case unmanagedKey:
		told = "not keyturn's: no journal knows it"
	case stagedKey:
		told = "staged" + dated(" since ", s.Since) + ": consumers were not given it yet"
	case currentKey:
		told += dated(" since ", s.Since)
	case previousKey:
		told += ": superseded" + dated(" at ", s.Since) + ", and still enabled" + dated(", at least until ", s.Until)
	case quarantinedKey:
		told += ": disabled" + dated(" since ", s.Since) + dated(", to be deleted from ", s.Until)
	case deletedKey:
		told += dated(" at ", s.Since)
	}
	if len(s.Versions) > 0 {
		told += "; version " + strings.Join(s.Versions, ", ")
	}
	if s.Rotation > 0 {
		told += fmt.Sprintf("; the latest rotation is %d", s.Rotation)
	}
	return told + dated("; as of ", s.At)
}

// dated is a time after a word; "" if it is not known.
func dated(word string, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return word + t.UTC().Format(time.RFC3339)
}
