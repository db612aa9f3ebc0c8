package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
)

// rules have a stolen key revoked without anybody being asked.
const rules = `channels:
  chat:
    webhook: {url: %q}
    private: true
responses:
  - match: {detectors: [` + detect.StolenOldKey + `]}
    action: revoke
`

// writeRules writes an alerts.yaml in a directory of its own.
func writeRules(webhook string) (path string, forget func(), err error) {
	dir, err := os.MkdirTemp("", "keyturn-demo-")
	if err != nil {
		return "", nil, fmt.Errorf("making a place for alerts.yaml: %w", err)
	}
	path = filepath.Join(dir, "alerts.yaml")
	forget = func() { _ = os.RemoveAll(dir) } // what stays is in the way of nobody
	return path, forget, os.WriteFile(path, fmt.Appendf(nil, rules, webhook), 0o600)
}

// Steps of the closed loop, by when each was seen.
type loop struct {
	Key      string
	Used     time.Time // the stolen key was
	Found    time.Time // a finding says so
	Alerted  time.Time
	Asked    time.Time // the rotate function was, to revoke it
	Disabled time.Time // the key was
	Resolved time.Time // the incident was
}

// saw is how long after the key was used each step was seen.
func (l loop) saw() string {
	if l.Used.IsZero() || l.Resolved.IsZero() {
		return "not closed"
	}
	after := func(t time.Time) string { return fmt.Sprintf("%.2f s", t.Sub(l.Used).Seconds()) }
	return fmt.Sprintf("found after %s, alert %s, disabled %s, resolved %s", after(l.Found), after(l.Alerted), after(l.Disabled), after(l.Resolved))
}

// took is the loop in seconds; of what was not seen, 0.
func (l loop) took() Loop {
	after := func(t time.Time) float64 { return max(0, t.Sub(l.Used).Seconds()) }
	return Loop{after(l.Found), after(l.Alerted), after(l.Asked), after(l.Disabled), after(l.Resolved)}
}

// take notes the steps that a message shows.
func (l *loop) take(topic string, m *pubsub.Message, now time.Time) {
	if l.Key == "" || !strings.Contains(fmt.Sprint(m.Attributes)+string(m.Data), l.Key) {
		return
	}
	first := func(t *time.Time) {
		if t.IsZero() {
			*t = now
		}
	}
	a := m.Attributes
	switch {
	case topic == event.TopicRotate && a["command"] == string(event.Revoke):
		first(&l.Asked)
	case topic == event.TopicFindings && a["milestone"] == string(event.Disabled):
		first(&l.Disabled)
	case a["detector"] != detect.StolenOldKey:
	case topic == event.TopicFindings:
		first(&l.Found)
	case a["state"] == string(alerting.Open):
		first(&l.Alerted)
	case a["state"] == string(alerting.Resolved):
		first(&l.Resolved)
	}
}

// settled are how many ticks consumers and the audit function may take to know of a rotation.
const settled = 9

// closeLoop has a thief use a key that was superseded. Nobody is asked: the key must be
// dead, and the incident over.
func (s *stage) closeLoop(ctx context.Context) error {
	s.progress.Stage("closed loop", 1)
	victim := s.credentials[2]
	v, err := s.secrets.AccessSecretVersion(ctx, &secretmanagerpb.AccessSecretVersionRequest{Name: victim.secret + "/versions/current"})
	if err != nil {
		return err
	}
	file := v.GetPayload().GetData()
	key, err := keyID(file)
	if err != nil {
		return err
	}
	if err := s.supersede(ctx, victim.secret); err != nil {
		return err
	}
	token, err := s.mint(ctx, file)
	if err != nil {
		return fmt.Errorf("the old key does not work in its overlap: %w", err)
	}
	s.canaries.add(token)
	s.seen.begin(key)
	if _, err := s.asAttacker(ctx, token, http.MethodPost, "/v1beta/models/gemini-2.5-flash:generateContent", generate); err != nil {
		return err
	}
	if err := s.until(ctx, "the stolen key to be revoked without anybody being asked", s.seen.closed); err != nil {
		return err
	}
	if err := s.tick(ctx); err != nil { // disabling takes a while to be known everywhere
		return err
	}
	if _, err := s.mint(ctx, file); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
		return fmt.Errorf("the stolen key still mints tokens (error %v)", err)
	}
	s.seen.mark()
	s.progress.Advance(1)
	return nil
}

// supersede has a credential rotated, and waits until its consumers have moved.
func (s *stage) supersede(ctx context.Context, secret string) error {
	body, err := json.Marshal(event.Command{Verb: event.Rotate, Secret: secret})
	if err != nil {
		return err
	}
	promoted := s.seen.milestones(event.Promoted)
	if err := s.byHand(ctx, "RotateHTTP", string(body)); err != nil {
		return err
	}
	for ticks := 0; s.seen.milestones(event.Promoted) == promoted; ticks++ {
		if ticks == settled {
			return fmt.Errorf("%s has no new key after %v", secret, settled*tick)
		}
		if err := s.tick(ctx); err != nil {
			return err
		}
	}
	for range settled {
		if err := s.tick(ctx); err != nil {
			return err
		}
	}
	return nil
}

// begin has the loop of a key watched from now on.
func (s *sightings) begin(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loop = loop{Key: key, Used: time.Now()}
}

func (s *sightings) closed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.loop.Disabled.IsZero() && !s.loop.Resolved.IsZero()
}
