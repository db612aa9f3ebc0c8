package rotate

import (
	"context"
	"fmt"
	"time"

	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
)

// What is written by a command and is no step of a rotation.
const (
	pausing   rotation.Action = "pause"
	resuming  rotation.Action = "resume"
	releasing rotation.Action = "release"
)

// hold pauses a credential or ends its pause; rotation.Pause says what that means.
// It waits for nobody: while another trigger is at work it is refused, so that what
// that one does is known before.
func (f *Function) hold(ctx context.Context, c event.Command) (Report, error) {
	t, err := f.observe(ctx, c)
	if err != nil || t.report.Repeated != nil {
		return t.answer(), err
	}
	if err := t.mustBeHoldable(); err != nil {
		return Report{}, err
	}
	j, s, told := t.held()
	t.report.add(s, "done")
	t.cred.Journal = j
	if f.dry {
		t.report.Steps[0].Result = "planned"
		return t.answer(), nil
	}
	t.remember()
	if err := t.save(ctx, t.cred.Journal); err != nil {
		return Report{}, err
	}
	t.tell(ctx, told, s, s.Reason)
	return t.answer(), nil
}

// held is the journal with the pause, or without it.
func (t *turn) held() (rotation.Journal, rotation.Step, event.Milestone) {
	c := t.command
	if c.Verb == event.Pause {
		p := rotation.Pause{By: c.By, Why: c.Why, At: t.now(), Until: c.Until}
		return t.cred.Journal.WithPause(p), rotation.Step{Action: pausing, Reason: c.Why}, event.Paused
	}
	return t.cred.Journal.Resumed(), rotation.Step{Action: resuming, Reason: orAsked(c.Why)}, event.Resumed
}

// mustBeHoldable refuses what would say nothing.
func (t *turn) mustBeHoldable() error {
	c, j, now := t.command, t.cred.Journal, t.now()
	switch _, free := j.Claim(t.holder, t.wall(), leaseFor(t.timeout)); {
	case !free:
		return t.busy()
	case c.Verb == event.Resume && !j.Paused(now):
		return fmt.Errorf("resuming %s: %w: it is not paused; 'keyturn status' shows how it stands", c.Secret, errImpossible)
	case c.Verb == event.Pause && c.By == "":
		return fmt.Errorf("pausing %s: %w: say who pauses it, in by: others will ask", c.Secret, errImpossible)
	case c.Verb == event.Pause && !c.Until.IsZero() && !c.Until.After(now):
		return fmt.Errorf("pausing %s: %w: until, %s, is over; it is %s now", c.Secret, errImpossible, c.Until.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return nil
}
