package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/cmd/keyturn/internal/history"
	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/rotation"
	"github.com/jedib0t/go-pretty/v6/text"
)

func TestWidthOf(t *testing.T) {
	none := errors.New("no terminal")
	for _, tt := range []struct {
		size        int
		err         error
		environment string
		want        int
	}{
		{120, nil, "70", 120}, {0, nil, "70", 70}, {0, none, "70", 70}, {0, none, "", usual}, {0, none, "wide", usual}, {0, none, "-1", usual},
	} {
		if got := widthOf(tt.size, tt.err, tt.environment); got != tt.want {
			t.Errorf("size %d, %v, COLUMNS %q: %d, want %d", tt.size, tt.err, tt.environment, got, tt.want)
		}
	}
}

// TestNothingIsBrokenForNoTerminal keeps what is piped whole, whatever the
// environment says.
func TestNothingIsBrokenForNoTerminal(t *testing.T) {
	t.Setenv("COLUMNS", "40")
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := columns(f); got != unbroken {
		t.Errorf("a file has %d columns", got)
	}
}

// TestOnAUsualTerminal has all that is said of a credential, with whole ids, in lines that
// a terminal shows as they are.
func TestOnAUsualTerminal(t *testing.T) {
	const id = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"
	at := time.Date(2030, 1, 7, 8, 0, 0, 0, time.UTC)
	r := rotate.Report{
		Secret: "projects/local/secrets/billing-key", Kind: "service-account-key", Alive: id, Until: at, Next: at, Then: "key projects/local/locations/global/keys/" + id + " is deleted once nobody uses it",
		Paused: &rotate.Pause{By: "ada@example.com", At: at, Why: strings.Repeat("freeze ", 20)},
		Journal: &rotate.Standing{
			Target:   "projects/local/serviceAccounts/billing@local.iam.gserviceaccount.com",
			Current:  &rotation.Key{ID: id, Phase: rotation.Active, Version: "12", Since: at, Revoked: true},
			Retiring: []rotation.Key{{ID: id, Phase: rotation.Overlapping, Version: "11", Since: at, Evidence: &rotation.Evidence{Use: rotation.Unknown, Reason: "the record reaches to 2030-01-06T08:00:00Z only; it has to reach to 2030-01-07T08:00:00Z"}}},
			Failure:  &rotation.Failure{Step: rotation.Publish, Count: 2, Reason: strings.Repeat("it was refused, ", 20)},
		},
	}
	release := rotate.Report{Command: "keyturn release billing-key --leave --project local"}
	events := []history.Event{{Time: at, What: "DisableServiceAccountKey", Key: id, By: "owner@example.com", Why: "the key has authenticated, and more is to be said"}}
	for name, said := range map[string]string{
		"status": fitted(details(r, usual), usual), "history": historyTable(events, usual),
		"steps": stepsTable([]rotate.StepReport{{Step: rotation.Reinstate, Key: id, Result: "FAILED", Why: strings.Repeat("a reason ", 20)}}, usual),
		"plan":  fitted(planned{Plans: []rotate.Plan{{}}, Quota: []rotate.QuotaUse{{API: "Secret Manager", Kind: "access", Project: "local", Calls: 1, PerMinute: 45000}}}.text(usual, false), usual),
		"dry":   fitted(doesIt(release), usual),
	} {
		for line := range strings.Lines(said) {
			if line = strings.TrimSuffix(line, "\n"); text.StringWidthWithoutEscSequences(line) > usual || strings.HasSuffix(line, " ") {
				t.Errorf("%s: %q", name, line)
			}
		}
	}
	if got, want := fitted(doesIt(release), 60), "dry run: nothing was done; this does it:\n  "+release.Command; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := fitted(details(r, unbroken), unbroken); !strings.Contains(got, r.Then+", 2030") {
		t.Errorf("broken where nobody should:\n%s", got)
	}
}
