package main

import (
	"fmt"
	"net/url"
	"strings"

	"example.com/keyturn/functions/alert"
	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/notify"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

const (
	maxTold   = 2000 // bytes of one text of an incident
	nameWidth = 14   // columns of the names of facts
)

// incidentText tells all of an incident: what it is, what is known of it, what
// became of it, and what to do.
func incidentText(l alert.Line, width int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "incident %s\n", notify.Printable(l.ID, maxShort))
	b.WriteString(wrapped(fmt.Sprintf("%s, %s: %s", notify.Printable(l.Status, maxShort), strings.ToUpper(severity(l).String()), notify.Printable(notify.Sentence(alerting.Alert{Notice: l.Latest}), maxTold)), width) + "\n")
	for _, part := range [][]alerting.Field{known(l.Latest), course(l), owed(l.Outbox)} {
		if len(part) > 0 {
			b.WriteString("\n" + factTable(part, width) + "\n")
		}
	}
	writeSteps(&b, l, width)
	return strings.TrimRight(b.String(), "\n")
}

// factTable lines facts up, with all that others have chosen escaped.
func factTable(facts []alerting.Field, width int) string {
	t := newTable()
	t.SetColumnConfigs([]table.ColumnConfig{
		{Number: 1, WidthMin: nameWidth, WidthMax: nameWidth, WidthMaxEnforcer: text.WrapHard},
		{Number: 2, WidthMax: width - nameWidth - 4, WidthMaxEnforcer: text.WrapSoft},
	})
	for _, f := range facts {
		t.AppendRow(table.Row{notify.Printable(f.Name, maxShort), notify.Printable(f.Value, maxTold)})
	}
	return t.Render()
}

// known is who did what, where and when, of the finding that was told last.
func known(n alerting.Notice) []alerting.Field {
	if n.Credential == n.Key { // keyturn does not manage it
		n.Credential = ""
	}
	return append(told(
		alerting.Field{Name: "detector", Value: n.Detector}, alerting.Field{Name: "who", Value: n.Subject},
		alerting.Field{Name: "project", Value: n.Project}, alerting.Field{Name: "credential", Value: n.Credential},
		alerting.Field{Name: "key", Value: n.Key}, alerting.Field{Name: "rotation state", Value: n.Standing},
		alerting.Field{Name: "if revoked", Value: n.Radius}, alerting.Field{Name: "labels", Value: notify.Labels(n.Labels)}, alerting.Field{Name: "when", Value: moment(n.Time)},
		alerting.Field{Name: "count", Value: amount(n.Count)},
	), told(n.Fields...)...)
}

// course is what became of an incident so far.
func course(l alert.Line) []alerting.Field {
	return told(
		alerting.Field{Name: "findings", Value: amount(l.Findings)},
		alerting.Field{Name: "opened", Value: moment(l.Opened)},
		alerting.Field{Name: "latest finding", Value: moment(l.Seen)},
		alerting.Field{Name: "latest alert", Value: moment(l.Told)},
		alerting.Field{Name: "told to", Value: strings.Join(l.Channels, ", ")},
		alerting.Field{Name: "silence", Value: l.Silence},
		alerting.Field{Name: "escalated", Value: times(l.Escalated)},
		alerting.Field{Name: "acknowledged", Value: byAt(l.AckedBy, moment(l.Acked))},
		alerting.Field{Name: "resolved", Value: reasoned(byAt(l.ResolvedBy, moment(l.Resolved)), l.ResolvedWhy)},
		alerting.Field{Name: "by itself", Value: strings.Join(l.Asked, ", ")},
		alerting.Field{Name: "outcome", Value: l.Outcome},
	)
}

// owed are the alerts that channels do not have yet, and why.
func owed(o alerting.Outbox) (facts []alerting.Field) {
	for _, w := range o {
		for _, t := range w.To {
			facts = append(facts, alerting.Field{Name: "owed", Value: attempt(w.Alert, t)})
		}
	}
	return facts
}

func attempt(a alerting.Alert, t alerting.Attempt) string {
	to := "to " + t.Channel
	if channel, dead := alerting.GivenUp(t.Channel); dead {
		to = "to the dead letters, given up for " + channel
	}
	if t.Channel == alerting.Responder {
		to = "to be answered by itself"
	}
	s := fmt.Sprintf("%s alert, %s", a.State, to)
	if t.Tries > 0 {
		s += fmt.Sprintf("; tried %s, again %s", times(t.Tries), moment(t.Next))
	}
	if t.Error != "" {
		s += ": " + t.Error
	}
	return s
}

// writeSteps says what to do. What is to be copied stands on a line of its own,
// however long.
func writeSteps(b *strings.Builder, l alert.Line, width int) {
	n := notify.Advised(alerting.Alert{Notice: l.Latest, Incident: l.ID}).Notice
	ack, resolve := "keyturn alerts ack "+shortIncident(l), "keyturn alerts resolve "+shortIncident(l)
	switch l.Status {
	case "resolved":
		ack, resolve, n.Next, n.Runbook = "", "", "", "" // what is over needs nothing
	case "acknowledged", "silenced":
		ack = ""
	}
	for _, step := range told(
		alerting.Field{Name: "Next", Value: n.Next}, alerting.Field{Name: "The same by gcloud", Value: notify.Call(n, "")},
		alerting.Field{Name: "Take it up", Value: ack}, alerting.Field{Name: "Once it is over", Value: resolve},
		alerting.Field{Name: "Entries", Value: link(n.Link)},
	) {
		fmt.Fprintf(b, "\n%s:\n  %s\n", step.Name, notify.Printable(step.Value, 2*maxTold))
	}
	if n.Runbook != "" {
		b.WriteString("\n" + wrapped("Runbook: "+notify.Printable(n.Runbook, maxTold), width) + "\n")
	}
	if n.Technique != "" {
		b.WriteString("\n" + wrapped("MITRE ATT&CK: "+notify.Printable(n.Technique, maxShort), width) + "\n")
	}
}

// link is a URL that a terminal may make clickable: an https one.
func link(raw string) string {
	if u, err := url.Parse(raw); err != nil || u.Scheme != "https" {
		return ""
	}
	return raw
}
