package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/keyturn/cmd/keyturn/internal/storm"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
)

func (a *app) benchStormCommand() *cobra.Command {
	config := storm.Config{Again: 10}
	c := &cobra.Command{
		Use:   "storm",
		Short: "Drown the alert function in findings while channels are down, slow or busy",
		Long: `storm delivers findings of a few incidents to the alert function, one of ten
twice, while of its channels two are down, one takes 2 seconds for each alert, one
answers 429 every other time, and one has a limit. Incidents are kept in memory, or
in an empty directory, safe from a crash, with --state. At the end it compares what
the incidents say with what each channel got.

It exits with 0 only if every finding was counted once, every channel that is not
down got each change of each incident exactly once or in a digest, and what the
others did not get is still owed to them.`,
		Example: "  keyturn bench storm\n  keyturn bench storm --findings 1000 --for 2s --json",
		Args:    exactArgs(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.benchStorm(cmd.Context(), config) },
	}
	c.Flags().IntVar(&config.Findings, "findings", 100_000, "how many findings there are, at most 1000000")
	c.Flags().IntVar(&config.Incidents, "incidents", 50, "how many incidents they belong to")
	c.Flags().StringVar(&config.State, "state", "", "directory that incidents are kept in")
	c.Flags().DurationVar(&config.For, "for", time.Minute, "how long they come, from 1s to 1h")
	return c
}

func (a *app) benchStorm(ctx context.Context, c storm.Config) error {
	if c.Findings < 1 || c.Findings > 1_000_000 || c.Incidents < 1 || c.Incidents > c.Findings || c.For < time.Second || c.For > time.Hour {
		return fmt.Errorf("%w: --findings is from 1 to 1000000, --incidents from 1 to as many, and --for from 1s to 1h", errUsage)
	}
	progress := newProgress(a.stderr)
	c.Progress = progress
	result, err := storm.Run(ctx, c)
	progress.finish()
	if ctx.Err() != nil {
		return errors.New("interrupted: nothing was measured")
	}
	if err == nil && !result.Met() {
		err = errors.New("the goal was missed: a finding is not counted, or a channel did not get exactly what it should")
	}
	return a.printReport(result, stormTable(result), err)
}

func stormTable(r storm.Result) string {
	t := newTable()
	t.AppendHeader(table.Row{"CHANNEL", "GOT", "TWICE", "IN DIGESTS", "STILL OWED", "LOST"})
	for _, c := range r.Channels {
		t.AppendRow(table.Row{c.Name, c.Got, c.Twice, c.Digested, c.Owed, c.Unaccounted})
	}
	return fmt.Sprintf("%s\n\n%d of %d findings counted, in %d deliveries, %.0f a second.\nEach was taken up within %.1f s, and 99 of 100 were handled within %.0f ms.\n%d incidents, %d changes of them. Peak heap %.0f MiB, %.0f s.",
		t.Render(), r.Counted, r.Findings, r.Deliveries, r.PerSecond, r.Late, r.HandledP99, r.Incidents, r.Alerts, r.PeakMiB, r.Seconds)
}
