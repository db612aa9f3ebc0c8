// Package alerting decides what a person is told of what happened: which
// notices belong to one incident, which of them say something new, who is told,
// and what is done about it without being asked. It is pure: it takes the time as
// an argument, never logs and does no I/O.
package alerting

import "time"

// State is what an alert says about its incident.
type State string

// The states of an incident that are told.
const (
	Open         State = "open"         // something new
	Update       State = "update"       // the same, but worse, or still going on
	Acknowledged State = "acknowledged" // somebody has taken it up
	Escalated    State = "escalated"    // nobody has taken it up in time
	Resolved     State = "resolved"     // it is over
)

// Alert is what is told of an incident once: the notice that led to it, and
// where the incident stands.
type Alert struct {
	Notice
	ID       string    `json:"id"`       // idempotency key of its delivery
	Incident string    `json:"incident"` // the same for every alert of one incident
	State    State     `json:"state"`
	Opened   time.Time `json:"opened"`            // when the incident was
	Decided  time.Time `json:"decided,omitzero"`  // when this was
	Findings int       `json:"findings"`          // how many notices it has had since
	By       string    `json:"by,omitempty"`      // who acknowledged or resolved it
	Why      string    `json:"why,omitempty"`     // it was escalated or resolved
	Outcome  string    `json:"outcome,omitempty"` // of what was done without being asked
}
