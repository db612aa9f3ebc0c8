package main

import (
	"bufio"
	"fmt"
	"iter"
	"path"
	"strings"

	"example.com/keyturn/shared/inventory"
	"example.com/keyturn/shared/notify"
	"example.com/keyturn/shared/rotation"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// writeInventory writes the report for people: a table or plans, then what it comes
// to. An error of out stays until it is flushed.
func writeInventory(out *bufio.Writer, r inventoryReport, credentials iter.Seq[inventoryItem], width int) {
	n, planned := 0, false
	for i := range credentials {
		n++
		if i.Plan != nil || i.Ways != nil {
			planned = true
			fmt.Fprintf(out, "%d. %s\n", n, planText(i))
		}
	}
	if n > 0 && !planned {
		fmt.Fprintln(out, inventoryTable(credentials, width))
	}
	fmt.Fprintln(out, summaryText(r))
}

// shortKinds are short, for tables.
var shortKinds = map[inventory.Kind]string{
	inventory.AccountKeyKind: "SA key", inventory.APIKeyKind: "API key", inventory.HMACKeyKind: "HMAC", inventory.OAuthSecretKind: "OAuth",
}

const (
	ownerWidth  = 20
	secretWidth = 12
)

// inventoryTable fits 80 columns: what is longer is cut, and --json has all of it.
func inventoryTable(items iter.Seq[inventoryItem], width int) string {
	t := newTable()
	t.SetColumnConfigs([]table.ColumnConfig{{Name: "AGE", Align: text.AlignRight, AlignHeader: text.AlignRight}})
	t.AppendHeader(table.Row{"STATE", "KIND", "ID", "OWNER", "AGE", "USED", "SECRET"})
	more := wider(min(width, 200))
	for i := range items {
		secret := "-"
		if i.Private.Secret != "" {
			secret = path.Base(i.Private.Secret)
		}
		t.AppendRow(table.Row{
			string(i.State), shortKinds[i.Kind], text.Snip(i.ID, 10, "…"),
			text.Snip(notify.Printable(shortOwner(i.Item), 200), ownerWidth+more/2, "…"), age(i.AgeDays), lastUse(i.Item), text.Snip(secret, secretWidth+more/2, "…"),
		})
	}
	return t.Render()
}

// shortOwner leaves out of an e-mail address what all service accounts have in common.
func shortOwner(i inventory.Item) string {
	return strings.TrimSuffix(i.Owner, ".iam.gserviceaccount.com")
}

func age(days int) string {
	if days < 0 {
		return "?"
	}
	return fmt.Sprintf("%dd", days)
}

// lastUse is the day of the last use, or that none or nothing is known.
func lastUse(i inventory.Item) string {
	switch i.Use.Verdict {
	case rotation.Used:
		return i.Use.Last.UTC().Format("01-02")
	case rotation.Unused:
		return "no"
	}
	return "?"
}

// planText is what to do about one credential.
func planText(i inventoryItem) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s: %s %s of %s\n   %s; %s\n", i.State, shortKinds[i.Kind], i.ID, notify.Printable(i.Owner, 200), i.Why, i.Use.Reason)
	if i.Plan != nil {
		fmt.Fprintf(&out, "   To do: %s\n", i.Plan.Goal)
		stepText(&out, i.Plan.Steps)
	}
	for _, w := range i.Ways {
		fmt.Fprintf(&out, "   Or do without, by %s: for %s\n", w.Way, w.For)
		stepText(&out, w.Steps)
	}
	return out.String()
}

func stepText(out *strings.Builder, steps []inventory.Step) {
	for _, s := range steps {
		fmt.Fprintf(out, "   - %s\n", s.Do)
		if s.Command != "" {
			fmt.Fprintf(out, "     %s\n", s.Command)
		}
	}
}

// shownGaps is how many parts that could not be read are told of one by one.
const shownGaps = 10

// summaryText is one line, and what could not be read.
func summaryText(r inventoryReport) string {
	var states []string
	for _, s := range inventory.States() {
		if n := r.Summary.States[s]; n > 0 {
			states = append(states, fmt.Sprintf("%d %s", n, s))
		}
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%s, %s, %s", counted(r.Summary.Credentials, "credential", "credentials"), counted(r.Summary.Accounts, "service account", "service accounts"), counted(r.Summary.Projects, "project", "projects"))
	if len(states) > 0 {
		fmt.Fprintf(&out, "\n%s; %d unused, %d of unknown use", strings.Join(states, ", "), r.Summary.Unused, r.Summary.UseUnknown)
	}
	if len(r.Gaps) > 0 {
		fmt.Fprintf(&out, "\nNOT READ, so that there may be more:")
	}
	for n, g := range r.Gaps {
		if n == shownGaps {
			fmt.Fprintf(&out, "\n  and %d more: --json lists them all", len(r.Gaps)-n)
			break
		}
		what := string(g.Part)
		if g.Kind != "" {
			what += " of every " + string(g.Kind)
		}
		fmt.Fprintf(&out, "\n  %s of %s: %s; %s", what, notify.Printable(g.Of, 200), notify.Printable(g.Detail, 300), notify.Printable(g.Next, 300))
	}
	return out.String()
}
