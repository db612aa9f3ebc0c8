package rotate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
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
	// errLost means that the private half of a key is gone for good.
	errLost = errors.New("the private half of the key is lost")
)

const (
	// leaseMargin is by how much a lease outlives the turn that holds it.
	leaseMargin = 30 * time.Second
	// letGo is how long giving the lease back may take.
	letGo = 5 * time.Second
	// maxRounds is more than any credential can have due at once.
	maxRounds = 20
)

// turn is one trigger's work on one credential.
type turn struct {
	*Function
	cred   rotation.Credential
	secret gcp.Secret // as last read or written; its etag is the fence
	keys   keys
	holder string // of the lease
	report Report
}

// turn does all that is due for one credential.
func (f *Function) turn(ctx context.Context, secret string, intend func(rotation.Journal) rotation.Intent) (Report, error) {
	t, err := f.observe(ctx, secret)
	if err != nil {
		return Report{}, err
	}
	want := intend(t.cred.Journal)
	if want.Revoke != "" && !t.cred.Journal.Names(want.Revoke) {
		return Report{}, fmt.Errorf("revoking %s: %w: %s knows %s; 'keyturn status' shows them", want.Revoke, ErrUnknownKey, secret, keyIDs(t.cred.Journal))
	}
	var problems []error
	for range maxRounds {
		steps := t.decide(want)
		if len(steps) == 0 {
			break
		}
		want = rotation.Intent{} // from now on the journal says it
		if err := t.claim(ctx, steps); err != nil {
			return t.report, err
		}
		progress, err := t.round(ctx, steps)
		problems = append(problems, err)
		if !progress {
			break
		}
	}
	problems = append(problems, t.release(ctx))
	t.report.foresee(t.now(), t.cred)
	return t.report, errors.Join(problems...)
}

// observe reads the credential from its secret.
func (f *Function) observe(ctx context.Context, name string) (*turn, error) {
	secret, err := f.cloud.Secret(ctx, name)
	if err != nil {
		return nil, err
	}
	cred, err := rotation.ParseCredential(secret.Name, secret.Labels, secret.Annotations)
	if errors.Is(err, rotation.ErrUnmanaged) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	t := &turn{Function: f, cred: cred, secret: secret, holder: rand.Text()}
	t.report = Report{Secret: name, Kind: string(cred.Kind)}
	t.keys = f.keysOf(&t.cred)
	return t, nil
}

func (t *turn) decide(want rotation.Intent) []rotation.Step {
	return rotation.Decide(t.now(), t.cred.Policy, t.cred.Journal, rotation.Observed{Aliases: t.secret.Aliases}, want)
}

// round carries out steps that do not depend on each other: one that fails
// does not hold up the others.
func (t *turn) round(ctx context.Context, steps []rotation.Step) (progress bool, err error) {
	var problems []error
	for _, s := range steps {
		err := t.take(ctx, s)
		if otherwise := instead(s, err); otherwise != "" {
			s.Action, s.Reason = otherwise, err.Error()
			err = t.take(ctx, s)
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
		}
	}
	return progress, errors.Join(problems...)
}

// instead is what is done when a step cannot be: a key whose private half is
// lost is of no use to anybody.
func instead(s rotation.Step, err error) rotation.Action {
	switch {
	case errors.Is(err, errLost):
		return rotation.Discard
	case errors.Is(err, errPending):
		return s.Otherwise
	}
	return ""
}

// take carries out a step and writes down how the journal reads after it.
func (t *turn) take(ctx context.Context, s rotation.Step) error {
	outcome, err := t.act(ctx, s)
	if err != nil {
		return err
	}
	return t.record(ctx, s, outcome)
}

// record writes a step's outcome into the journal. The same write lets go of
// the lease when nothing is left to do.
func (t *turn) record(ctx context.Context, s rotation.Step, o rotation.Outcome) error {
	t.report.add(s, "done")
	j := t.cred.Journal.Record(t.now(), s, o)
	if s.Action == rotation.Verify {
		t.cred.Journal = j // promoting follows at once; verifying again after a crash is cheap
		return nil
	}
	if len(rotation.Decide(t.now(), t.cred.Policy, j, rotation.Observed{Aliases: j.Aliases()}, rotation.Intent{})) == 0 {
		j = j.Released()
	}
	return t.save(ctx, j)
}

