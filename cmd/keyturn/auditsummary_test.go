package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/cmd/keyturn/internal/replay"
	"example.com/keyturn/shared/detect"
)

func TestReplaySummary(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r := replay.Result{Entries: 3, First: at, Last: at}
	for range maxShown + 2 {
		r.Groups = append(r.Groups, replay.Group{
			Severity: detect.Critical, Detector: "failure-then-success", FirstSeen: at, Findings: 100,
			Subject:   strings.Repeat("long", 64),
			Incidents: []detect.Finding{{Reason: strings.Repeat("many words ", 30), Advice: "nothing"}},
		})
	}
	got := replaySummary(r, usual)
	for _, want := range []string{"and 2 more subjects", "3 entries from 2026-03-01 12:00Z to 2026-03-01 12:00Z", "next: nothing"} {
		if !strings.Contains(got, want) {
			t.Errorf("the summary lacks %q", want)
		}
	}
	table, _, _ := strings.Cut(got, "\n\n")
	fitsTerminal(t, table)
	if !strings.Contains(got, "2026-03-01 12:00Z\n") {
		t.Errorf("the table lacks the time of day: %s", got)
	}
	if wide := replaySummary(r, 2*usual); strings.Count(wide, "\n") >= strings.Count(got, "\n") {
		t.Errorf("a wider terminal is not made use of:\n%s", wide)
	}
	if piped := replaySummary(r, unbroken); !strings.Contains(piped, r.Groups[0].Subject) || !strings.Contains(piped, r.Groups[0].Incidents[0].Reason) {
		t.Errorf("where no terminal is, lines are broken:\n%s", piped)
	}
	if got := replaySummary(replay.Result{}, usual); !strings.HasPrefix(got, "0 entries\n0 decoded") {
		t.Errorf("of nothing: %s", got)
	}
	if got := replaySummary(replay.Result{Entries: 1, Denials: 1, Findings: 1, Below: 1}, usual); !strings.HasPrefix(got, "1 finding is less severe than --severity asks for\n1 entry\n") || !strings.Contains(got, " 1 denial, 1 finding,") {
		t.Errorf("of one: %s", got)
	}
}

// Whatever is to be done about any of a group's incidents is said, once.
func TestReplayExplainsIncidents(t *testing.T) {
	g := replay.Group{
		Severity: detect.High, Detector: "foreign-key", Subject: "thief", Project: "p", Runbook: "1. Ask.\n2. Act.", Omitted: 2,
		From: []string{"192.0.2.7 curl"}, Permissions: []string{"a.b.c", "a.b.d", "a.b.e", "a.b.f", "a.b.g"}, Targets: []string{"a"}, MoreTargets: 7,
		Incidents: []detect.Finding{
			{Reason: "thief made one", Credential: "secret", Key: "key", Advice: "revoke one", Link: "https://one", Entries: 57, Linked: 20},
			{Reason: "thief made one more", Advice: "revoke one", Link: "https://more"},
			{Reason: "thief made two", Key: "other", Advice: "revoke two", Link: "https://two"},
		},
	}
	want := `
HIGH foreign-key (5 incidents): thief made one.
  who: thief
  project: p
  from: 192.0.2.7 curl
  permissions: a.b.c, a.b.d, a.b.e and 2 more
  targets: a and 7 more
  runbook: 1. Ask. 2. Act.
  credential: secret
  key: key
  next: revoke one
  entries (20 of 57): https://one

also: thief made two.
  key: other
  next: revoke two
  entries: https://two

and 2 more incidents of it: --findings FILE has all
`
	if got := replaySummary(replay.Result{Groups: []replay.Group{g}}, unbroken); !strings.Contains(got, want) {
		t.Errorf("the summary\n%s\nlacks\n%s", got, want)
	}
}

func TestExplained(t *testing.T) {
	group := func(severity detect.Severity, subject string) replay.Group {
		return replay.Group{Severity: severity, Subject: subject, Incidents: []detect.Finding{{Reason: subject}}}
	}
	several := func(n int, severity detect.Severity) (groups []replay.Group) {
		for i := range n {
			groups = append(groups, group(severity, fmt.Sprint(severity, i)))
		}
		return groups
	}
	thief := group(detect.High, "thief")
	for _, tt := range []struct {
		name   string
		groups []replay.Group
		want   int
		more   string
	}{
		{"nothing", nil, 0, ""},
		{"what is severe", several(12, detect.High), 12, ""},
		{"all that is severe, and nothing else", append(several(12, detect.Critical), several(3, detect.Info)...), 12, "3 more subjects are explained with --json or --findings FILE"},
		{"some of what is not", several(alsoExplained+1, detect.Warning), alsoExplained, "1 more subject is explained with"},
		{"not too much", several(maxExplained+5, detect.Critical), maxExplained, "5 more subjects are explained"},
		{"each subject before one twice", append([]replay.Group{thief, thief}, several(maxExplained-1, detect.High)...), maxExplained, "1 more subject is explained"},
	} {
		got := explained(tt.groups)
		subjects := make(map[string]bool)
		for _, g := range got {
			subjects[g.Subject] = true
		}
		if len(got) != tt.want || len(subjects) != tt.want {
			t.Errorf("%s: %d groups of %d subjects are explained, want %d", tt.name, len(got), len(subjects), tt.want)
		}
		if summary := replaySummary(replay.Result{Groups: tt.groups}, usual); !strings.Contains(summary, tt.more) || strings.Contains(summary, "explained with") != (tt.more != "") {
			t.Errorf("%s: it is not told that %q:\n%s", tt.name, tt.more, summary)
		}
	}
}
