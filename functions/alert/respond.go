package alert

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/notify"
)

// respond carries out what the rules say of an alert, unless the brake holds.
func (f *Function) respond(ctx context.Context, s alerting.Sending) alerting.Result {
	v, err := f.judge(ctx, s.Alert)
	if err != nil || v.Held != "" {
		r := result(s, err)
		r.Outcome, r.Held = v.Why, v.Held
		return r
	}
	command, ok := commandOf(v.Action, s.Alert.Notice)
	if !ok { // the rules have changed since
		return result(s, nil)
	}
	r := result(s, f.command(ctx, command))
	if r.Err == "" {
		r.Outcome = fmt.Sprintf("%s of key %s was asked for without waiting for anybody", v.Action, command.Key)
	}
	return r
}

func (f *Function) judge(ctx context.Context, a alerting.Alert) (v alerting.Verdict, err error) {
	c, err := f.rules(ctx)
	if err != nil {
		return v, err
	}
	err = guard(ctx, f, brakeDocument, func(spent *alerting.Spent) { v = c.Respond(a, spent, f.now()) })
	return v, err
}

// command asks the rotate function for something.
func (f *Function) command(ctx context.Context, c event.Command) error {
	if err := f.config.Publisher.Publish(ctx, c.Outgoing()); err != nil {
		return fmt.Errorf("asking for %s of key %s: %w", c.Verb, c.Key, err)
	}
	return nil
}

const (
	self   = "keyturn-alert" // who asks for what nobody in particular asks for
	maxWhy = 200             // bytes of a command's reason, fewer than it may have
)

// commandOf is what an action asks of the rotate function.
func commandOf(action alerting.Action, n alerting.Notice) (event.Command, bool) {
	c := event.Command{
		Secret: n.Credential, Key: path.Base(n.Key), By: self,
		Why: notify.Printable("incident "+alerting.IncidentOf(n)+": "+n.Detector, maxWhy),
	}
	switch action {
	case alerting.Rotate:
		c.Verb = event.Rotate
	case alerting.Revoke:
		c.Verb = event.Revoke
	case alerting.KillTokens:
		c.Verb, c.KillTokens = event.Revoke, true
	default:
		return event.Command{}, false
	}
	return c, true
}

// follow tells what a rotation event says of a key in the incident of what was
// found about that key. It is over when the key has stopped working.
func (f *Function) follow(ctx context.Context, n alerting.Notice) error {
	if n.Key == "" {
		return nil
	}
	milestone, found := milestoneOf(n.Detector), n
	found.Rule = alerting.RuleFinding
	return f.open(ctx, alerting.IncidentOf(found), func(in *alerting.Incident) {
		if n.Time.Before(in.Opened) || !in.Recent.Add(n.ID) {
			return
		}
		outcome := fmt.Sprintf("key %s: %s at %s", path.Base(n.Key), milestone, n.Time.UTC().Format("15:04:05"))
		if milestone == event.Disabled || milestone == event.Retired {
			in.Outcome = outcome
			in.Resolve("keyturn", "the key has stopped working", f.now())
			return
		}
		in.Report(outcome, f.now())
	})
}

// open changes an incident if there is one that is not resolved, and sends what
// that brings about.
func (f *Function) open(ctx context.Context, id string, c change) error {
	in, err := read[alerting.Incident](ctx, f, incidentPrefix+id)
	if errors.Is(err, errUnreadable) || err == nil && (in.Opened.IsZero() || in.Status() == "resolved") {
		return nil
	}
	if err != nil {
		return err
	}
	claimed, err := f.incident(ctx, id, c)
	f.send(ctx, id, claimed)
	return err
}

func milestoneOf(detector string) event.Milestone {
	return event.Milestone(strings.TrimPrefix(detector, event.MilestonePrefix))
}

// ends is what a milestone shows to be over: of the rotation, and of its key.
var ends = map[event.Milestone]struct{ rotation, key []event.Milestone }{
	event.Promoted:   {rotation: []event.Milestone{event.Failed, event.Refused, event.Overdue, event.Broken, event.RolledBack}},
	event.Disabled:   {rotation: []event.Milestone{event.Failed}, key: []event.Milestone{event.Exposed, event.Straggler, event.Restored}},
	event.Retired:    {rotation: []event.Milestone{event.Failed, event.Overdue}, key: []event.Milestone{event.Exposed, event.Straggler, event.Restored}},
	event.Reinstated: {rotation: []event.Milestone{event.Suspended}, key: []event.Milestone{event.Broken}}, // of no key, but the account
}

// end takes out of the incident of a rotation what an event shows to be over.
func (f *Function) end(ctx context.Context, n alerting.Notice) error {
	milestone := milestoneOf(n.Detector)
	over, ok := ends[milestone]
	if !ok {
		return nil
	}
	return f.open(ctx, alerting.IncidentOf(n), func(in *alerting.Incident) {
		in.End(func(c alerting.Cause) bool {
			was := milestoneOf(c.Detector)
			return slices.Contains(over.rotation, was) || c.Key == n.Key && slices.Contains(over.key, was)
		}, "keyturn", n.Summary, f.now())
	})
}
