package rotate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
)

// errReused means that an id names another request than the one that it named before.
var errReused = errors.New("the id was given to another request before")

// recognise finds out whether the same request was carried out before.
func (t *turn) recognise() error {
	r, again := t.cred.Journal.Asked(t.command.ID)
	if !again {
		return nil
	}
	if !requestOf(t.command).Repeats(r) {
		return reused(r)
	}
	t.report.Repeated = &r
	return nil
}

// requestOf is what the journal is to say of a command, as far as it does not depend on
// what is done.
func requestOf(c event.Command) rotation.Request {
	return rotation.Request{ID: c.ID, Verb: string(c.Verb), By: c.By, Why: c.Why, Key: rotation.ShortID(c.Key), After: c.After, Asks: c.Digest()}
}

// reused says what an id was given to before.
func reused(r rotation.Request) error {
	what := r.Verb
	if r.Key != "" {
		what += " of key " + r.Key
	}
	return fmt.Errorf("%w, %s at %s: nothing was done; take another id for each request", errReused, what, r.At.Format(time.RFC3339))
}

// fulfils reports whether a step is what a command has asked for: the request is
// written together with it, so that neither is without the other.
func fulfils(a rotation.Action) bool {
	return slices.Contains([]rotation.Action{rotation.Hasten, rotation.Begin, rotation.Recall}, a)
}

// remember notes the request with what was done.
func (t *turn) remember() { t.cred.Journal = t.withRequest(t.cred.Journal) }

// withRequest is a journal with the request that this turn carries out, if somebody
// made it: what nobody in particular asks for, and what changes nothing, is not
// remembered.
func (t *turn) withRequest(j rotation.Journal) rotation.Journal {
	c := t.command
	if c.ID == "" && (c.By == "" || !c.Drastic()) {
		return j
	}
	r := requestOf(c)
	r.At, r.Rotation = t.since, j.Rotation
	for _, s := range t.report.Steps {
		result := s.Result
		if result != "done" && result != "waiting" {
			result = "failed"
		}
		r.Did = append(r.Did, string(s.Step)+" "+result)
	}
	return j.WithRequest(r)
}

// asked is the request that led to what a milestone tells of a key: the one that is
// carried out, or the one for the rotation or the revocation that goes on.
func (t *turn) asked(m event.Milestone, k rotation.Key) rotation.Request {
	goesOn := slices.Contains([]event.Milestone{event.Started, event.Promoted, event.RolledBack, event.Failed}, m)
	switch j := t.cred.Journal; {
	case t.command.By == "" && goesOn:
		return j.AskedFor()
	case t.command.By == "" && k.Revoked:
		return j.Revocation(k)
	}
	return requestOf(t.command)
}

// deadline is when a turn that begins now has to be over, by the machine's clock.
func (f *Function) deadline(ctx context.Context) time.Time {
	now := f.wall()
	if end, ok := ctx.Deadline(); ok && time.Until(end) < f.timeout-time.Second {
		return now.Add(time.Until(end))
	}
	return now.Add(f.timeout)
}

// spare is how much time a turn leaves for what comes after its last step: writing
// the journal and handing over. A step that begins before takes less than the rest.
func (f *Function) spare() time.Duration { return min(f.timeout/4, 30*time.Second) }

// isLate reports whether too little time is left to begin a step.
func (t *turn) isLate() bool {
	t.late = t.late || !t.wall().Before(t.until.Add(-t.spare()))
	return t.late
}

// handOver has what is left done by a message to this function: what is due, if the
// journal says what was asked for, and else the same command again.
func (t *turn) handOver(ctx context.Context, want rotation.Intent, undone bool) error {
	c := event.Command{Verb: event.Continue, Secret: t.command.Secret}
	if undone {
		c = t.command
		if want.Rotate || want.Rollback {
			c.After = &want.After
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWrite)
	defer cancel()
	if err := t.publish(ctx, c.Outgoing()); err != nil {
		return fmt.Errorf("time ran out, and what is left could not be handed over: %w; %s", err, sweepsGoOn)
	}
	t.report.HandedOver = true
	return nil
}

// sweepsGoOn is the next step of whoever is left without one.
const sweepsGoOn = "sweeps go on with what the journal says; 'keyturn status' shows how far it is"

// rehearse tells what a turn would do, and who would notice.
func (t *turn) rehearse(ctx context.Context, want rotation.Intent) error {
	now := t.now()
	foretold := rotation.Foretell(now, t.cred, rotation.Observed{Aliases: t.secret.Aliases}, want)
	t.report.Left = []Prospect{}
	for _, p := range foretold {
		if p.At.Equal(now) {
			t.report.add(p.Step, "planned")
		} else {
			t.report.Left = append(t.report.Left, prospects([]rotation.Prospect{p})...)
		}
	}
	t.report.Turns, _ = turnsOf(t.cred, foretold)
	if slices.ContainsFunc(foretold, func(p rotation.Prospect) bool { return p.Step.Action == rotation.Publish }) {
		var plan Plan
		t.planner().preflight(ctx, &plan, t.cred)
		t.report.Problems, t.report.Unasked = plan.Problems, plan.Unasked
	}
	if want.Revoke == "" {
		return nil
	}
	reach, err := t.reach(ctx, want)
	t.report.Reach = &reach
	return err
}
