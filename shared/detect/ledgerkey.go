package detect

// ledgerKey is the life of one managed key. Its times are milliseconds of Unix
// time; 0 is not yet, or not known.
type ledgerKey struct {
	id                                   string
	secret                               *ledgerSecret
	given, superseded, disabled, deleted int64
	since, until                         int64    // when it entered the state of the ledger, and when it leaves that
	left                                 int64    // by when it was superseded, at the latest
	active                               bool     // consumers are given it
	waiting                              bool     // consumers were not given it yet
	versions                             []string // of the secret, that hold it
}

// keyState is in which part of its life a key is.
type keyState byte

const (
	keyForeign  keyState = iota // keyturn does not know it
	keyUngiven                  // made, and not given to consumers yet
	keyActive                   // what consumers are given
	keyOld                      // superseded, and still working
	keyDisabled                 // taken away
	keyDeleted
)

// Phases of a rotation, as LedgerKey.State names them (package rotation).
const (
	activePhase = "active"
	overlapping = "overlapping"
	quarantined = "quarantined"
	deleted     = "deleted"
)

// phases are all that there are, in the order of a key's life.
var phases = []string{"intended", "staged", "published", "verified", activePhase, overlapping, quarantined, deleted}

// indexed takes from State and Since what the key does not say itself.
func (k LedgerKey) indexed() *ledgerKey {
	l := &ledgerKey{id: k.ID, given: milli(k.Given), superseded: milli(k.Superseded), disabled: milli(k.Disabled), since: milli(k.Since), until: milli(k.Until)}
	since := l.since
	switch k.State {
	case activePhase:
		l.active = true
	case overlapping:
		l.left = since
	case quarantined:
		if l.disabled == 0 {
			l.disabled = since
		}
	case deleted:
		l.deleted = since
	case "intended", "staged", "published", "verified":
		l.waiting = l.given == 0
	}
	return l
}

// at is the state in which the key was at a time. A promotion is noted a little
// after consumers may have had the key.
func (k *ledgerKey) at(t int64) keyState {
	switch {
	case k == nil:
		return keyForeign
	case k.deleted != 0 && t >= k.deleted && t >= k.end():
		return keyDeleted
	case k.disabled != 0 && t >= k.end():
		return keyDisabled
	case k.superseded != 0 && t >= k.superseded:
		return keyOld
	case k.waiting || k.given != 0 && t < k.given-promotion:
		return keyUngiven
	}
	return keyActive
}

// end is when the last token of the key has died: 0 if the key works.
func (k *ledgerKey) end() int64 {
	if taken := earliest(k.disabled, k.deleted); taken != 0 {
		return taken + tokenLife
	}
	return 0
}

// promotion is how much earlier than noted consumers may have been given a key,
// by a turn that died in between and was repeated.
const promotion = 30 * minute
