package main

import (
	"errors"
	"fmt"
	"strings"

	"example.com/keyturn/cmd/keyturn/internal/replay"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Bounds of what is shown: --findings and --rejects have the rest.
const (
	maxShown     = 50 // groups of findings
	maxExplained = 5
	maxNamed     = 3 // callers, permissions
)

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
		fmt.Fprintf(&b, "and %d more subjects: --findings FILE has them all\n", more)
	}
	for _, g := range explained(r.Groups) {
		explain(&b, g, width)
	}
	if len(r.Groups) > 0 {
		b.WriteString("\n")
	}
	if r.Below > 0 {
		fmt.Fprintf(&b, "%d findings are less severe than --severity asks for\n", r.Below)
	}
	fmt.Fprintf(&b, "%d entries", r.Entries)
	if !r.First.IsZero() {
		fmt.Fprintf(&b, " from %s to %s", due(r.First), due(r.Last))
	}
	fmt.Fprintf(&b, "\n%d decoded, %d rejected, %d left out, %d denials, %d findings, %.1f s, %.0f MB/s", r.Decoded, r.Rejected, r.Outside, r.Denials, r.Findings, r.Seconds, r.MBPerS)
	return b.String()
}

// explained are the groups to be explained: the first one of each subject goes
// before any further one.
func explained(groups []replay.Group) []replay.Group {
	var first, further []replay.Group
	seen := make(map[string]bool)
	for _, g := range groups {
		if seen[g.Subject] {
			further = append(further, g)
			continue
		}
		seen[g.Subject] = true
		first = append(first, g)
	}
	all := append(first, further...)
	return all[:min(len(all), maxExplained)]
}

// explain says what a person needs to look into a group and to act on it.
func explain(b *strings.Builder, g replay.Group, width int) {
	fmt.Fprintf(b, "\n%s\n", text.WrapSoft(g.Reason+".", max(width-2, 1)))
	entries := "entries"
	if g.Linked > 0 {
		entries = fmt.Sprintf("entries (%d of %d)", g.Linked, g.Entries)
	}
	for _, line := range [][2]string{
		{"from", someOf(g.From)}, {"permissions", someOf(g.Permissions)}, {"next", g.Advice}, {entries, g.Link},
	} {
		if line[1] != "" {
			fmt.Fprintf(b, "  %s: %s\n", line[0], line[1])
		}
	}
}

// someOf names the first few, and says how many more there are.
func someOf(names []string) string {
	if more := len(names) - maxNamed; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), more)
	}
	return strings.Join(names, ", ")
}

func groupTable(groups []replay.Group, width int) string {
	t := table.NewWriter()
	t.SetStyle(plain)
	t.SetColumnConfigs([]table.ColumnConfig{
		{Name: "SUBJECT", WidthMax: 22 + wider(width), WidthMaxEnforcer: text.WrapText},
		{Name: "DETECTOR", WidthMax: 20, WidthMaxEnforcer: text.WrapSoft},
		{Name: "NO.", Align: text.AlignRight},
	})
	t.AppendHeader(table.Row{"SEVERITY", "DETECTOR", "SUBJECT", "NO.", "SINCE"})
	for _, g := range groups {
		t.AppendRow(table.Row{g.Severity, g.Detector, g.Subject, g.Findings, due(g.FirstSeen)})
	}
	return t.Render()
}
