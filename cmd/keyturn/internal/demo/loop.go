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
	"example.com/keyturn/cmd/keyturn/internal/keyfile"
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

// theft is whose key a thief has.
type theft struct {
	secret    string // projects/P/secrets/S
	file      []byte // the stolen key file
	key       string // its id
	successor string // the key that consumers have instead
}

// loop is one use of a stolen key, and when each step that followed was seen.
type loop struct {
	theft
	detector string // that found it
	severity string
	incident string
	used     time.Time // the stolen key was
	found    time.Time // a finding says so
	alerted  time.Time
	asked    time.Time // the rotate function was, to revoke it
	disabled time.Time // the key was
	resolved time.Time // the incident was
}

func (l loop) closed() bool { return !l.disabled.IsZero() && !l.resolved.IsZero() }

// took is how long each step took; 0 of what was not seen.
func (l loop) took() Steps {
	after := func(t time.Time) float64 { return max(0, t.Sub(l.used).Seconds()) }
	return Steps{Found: after(l.found), Alerted: after(l.alerted), Asked: after(l.asked), Disabled: after(l.disabled), Resolved: after(l.resolved)}
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
		l.detector, l.severity = a["detector"], a["severity"]
	case a["state"] == string(alerting.Open):
		first(&l.alerted)
		l.incident = a["incident"]
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
	requests, failed := s.ledger.requests.Load(), s.ledger.failed.Load()
	thefts, err := s.supersede(ctx, victims)
	if err != nil {
		return err
	}
	for i, stolen := range thefts {
		if err := s.closeLoop(ctx, stolen); err != nil {
			return fmt.Errorf("%s: %w", stolen.secret, err)
		}
		s.progress.Advance(i + 1)
	}
	if err := s.tick(ctx); err != nil { // disabling takes a while to be known everywhere
		return err
	}
	s.seen.meanwhile = Meanwhile{s.ledger.requests.Load() - requests, s.ledger.failed.Load() - failed}
	for _, stolen := range thefts {
		if err := s.dead(ctx, "a stolen key", stolen.file); err != nil {
			return err
		}
	}
	s.seen.mark()
	return nil
}

// closeLoop uses one key from elsewhere, and waits for what comes of it.
func (s *stage) closeLoop(ctx context.Context, stolen theft) error {
	token, err := keyfile.Mint(ctx, s.http, stolen.file)
	if err != nil {
		return fmt.Errorf("the old key does not work in its overlap: %w", err)
	}
	s.canaries.add(token)
	s.seen.begin(stolen)
	if _, err := s.asAttacker(ctx, token, http.MethodPost, "/v1beta/models/gemini-2.5-flash:generateContent", generate); err != nil {
		return err
	}
	return s.until(ctx, "the stolen key to be revoked without anybody being asked", s.seen.closed)
}

// supersede steals the keys of credentials, has them rotated by hand, and waits until
// their consumers have moved.
func (s *stage) supersede(ctx context.Context, victims []credential) ([]theft, error) {
	want := s.seen.milestones(event.Promoted) + len(victims)
	thefts := make([]theft, len(victims))
	for i, c := range victims {
		stolen := &thefts[i]
		stolen.secret = c.secret
		var err error
		if stolen.file, stolen.key, err = s.currentKey(ctx, c.secret); err != nil {
			return nil, err
		}
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
	for i := range thefts {
		var err error
		if _, thefts[i].successor, err = s.currentKey(ctx, thefts[i].secret); err != nil {
			return nil, err
		}
	}
	return thefts, nil
}

// currentKey is the key file that consumers are given, and its id.
func (s *stage) currentKey(ctx context.Context, secret string) (file []byte, id string, err error) {
	if file, err = s.payload(ctx, secret, "current"); err != nil {
		return nil, "", err
	}
	id, err = keyfile.ID(file)
	return file, id, err
}

// begin has the loop of a key watched from now on.
func (s *sightings) begin(stolen theft) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loops = append(s.loops, loop{theft: stolen, used: time.Now()})
}

// closed reports whether all loops are that have begun.
func (s *sightings) closed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !slices.ContainsFunc(s.loops, func(l loop) bool { return !l.closed() })
}
