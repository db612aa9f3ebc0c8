package alert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/functions/door"
	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
)

const (
	secret = "projects/acme/secrets/billing"
	key    = "0123456789abcdef0123456789abcdef01234567"
)

// sealKey checks seals by a key that it has; broken, it cannot be had.
type sealKey struct {
	key    []byte
	broken bool
}

func (s *sealKey) CheckSeal(_ context.Context, m event.Message, topic string) error {
	if s.broken {
		return errors.New("the key cannot be read")
	}
	return event.CheckSeal(m, topic, s.key, start)
}

// respondingEnv has every finding of severity high revoke its key.
func respondingEnv(t *testing.T, action alerting.Action) (*env, *sealKey) {
	e, s := newEnv(t), &sealKey{key: []byte("seal")}
	e.f.config.Seals = s
	e.f.config.Rules.Responses = []alerting.Response{{Match: alerting.Match{Severity: alerting.High}, Action: action}}
	return e, s
}

// abuse is a sealed finding about a key.
func (e *env) abuse(s *sealKey, id, key string) error {
	e.Helper()
	f := finding(id, detect.High, 8)
	f.Credential, f.Key = secret, "//iam.googleapis.com/projects/acme/serviceAccounts/a@b/keys/"+key
	out, err := event.FindingEvent(f)
	must(e.T, err)
	return e.deliver(event.Seal(out, s.key, start.Add(time.Hour)), nil)
}

// milestone is a sealed rotation event.
func (e *env) milestone(s *sealKey, id string, m event.Milestone, key string, at time.Time) error {
	e.Helper()
	out, err := event.RotationEvent(event.Rotation{ID: id, Milestone: m, Time: at, Project: project, Secret: secret, Key: key, Severity: m.SeverityOf()})
	must(e.T, err)
	return e.deliver(event.Seal(out, s.key, start.Add(time.Hour)), nil)
}

func TestARevocationByHandEndsTheIncidentOfTheKey(t *testing.T) {
	e, s := respondingEnv(t, alerting.Propose)
	must(t, e.abuse(s, "f1", key))
	must(t, e.milestone(s, "of before", event.Disabled, key, start.Add(-time.Second)))
	must(t, e.milestone(s, "of another", event.Disabled, "another", start))
	for range 3 {
		must(t, e.milestone(s, "m1", event.Straggler, key, start))
		must(t, e.milestone(s, "m2", event.Suspended, key, start))
	}
	if got := states(e.mail.got); got != "open update open update update" { // of the key, and of the rotation
		t.Errorf("told %s", got)
	}
	e.mail.got = nil
	must(t, e.milestone(s, "m3", event.Disabled, key, start))
	must(t, e.milestone(s, "m1", event.Straggler, key, start))
	if in := e.mail.got[0]; len(e.mail.got) != 1 || in.State != alerting.Resolved || !strings.Contains(in.Outcome, "disabled at") {
		t.Errorf("told %+v", e.mail.got)
	}
}

func (e *env) commanded() (all []event.Command) {
	e.Helper()
	for _, m := range e.published(event.TopicRotate) {
		c, err := event.DecodeCommand(event.Message{Data: m.GetData(), Attributes: m.GetAttributes()})
		must(e.T, err)
		all = append(all, c)
	}
	return all
}

func TestAFindingClosesTheLoop(t *testing.T) {
	for action, want := range map[alerting.Action]event.Command{
		alerting.Rotate:     {Verb: event.Rotate, Secret: secret, Key: key},
		alerting.Revoke:     {Verb: event.Revoke, Secret: secret, Key: key},
		alerting.KillTokens: {Verb: event.Revoke, Secret: secret, Key: key, KillTokens: true},
	} {
		e, s := respondingEnv(t, action)
		must(t, e.abuse(s, "f1", key))
		must(t, e.abuse(s, "f1", key))
		must(t, e.abuse(s, "f2", key))
		got := e.commanded()
		if len(got) != 1 || !strings.HasPrefix(got[0].Why, "incident ") || !strings.Contains(got[0].Why, "permission-probing") {
			t.Fatalf("%s: commands %+v, want one that says why", action, got)
		}
		want.By, want.Why = "keyturn-alert", got[0].Why
		if got[0] != want {
			t.Errorf("%s: command %+v, want %+v", action, got[0], want)
		}
		for range 2 {
			must(t, e.milestone(s, "m1", event.Disabled, key, start))
		}
		if got := states(e.mail.got); got != "open update resolved" {
			t.Fatalf("%s: told %s", action, got)
		}
		if asked, over := e.mail.got[1].Outcome, e.mail.got[2].Outcome; !strings.Contains(asked, "was asked for") || !strings.Contains(over, key+": disabled at 12:00:00") {
			t.Errorf("%s: outcomes %q, %q", action, asked, over)
		}
	}
}

