package rotate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
)

// Report is what a command did, in the form that both doors and the command
// line answer with.
type Report struct {
	Secret  string       `json:"secret,omitempty"`
	Kind    string       `json:"kind,omitempty"`
	Steps   []StepReport `json:"steps,omitempty"`
	Next    time.Time    `json:"next,omitzero"`       // when the next step falls due, which the first sweep from then on takes; zero for the next sweep
	Overdue int          `json:"overdue,omitempty"`   // seconds since Next, where that is longer than sweeps take: does one run?
	Then    string       `json:"then,omitempty"`      // what that step is
	Alive   string       `json:"alive,omitempty"`     // id of a key that is to be revoked and still works
	Until   time.Time    `json:"aliveUntil,omitzero"` // about when Alive stops working; zero where that is not known
	Gone    *Gone        `json:"gone,omitempty"`      // the service account was deleted
	Suspend *Suspension  `json:"suspend,omitempty"`   // the service account is, or is to be, disabled
	Left    []Prospect   `json:"left,omitempty"`      // the steps that are left of what is in hand, if all goes well; none while it is idle
	Command string       `json:"command,omitempty"`   // the next one to type
	DryRun  bool         `json:"dryRun,omitempty"`    // nothing was done: steps say what would be
	Instead string       `json:"instead,omitempty"`   // of rotate: what became of the rotation that was in hand already, so that none was begun
	Paused  *Pause       `json:"paused,omitempty"`    // the schedule leaves it alone
	Journal *Standing    `json:"standing,omitempty"`  // of status, and of a command that was waited for
	Turns   []Turn       `json:"turns,omitempty"`     // of a dry run: what is done at once and later, with the remote calls
	Reach   *Reach       `json:"reach,omitempty"`     // of a dry run of revoke: who would notice

	Problems []Bar   `json:"problems,omitempty"` // of a dry run that makes a key: what stands in the way, the worst first
	Unasked  []Doubt `json:"unasked,omitempty"`  // of a dry run: what could not be found out of that

	Released *Released `json:"released,omitempty"` // of release: what is left behind

	Plans []Plan     `json:"plans,omitempty"` // of plan
	Quota []QuotaUse `json:"quota,omitempty"` // of plan: what the next sweep uses

	// Repeated is the request that had the same id: what was done then. Nothing was
	// done now.
	Repeated *rotation.Request `json:"repeated,omitempty"`
	// HandedOver says that time ran out: what is left is done by a message to the
	// function that is on its way.
	HandedOver bool `json:"handedOver,omitempty"`

	Swept    int      `json:"swept,omitempty"`    // of sweep: credentials looked at
	Sent     int      `json:"sent,omitempty"`     // of sweep: credentials that have something due
	Broken   []string `json:"broken,omitempty"`   // of sweep: secrets whose annotations cannot be read
	Warnings []string `json:"warnings,omitempty"` // of inspect: what is wrong
}

// Pause is why the schedule leaves a credential alone, who said so, since when and
// until when.
type Pause = rotation.Pause

// Prospect is a step that is going to be taken.
type Prospect struct {
	Step rotation.Action `json:"step"`
	Key  string          `json:"key,omitempty"` // "new" is one that is still to be made
	Why  string          `json:"why"`
	At   time.Time       `json:"at"` // when it falls due: the first sweep from then on takes it
}

// StepReport is one step and how it went: "done", "waiting", what failed, or in a dry
// run "planned".
type StepReport struct {
	Step   rotation.Action `json:"step"`
	Key    string          `json:"key,omitempty"`
	Why    string          `json:"why"`
	Result string          `json:"result"`
}

// Suspension is the disabling of a service account, so that the tokens of a
// revoked key die.
type Suspension struct {
	Pending bool      `json:"pending,omitempty"` // until the key has been replaced the account works, and so do the tokens
	Until   time.Time `json:"until,omitzero"`    // when the account is enabled again
}

// sweepsTake is longer than it takes until a sweep has come, and has taken what is due.
const sweepsTake = 30 * time.Minute

