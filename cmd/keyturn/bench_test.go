package main

import (
	"context"
	"strings"
	"testing"

	"example.com/keyturn/cmd/keyturn/internal/bench"
	"example.com/keyturn/cmd/keyturn/internal/streambench"
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
	stream := streamTable(streambench.Result{
		Rate: 1000, Entries: 20_000, Expected: 400, Findings: 399, Repeated: 100, Dead: 12, PerSecond: 999.6, Seconds: 21.7,
		Delivery: streambench.Latency{P50: 2.25, P99: 17.34, Max: 22}, EndToEnd: streambench.Latency{P50: 3.5, P99: 21.4, Max: 12_345.6},
	})
	for _, want := range []string{"17.3 ms", "12345.6 ms", "1000 a second; 399 of 400 findings, 22 s", "100 entries were delivered again, and 12 given up"} {
		if !strings.Contains(stream, want) {
			t.Errorf("the table does not say %q:\n%s", want, stream)
		}
	}
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
	for line := range strings.Lines(downtime + "\n" + rotate + "\n" + stream) {
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
