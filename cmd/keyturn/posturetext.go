package main

import (
	"fmt"
	"strings"

	"example.com/keyturn/shared/notify"
	"example.com/keyturn/shared/posture"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Bounds of the text.
const (
	maxListed  = 20   // results of one check and status
	maxPosture = 4000 // bytes of one line
)

// postureText is a report for a terminal: what fails, what is not known, what changed,
// and a table of all checks. Only commands are wider than it.
func postureText(r posture.Report, width int) string {
	var b strings.Builder
	checks := map[string]posture.Summary{}
	for _, s := range r.Checks {
		checks[s.Check] = s
	}
	told := map[string]int{}
	for _, result := range r.Results {
		if result.Status == posture.Pass {
			break // they come last
		}
		told[result.Check+string(result.Status)]++
		switch n := told[result.Check+string(result.Status)]; {
		case n == 1:
			wrap(&b, "", headline(checks[result.Check], result), width)
		case n > maxListed:
			continue
		}
		tellResult(&b, result, width)
		if s := checks[result.Check]; told[result.Check+string(result.Status)] == maxListed {
			more(&b, s, result.Status)
		}
	}
	for _, f := range r.Fixed {
		if _, stillThere := checks[f.Check]; stillThere {
			wrap(&b, "  ", "fixed since "+due(r.Since)+": "+f.Check+" of "+f.Resource, width)
		}
	}
	fmt.Fprintf(&b, "%s\n\n%s\n", postureTable(r), verdictOf(r))
	return b.String()
}

// headline begins the results of a check.
func headline(s posture.Summary, r posture.Result) string {
	number := ""
	if s.CIS != "" {
		number = " (CIS " + s.CIS + ")"
	}
	return strings.ToUpper(string(r.Status)) + " " + s.Check + number + ", " + string(s.Severity) + ": " + s.Title
}

func tellResult(b *strings.Builder, r posture.Result, width int) {
	line := r.Resource + ": " + r.Reason
	switch r.Change {
	case posture.NewlyFailing:
		line = "NEW " + line
	case posture.StillFailing:
		line += "; since " + due(r.Failing)
	}
	wrap(b, "  ", line, width)
	if r.Permission != "" {
		wrap(b, "    ", "it takes "+r.Permission, width)
	}
	if r.Next != "" {
		wrap(b, "    ", "next: "+r.Next, width)
	}
	if r.Fix != "" {
		fmt.Fprintf(b, "    fix: %s\n", notify.Printable(r.Fix, maxPosture))
	}
}

// wrap writes a text in lines that are indented and fit the width.
func wrap(b *strings.Builder, indent, line string, width int) {
	wrapped := text.WrapText(notify.Printable(line, maxPosture), width-len(indent)-2)
	for i, l := range strings.Split(text.WrapSoft(wrapped, width-len(indent)-2), "\n") {
		if i > 0 {
			l = "  " + strings.TrimLeft(l, " ")
		}
		fmt.Fprintf(b, "%s%s\n", indent, strings.TrimRight(l, " "))
	}
}

// more says how many results of a check are left out.
func more(b *strings.Builder, s posture.Summary, status posture.Status) {
	n := map[posture.Status]int{posture.Fail: s.Fail, posture.Unknown: s.Unknown}[status] - maxListed
	if n > 0 {
		fmt.Fprintf(b, "  and %d more: --format csv has all\n", n)
	}
}

func postureTable(r posture.Report) string {
	t := newTable()
	t.SetColumnConfigs([]table.ColumnConfig{{Name: "FAIL", Align: text.AlignRight}, {Name: "UNKNOWN", Align: text.AlignRight}, {Name: "PASS", Align: text.AlignRight}})
	t.AppendHeader(table.Row{"CHECK", "CIS", "STATUS", "FAIL", "UNKNOWN", "PASS"})
	for _, s := range r.Checks {
		t.AppendRow(table.Row{s.Check, s.CIS, s.Status, s.Fail, s.Unknown, s.Pass})
	}
	return "\n" + t.Render()
}

// verdictOf is the last line.
func verdictOf(r posture.Report) string {
	n := map[posture.Status]int{}
	for _, s := range r.Checks {
		n[s.Status]++
	}
	line := fmt.Sprintf("%s at %s: %s, %d failed, %d unknown, %d passed", r.Scope, due(r.At), counted(len(r.Checks), "check", "checks"), n[posture.Fail], n[posture.Unknown], n[posture.Pass])
	if !r.Since.IsZero() {
		line += fmt.Sprintf("\nsince %s: %s, %d fixed", due(r.Since), counted(newFailures(r), "new failure", "new failures"), len(r.Fixed))
	}
	return line
}

func newFailures(r posture.Report) (n int) {
	for _, result := range r.Results {
		if result.Change == posture.NewlyFailing {
			n++
		}
	}
	return n
}
