package main

import (
	"errors"
	"fmt"
	"strings"

	"example.com/keyturn/cmd/keyturn/internal/replay"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// maxShown is how many groups of findings are shown: --findings has the rest.
const maxShown = 50

// printReplay shows what a replay came to, and returns err or what kept it from
// being shown.
func (a *app) printReplay(r replay.Result, err error) error {
	for _, warning := range r.Warnings {
		fmt.Fprintln(a.stderr, "keyturn: warning:", warning)
	}
	if r.Rejected > 0 {
		fmt.Fprintf(a.stderr, "keyturn: warning: %d of %d entries could not be decoded, such as\n  %s\n--rejects FILE keeps them\n", r.Rejected, r.Entries, strings.Join(r.Samples, "\n  "))
	}
	if a.json {
		return a.printWithError(r, err)
	}
	if err != nil && r.Entries == 0 {
		return err
	}
	if _, printErr := fmt.Fprintln(a.stdout, replaySummary(r, columns(a.stdout))); printErr != nil {
		return errors.Join(err, fmt.Errorf("printing what was found: %w", printErr))
	}
	return err
}

func replaySummary(r replay.Result, width int) string {
	var b strings.Builder
	if len(r.Groups) > 0 {
		b.WriteString(groupTable(r.Groups[:min(len(r.Groups), maxShown)], width) + "\n")
	}
	if more := len(r.Groups) - maxShown; more > 0 {
		fmt.Fprintf(&b, "and %s: --findings FILE has all\n", counted(more, "more subject", "more subjects"))
	}
	explained := explained(r.Groups)
	for _, g := range explained {
		explain(&b, g, width)
	}
	if more := len(r.Groups) - len(explained); more > 0 {
		fmt.Fprintf(&b, "\n%s with --json or --findings FILE\n", counted(more, "more subject is explained", "more subjects are explained"))
	}
	if len(r.Groups) > 0 {
		b.WriteString("\n")
	}
	if r.Earlier > 0 {
		fmt.Fprintf(&b, "%s before --since and not told: what went on after it is told once it is twice as much\n", counted(r.Earlier, "finding was last seen", "findings were last seen"))
	}
	if r.Below > 0 {
		fmt.Fprintf(&b, "%s less severe than --severity asks for\n", counted(r.Below, "finding is", "findings are"))
	}
	if r.Short() {
		fmt.Fprintf(&b, "the log spans %.1f hours: under a day, baselines have little to learn from\n", r.Last.Sub(r.First).Hours())
	}
	b.WriteString(counted(r.Entries, "entry", "entries"))
	if !r.First.IsZero() {
		fmt.Fprintf(&b, " from %s to %s", due(r.First), due(r.Last))
	}
	fmt.Fprintf(&b, "\n%d decoded, %d rejected, %d left out, %s, %s, %.1f s, %.0f MB/s", r.Decoded, r.Rejected, r.Outside,
		counted(r.Denials, "denial", "denials"), counted(r.Findings, "finding", "findings"), r.Seconds, r.MBPerS)
	return b.String()
}

// counted is a number of something.
func counted[N int | int64](n N, one, several string) string {
	if n == 1 {
		return fmt.Sprint(n, " ", one)
	}
	return fmt.Sprint(n, " ", several)
}

func groupTable(groups []replay.Group, width int) string {
	t := newTable()
	t.SetColumnConfigs([]table.ColumnConfig{
		{Name: "SUBJECT", WidthMax: 27 + wider(width), WidthMaxEnforcer: text.WrapText},
		{Name: "DETECTOR", WidthMax: 20 + wider(width), WidthMaxEnforcer: text.WrapSoft},
	})
	t.AppendHeader(table.Row{"SEVERITY", "DETECTOR", "SUBJECT", "SINCE"})
	for _, g := range groups {
		t.AppendRow(table.Row{g.Severity, g.Detector, g.Subject, due(g.FirstSeen)})
	}
	return t.Render()
}