func TestWhatIsNotProvenIsToldAndNotActedUpon(t *testing.T) {
	for name, forge := range map[string]func(e *env, s *sealKey) error{
		"another key": func(e *env, s *sealKey) error { return e.abuse(&sealKey{key: []byte("forged")}, "f1", key) },
		"no seal":     func(e *env, s *sealKey) error { return e.abuseUnsealed() },
		"no way to tell": func(e *env, s *sealKey) error {
			e.f.config.Seals = nil
			return e.abuse(s, "f1", key)
		},
	} {
		e, s := respondingEnv(t, alerting.Revoke)
		must(t, forge(e, s))
		if got := e.commanded(); len(got) > 0 {
			t.Errorf("%s: commanded %+v", name, got)
		}
		if got := states(e.mail.got); got != "open update" || !strings.Contains(e.mail.got[1].Outcome, "not known to come from keyturn itself") {
			t.Errorf("%s: told %s: %+v", name, got, e.mail.got)
		}
		rotation, err := event.RotationEvent(event.Rotation{ID: "m1", Milestone: event.Disabled, Time: start, Secret: secret, Key: key, Severity: "info"})
		must(t, err)
		must(t, e.deliver(rotation, nil))
		if got := states(e.mail.got); got != "open update" {
			t.Errorf("%s: a rotation event that anybody may have sent ended it: %s", name, got)
		}
	}
}

func (e *env) abuseUnsealed() error {
	f := finding("f1", detect.High, 8)
	f.Credential, f.Key = secret, key
	return e.take(f)
}

func TestASealThatCannotBeCheckedIsCheckedLater(t *testing.T) {
	e, s := respondingEnv(t, alerting.Revoke)
	s.broken = true
	if err := e.abuse(s, "f1", key); err != door.ErrRedeliver {
		t.Errorf("error %v, want the fixed one", err)
	}
}

func TestTheBrakeHoldsInAFlood(t *testing.T) {
	e, s := respondingEnv(t, alerting.Revoke)
	e.f.config.Rules.Brake.PerHour = 4
	for i := range 30 {
		must(t, e.abuse(s, fmt.Sprint("f", i), fmt.Sprintf("%040x", i)))
	}
	held := 0
	for _, a := range e.mail.got {
		if strings.Contains(a.Outcome, "after 4 automatic revocations within an hour") {
			held++
		}
	}
	if got := e.commanded(); len(got) != 4 || held != 26 {
		t.Errorf("%d commands and %d alerts that say why there are no more, want 4 and 26", len(got), held)
	}
}

func TestTheStopSwitch(t *testing.T) {
	e, s := respondingEnv(t, alerting.Revoke)
	code, _, answer := ask(t, e.f, http.MethodPost, `{"command":"stop","by":"me","why":"false alarms"}`)
	if code != http.StatusOK {
		t.Fatalf("%d %s", code, answer)
	}
	must(t, e.abuse(s, "f1", key))
	if got := e.commanded(); len(got) > 0 || !strings.Contains(e.mail.got[1].Outcome, "stopped: false alarms (me)") {
		t.Errorf("commanded %+v, told %+v", got, e.mail.got)
	}
	_, _, _ = ask(t, e.f, http.MethodPost, `{"command":"start"}`)
	must(t, e.abuse(s, "f2", key))
	if got := e.commanded(); len(got) != 1 {
		t.Errorf("commanded %+v after the start", got)
	}
}