// fail notes a failure. What brings a key in backs off by the journal; what
// takes one out is tried again by each sweep.
func (t *turn) fail(ctx context.Context, s rotation.Step, cause error) error {
	t.report.add(s, cause.Error())
	t.log.ErrorContext(ctx, "step failed", "secret", t.cred.Secret, "step", s.Action, "key", s.Key.ID, "error", cause.Error())
	t.tell(ctx, event.Failed, s, cause.Error())
	if s.Action == rotation.Hasten || s.Action == rotation.Begin {
		return fmt.Errorf("%s: %w", s.Action, cause) // the wish stands nowhere but in the message
	}
	if s.Action.Introduces() {
		j := t.cred.Journal.Fail(t.now(), s, cause.Error())
		if s.Action == rotation.Publish {
			j = j.Answer(t.now(), gcp.IsRefusal(cause))
		}
		if err := t.save(ctx, j); err != nil {
			return fmt.Errorf("%s: %w (and its journal was not written: %w)", s.Action, cause, err)
		}
	}
	return fmt.Errorf("%s: %w (%w)", s.Action, cause, errRecorded)
}

// claim refuses to work beside another trigger, and takes the lease before
// anything that must not be done twice.
func (t *turn) claim(ctx context.Context, steps []rotation.Step) error {
	j, ok := t.cred.Journal.Claim(t.holder, t.wall(), t.timeout+leaseMargin)
	if !ok {
		return fmt.Errorf("%s: %w until %s", t.cred.Secret, ErrBusy, t.cred.Journal.Lease.Until.Format(time.RFC3339))
	}
	held := t.cred.Journal.Lease != nil && t.cred.Journal.Lease.Holder == t.holder
	switch {
	case held || !slices.ContainsFunc(steps, exclusive):
		return nil
	case steps[0].Action == rotation.Begin:
		t.cred.Journal = j // written together with the intent
		return nil
	}
	return t.save(ctx, j)
}

// exclusive reports whether a step must not be taken by two triggers at once:
// all that concerns the key coming in. Taking old keys out twice is harmless.
func exclusive(s rotation.Step) bool {
	return s.Action.Introduces() || s.Action == rotation.Begin || s.Action == rotation.Discard
}

// release lets go of a lease that is still held when the turn ends.
func (t *turn) release(ctx context.Context) error {
	if l := t.cred.Journal.Lease; l == nil || l.Holder != t.holder {
		return nil
	}
	// It must not be left behind because the caller has gone.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), letGo)
	defer cancel()
	err := t.save(ctx, t.cred.Journal.Released())
	if !errors.Is(err, ErrBusy) {
		return err
	}
	now, err := t.observe(ctx, t.cred.Secret) // somebody wrote the secret; is the lease still there?
	if err != nil {
		return err
	}
	now.holder = t.holder
	if l := now.cred.Journal.Lease; l == nil || l.Holder != t.holder {
		return nil
	}
	return now.save(ctx, now.cred.Journal.Released())
}

// save writes the journal, and the aliases where the journal moves them, if
// nobody has written the secret since it was read.
func (t *turn) save(ctx context.Context, j rotation.Journal) error {
	journal, err := j.Encode()
	if err != nil {
		return err
	}
	annotations := maps.Clone(t.secret.Annotations)
	annotations[rotation.AnnotationJourn] = journal
	secret, err := t.cloud.UpdateSecret(ctx, gcp.Change{
		Name: t.cred.Secret, Etag: t.secret.Etag, Annotations: annotations, Aliases: aliases(t.secret.Aliases, j),
	})
	if gcp.IsFailedPrecondition(err) {
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	if err != nil {
		if secret, err = t.reread(ctx, journal, err); err != nil {
			return err
		}
	}
	t.cred.Journal, t.secret = j, secret
	return nil
}

// reread finds out whether a write whose reply was an error happened all the
// same; otherwise it returns the error.
func (t *turn) reread(ctx context.Context, journal string, cause error) (gcp.Secret, error) {
	secret, err := t.cloud.Secret(ctx, t.cred.Secret)
	if err != nil || secret.Annotations[rotation.AnnotationJourn] != journal {
		return secret, cause
	}
	return secret, nil
}

// aliases puts keyturn's two aliases where the journal says and leaves the
// owner's alone.
func aliases(now map[string]string, j rotation.Journal) map[string]string {
	out := maps.Clone(now)
	delete(out, rotation.AliasPrevious)
	maps.Copy(out, j.Aliases())
	return out
}
