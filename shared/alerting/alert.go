// Package alerting decides what a person is told of what happened: which
// notices belong to one incident, and which of them say something new. It is
// pure: it takes the time as an argument, never logs and does no I/O.
package alerting

import (
	"fmt"
	"slices"
	"time"
)

// Severity is how urgent an alert is.
type Severity int

// The severities, from lowest to highest.
const (
	Info Severity = iota
	Warning
	High
	Critical
)

var severityNames = []string{"info", "warning", "high", "critical"}

// ParseSeverity reads a severity's name.
func ParseSeverity(name string) (Severity, error) {
	i := slices.Index(severityNames, name)
	if i < 0 {
		return 0, fmt.Errorf("severity %q is none of info, warning, high, critical", name)
	}
	return Severity(i), nil
}

// String is the severity's name.
func (s Severity) String() string {
	if s < Info || s > Critical {
		return fmt.Sprintf("Severity(%d)", int(s))
	}
	return severityNames[s]
}

// MarshalText writes the severity's name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the severity's name.
func (s *Severity) UnmarshalText(text []byte) (err error) {
	*s, err = ParseSeverity(string(text))
	return err
}

// Field is one detail of a notice.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Notice is something that may deserve an alert: a finding, or a milestone of a rotation.
type Notice struct {
	ID         string // the same whenever the same thing is told
	Rule       string // what brought it here: "finding" or "rotation"
	Detector   string
	Severity   Severity
	Subject    string // whom or what it is about: with Detector it makes the incident
	Project    string
	Credential string // projects/P/secrets/S, or the key's name, when known
	Count      int    // how much of it; 0 where there is nothing to count
	Time       time.Time
	Summary    string // one sentence
	Fields     []Field
	Next       string // the command or action that comes next
	Link       string // to the evidence
}

// State is what an alert says about its incident.
type State string

// The states of an incident that are told.
const (
	Open   State = "open"   // something new
	Update State = "update" // the same, but worse, or still going on
)

// Alert is a notice after routing and deduplication.
type Alert struct {
	ID         string    `json:"id"`       // idempotency key of its delivery
	Incident   string    `json:"incident"` // the same for every alert of one incident
	State      State     `json:"state"`
	Severity   Severity  `json:"severity"`
	Rule       string    `json:"rule"`
	Detector   string    `json:"detector"`
	Subject    string    `json:"subject"`
	Project    string    `json:"project,omitempty"`
	Credential string    `json:"credential,omitempty"`
	Count      int       `json:"count,omitempty"`
	Time       time.Time `json:"time"` // of what happened
	Summary    string    `json:"summary"`
	Fields     []Field   `json:"fields,omitempty"`
	Next       string    `json:"next,omitempty"`
	Link       string    `json:"link,omitempty"`
}