// foresee says what comes next, and whether a leaked key still works.
func (r *Report) foresee(now time.Time, c rotation.Credential) {
	r.Next, r.Then = rotation.Next(now, c.Policy, c.Journal)
	if late := now.Sub(r.Next); late > sweepsTake && !r.Next.IsZero() {
		r.Overdue = int(late.Seconds())
	}
	if r.Gone = goneOf(c); r.Gone != nil {
		return // no key works, and nothing is going to be done
	}
	r.Suspend = suspension(c.Journal)
	if c.Journal.Paused(now) {
		r.Paused = c.Journal.Pause
	}
	if !c.Journal.Idle() && r.Left == nil {
		r.Left = prospects(rotation.Foretell(now, c, rotation.Observed{Aliases: c.Journal.Aliases()}, rotation.Intent{}))
	}
	for _, k := range c.Journal.Keys() {
		if k.Doomed() {
			r.Alive, r.Until = k.ID, rotation.Replaced(now, c.Policy, c.Journal)
		}
	}
}

func prospects(foretold []rotation.Prospect) []Prospect {
	var all []Prospect
	for _, p := range foretold {
		all = append(all, Prospect{Step: p.Step.Action, Key: p.Step.Key.ID, Why: p.Step.Reason, At: p.At})
	}
	return all
}

func suspension(j rotation.Journal) *Suspension {
	if j.Suspend == nil {
		return nil
	}
	return &Suspension{Pending: !j.Suspended(), Until: j.Suspend.Until}
}

func (r *Report) add(s rotation.Step, result string) {
	r.Steps = append(r.Steps, StepReport{Step: s.Action, Key: s.Key.ID, Why: s.Reason, Result: result})
}

// milestones are the steps that others are told of.
var milestones = map[rotation.Action]event.Milestone{
	rotation.Begin:     event.Started,
	rotation.Promote:   event.Promoted,
	rotation.Disable:   event.Disabled,
	rotation.Restore:   event.Restored,
	rotation.Delete:    event.Retired,
	rotation.Discard:   event.Failed,
	rotation.Suspend:   event.Suspended,
	rotation.Reinstate: event.Reinstated,
}

const foreignSuspension = "the service account was disabled already by somebody else, to whom it is left to enable it again"

func (t *turn) tellDone(ctx context.Context, s rotation.Step) {
	m, ok := milestones[s.Action]
	if s.Action == rotation.Promote && s.Key.Back {
		m = event.RolledBack
	}
	if s.Action == rotation.Suspend && !t.cred.Journal.Suspended() {
		s.Reason = foreignSuspension
	}
	if ok {
		t.tell(ctx, m, s, s.Reason)
	}
}

// tell publishes a milestone. The journal already holds it: a milestone that
// cannot be published is logged and never undoes the step.
func (t *turn) tell(ctx context.Context, m event.Milestone, s rotation.Step, reason string) {
	_ = t.announce(ctx, t.milestone(m, s, reason))
}

func (t *turn) milestone(m event.Milestone, s rotation.Step, reason string) event.Rotation {
	asked := t.asked(m, s.Key)
	return event.Rotation{
		ID:        milestoneID(t.cred.Secret, t.cred.Journal.Rotation, m, s.Key.ID, s.Action),
		Milestone: m, Time: t.now(), Project: t.cloud.Project(), Secret: t.cred.Secret, Kind: string(t.cred.Kind),
		Rotation: t.cred.Journal.Rotation, Key: s.Key.ID, Step: string(s.Action), Reason: reason, Severity: m.SeverityOf(), Labels: t.cred.Labels,
		By: asked.By, Why: asked.Why,
	}
}

// announce publishes a milestone and logs it, whether or not that works.
func (f *Function) announce(ctx context.Context, r event.Rotation) error {
	out, err := event.RotationEvent(r)
	if err == nil {
		// A rotation, least of all an urgent one, does not wait for Pub/Sub's retries.
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		err = f.publish(ctx, out)
	}
	f.log.InfoContext(ctx, "rotation", "milestone", r.Milestone, "secret", r.Secret, "key", r.Key, "reason", r.Reason, "by", r.By, "why", r.Why)
	if err != nil {
		f.log.ErrorContext(ctx, "rotation event not published", "secret", r.Secret, "milestone", r.Milestone, "error", err.Error())
	}
	return err
}

// milestoneID is the same for the same milestone, so that telling it twice can
// be recognised.
func milestoneID(parts ...any) string {
	sum := sha256.Sum256([]byte(fmt.Sprintln(parts...)))
	return hex.EncodeToString(sum[:16])
}

func keyIDs(j rotation.Journal) string {
	var ids []string
	for _, k := range j.Keys() {
		if k.ID != "" {
			ids = append(ids, k.ID)
		}
	}
	if len(ids) == 0 {
		return "no keys yet"
	}
	return strings.Join(ids, ", ")
}
