package rotate

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
)

// errReused means that an id names another request than the one that it named before.
var errReused = errors.New("the id was given to another request before")

// recognise finds out whether the same request was carried out before.
func (t *turn) recognise() error {
	r, again := t.cred.Journal.Asked(t.command.ID)
	switch {
	case !again:
		return nil
	case r.Verb != string(t.command.Verb):
		return fmt.Errorf("%w, %s at %s: take another one for each request", errReused, r.Verb, r.At.Format(time.RFC3339))
	}
	t.report.Repeated = &r
	return nil
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
	r := rotation.Request{ID: c.ID, Verb: string(c.Verb), By: c.By, Why: c.Why, At: t.since, Rotation: j.Rotation}
	for _, s := range t.report.Steps {
		result := s.Result
		if result != "done" && result != "waiting" {
			result = "failed"
		}
		r.Did = append(r.Did, string(s.Step)+" "+result)
	}
	return j.WithRequest(r)
}

// askedBy is who asked for what a milestone tells: whoever gave the command, or had
// asked for the rotation that goes on.
func (t *turn) askedBy(m event.Milestone) string {
	goesOn := slices.Contains([]event.Milestone{event.Started, event.Promoted, event.RolledBack, event.Failed}, m)
	if t.command.By != "" || !goesOn {
		return t.command.By
	}
	return t.cred.Journal.AskedBy()
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

// rehearse tells what a turn would do.
func (t *turn) rehearse(want rotation.Intent) {
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
}

// nextCommand is what to type after a command: what it would have done, after a dry run.
func (f *Function) nextCommand(c event.Command) string {
	words := []string{"keyturn", "status"}
	switch {
	case c.DryRun && slices.Contains(typed, c.Verb):
		words[1] = string(c.Verb)
	case c.Verb == event.Status:
		words[1] = string(event.Plan)
	case c.Verb == event.Pause:
		words[1] = string(event.Resume)
	}
	if c.Secret != "" {
		words = append(words, path.Base(c.Secret))
	}
	if c.DryRun && c.Key != "" && c.Verb == event.Revoke {
		words = append(words, "--key", rotation.ShortID(c.Key))
	}
	return strings.Join(append(words, "--project", f.cloud.Project()), " ")
}

// typed are the verbs that are commands of the command line, too, and need no more
// than a secret.
var typed = []event.Verb{event.Rotate, event.Rollback, event.Revoke, event.Resume, event.Release, event.Plan}
