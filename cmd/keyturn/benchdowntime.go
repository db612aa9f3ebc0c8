package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"example.com/keyturn/cmd/keyturn/internal/bench"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
)

func (a *app) benchDowntimeCommand() *cobra.Command {
	var config bench.DowntimeConfig
	c := &cobra.Command{
		Use:   "downtime",
		Short: "Count the requests that fail while credentials rotate, by keyturn and as others do",
		Long: `downtime rotates credentials of every kind that consumers use all the time, on
an accelerated clock, with a minute until Google knows a new key. Every strategy
gets the same credentials, consumers and schedule, and a person who rolls one
credential in ten back by adding its old payload again.

Consumers keep what they read of a secret for 5 to 60 minutes, half of them from
latest and half from current, and do not read it again because a request failed.

It exits with 1 if a request fails while keyturn rotates.`,
		Example: "  keyturn bench downtime\n  keyturn bench downtime --rotations 1 --json",
		Args:    exactArgs(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.benchDowntime(cmd.Context(), config) },
	}
	c.Flags().IntVar(&config.Credentials, "credentials", 50, "how many credentials rotate")
	c.Flags().IntVar(&config.Rotations, "rotations", 2, "how often each rotates, under each strategy")
	return c
}

func (a *app) benchDowntime(ctx context.Context, c bench.DowntimeConfig) error {
	if c.Credentials < 1 || c.Rotations < 1 {
		return fmt.Errorf("%w: --credentials and --rotations are at least 1", errUsage)
	}
	progress := newProgress(a.stderr)
	c.Progress = progress
	result, err := bench.Downtime(ctx, c)
	progress.finish()
	if ctx.Err() != nil {
		return errors.New("interrupted: nothing was measured")
	}
	return a.printReport(result, downtimeTable(result), err)
}

func downtimeTable(r bench.DowntimeResult) string {
	t := newTable()
	t.AppendHeader(table.Row{"STRATEGY", "REQUESTS", "FAILED", "LONGEST OUTAGE", "ROTATIONS", "RETIRED", "REQ/S"})
	var notes []string
	for _, s := range r.Strategies {
		t.AppendRow(table.Row{s.Name, s.Requests, s.Failed, s.LongestOutage(), s.Rotations, s.Retired, fmt.Sprintf("%.0f", s.PerSecond)})
		if s.Like != "" {
			notes = append(notes, s.Name+": as "+s.Like)
		}
	}
	return fmt.Sprintf("%s\n\n%s\n%d credentials, %d consumers, %.0f s", t.Render(), strings.Join(notes, "\n"), r.Credentials, r.Consumers, r.Seconds)
}
