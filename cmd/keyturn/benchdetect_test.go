package main

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"example.com/keyturn/cmd/keyturn/internal/abuse"
	"example.com/keyturn/internal/raced"
)

func TestSeedRange(t *testing.T) {
	for s, want := range map[string][]uint64{"6": {6}, "6-8": {6, 7, 8}, "0": {0}} {
		if got, err := seedRange("--seeds", s); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: seeds %v, %v, want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "-", "6-", "-6", "8-6", "1-2-3", "x", "1-1001", "99999999999"} {
		if got, err := seedRange("--seeds", s); !errors.Is(err, errUsage) {
			t.Errorf("%q: seeds %v, %v, want a mistake of usage", s, got, err)
		}
	}
}

func TestDelay(t *testing.T) {
	seconds := func(s float64) *float64 { return &s }
	for want, s := range map[string]*float64{"-": nil, "0s": seconds(0), "59s": seconds(59), "1m": seconds(60), "2.5h": seconds(9000)} {
		if got := delay(s); got != want {
			t.Errorf("delay %q, want %q", got, want)
		}
	}
}

func detectResult() abuse.Result {
	median, p95 := 12.0, 5400.0
	other := abuse.Figures{Recall: 0.11, FalseAlerts: 0.0059, Classes: map[string]float64{"fast-probe": 1}, Benign: map[string]int{"vpcsc-burst": 30}}
	r := abuse.Result{
		Entries: 2_800_000, Principals: 1280, PrincipalWeeks: 5120, Seconds: 99, Recall: 0.97, FalseAlerts: 0.0082,
		Classes: []abuse.Class{{Name: "fast-probe", Recall: 1, Median: &median, P95: &p95}, {Name: "redacted-minting", Recall: 0}},
		Benign:  []abuse.Benign{{Name: "everyday", Alerts: 3}, {Name: "service-agents", Episodes: 30, Alerts: 7, PerOne: 7.0 / 30}, {Name: "vpcsc-burst", Episodes: 30}},
		Missed:  []abuse.Missed{{Seed: 7, Episode: 12, Kind: "redacted-minting", First: time.Unix(0, 0).UTC(), Entries: 31}},
		Wrong:   []abuse.Wrong{{Seed: 8, Kind: "everyday", Detector: "d", Subject: "s", Reason: "because"}},
	}
	for _, c := range abuse.Comparators() {
		r.Comparators = append(r.Comparators, abuse.ComparatorResult{Name: c.Name, Figures: abuse.Figures{Recall: 0.4, FalseAlerts: 2.42}, Equal: other})
	}
	return r
}

func TestTableOfDetection(t *testing.T) {
	text := detectTable(detectResult())
	for _, want := range []string{"fast-probe", "100 %", "12s", "1.5h", "97 %", "11 %", "242.00", "0.82", "0.59", "service-agents ×30", "0.23", "1280 principals"} {
		if !strings.Contains(text, want) {
			t.Errorf("the table does not say %q:\n%s", want, text)
		}
	}
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, " \n"); utf8.RuneCountInString(line) > 90 {
			t.Errorf("%d columns: %s", utf8.RuneCountInString(line), line)
		}
	}
}

func TestMistakesOfDetection(t *testing.T) {
	want := "false: seed 8, everyday, d about s: because\nmissed: seed 7, redacted-minting, episode 12 from 1970-01-01T00:00:00Z, 31 entries"
	if got := mistakes(detectResult()); got != want {
		t.Errorf("mistakes:\n%s\nwant\n%s", got, want)
	}
}

// The exit code of one world tells nothing: the goal is one of the whole measurement.
func TestDetectionInJSON(t *testing.T) {
	if raced.Detector {
		t.Skip("a month of logs: the tests of the package that measures run with the race detector")
	}
	var stdout, stderr strings.Builder
	code := run(t.Context(), []string{"bench", "detect", "--seeds", "6", "--tuning-seeds", "1", "--json"}, &stdout, &stderr)
	var r struct {
		Classes []struct {
			Name   string
			Recall *float64
			Median *float64 `json:"ttd_median_s"`
			P95    *float64 `json:"ttd_p95_s"`
		}
		FalseAlerts *float64 `json:"false_alerts_per_principal_week"`
		Comparators []struct {
			Name        string
			Recall      *float64
			FalseAlerts *float64 `json:"false_alerts_per_principal_week"`
		}
	}
	if err := json.Unmarshal([]byte(stdout.String()), &r); err != nil || code != exitOK && code != exitFailed {
		t.Fatalf("exit code %d, %v, standard error %s", code, err, &stderr)
	}
	if len(r.Classes) != 16 || len(r.Comparators) != 5 || r.FalseAlerts == nil {
		t.Fatalf("report %s", &stdout)
	}
	for _, c := range r.Classes {
		if c.Name == "" || c.Recall == nil || *c.Recall > 0 && (c.Median == nil || c.P95 == nil || *c.Median > *c.P95) {
			t.Errorf("class %+v", c)
		}
	}
	for _, c := range r.Comparators {
		if c.Name == "" || c.Recall == nil || c.FalseAlerts == nil {
			t.Errorf("comparator %+v", c)
		}
	}
	if !strings.Contains(stderr.String(), "worlds: 1 of 1") {
		t.Errorf("progress %q", &stderr)
	}
}

func TestDetectionThatIsInterruptedMeasuresNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr strings.Builder
	if code := run(ctx, []string{"bench", "detect"}, &stdout, &stderr); code != exitFailed || stdout.Len() > 0 || !strings.Contains(stderr.String(), "interrupted: nothing was measured") {
		t.Errorf("exit code %d, standard output %q, standard error %q", code, &stdout, &stderr)
	}
}
