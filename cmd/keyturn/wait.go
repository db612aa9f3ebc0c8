package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/event"
	"github.com/spf13/cobra"
)

// waitFlags adds the flags of a command that can wait. The function that it returns
// says for how long, once they are read; zero is not at all.
func waitFlags(c *cobra.Command) func() (time.Duration, error) {
	var wait bool
	var limit time.Duration
	c.Flags().BoolVar(&wait, "wait", false, "wait until it is done; and for what follows if that falls due before the time is up")
	c.Flags().DurationVar(&limit, "timeout", 30*time.Minute, "how long --wait waits")
	return func() (time.Duration, error) {
		switch {
		case limit <= 0:
			return 0, fmt.Errorf("%w: --timeout %v is no time to wait: give a positive duration, such as 1h", errUsage, limit)
		case !wait && c.Flags().Changed("timeout"):
			return 0, fmt.Errorf("%w: --timeout is how long --wait waits: give both", errUsage)
		case !wait:
			return 0, nil
		}
		return limit, nil
	}
}

// lookEvery is how often a command that waits looks how far it is.
const lookEvery = 2 * time.Second

// await waits until what was asked for is done, and then for as long as the step that
// follows falls due in time. It only looks: sweeps do what is to be done. The report is
// that of the command, as the credential stands in the end.
func (a *app) await(ctx context.Context, f *rotate.Function, c event.Command, report rotate.Report, limit time.Duration) (rotate.Report, error) {
	deadline := time.Now().Add(limit)
	shown, said := newProgress(a.stderr), ""
	defer shown.finish()
	var reached func(rotate.Report) bool
	for {
		now, err := f.Do(ctx, event.Command{Verb: event.Status, Secret: c.Secret})
		if err != nil {
			return report, fmt.Errorf("what was asked for was accepted, and sweeps go on with it; looking how far it is: %w", err)
		}
		if reached == nil {
			reached = goal(c.Verb, now)
		}
		report = asOf(report, now)
		left := time.Until(deadline)
		switch done := reached(now); {
		case done && !continues(now, a.clock()(), left):
			return report, nil
		case !done && left <= 0:
			return report, fmt.Errorf("it is not done after %v, but %s; sweeps go on with it, and 'keyturn status %s' shows how far it is", limit, state(now), path.Base(c.Secret))
		}
		if stage := fmt.Sprintf("%s; next: %s", state(now), due(now.Next)); stage != said {
			shown.Stage(stage, -1)
			said = stage
		}
		select {
		case <-ctx.Done():
			return report, ctx.Err()
		case <-time.After(min(lookEvery, max(left, 0)+time.Millisecond)):
		}
	}
}

// busyFor is how long a command waits for another trigger to let go of its credential.
const busyFor = 20 * time.Second

// whenFree carries out a command. While another trigger is at work on the credential,
// which is so during many a sweep, it asks again, unless something was done already.
func (a *app) whenFree(ctx context.Context, f *rotate.Function, c event.Command) (rotate.Report, error) {
	shown, told := newProgress(a.stderr), false
	defer shown.finish()
	for deadline := time.Now().Add(busyFor); ; {
		report, err := f.Do(ctx, c)
		if !errors.Is(err, rotate.ErrBusy) || len(report.Steps) > 0 || time.Now().After(deadline) {
			return report, err
		}
		if !told {
			shown.Stage("waiting for another trigger, which is at work on "+path.Base(c.Secret), -1)
			told = true
		}
		select {
		case <-ctx.Done():
			return report, err
		case <-time.After(lookEvery / 4):
		}
	}
}

// goal says how a credential stands for which a command was given when that is done: a
// revoked key does not work any more, nor do tokens that are to die; of a rotation or a
// rollback that was in hand when the wait began, consumers have the key.
func goal(verb event.Verb, began rotate.Report) func(rotate.Report) bool {
	if verb == event.Revoke {
		return func(r rotate.Report) bool { return r.Alive == "" && (r.Suspend == nil || !r.Suspend.Pending) }
	}
	if began.Journal.Incoming == nil {
		return func(rotate.Report) bool { return true }
	}
	before := inUse(began)
	return func(r rotate.Report) bool { return inUse(r) != before }
}

// inUse is the id of the key that consumers are given; empty is none.
func inUse(r rotate.Report) string {
	if r.Journal.Current == nil {
		return ""
	}
	return r.Journal.Current.ID
}

// continues reports whether the next step of what is in hand falls due in the time
// that is left.
func continues(r rotate.Report, now time.Time, left time.Duration) bool {
	return len(r.Left) > 0 && r.Left[0].At.Sub(now) < left
}

// asOf is the report of a command with how the credential stands by now.
func asOf(report, now rotate.Report) rotate.Report {
	report.Journal, report.Left, report.Paused = now.Journal, now.Left, now.Paused
	report.Next, report.Then = now.Next, now.Then
	report.Alive, report.Until, report.Suspend, report.Gone = now.Alive, now.Until, now.Suspend, now.Gone
	return report
}
