package demo

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/pubsub/v2"
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
brake: {revocations-per-hour: 10}
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

// loop is one use of a stolen key, and when each step that followed was seen.
type loop struct {
	key      string
	used     time.Time // the stolen key was
	found    time.Time // a finding says so
	alerted  time.Time
	asked    time.Time // the rotate function was, to revoke it
	disabled time.Time // the key was
	resolved time.Time // the incident was
}

func (l loop) closed() bool { return !l.disabled.IsZero() && !l.resolved.IsZero() }

// took is the loop in seconds; of what was not seen, 0.
func (l loop) took() Loop {
	after := func(t time.Time) float64 { return max(0, t.Sub(l.used).Seconds()) }
	return Loop{Found: after(l.found), Alerted: after(l.alerted), Asked: after(l.asked), Disabled: after(l.disabled), Resolved: after(l.resolved)}
}

// take notes the steps that a message shows.
func (l *loop) take(topic string, m *pubsub.Message, now time.Time) {
	if l.key == "" || !strings.Contains(fmt.Sprint(m.Attributes)+string(m.Data), l.key) {
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
		first(&l.asked)
	case topic == event.TopicFindings && a["milestone"] == string(event.Disabled):
		first(&l.disabled)
	case a["detector"] != detect.StolenOldKey:
	case topic == event.TopicFindings:
		first(&l.found)
	case a["state"] == string(alerting.Open):
		first(&l.alerted)
	case a["state"] == string(alerting.Resolved):
		first(&l.resolved)
	}
}

// stolenKeys are how many keys are stolen.
const stolenKeys = 5

// settled are how many ticks consumers and the audit function may take to know of a rotation.
const settled = 9

// closeLoops has thieves use keys that were superseded, one after the other. Nobody is
// asked: each key must be dead, and its incident over.
func (s *stage) closeLoops(ctx context.Context) error {
	victims := s.credentials[1 : stolenKeys+1]
	s.progress.Stage("closed loop", len(victims))
	files, err := s.supersede(ctx, victims)
	if err != nil {
		return err
	}
	for i, file := range files {
		if err := s.closeLoop(ctx, file); err != nil {
			return fmt.Errorf("%s: %w", victims[i].secret, err)
		}
		s.progress.Advance(i + 1)
	}
	if err := s.tick(ctx); err != nil { // disabling takes a while to be known everywhere
		return err
	}
	for _, file := range files {
		if err := s.dead(ctx, "a stolen key", file); err != nil {
			return err
		}
	}
	s.seen.mark()
	return nil
}

// closeLoop uses one key from elsewhere, and waits for what comes of it.
func (s *stage) closeLoop(ctx context.Context, file []byte) error {
	key, err := keyID(file)
	if err != nil {
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
	return s.until(ctx, "the stolen key to be revoked without anybody being asked", s.seen.closed)
}

// supersede has credentials rotated by hand, waits until their consumers have moved,
// and returns the key files that they had.
func (s *stage) supersede(ctx context.Context, victims []credential) (files [][]byte, err error) {
	want := s.seen.milestones(event.Promoted) + len(victims)
	for _, c := range victims {
		file, err := s.payload(ctx, c.secret, "current")
		if err != nil {
			return nil, err
		}
		files = append(files, file)
		if err := s.byHand(ctx, event.Command{Verb: event.Rotate, Secret: c.secret}); err != nil {
			return nil, err
		}
	}
	for ticks := 0; s.seen.milestones(event.Promoted) < want; ticks++ {
		if ticks == settled {
			return nil, fmt.Errorf("not every credential has a new key after %v", settled*tick)
		}
		if err := s.tick(ctx); err != nil {
			return nil, err
		}
	}
	for range settled {
		if err := s.tick(ctx); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// begin has the loop of a key watched from now on.
func (s *sightings) begin(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loops = append(s.loops, loop{key: key, used: time.Now()})
}

// closed reports whether all loops are that have begun.
func (s *sightings) closed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !slices.ContainsFunc(s.loops, func(l loop) bool { return !l.closed() })
}

// longest is the loop in which the key worked longest. Unless all loops are closed
// it is a zero one.
func (s *sightings) longest() (worst Loop) {
	if !s.closed() {
		return worst
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.loops {
		if took := l.took(); took.Disabled >= worst.Disabled {
			worst = took
		}
	}
	worst.Keys = len(s.loops)
	return worst
}
