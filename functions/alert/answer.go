package alert

import (
	"slices"

	"example.com/keyturn/shared/alerting"
)

// Line is one incident as people see it.
type Line struct {
	ID     string `json:"incident"`
	Status string `json:"status"` // open, acknowledged, resolved or silenced
	alerting.Incident
	Recent      *struct{} `json:"recent,omitempty"` // hides what is of no use to people
	Undelivered int       `json:"undelivered"`      // alerts that some channel does not have yet
}

func lineOf(id string, in *alerting.Incident) Line {
	return Line{ID: id, Status: in.Status(), Incident: *in, Undelivered: len(in.Outbox)}
}

// Standing is how one incident stands after a command about it.
type Standing struct {
	Incident  Line `json:"incident"`
	Unchanged bool `json:"unchanged,omitempty"` // it stood so before: the command has changed nothing
}

// Lacks names what is missing in what is no answer about an incident; "" if nothing is.
func (s Standing) Lacks() string {
	if s.Incident.ID == "" || s.Incident.Status == "" {
		return "incident"
	}
	return ""
}

// Overview is all incidents, what was noticed last first, and what is in force now.
type Overview struct {
	Incidents []Line             `json:"incidents"`
	Silences  []alerting.Silence `json:"silences"`
	Stopped   string             `json:"stopped,omitempty"` // why nothing is done without being asked; empty when it is
}

// Lacks names what is missing in what is no overview; "" if nothing is.
func (o Overview) Lacks() string {
	if o.Incidents == nil || slices.ContainsFunc(o.Incidents, func(l Line) bool { return l.ID == "" }) {
		return "incidents"
	}
	return ""
}

// Silenced is a silence that was begun, or ended before its time.
type Silenced struct {
	Silence alerting.Silence `json:"silence"`
}

// Lacks names what is missing in what is no answer about a silence; "" if nothing is.
func (s Silenced) Lacks() string {
	if s.Silence.ID == "" || s.Silence.Until.IsZero() {
		return "silence"
	}
	return ""
}

// Responses says whether anything is done without being asked.
type Responses struct {
	Responses string `json:"responses"` // On or Stopped
}

// Lacks names what is missing in what is no answer about responses; "" if nothing is.
func (r Responses) Lacks() string {
	if r.Responses != On && r.Responses != Stopped {
		return "responses"
	}
	return ""
}

// What Responses says.
const (
	On      = "on"
	Stopped = "stopped"
)

// Tested is what became of a test alert on every channel.
type Tested struct {
	Receipts []Receipt `json:"receipts"`
}

// Lacks names what is missing in what is no answer about a test; "" if nothing is. The
// topic keyturn-alerts is tested always.
func (t Tested) Lacks() string {
	if len(t.Receipts) == 0 {
		return "receipts"
	}
	return ""
}

// Receipt says what became of a test alert on one channel.
type Receipt struct {
	Channel string `json:"channel"`
	Error   string `json:"error,omitempty"` // empty when it was delivered
}
