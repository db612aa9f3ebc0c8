package rotate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
)

// round carries out steps that do not depend on each other: one that fails
// does not hold up the others.
func (t *turn) round(ctx context.Context, steps []rotation.Step) (progress bool, err error) {
	var problems []error
	for _, s := range steps {
		if t.isLate() {
			break
		}
		err := t.take(ctx, s)
		if otherwise, reason := instead(s, err); otherwise != "" {
			s.Action, s.Reason = otherwise, reason
			if err = t.claim(ctx, []rotation.Step{s}); err == nil { // nobody else may have been at work since the secret was read
				err = t.take(ctx, s)
			}
		}
		switch {
		case err == nil:
			progress = true
			t.tellDone(ctx, s)
		case errors.Is(err, ErrBusy):
			return false, err
		case errors.Is(err, errPending):
			t.report.add(s, "waiting")
		case t.lose(ctx, err):
			t.report.add(s, "waiting")
			return false, errors.Join(problems...) // that the account is not there is told, and is no failure of a step
		default:
			problems = append(problems, t.fail(ctx, s, err))
			if isClock(err) {
				return false, errors.Join(problems...) // nothing else is to be done by it
			}
		}
	}
	return progress, errors.Join(problems...)
}

// instead is what is done when a step cannot be: a key whose private half is
// lost is of no use to anybody, and where uploads are denied Google makes the pair.
func instead(s rotation.Step, err error) (otherwise rotation.Action, reason string) {
	denied := gcp.DeniedBy(err)
	switch {
	case errors.Is(err, errLost), errors.Is(err, errSpent):
		return rotation.Discard, err.Error()
	case errors.Is(err, errHandedOut):
		return rotation.Keep, err.Error()
	case s.Action == rotation.Publish && s.Key.Mode == rotation.Upload && strings.HasSuffix(denied, uploadDenied):
		return rotation.FallBack, denied
	case errors.Is(err, errPending):
		return s.Otherwise, err.Error()
	}
	return "", ""
}

// uploadDenied ends the names of the constraint, old and new, by which an
// organisation denies the upload of keys.
const uploadDenied = "disableServiceAccountKeyUpload"

// take carries out a step and writes down how the journal reads after it.
func (t *turn) take(ctx context.Context, s rotation.Step) error {
	if s.Action == rotation.Promote { // should this turn die, the next must know whose version is the newest
		if err := t.save(ctx, t.cred.Journal); err != nil {
			return err
		}
	}
	outcome, err := t.act(ctx, s)
	if err != nil {
		return err
	}
	return t.record(ctx, s, outcome)
}

// record notes a step's outcome in the journal. Most steps can be found out
// again, or repeated, should this turn die before the journal is written at its
// end: fewer writes are fewer that can fail. Those that cannot are written at
// once; the same write lets go of the lease when nothing is left to do.
func (t *turn) record(ctx context.Context, s rotation.Step, o rotation.Outcome) error {
	t.report.add(s, "done")
	j := t.cred.Journal.Record(t.now(), s, o)
	if fulfils(s.Action) {
		j = t.withRequest(j)
	}
	switch s.Action {
	case rotation.Begin, rotation.FallBack:
		t.begun = true
	case rotation.Promote:
		t.noted, t.tried = false, false // it is another one now
		if len(rotation.Decide(t.now(), t.cred.Policy, j, rotation.Observed{Aliases: j.Aliases()}, rotation.Intent{})) == 0 {
			j = j.Released()
		}
	default:
		t.proven = t.proven || s.Action == rotation.Verify
		t.cred.Journal = j
		return nil
	}
	return t.save(ctx, j)
}

// fail notes a failure. What brings a key in backs off by the journal; what
// takes one out is tried again by each sweep.
func (t *turn) fail(ctx context.Context, s rotation.Step, cause error) error {
	t.report.add(s, cause.Error())
	t.log.ErrorContext(ctx, "step failed", "secret", t.cred.Secret, "step", s.Action, "key", s.Key.ID, "error", cause.Error())
	t.tell(ctx, event.Failed, s, cause.Error())
	if s.Action == rotation.Begin || t.rectify(s, cause) {
		return fmt.Errorf("%s: %w", s.Action, cause) // it stands nowhere but in the message
	}
	if s.Action.Introduces() {
		t.cred.Journal = t.failed(s, cause)
	}
	return fmt.Errorf("%s: %w (%w)", s.Action, cause, errRecorded)
}

// failed is the journal after a failure. There is room for the beginning of its reason
// alone: should that not name what was lacking, the name comes first.
func (t *turn) failed(s rotation.Step, cause error) rotation.Journal {
	j := t.cred.Journal.Fail(t.now(), s, cause.Error())
	if name := lacking(cause); name != "" && !strings.Contains(j.Failure.Reason, name) {
		return t.cred.Journal.Fail(t.now(), s, name+": "+cause.Error())
	}
	return j
}

// lacking names the constraint or the permission for which a call was refused; empty if
// it was for neither.
func lacking(err error) string {
	if constraint := gcp.DeniedBy(err); constraint != "" {
		return "constraints/" + constraint
	}
	if d, ok := gcp.DenialOf(err); ok {
		return "lacks " + d.Permission + " on " + d.Resource
	}
	return ""
}
