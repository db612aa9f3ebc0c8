package main

import (
	"context"
	"strings"
	"testing"

	"example.com/keyturn/cmd/keyturn/internal/bench"
)

func TestTablesOfMeasurements(t *testing.T) {
	downtime := downtimeTable(bench.DowntimeResult{
		Credentials: 50, Consumers: 100, Seconds: 61.4,
		Strategies: []bench.StrategyOutcome{
			{Name: "keyturn", Requests: 1_000_000, Rotations: 1000, Retired: 1000, PerSecond: 1234},
			{Name: "overlap, unverified", Like: "somebody", Requests: 1_000_000, Failed: 100_000, Outage: 36_061, PerSecond: 987.6},
		},
	})
	rotate := rotateTable(bench.RotateResult{
		Credentials: 1000, Sample: 20, Instances: 100, LatencyMS: 50, KeyturnPerMin: 1234.56, SequentialPerMin: 23.4, Ratio: 52.76, CallsPerRotation: 14.2,
		Calls: []bench.StageCalls{{Stage: "make", PerRotation: 4.1}, {Stage: "verify and promote", PerRotation: 10.1}}, CeilingPerMin: 22.2, AtQuotaPerMin: 22.1,
		Quota: "Secret Manager accesses", CPUBusy: 0.97, RSAPerMin: 1500, PeakMB: 181.4, Seconds: 341.7,
	})
	for _, want := range []string{"10h1m1s", "overlap, unverified: as somebody", "50 credentials, 100 consumers, 61 s"} {
		if !strings.Contains(downtime, want) {
			t.Errorf("the table does not say %q:\n%s", want, downtime)
		}
	}
	for _, want := range []string{"52.8 times as fast", "97 %", "make 4.1, verify and promote 10.1.", "Secret Manager accesses allows 22.2", "181 MB"} {
		if !strings.Contains(rotate, want) {
			t.Errorf("the table does not say %q:\n%s", want, rotate)
		}
	}
	for line := range strings.Lines(downtime + "\n" + rotate) {
		if line = strings.TrimRight(line, " \n"); len(line) > 80 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}

func TestMeasurementsThatAreInterruptedMeasureNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, name := range []string{"downtime", "rotate"} {
		var stdout, stderr strings.Builder
		if code := run(ctx, []string{"bench", name}, &stdout, &stderr); code != exitFailed || stdout.Len() > 0 || !strings.Contains(stderr.String(), "interrupted: nothing was measured") {
			t.Errorf("%s: exit code %d, standard output %q, standard error %q", name, code, &stdout, &stderr)
		}
	}
}