func TestWhatIsForgedHidesNothing(t *testing.T) {
	e, s := respondingEnv(t, alerting.Revoke)
	must(t, e.abuse(&sealKey{key: []byte("forged")}, "f1", key))
	must(t, e.abuse(s, "f1", key))
	if got := e.commanded(); len(got) != 1 {
		t.Errorf("commanded %+v, want one revocation", got)
	}
	if all := list(e); len(all) != 2 {
		t.Errorf("%d incidents, want the forged one and the true one", len(all))
	}
}

func TestWhatIsFoundOfOneKeyIsOneIncident(t *testing.T) {
	e, s := respondingEnv(t, alerting.Revoke)
	for i, detector := range []string{detect.PermissionProbing, detect.UnreadKeyUsed, detect.OldKeyInUse} {
		f := finding(fmt.Sprint("f", i), detect.High, 8)
		f.Detector, f.Subject, f.Credential, f.Key = detector, detector, secret, "//iam.googleapis.com/"+key
		out, err := event.FindingEvent(f)
		must(t, err)
		must(t, e.deliver(event.Seal(out, s.key, start.Add(time.Hour)), nil))
	}
	all := list(e)
	if len(all) != 1 || len(all[0].Causes) != 3 || len(e.commanded()) != 1 {
		t.Errorf("incidents %+v, want one with three causes and one command", all)
	}
	if got := states(e.mail.got); got != "open update update update" {
		t.Errorf("told %s, want each cause and what was asked for", got)
	}
}

// list returns all incidents.
func list(e *env) []Line {
	e.Helper()
	_, _, answer := ask(e.T, e.f, http.MethodPost, `{"command":"list"}`)
	var all Overview
	must(e.T, json.Unmarshal(answer, &all))
	return all.Incidents
}

func TestARotationThatGoesOnEndsItsIncident(t *testing.T) {
	for name, c := range map[string]struct {
		trouble, then []event.Milestone
		key           string // of what comes then
		want          string
	}{
		"a step that failed works":          {[]event.Milestone{event.Failed}, []event.Milestone{event.Started, event.Promoted}, key, "open resolved"},
		"one of two is over":                {[]event.Milestone{event.Failed, event.Straggler}, []event.Milestone{event.Promoted}, key, "open update"},
		"both are over":                     {[]event.Milestone{event.Failed, event.Straggler}, []event.Milestone{event.Disabled}, key, "open update resolved"},
		"an exposed key is disabled":        {[]event.Milestone{event.Exposed}, []event.Milestone{event.Promoted, event.Disabled}, key, "open resolved"},
		"another key than the exposed one":  {[]event.Milestone{event.Exposed}, []event.Milestone{event.Disabled}, "other", "open"},
		"a suspended account is reinstated": {[]event.Milestone{event.Suspended}, []event.Milestone{event.Reinstated, event.Retired}, "", "open resolved"},
		"a deleted account is there again":  {[]event.Milestone{event.Broken}, []event.Milestone{event.Reinstated}, key, "open resolved"},
		"a key that stays broken":           {[]event.Milestone{event.Broken}, []event.Milestone{event.Reinstated}, "", "open"},
		"nothing was wrong":                 {nil, []event.Milestone{event.Promoted, event.Retired}, key, ""},
	} {
		e, s := respondingEnv(t, alerting.Propose)
		for i, m := range append(c.trouble, c.then...) {
			of := key
			if i >= len(c.trouble) {
				of = c.key
			}
			must(t, e.milestone(s, fmt.Sprint(i), m, of, start))
		}
		if got := states(e.mail.got); got != c.want {
			t.Errorf("%s: told %q, want %q", name, got, c.want)
		}
	}
}

func TestAResponseThatCannotBeSentIsSentLater(t *testing.T) {
	e, s := respondingEnv(t, alerting.Revoke)
	e.failing()
	must(t, e.abuse(s, "f1", key))
	e.faults.Set(nil)
	e.tendAfter(10 * time.Second)
	if got := e.commanded(); len(got) != 1 {
		t.Errorf("commanded %+v", got)
	}
}
