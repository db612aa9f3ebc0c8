package rotate

import (
	"fmt"
	"strings"
	"time"

	"example.com/keyturn/shared/rotation"
)

// mustBePossible refuses what cannot be carried out, and says what could.
func (t *turn) mustBePossible(want rotation.Intent) error {
	j := t.cred.Journal
	switch {
	case want.KillTokens && t.cred.Kind != rotation.ServiceAccountKey:
		return fmt.Errorf("killing tokens: %w: an API key mints none; revoke it without", errImpossible)
	case j.IsLost() && (want.Rotate || want.Rollback):
		return t.mustBeThere(want)
	case want.Revoke != "" && !j.Names(want.Revoke):
		return fmt.Errorf("revoking %s: %w: %s knows %s; 'keyturn status' shows them", want.Revoke, ErrUnknownKey, t.cred.Secret, keyIDs(j))
	case (want.Rotate || want.Rollback) && want.After == j.Rotation && j.Suspended():
		return fmt.Errorf("rotating %s: %w until %s, so that nothing can be verified; ask again then", t.cred.Secret, errSuspended, j.Suspend.Until.Format(time.RFC3339))
	case want.Rotate && want.After == j.Rotation && j.Incoming == nil && j.Crowded() != "":
		return fmt.Errorf("rotating %s: %w: %s; see 'keyturn status', and move their users or revoke them first", t.cred.Secret, errImpossible, j.Crowded())
	case want.Rollback && want.After == j.Rotation && j.WornOut():
		return fmt.Errorf("rolling back %s: %w: its keys were brought back so often that their versions fill the journal; rotate instead", t.cred.Secret, errImpossible)
	case want.Rollback && want.After == j.Rotation:
		return t.mustHavePrevious()
	}
	return nil
}

// mustBeThere refuses what takes a service account that was deleted.
func (t *turn) mustBeThere(want rotation.Intent) error {
	g := goneOf(t.cred)
	if g == nil || !want.Rotate && !want.Rollback {
		return nil
	}
	return fmt.Errorf("a new key for %s: %w: %s", t.cred.Secret, errImpossible, g)
}

// mustHavePrevious refuses a rollback to nothing, and one that would put the
// previous key in the place of a leaked one: that disables the account on the spot.
func (t *turn) mustHavePrevious() error {
	j := t.cred.Journal
	if j.Suspend != nil {
		return fmt.Errorf("rolling back %s: %w, because tokens of a revoked key are to die, and a rollback would bring that on at once; ask again when it is enabled again, which 'keyturn status' shows", t.cred.Secret, errSuspending)
	}
	if _, ok := j.Previous(t.now()); ok {
		return nil
	}
	why := "it has no superseded key that could be brought back"
	var revoked []string
	for _, k := range j.Retiring {
		if k.Revoked {
			revoked = append(revoked, rotation.ShortID(k.ID))
		}
	}
	switch len(revoked) {
	case 0:
	case 1:
		why = "its only previous key, " + revoked[0] + ", was revoked"
	default:
		why = "its previous keys, " + strings.Join(revoked, " and ") + ", were revoked"
	}
	return fmt.Errorf("rolling back %s: %w: %s; 'keyturn status' shows its keys", t.cred.Secret, errImpossible, why)
}
