package rotate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
)

// ErrBusy means that another trigger is at work on the credential; it carries
// on with what is due.
var ErrBusy = errors.New("another trigger is at work on this credential")

// ErrUnknownKey means that a key to be revoked is none of the credential's.
var ErrUnknownKey = errors.New("the credential has no such key")

var (
	// errRecorded marks a failure that stands in the journal: the next sweep
	// tries again, so that delivering the message again would only hurry.
	errRecorded = errors.New("recorded in the journal")
	// errUnreadable marks annotations that cannot be understood.
	errUnreadable = errors.New("the secret's annotations cannot be read")
	// errPending means that Google is not ready; the next trigger asks again.
	errPending = errors.New("not ready yet")
	// errImpossible means that a command cannot be carried out on this credential.
	errImpossible = errors.New("this cannot be done")
	// errUnwritten marks what was done and could not be written down.
	errUnwritten = errors.New("the journal could not be written")
	// errRefused means that no key was made, and that none is going to be by
	// what was asked for.
	errRefused = errors.New("no key was made")
	// errHandedOut means that consumers are still given a key that was
	// superseded.
	errHandedOut = errors.New("consumers are still given the key")
	// errLost means that the private half of a key is gone for good.
	errLost = errors.New("the private half of the key is lost")
	// errSpent means that a pair may have been uploaded before, although no key of
	// it shows up.
	errSpent = errors.New("the pair of the key may have been uploaded before")
	// errUnmet marks a wish that was not carried out and stands nowhere but in
	// its message.
	errUnmet = errors.New("it was not carried out")
	// errSuspended means that nothing can be verified while the account is disabled.
	errSuspended = errors.New("the service account is disabled")
	// errSuspending means that the account is disabled as soon as the leaked key
	// has been replaced.
	errSuspending = errors.New("the service account is about to be disabled")
)

// maxRounds is more than any credential can have due at once.
const maxRounds = 20

// turn is one trigger's work on one credential.
type turn struct {
	*Function
	cred    rotation.Credential
	secret  gcp.Secret // as last read or written; its etag is the fence
	keys    keys
	holder  string // of the lease
	stored  string // the journal as it stands in the secret
	begun   bool   // the rotation in hand began in this turn, and no more than its intent is written: nothing of it can be left from a turn that died
	proven  bool   // the key coming in was verified in this turn: no turn that died can have promoted it
	noted   bool   // the journal says that the key in use is tested in this turn
	tried   bool   // it was
	trouble error  // why it did not authenticate
	report  Report

	command event.Command
	since   time.Time // policy time at which it began
	until   time.Time // when the platform ends it, by the machine's clock
	late    bool      // too little of that is left for another step
}

// turn does all that is due for one credential, and what a command asks for.
func (f *Function) turn(ctx context.Context, c event.Command) (Report, error) {
	t, err := f.observe(ctx, c)
	if err != nil || t.report.Repeated != nil {
		return t.answer(), err
	}
	want := intentOf(c, t.cred.Journal)
	if err := t.mustBePossible(want); err != nil {
		return Report{}, err
	}
	if f.dry {
		t.rehearse(want)
		return t.answer(), nil
	}
	problems := t.rounds(ctx, want)
	undone := unmet(want, t.cred.Journal)
	if undone && !t.late {
		problems = append(problems, errUnmet)
	}
	if !undone {
		t.remember()
	}
	if err := t.letGo(ctx); err != nil {
		return t.report, errors.Join(append(problems, errUnwritten, err)...)
	}
	if t.late {
		problems = append(problems, t.handOver(ctx, want, undone))
	}
	return t.answer(), errors.Join(problems...)
}

// unmet reports whether it could still be begun what was asked for.
func unmet(want rotation.Intent, j rotation.Journal) bool {
	begin := want.Rotate && j.Incoming == nil
	back := want.Rollback && (j.Incoming == nil || !j.Incoming.Back)
	return (begin || back) && want.After == j.Rotation || unmarked(want, j)
}

// unmarked reports whether the journal does not say yet that a key is to be revoked.
func unmarked(want rotation.Intent, j rotation.Journal) bool {
	k, named := j.Find(want.Revoke)
	return named && (!k.Revoked || want.KillTokens && !k.Killed && j.Suspend == nil)
}

// rounds takes all steps that are due, and then those that fall due by them.
func (t *turn) rounds(ctx context.Context, want rotation.Intent) (problems []error) {
	for range maxRounds {
		steps := t.decide(want)
		if len(steps) == 0 {
			break
		}
		if t.isLate() {
			break
		}
		want.Rotate, want.Revoke = false, "" // from now on the journal says it
		if err := t.claim(ctx, steps); err != nil {
			return append(problems, err)
		}
		progress, err := t.round(ctx, steps)
		problems = append(problems, err)
		if !progress || t.late {
			break
		}
	}
	return problems
}

// observe reads the credential of a command from its secret, and whether the command
// was carried out before. With an error comes a turn that is good for its report.
func (f *Function) observe(ctx context.Context, c event.Command) (*turn, error) {
	t := &turn{Function: f, command: c, holder: rand.Text(), since: f.now(), until: f.deadline(ctx)}
	secret, err := f.cloud.Secret(ctx, c.Secret)
	if err != nil {
		return t, err
	}
	cred, err := rotation.ParseCredential(secret.Name, secret.Labels, secret.Annotations)
	if err != nil {
		return t, unreadable(err)
	}
	t.cred, t.secret, t.stored = cred, secret, secret.Annotations[rotation.AnnotationJourn]
	t.report = Report{Secret: c.Secret, Kind: string(cred.Kind)}
	t.keys = f.keysOf(&t.cred)
	return t, t.recognise()
}

// unreadable marks the error of annotations that cannot be understood.
func unreadable(err error) error {
	if errors.Is(err, rotation.ErrUnmanaged) {
		return err
	}
	return fmt.Errorf("%w: %w", errUnreadable, err)
}

// answer is the report, with what comes next.
func (t *turn) answer() Report {
	if t.cred.Secret != "" {
		t.report.foresee(t.now(), t.cred)
	}
	return t.report
}

func (t *turn) decide(want rotation.Intent) []rotation.Step {
	return rotation.Decide(t.now(), t.cred.Policy, t.cred.Journal, rotation.Observed{Aliases: t.secret.Aliases}, want)
}

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
		t.cred.Journal = t.cred.Journal.Fail(t.now(), s, cause.Error())
	}
	return fmt.Errorf("%s: %w (%w)", s.Action, cause, errRecorded)
}
