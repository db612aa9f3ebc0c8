package main

import (
	"fmt"
	"slices"
	"strings"

	"example.com/keyturn/cmd/keyturn/internal/replay"
	"example.com/keyturn/shared/detect"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Bounds of what is explained: --findings and --json have the rest.
const (
	maxExplained  = 20 // groups of findings, those of severity high and critical
	alsoExplained = 5  // groups of any severity, where fewer are as severe as that
	maxNamed      = 3  // callers, permissions, targets
)

// explained are the groups to be explained: the most severe ones, and of these the
// first one of each subject before any further one.
func explained(groups []replay.Group) []replay.Group {
	lesser := slices.IndexFunc(groups, func(g replay.Group) bool { return g.Severity.Compare(detect.High) < 0 })
	if lesser < 0 {
		lesser = len(groups)
	}
	all := append(subjectsFirst(groups[:lesser]), subjectsFirst(groups[lesser:])...)
	return all[:min(len(all), maxExplained, max(lesser, alsoExplained))]
}

// subjectsFirst puts the first group of each subject before any further one.
func subjectsFirst(groups []replay.Group) []replay.Group {
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
	return append(first, further...)
}

// explain says what a person needs to look into a group and to act on it: all that
// its incidents have in common, and whatever else is to be done about each.
func explain(b *strings.Builder, g replay.Group, width int) {
	done := make(map[string]bool)
	for i, in := range g.Incidents {
		if done[in.Advice] {
			continue
		}
		done[in.Advice] = true
		title := "also"
		if i == 0 {
			title = titleOf(g)
		}
		fmt.Fprintf(b, "\n%s\n", wrapped(fmt.Sprintf("%s: %s.", title, in.Reason), max(width-2, 1)))
		if i == 0 {
			lines(b, "who", g.Subject, "project", g.Project, "from", someOf(g.From, g.MoreFrom), "permissions", someOf(g.Permissions, g.MorePermissions),
				"targets", someOf(g.Targets, g.MoreTargets), "runbook", oneLine(g.Runbook))
		}
		lines(b, "credential", in.Credential, "key", in.Key, "next", in.Advice, entriesOf(in), in.Link)
	}
	if g.Omitted > 0 {
		fmt.Fprintf(b, "\nand %s: --findings FILE has all\n", counted(g.Omitted, "more incident of it", "more incidents of it"))
	}
}

func titleOf(g replay.Group) string {
	title := strings.ToUpper(string(g.Severity)) + " " + g.Detector
	if n := len(g.Incidents) + g.Omitted; n > 1 {
		title += fmt.Sprintf(" (%d incidents)", n)
	}
	return title
}

// entriesOf names the link to an incident's entries.
func entriesOf(f detect.Finding) string {
	if f.Linked > 0 {
		return fmt.Sprintf("entries (%d of %d)", f.Linked, f.Entries)
	}
	return "entries"
}

// lines writes pairs of names and values, but for values that are not known.
func lines(b *strings.Builder, pairs ...string) {
	for pair := range slices.Chunk(pairs, 2) {
		if pair[1] != "" {
			fmt.Fprintf(b, "  %s: %s\n", pair[0], pair[1])
		}
	}
}

// oneLine is a text that a rules file may have on many, bounded.
func oneLine(s string) string {
	const most = 2000 // columns
	return text.Snip(strings.Join(strings.Fields(s), " "), most, "…")
}

// someOf names the first few, and says how many more there are, those included
// that are not among names.
func someOf(names []string, more int) string {
	named := min(len(names), maxNamed)
	some := strings.Join(names[:named], ", ")
	if more += len(names) - named; more > 0 {
		some += fmt.Sprintf(" and %d more", more)
	}
	return some
}
