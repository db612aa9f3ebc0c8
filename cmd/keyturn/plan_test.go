package main

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/rotation"
)

// TestPlanOnATerminal fits it, and shows all that is in the way.
func TestPlanOnATerminal(t *testing.T) {
	at := time.Date(2030, 1, 7, 8, 0, 0, 0, time.UTC)
	calls := []rotate.Call{{API: "IAM", Method: "ListServiceAccountKeys", Calls: 1}, {API: "IAM", Method: "UploadServiceAccountKey", Calls: 2}, {API: "Secret Manager", Method: "AddSecretVersion", Calls: 1}, {API: "Secret Manager", Method: "UpdateSecret", Calls: 2}}
	p := planned{
		Plans: []rotate.Plan{
			{Secret: "projects/p/secrets/broken", Problems: []rotate.Bar{{Reason: "annotation keyturn.journal is missing", Blocks: true}}},
			{
				Secret: "projects/p/secrets/full", Kind: "service-account-key", Target: "projects/p/serviceAccounts/full@p.iam.gserviceaccount.com",
				Turns: []rotate.Turn{{At: at, Calls: calls, Steps: []rotate.TurnStep{
					{Step: rotation.Begin, Why: "the period has passed, or the key expires soon, and so on, at such length that no terminal has it in one line"},
					{Step: rotation.Disable, Key: strings.Repeat("a", 40), Why: "revoked"},
				}}, {At: at.Add(time.Hour), Steps: []rotate.TurnStep{{Step: rotation.Delete, Why: "later"}}}},
				Paused:   &rotate.Pause{By: "ada", Why: "freeze", At: at, Until: at.Add(time.Hour)},
				Problems: []rotate.Bar{{Reason: "it has 10 user-managed keys", Blocks: true}, {Reason: "uploads are denied", Blocks: false}},
				Unasked:  []rotate.Doubt{{What: "permissions on it", Reason: "nobody answers"}},
				Room:     &rotate.Room{Keys: 10, Limit: 10, Short: true, Named: []rotate.LeftKey{{ID: strings.Repeat("b", 40), Is: "in use"}}},
			},
		},
		Quota: []rotate.QuotaUse{{API: "IAM", Kind: "write", Project: "p", Calls: 3, PerMinute: 300}},
	}
	for _, whole := range []bool{false, true} {
		got := p.text(usual, whole)
		for line := range strings.Lines(got) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > usual {
				t.Errorf("%d columns: %s", n, line)
			}
		}
		for want, only := range map[string]bool{
			"! annotation keyturn.journal is missing": false, "! it has 10 user-managed keys": false, "? permissions on it: nobody answers": false, "~ begin": false,
			"- disable  aaaaaaaaa…  revoked": false, "key bbbb": false, "! PAUSED by ada since 2030-01-07 08:00Z, until 2030-01-07 09:00Z: freeze": false,
			"in one sweep: 3 of 300 write calls a minute to IAM for p": false, "credentials: 2, blocked: 2": false, "UploadServiceAccountKey ×2; Secret": true, "- delete": true,
		} {
			if strings.Contains(got, want) != (!only || whole) {
				t.Errorf("whole %v: %q is there: %v\n%s", whole, want, !(!only || whole), got)
			}
		}
	}
	if !strings.Contains(planned{}.text(usual, false), "keyturn adopt") {
		t.Error("nothing says how to begin")
	}
}
