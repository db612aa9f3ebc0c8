package notify

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/lazyregexp"
)

// message is what every channel says of an alert. Its texts are single lines that
// print, of bounded length, whatever the alert holds; what a channel gives a
// meaning to (markup, mentions, links) it escapes itself.
type message struct {
	Title     string // the incident in a line, the same for all its alerts
	State     string // open, update, acknowledged, escalated or resolved
	Severity  string // info, warning, high or critical
	Doubtful  bool   // it is not known to come from keyturn itself
	Sentence  string // what happened, and why it is thought abnormal, in numbers; first of all, that it is doubtful
	Why       string // what the detector looks for is not normal; empty where a rule's sentence says so
	Progress  string // what became of the incident: who took it up, why it escalated or is over; often empty
	Facts     []fact // who, what, where and when, in numbers; what matters most comes first
	Next      string // the command or action that comes next
	Call      string // gcloud's way to the same; empty where there is none
	Ack       string // the command that takes the incident up; empty once that makes no sense
	Logs      string // https URL of the evidence; may be empty
	Runbook   string // what to do, in words; may be empty
	Page      string // https URL of the runbook; may be empty
	Technique string // of MITRE ATT&CK, with its name where that is known; may be empty
	Attack    string // https URL of the technique's description; may be empty
}

// fact is a name and what is known by it; neither is empty.
type fact struct{ Name, Value string }

// Bounds of a message, in bytes where nothing else is said. Escaped five times as
// long, each text still fits where a vendor takes least (3000 characters, Slack),
// but for the longer ones, which that vendor's adapter cuts.
const (
	maxTitle    = 200
	maxSentence = 1200
	maxName     = 60
	maxValue    = 500
	maxFacts    = 24 // facts
	maxStep     = 700
	maxRunbook  = 1500
	maxURL      = 2000
)

// compose says what an alert of a deployment says.
func compose(a alerting.Alert, d Deployment) message {
	a = Advised(a)
	m := message{
		Title:    Printable(title(a.Notice), maxTitle),
		State:    Printable(string(a.State), maxName),
		Severity: a.Severity.String(),
		Doubtful: doubtful(a),
		Sentence: Printable(Sentence(a), maxSentence),
		Why:      Explain(a.Detector).Why,
		Progress: Printable(progress(a), maxSentence),
		Facts:    facts(a),
		Next:     Printable(a.Next, maxStep),
		Call:     Call(a.Notice, d.Region),
		Logs:     link(a.Link),
		Runbook:  Printable(a.Runbook, maxRunbook),
		Page:     d.page(a.Detector),
		Attack:   attackURL(a.Technique),
	}
	if m.Attack != "" {
		m.Technique = strings.TrimSpace(a.Technique + " " + techniques[a.Technique])
	}
	if a.State != alerting.Acknowledged && a.State != alerting.Resolved && !passing(a) && IsIncident(a.Incident) {
		m.Ack = "keyturn alerts ack " + a.Incident
	}
	return m
}

// passing reports whether an alert is over once it is told, as a digest or a test is:
// nobody has to take it up, and nobody will say that it is resolved.
func passing(a alerting.Alert) bool { return a.Only != "" || a.Rule == "test" }

// IsIncident reports whether a text is the whole id of an incident.
func IsIncident(id string) bool { return incidentID.MatchString(id) }

var incidentID = lazyregexp.New(`^[0-9a-f]{32}$`)

// Sentence is what happened, after a warning where that is doubtful.
func Sentence(a alerting.Alert) string {
	if doubtful(a) {
		return doubt + ". It says: " + a.Summary
	}
	return a.Summary
}

// title goes by what makes an incident one, and by nothing that changes in it: mail
// programs thread by it.
func title(n alerting.Notice) string {
	t := n.Detector
	if n.Subject != "" {
		t += ": " + n.Subject
	}
	if n.Project != "" {
		t += ", in project " + n.Project
	}
	return t
}

