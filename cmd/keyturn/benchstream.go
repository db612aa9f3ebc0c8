package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/keyturn/cmd/keyturn/internal/streambench"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
)

func (a *app) benchStreamCommand() *cobra.Command {
	var config streambench.Config
	c := &cobra.Command{
		Use:   "stream",
		Short: "Measure how soon a log entry that matters is a finding",
		Long: `stream runs the functions and an embedded Google Cloud as 'keyturn local' does,
and publishes audit log entries to topic keyturn-logs at a steady rate. One entry
of so many leads to a finding by itself. Measured is the time until topic
keyturn-findings has taken it: from when Pub/Sub began to push the entry to the
audit function, and from when the entry began to be published. What findings lead
to, alerts, is done at the same time on the same machine.

It exits with 0 only if the function kept up with the rate, no finding is missing,
and 99 of 100 were there within 50 ms of the delivery of their entry.`,
		Example: "  keyturn bench stream\n  keyturn bench stream --rate 1000 --for 60s --json",
		Args:    exactArgs(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.benchStream(cmd.Context(), config) },
	}
	c.Flags().IntVar(&config.Rate, "rate", 1000, "entries published a second, at most 100000")
	c.Flags().DurationVar(&config.For, "for", 20*time.Second, "how long entries are published, from 1s to 1h")
	c.Flags().IntVar(&config.Every, "every", 50, "one entry of so many leads to a finding")
	return c
}

func (a *app) benchStream(ctx context.Context, c streambench.Config) error {
	if c.Rate < 1 || c.Rate > 100_000 || c.For < time.Second || c.For > time.Hour || c.Every < 1 {
		return fmt.Errorf("%w: --rate is from 1 to 100000, --for from 1s to 1h, and --every at least 1", errUsage)
	}
	var logs bytes.Buffer
	progress := newProgress(a.stderr)
	c.Progress, c.Logs = progress, &logs
	result, err := streambench.Run(ctx, c)
	progress.finish()
	if ctx.Err() != nil {
		return errors.New("interrupted: nothing was measured")
	}
	if err != nil {
		_, _ = a.stderr.Write(lastLines(logs.Bytes(), 20)) // a help, no result
	}
	if err == nil && !result.Met() {
		err = fmt.Errorf("the goal was missed: %d entries a second, all %d findings, 99 of 100 of them within %v of delivery", c.Rate, result.Expected, streambench.Target)
	}
	return a.printReport(result, streamTable(result), err)
}

func streamTable(r streambench.Result) string {
	t := newTable()
	t.AppendHeader(table.Row{"UNTIL THE FINDING", "P50", "P99", "LONGEST"})
	for _, row := range []struct {
		name string
		streambench.Latency
	}{{"from delivery", r.Delivery}, {"from publishing", r.EndToEnd}} {
		t.AppendRow(table.Row{row.name, inMS(row.P50), inMS(row.P99), inMS(row.Max)})
	}
	return fmt.Sprintf("%s\n\n%d entries, %.0f a second; %d of %d findings, %.0f s.\n%d entries were delivered again, and %d given up.",
		t.Render(), r.Entries, r.PerSecond, r.Findings, r.Expected, r.Seconds, r.Repeated, r.Dead)
}

func inMS(ms float64) string { return fmt.Sprintf("%.1f ms", ms) }
