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

// respond carries out what the rules say of an alert, unless the brake holds, and
// returns what became of it, in one sentence.
func (f *Function) respond(ctx context.Context, a alerting.Alert) (outcome string, err error) {
	c, err := f.rules(ctx)
	if err != nil {
		return "", err
	}
	var v alerting.Verdict
	err = update(ctx, f, brakeDocument, func(spent *alerting.Spent) { v = c.Respond(a, spent, f.now()) })
	if err != nil || v.Why != "" {
		return v.Why, err
	}
	command, ok := commandOf(v.Action, a.Notice)
	if !ok { // the rules have changed since
		return "", nil
	}
	if err := f.expect(ctx, a); err != nil {
		return "", err
	}
	if err := f.config.Publisher.Publish(ctx, command.Outgoing()); err != nil {
		return "", fmt.Errorf("asking for %s of key %s: %w", v.Action, command.Key, err)
	}
	return fmt.Sprintf("%s of key %s was asked for without waiting for anybody", v.Action, command.Key), nil
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
	milestone := event.Milestone(strings.TrimPrefix(n.Detector, event.MilestonePrefix))
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
