package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/keyturn/cmd/keyturn/internal/abuse"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
)

func (a *app) benchDetectCommand() *cobra.Command {
	var seeds, tuning, out string
	var explain bool
	c := &cobra.Command{
		Use:   "detect",
		Short: "Measure which attacks are detected, how soon, and how often nobody attacked",
		Long: `detect simulates organisations of some 250 principals for 28 days each, with
attacks and harmless trouble that are labelled, and shows the same audit log to
keyturn's detectors and to the rules that others publish.

An alert belongs to an attack if one of its entries is among its evidence; any
other is false. Findings of severity info call nobody: they count neither way. An
update of a finding is no other alert. Trouble that is no attack, a broken rotation
or a log or consumer that falls silent, must be told as that: any other alert of
keyturn's about it is false, while any alert of the others counts. keyturn goes by
the rotator's ledger of the hour, as its audit function does. The others are shown
as published, and with the best choice of their rules and thresholds that has no
more false alerts than keyturn, chosen with hindsight.

It exits with 0 only if at least 95 % of each class of attacks was detected, with
at most one false alert per 100 principals and week, and others detect less with
as few.`,
		Example: "  keyturn bench detect\n  keyturn bench detect --seeds 6 --explain\n  keyturn bench detect --seeds 6 --out /tmp/audit.ndjson",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := detectConfig(seeds, tuning)
			switch {
			case err != nil:
				return err
			case out != "":
				return a.exportWorld(config.Seeds, out)
			}
			return a.benchDetect(cmd.Context(), config, explain)
		},
	}
	c.Flags().StringVar(&seeds, "seeds", "6-10", "worlds that are reported")
	c.Flags().StringVar(&tuning, "tuning-seeds", "1-5", "worlds on which the static threshold is chosen")
	c.Flags().StringVar(&out, "out", "", "write the log of one world to this file, with labels and ledger beside it, instead of measuring")
	c.Flags().BoolVar(&explain, "explain", false, "list the attacks that were missed and the false alerts")
	return c
}

func detectConfig(seeds, tuning string) (abuse.Config, error) {
	report, err := seedRange("--seeds", seeds)
	if err != nil {
		return abuse.Config{}, err
	}
	tune, err := seedRange("--tuning-seeds", tuning)
	return abuse.Config{Seeds: report, Tuning: tune}, err
}

// seedRange reads one seed, or the first and the last of some as in 6-10.
func seedRange(flag, s string) ([]uint64, error) {
	first, last, several := strings.Cut(s, "-")
	if !several {
		last = first
	}
	from, err1 := strconv.ParseUint(first, 10, 32)
	to, err2 := strconv.ParseUint(last, 10, 32)
	if err1 != nil || err2 != nil || to < from || to-from >= 1000 {
		return nil, fmt.Errorf("%w: %s is %q: want one seed such as 6, or at most 1000 such as 6-10", errUsage, flag, s)
	}
	var seeds []uint64
	for seed := from; seed <= to; seed++ {
		seeds = append(seeds, seed)
	}
	return seeds, nil
}

func (a *app) benchDetect(ctx context.Context, c abuse.Config, explain bool) error {
	progress := newProgress(a.stderr)
	c.Progress = progress
	r, err := abuse.Run(ctx, c)
	progress.finish()
	if ctx.Err() != nil {
		return errors.New("interrupted: nothing was measured")
	}
	if err == nil && !r.Met() {
		err = errors.New("keyturn's detection fell short of its goal; --explain lists what was missed and what was told wrongly")
	}
	text := detectTable(r)
	if explain {
		text += "\n" + mistakes(r)
	}
	return a.printReport(r, text, err)
}

// detectTable shows keyturn beside the others at as few false alerts.
func detectTable(r abuse.Result) string {
	t := newTable()
	header := table.Row{"ATTACK, FOUND", "KEYTURN", "AFTER", "P95"}
	for _, c := range r.Comparators {
		header = append(header, strings.ToUpper(c.Name))
	}
	t.AppendHeader(header)
	others := func(row table.Row, cell func(abuse.ComparatorResult) any) {
		for _, c := range r.Comparators {
			row = append(row, cell(c))
		}
		t.AppendRow(row)
	}
	for _, class := range r.Classes {
		others(table.Row{class.Name, percent(class.Recall), delay(class.Median), delay(class.P95)},
			func(c abuse.ComparatorResult) any { return percent(c.Equal.Classes[class.Name]) })
	}
	others(table.Row{"all", percent(r.Recall), "", ""}, func(c abuse.ComparatorResult) any { return percent(c.Equal.Recall) })
	others(table.Row{"as published", "", "", ""}, func(c abuse.ComparatorResult) any { return percent(c.Recall) })
	t.AppendRow(table.Row{"FALSE ALERTS", "", "EACH"})
	for _, b := range r.Benign {
		name, each := b.Name, ""
		if b.Episodes > 0 {
			name, each = fmt.Sprintf("%s ×%d", b.Name, b.Episodes), fmt.Sprintf("%.2f", b.PerOne)
		}
		others(table.Row{name, b.Alerts, each, ""}, func(c abuse.ComparatorResult) any { return c.Equal.Benign[b.Name] })
	}
	others(table.Row{"per 100 and week", rate(r.FalseAlerts), "", ""}, func(c abuse.ComparatorResult) any { return rate(c.Equal.FalseAlerts) })
	others(table.Row{"as published", "", "", ""}, func(c abuse.ComparatorResult) any { return rate(c.FalseAlerts) })
	return fmt.Sprintf("%s\n\nThe others with the best of their rules and thresholds that has no more false\nalerts than keyturn.\n%d entries, %d principals, %.0f principal-weeks, %.0f s",
		t.Render(), r.Entries, r.Principals, r.PrincipalWeeks, r.Seconds)
}

func percent(share float64) string { return fmt.Sprintf("%.3g %%", 100*share) }

// rate is of 100 principals.
func rate(perPrincipal float64) string { return fmt.Sprintf("%.2f", 100*perPrincipal) }

// delay writes seconds for a person.
func delay(seconds *float64) string {
	if seconds == nil {
		return "-"
	}
	switch d := time.Duration(*seconds * float64(time.Second)); {
	case d < time.Minute:
		return fmt.Sprintf("%.0fs", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%.0fm", d.Minutes())
	default:
		return fmt.Sprintf("%.1fh", d.Hours())
	}
}

// mistakes are one a line.
func mistakes(r abuse.Result) string {
	var lines []string
	for _, m := range r.Missed {
		lines = append(lines, fmt.Sprintf("missed: seed %d, %s, episode %d from %s, %d entries", m.Seed, m.Kind, m.Episode, m.First.Format(time.RFC3339), m.Entries))
	}
	for _, w := range r.Wrong {
		lines = append(lines, fmt.Sprintf("false: seed %d, %s, %s about %s: %s", w.Seed, w.Kind, w.Detector, w.Subject, w.Reason))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// exportWorld writes the log of a world as keyturn audit replay reads it.
func (a *app) exportWorld(seeds []uint64, path string) error {
	if len(seeds) != 1 {
		return fmt.Errorf("%w: --out writes one world: give one with --seeds", errUsage)
	}
	labels, ledger, err := abuse.NewWorld(seeds[0]).Export(path)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "wrote %s, %s and %s\n", path, labels, ledger)
	return err
}
