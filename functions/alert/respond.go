package alert

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"

	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/event"
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
	r := result(s, f.command(ctx, s.Alert, command))
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
	err = update(ctx, f, brakeDocument, func(spent *alerting.Spent) { v = c.Respond(a, spent, f.now()) })
	return v, err
}

// command asks the rotate function for what answers an alert.
func (f *Function) command(ctx context.Context, a alerting.Alert, c event.Command) error {
	if err := f.expect(ctx, a); err != nil {
		return err
	}
	if err := f.config.Publisher.Publish(ctx, c.Outgoing()); err != nil {
		return fmt.Errorf("asking for %s of key %s: %w", c.Verb, c.Key, err)
	}
	return nil
}

// commandOf is what an action asks of the rotate function.
func commandOf(action alerting.Action, n alerting.Notice) (event.Command, bool) {
	c := event.Command{Secret: n.Credential, Key: path.Base(n.Key)}
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

// maxExpected is how many incidents wait for news of one credential.
const maxExpected = 32

// expected is an incident that waits for news of a key.
type expected struct {
	Incident string `json:"incident"`
	Key      string `json:"key"` // its short id
}

// expect has news of the key of an alert told in its incident.
func (f *Function) expect(ctx context.Context, a alerting.Alert) error {
	e := expected{a.Incident, path.Base(a.Key)}
	return update(ctx, f, askedFor(a.Credential), func(all *[]expected) {
		if !slices.Contains(*all, e) {
			*all = append((*all)[max(0, len(*all)+1-maxExpected):], e)
		}
	})
}

func askedFor(credential string) string {
	sum := sha256.Sum256([]byte(credential))
	return askedPrefix + hex.EncodeToString(sum[:16])
}

// follow tells what a rotation event says of a key in the incidents in which it
// was asked for. One whose key has stopped working is over.
func (f *Function) follow(ctx context.Context, n alerting.Notice) error {
	waiting, err := read[[]expected](ctx, f, askedFor(n.Credential))
	if err != nil {
		return fmt.Errorf("looking who waits for news of %s: %w", n.Credential, err)
	}
	milestone := milestoneOf(n.Detector)
	for _, e := range waiting {
		if e.Key != path.Base(n.Key) {
			continue
		}
		claimed, err := f.incident(ctx, e.Incident, func(in *alerting.Incident) {
			outcome := fmt.Sprintf("key %s: %s at %s", e.Key, milestone, n.Time.UTC().Format("15:04:05"))
			if milestone == event.Disabled || milestone == event.Retired {
				in.Outcome = outcome
				in.Resolve("keyturn", "the key has stopped working", f.now())
				return
			}
			in.Report(outcome, f.now())
		})
		if err != nil {
			return err
		}
		f.send(ctx, e.Incident, claimed)
	}
	return nil
}

func milestoneOf(detector string) event.Milestone {
	return event.Milestone(strings.TrimPrefix(detector, event.MilestonePrefix))
}

// ends is what a milestone shows to be over: of the rotation, and of its key.
var ends = map[event.Milestone]struct{ rotation, key []event.Milestone }{
	event.Promoted:   {rotation: []event.Milestone{event.Failed, event.Refused, event.Overdue, event.Broken, event.RolledBack}},
	event.Disabled:   {rotation: []event.Milestone{event.Failed}, key: []event.Milestone{event.Exposed, event.Straggler, event.Restored}},
	event.Retired:    {rotation: []event.Milestone{event.Failed, event.Overdue}, key: []event.Milestone{event.Exposed, event.Straggler, event.Restored}},
	event.Reinstated: {rotation: []event.Milestone{event.Suspended}},
}

// end takes out of the incident of a rotation what an event shows to be over.
func (f *Function) end(ctx context.Context, n alerting.Notice) error {
	milestone := milestoneOf(n.Detector)
	over, ok := ends[milestone]
	if !ok {
		return nil
	}
	id := alerting.IncidentOf(n)
	in, err := read[alerting.Incident](ctx, f, incidentPrefix+id)
	if err != nil || in.Status() == "resolved" || len(in.Causes) == 0 {
		return err
	}
	claimed, err := f.incident(ctx, id, func(in *alerting.Incident) {
		in.End(func(c alerting.Cause) bool {
			was := milestoneOf(c.Detector)
			return slices.Contains(over.rotation, was) || c.Key == n.Key && slices.Contains(over.key, was)
		}, "keyturn", n.Summary, f.now())
	})
	f.send(ctx, id, claimed)
	return err
}
