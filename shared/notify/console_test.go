package notify

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"example.com/keyturn/shared/alerting"
)

func sampleAlert() alerting.Alert {
	return alerting.Alert{
		ID: "a1", Incident: "i1", State: alerting.Open, Opened: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Findings: 3, Notice: alerting.Notice{
			Severity: alerting.High, Rule: "finding", Detector: "token-minting",
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
  when         2026-03-01T12:00:00Z
  who          thief
  project      p
  credential   c
  targets      a, b
  next         keyturn revoke SECRET
  entries      https://console.cloud.google.com/
  incident     i1
`
	if b.String() != want {
		t.Errorf("printed\n%swant\n%s", b.String(), want)
	}
}

func TestConsoleEscapesAndBounds(t *testing.T) {
	hostile := "x\x1b]0;owned\a\r\nALERT CRITICAL fake\u202e\u2028" + strings.Repeat("é", 10_000) + "\xff"
	a := sampleAlert()
	a.Summary, a.Subject, a.Project, a.Credential, a.Next, a.Link, a.State = hostile, hostile, hostile, hostile, hostile, hostile, alerting.State(hostile)
	a.Fields = []alerting.Field{{Name: hostile, Value: hostile}}
	var b strings.Builder
	if err := (&Console{W: &b}).Deliver(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(b.String(), "\x1b\a\r\u202e\u2028") || !utf8.ValidString(b.String()) {
		t.Errorf("what does not print got through: %q", b.String())
	}
	if lines := strings.Count(b.String(), "\n"); lines != 9 {
		t.Errorf("%d lines, want 9", lines)
	}
	if b.Len() > 20*maxPrinted {
		t.Errorf("printed %d bytes", b.Len())
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