// progress says what became of the incident.
func progress(a alerting.Alert) string {
	var parts []string
	switch {
	case a.State == alerting.Acknowledged && a.By != "":
		parts = append(parts, a.By+" has taken it up")
	case a.State == alerting.Resolved && a.By != "":
		parts = append(parts, "resolved by "+a.By)
	}
	if a.Why != "" {
		parts = append(parts, a.Why)
	}
	if a.Outcome != "" {
		parts = append(parts, "automatic response: "+a.Outcome) // which says whether it was done
	}
	return strings.Join(parts, "; ")
}

// facts lists what is known: of the finding, its own fields, of the incident.
func facts(a alerting.Alert) []fact {
	credential, key := fact{"credential", a.Credential}, fact{"key", a.Key}
	if unmanaged(a) {
		credential, key = fact{}, fact{"key (not managed by keyturn)", a.Key}
	}
	told := printed(fact{"who", a.Subject}, fact{"project", a.Project}, credential, key,
		fact{"rotation state", a.Standing}, fact{"if revoked", a.Radius}, fact{"labels", Labels(a.Labels)},
		fact{"when", stamp(a.Time)}, fact{"count", number(a.Count)})
	incident := printed(fact{"opened", stamp(a.Opened)}, fact{"findings", number(a.Findings)}, fact{"incident", a.Incident})
	for i, f := range a.Fields {
		if slices.Contains(told, fact(f)) {
			continue
		}
		if len(told)+len(incident) == maxFacts-1 && i < len(a.Fields)-1 {
			told = append(told, fact{"and", fmt.Sprintf("%d more, which 'keyturn alerts show' tells", len(a.Fields)-i)})
			break
		}
		told = append(told, printed(fact(f))...)
	}
	return append(told, incident...)
}

// Labels are labels in a line, in the order of their names.
func Labels(labels map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		parts = append(parts, name+"="+labels[name])
	}
	return strings.Join(parts, ", ")
}

// unmanaged reports whether an alert is about a key that is of no credential of
// keyturn's, and stands in for it.
func unmanaged(a alerting.Alert) bool { return a.Key != "" && a.Key == a.Credential }

// printed are the facts that are known, in a form that prints.
func printed(all ...fact) (known []fact) {
	for _, f := range all {
		if f.Name != "" && f.Value != "" {
			known = append(known, fact{Printable(f.Name, maxName), Printable(f.Value, maxValue)})
		}
	}
	return known
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// link is an https URL, in a form that no channel reads as anything else, or
// nothing: a longer one, cut, would lead elsewhere.
func link(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Opaque != "" {
		return ""
	}
	safe := bounded(u.String(), 3*maxURL, func(r rune) string {
		if r > '~' || r <= ' ' || strings.ContainsRune("<>|\"'`()[]{}\\^*", r) {
			return url.QueryEscape(string(r))
		}
		return string(r)
	})
	if len(safe) > maxURL {
		return ""
	}
	return safe
}

// commands are the commands of a message, by what they are for.
func (m message) commands() []fact {
	return named(fact{"Next", m.Next}, fact{"The same by gcloud", m.Call}, fact{"Take it up", m.Ack})
}

// links are the URLs of a message, by what they lead to.
func (m message) links() []fact {
	return named(fact{"Logs Explorer", m.Logs}, fact{"Runbook", m.Page}, fact{"MITRE " + m.Technique, m.Attack})
}

// steps says what to do, for vendors that have one place for it.
func (m message) steps() string {
	var parts []string
	for _, s := range append(m.commands(), named(fact{"Runbook", m.Runbook}, fact{"Runbook", m.Page})...) {
		parts = append(parts, s.Name+": "+s.Value)
	}
	return strings.Join(parts, "\n")
}

func named(all ...fact) []fact {
	return slices.DeleteFunc(all, func(f fact) bool { return f.Value == "" })
}
