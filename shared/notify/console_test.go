package notify

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"example.com/keyturn/shared/alerting"
)

func sampleAlert() alerting.Alert {
	return alerting.Alert{
		ID: "a1", Incident: "i1", State: alerting.Open, Opened: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Findings: 3, Notice: alerting.Notice{
			Severity: alerting.High, Rule: "finding", Detector: "of-a-rule-file", Proven: true, Technique: "T1528",
			Subject: "thief", Project: "p", Credential: "c", Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Summary: "thief was denied tokens",
			Fields: []alerting.Field{{Name: "targets", Value: "a, b"}, {Name: "empty"}}, Next: "keyturn revoke SECRET", Link: "https://console.cloud.google.com/",
		},
	}
}

func TestConsolePrintsForPeople(t *testing.T) {
	var b strings.Builder
	if err := (&Console{W: &b}).Deliver(t.Context(), sampleAlert()); err != nil {
		t.Fatal(err)
	}
	want := `ALERT HIGH (open) thief was denied tokens
  who            thief
  project        p
  credential     c
  when           2026-03-01T12:00:00Z
  targets        a, b
  opened         2026-03-01T12:00:00Z
  findings       3
  incident       i1
  next           keyturn revoke SECRET
  technique      T1528
  technique at   https://attack.mitre.org/techniques/T1528/
  entries        https://console.cloud.google.com/
`
	if b.String() != want {
		t.Errorf("printed\n%swant\n%s", b.String(), want)
	}
}

func TestConsoleHoldsHostileTexts(t *testing.T) {
	for name, text := range hostiles {
		t.Run(name, func(t *testing.T) {
			a := hostile(text)
			a.State = alerting.State(text)
			var b strings.Builder
			if err := (&Console{W: &b}).Deliver(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			if !utf8.ValidString(b.String()) || strings.ContainsFunc(b.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
				t.Errorf("what does not print got through: %.500q", b.String())
			}
			if lines := strings.Count(b.String(), "\n"); lines > 1+maxFacts+10 || b.Len() > 40_000 {
				t.Errorf("%d lines, %d bytes", lines, b.Len())
			}
		})
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestConsoleReportsABrokenWriter(t *testing.T) {
	c := &Console{W: brokenWriter{}}
	if err := c.Deliver(t.Context(), sampleAlert()); err == nil || err.Error() != "printing alert a1: broken pipe" {
		t.Errorf("error %v", err)
	}
	if c.Name() != "console" {
		t.Errorf("name %q", c.Name())
	}
}
