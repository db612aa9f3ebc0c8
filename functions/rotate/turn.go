package rotate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
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
	defer t.keys.forget()
	if t.cred.Journal.IsLost() {
		if err := t.see(ctx); err != nil {
			return t.answer(), err
		}
	}
	want := intentOf(c, t.cred.Journal)
	if err := t.mustBePossible(want); err != nil {
		return Report{}, err
	}
	if f.dry {
		err := t.rehearse(ctx, want)
		return t.answer(), err
	}
	inHand := t.cred.Journal.Incoming
	problems := append(t.rounds(ctx, want), t.mustBeThere(want))
	undone := t.unmet(want, inHand)
	if undone && !t.late {
		problems = append(problems, t.whyUnmet())
	}
	if want.Rotate && inHand != nil && !undone && want.After == t.cred.Journal.Rotation {
		t.report.Instead = t.besides(inHand)
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
		if err := t.claim(ctx, steps); err != nil {
			return append(problems, err)
		}
		progress, err := t.round(ctx, steps)
		problems = append(problems, err)
		want = t.still(want)
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
