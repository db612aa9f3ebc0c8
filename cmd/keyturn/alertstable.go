package main

import (
	"fmt"
	"strings"

	"example.com/keyturn/functions/alert"
	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/notify"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

const (
	whatWidth = 30  // columns of the table's last one on the usual terminal
	maxShort  = 300 // bytes of a text in a list
)

func incidentTable(lines []alert.Line, over int, width int) string {
	var b strings.Builder
	if len(lines) == 0 {
		b.WriteString("no incident is open")
	} else {
		b.WriteString(renderIncidents(lines, width))
	}
	switch {
	case over == 1:
		b.WriteString("\n1 incident that is over is left out: --all shows it")
	case over > 1:
		fmt.Fprintf(&b, "\n%d incidents that are over are left out: --all shows them", over)
	}
	return b.String()
}

func renderIncidents(lines []alert.Line, width int) string {
	t := newTable()
	t.SetColumnConfigs([]table.ColumnConfig{{Name: "WHAT", WidthMax: whatWidth + wider(width), WidthMaxEnforcer: text.WrapSoft}})
	t.AppendHeader(table.Row{"INCIDENT", "STATUS", "SEVERITY", "SEEN", "WHAT"})
	for _, l := range lines {
		t.AppendRow(table.Row{shortIncident(l), notify.Printable(l.Status, maxShort), severity(l).String(), l.Seen.UTC().Format("01-02 15:04Z"), what(l)})
	}
	return t.Render()
}

// inForce says what is silenced and stopped, in lines that each begin with a break.
func inForce(o alert.Overview) string {
	var b strings.Builder
	for _, s := range o.Silences {
		b.WriteString("\n" + silenceLine(s))
	}
	if o.More > 0 {
		fmt.Fprintf(&b, "\n%d more incidents are not listed: those that are over and older", o.More)
	}
	if o.Stopped != "" {
		fmt.Fprintf(&b, "\nnothing is done without being asked: %s; 'keyturn alerts start' ends that", notify.Printable(o.Stopped, maxShort))
	}
	return b.String()
}

// silenceLine says what is silenced, for how long, by whom and why.
func silenceLine(s alerting.Silence) string {
	return fmt.Sprintf("silence %s: %s, until %s%s: %s", notify.Printable(s.ID, maxShort), selected(s.Match), due(s.Until), byWhom(s.By), notify.Printable(s.Reason, maxTold))
}

func byWhom(by string) string {
	if by == "" {
		return ""
	}
	return " by " + notify.Printable(by, maxShort)
}

// selected is what a silence is about.
func selected(m alerting.Match) string {
	var parts []string
	for _, p := range []struct {
		what  string
		names []string
	}{{"rule", m.Rules}, {"detector", m.Detectors}, {"project", m.Projects}, {"credential", m.Credentials}} {
		if len(p.names) > 0 {
			parts = append(parts, p.what+" "+strings.Join(p.names, " or "))
		}
	}
	if len(m.Labels) > 0 {
		parts = append(parts, "labels "+notify.Labels(m.Labels))
	}
	if m.Severity > alerting.Info {
		parts = append(parts, "severity "+m.Severity.String()+" or worse")
	}
	if len(parts) == 0 {
		return "everything"
	}
	return notify.Printable(strings.Join(parts, ", "), maxShort)
}

// what an incident is about, in a line.
func what(l alert.Line) string {
	s := notify.Printable(l.Latest.Detector, maxShort)
	if l.Latest.Subject != "" {
		s += ": " + notify.Printable(l.Latest.Subject, maxShort)
	}
	if l.Undelivered > 0 {
		s += fmt.Sprintf(" (not delivered: %d)", l.Undelivered)
	}
	return s
}

// shortIncident is the beginning of an incident's id, which commands take.
func shortIncident(l alert.Line) string {
	id := notify.Printable(l.ID, maxShort)
	return id[:min(len(id), 8)]
}

// severity is that of an incident, told or not.
func severity(l alert.Line) alerting.Severity { return max(l.Severity, l.Latest.Severity) }
