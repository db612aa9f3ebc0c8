package detect

import "time"

// Severity is how urgent a finding is.
type Severity string

// The severities, from lowest to highest.
const (
	Info     Severity = "info"
	Warning  Severity = "warning"
	High     Severity = "high"
	Critical Severity = "critical"
)

// Finding is what a detector concluded, with its evidence. Its texts are
// printable and of bounded length, whatever the entries held.
type Finding struct {
	ID          string    `json:"id"` // the same whenever the same entries lead to it
	Time        time.Time `json:"time"`
	Detector    string    `json:"detector"`
	Severity    Severity  `json:"severity"`
	Update      bool      `json:"update,omitempty"` // tells more about an episode that was told before
	Subject     string    `json:"subject"`
	Project     string    `json:"project,omitempty"`
	Credential  string    `json:"credential,omitempty"` // projects/P/secrets/S, when it is known
	Key         string    `json:"key,omitempty"`        // full name of the key that was used, when it is known
	Count       int       `json:"count"`                // distinct permissions, or permissions on distinct targets
	Permissions []string  `json:"permissions,omitempty"`
	Targets     []string  `json:"targets,omitempty"`
	FirstSeen   time.Time `json:"first_seen"`
	LastSeen    time.Time `json:"last_seen"`
	Reason      string    `json:"reason"`
	Advice      string    `json:"advice"`   // what to do next
	Link        string    `json:"link"`     // to the entries in Logs Explorer
	Evidence    []string  `json:"evidence"` // insertIds of entries
}
