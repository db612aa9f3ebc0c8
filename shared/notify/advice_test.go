package notify

import (
	"strings"
	"testing"

	"example.com/keyturn/shared/alerting"
)

const show = "keyturn alerts show " + incident

// TestOverIsOver: a key that has stopped working is not revoked again, and what
// somebody has taken up is theirs.
func TestOverIsOver(t *testing.T) {
	for state, want := range map[alerting.State]string{
		alerting.Open: stolenKey(alerting.Open).Next, alerting.Update: stolenKey(alerting.Open).Next, alerting.Escalated: stolenKey(alerting.Open).Next,
		alerting.Acknowledged: show, alerting.Resolved: show,
	} {
		for channel, text := range rendered(t, stolenKey(state)) {
			over := want == show
			if strings.Contains(text, "keyturn revoke") == over && channel != "pagerduty" || over && strings.Contains(text, "keyturn alerts ack") {
				t.Errorf("%s, %s: %s", channel, state, text)
			}
		}
		if got := compose(stolenKey(state), deployed); got.Next != want || (got.Runbook == "") != (state == alerting.Resolved) || got.Page == "" {
			t.Errorf("%s: next %q, runbook %q at %q", state, got.Next, got.Runbook, got.Page)
		}
	}
	a := stolenKey(alerting.Resolved)
	a.Incident = "x; reboot"
	if got := compose(a, deployed).Next; got != "keyturn alerts list" {
		t.Errorf("next %q of an incident without an id", got)
	}
}

// TestNoStrangerGivesAdvice: what is not sealed says so in every channel, and has
// nothing done, read or opened that its author chose.
func TestNoStrangerGivesAdvice(t *testing.T) {
	for _, rule := range []string{alerting.RuleFinding, alerting.RuleRotation} {
		a := forged()
		a.Rule = rule
		for channel, text := range rendered(t, a) {
			if !strings.Contains(text, "not known to come from keyturn itself") {
				t.Errorf("%s does not warn: %s", channel, text)
			}
			for _, chosen := range []string{"evil.example", "wget", "keyturn revoke", "Run the next command"} {
				if strings.Contains(text, chosen) {
					t.Errorf("%s tells %q: %s", channel, chosen, text)
				}
			}
		}
		m := compose(a, deployed)
		if m.Next != "keyturn status" || m.Runbook != Explain(a.Detector).Runbook || headline(m) != "CRITICAL open, unproven" {
			t.Errorf("%s: next %q, runbook %q", headline(m), m.Next, m.Runbook)
		}
		a.State = alerting.Resolved
		if got := compose(a, deployed).Next; got != show {
			t.Errorf("next %q once it is resolved", got)
		}
	}
}

// TestWhatHasNoSealIsNotDoubted, as of a digest, which the alert function makes.
func TestWhatHasNoSealIsNotDoubted(t *testing.T) {
	for _, rule := range []string{alerting.RuleDigest, "test"} {
		a := stolenKey(alerting.Open)
		a.Proven, a.Rule = false, rule
		if m := compose(a, deployed); m.Doubtful || m.Next != a.Next || m.Sentence != a.Summary {
			t.Errorf("%s: %+v", rule, m)
		}
	}
	a := forged()
	a.Link = "https://console.cloud.google.com/logs"
	if got := compose(a, deployed).Logs; got != a.Link {
		t.Errorf("the link to Google's own console became %q", got)
	}
}
