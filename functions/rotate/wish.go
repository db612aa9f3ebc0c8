package rotate

import (
	"fmt"
	"slices"
	"strings"

	"example.com/keyturn/shared/rotation"
)

// unmet reports whether it could still be begun what was asked for. A rotation that
// was in hand, and has given consumers a new key, is one.
func (t *turn) unmet(want rotation.Intent, inHand *rotation.Key) bool {
	j := t.cred.Journal
	replaced := inHand != nil && !inHand.Back && t.took(rotation.Promote)
	begin := want.Rotate && j.Incoming == nil && !replaced
	back := want.Rollback && (j.Incoming == nil || !j.Incoming.Back)
	return (begin || back) && want.After == j.Rotation || unmarked(want, j)
}

// besides says what became of what was in hand when a rotation was asked for.
func (t *turn) besides(inHand *rotation.Key) string {
	switch {
	case inHand.Back:
		return "a rollback was in hand already: it goes on, and no rotation was begun; ask again when it is done"
	case t.cred.Journal.Incoming != nil:
		return "a rotation was in hand already: it goes on, and none was begun"
	}
	return "a rotation was in hand already: it was finished, and none was begun; ask again for another one"
}

// took reports whether this turn has taken a step.
func (t *turn) took(a rotation.Action) bool {
	return slices.ContainsFunc(t.report.Steps, func(s StepReport) bool { return s.Step == a && s.Result == "done" })
}

// whyUnmet says what was done instead of what was asked for, if anything was.
func (t *turn) whyUnmet() error {
	var did []string
	for _, s := range t.report.Steps {
		if s.Result == "done" {
			did = append(did, string(s.Step))
		}
	}
	if len(did) == 0 {
		return errUnmet
	}
	return fmt.Errorf("%w: what was in hand came first (%s); ask again", errUnmet, strings.Join(did, ", "))
}

// unmarked reports whether the journal does not say yet that a key is to be revoked.
func unmarked(want rotation.Intent, j rotation.Journal) bool {
	k, named := j.Find(want.Revoke)
	return named && (!k.Revoked || want.KillTokens && !k.Killed && j.Suspend == nil)
}

// still is what is wanted after a round: from then on the journal says what is to be
// revoked, and which rotation was begun. The wish for one outlives a key that was coming
// in and was given up.
func (t *turn) still(want rotation.Intent) rotation.Intent {
	want.Revoke = ""
	want.Rotate = want.Rotate && t.took(rotation.Discard)
	return want
}
