package alert

import "example.com/keyturn/shared/alerting"

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

// Overview is all incidents, what was noticed last first, and what is in force now.
type Overview struct {
	Incidents []Line             `json:"incidents"`
	Silences  []alerting.Silence `json:"silences"`
	Stopped   string             `json:"stopped,omitempty"` // why nothing is done without being asked; empty when it is
}

// Silenced is a silence that was begun, or ended before its time.
type Silenced struct {
	Silence alerting.Silence `json:"silence"`
}

// Responses says whether anything is done without being asked.
type Responses struct {
	Responses string `json:"responses"` // On or Stopped
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

// Receipt says what became of a test alert on one channel.
type Receipt struct {
	Channel string `json:"channel"`
	Error   string `json:"error,omitempty"` // empty when it was delivered
}
