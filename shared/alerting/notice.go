package alerting

import "time"

// Field is one detail of a notice.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// What brings a notice.
const (
	RuleFinding  = "finding"
	RuleRotation = "rotation"
	RuleDigest   = "digest" // of what a channel's limit held back
)

// Notice is something that may deserve an alert: a finding, or a milestone of a rotation.
type Notice struct {
	ID         string            `json:"notice"` // the same whenever the same thing is told
	Rule       string            `json:"rule"`   // what brought it here
	Detector   string            `json:"detector"`
	Severity   Severity          `json:"severity"`
	Subject    string            `json:"subject"` // whom or what it is about: with Detector it makes the incident
	Project    string            `json:"project,omitempty"`
	Credential string            `json:"credential,omitempty"`     // projects/P/secrets/S, or the key's name, when known
	Key        string            `json:"key,omitempty"`            // id of the key that is abused, when known
	Standing   string            `json:"rotation_state,omitempty"` // what the key is in the rotation of its credential, in a line, when known
	Radius     string            `json:"blast_radius,omitempty"`   // what stops working if the key is revoked now, in a sentence, when known
	Labels     map[string]string `json:"labels,omitempty"`         // of the credential's secret, when known
	Count      int               `json:"count,omitempty"`          // how much of it; 0 where there is nothing to count
	Time       time.Time         `json:"time"`
	Summary    string            `json:"summary"`             // one sentence
	Technique  string            `json:"technique,omitempty"` // of MITRE ATT&CK
	Runbook    string            `json:"runbook,omitempty"`   // what to do, in words
	Fields     []Field           `json:"fields,omitempty"`
	Proven     bool              `json:"proven,omitempty"` // it is known that keyturn itself has found this
	Only       string            `json:"only,omitempty"`   // the one channel that is told, whatever its limit; empty goes by the routes
	Next       string            `json:"next,omitempty"`   // the command or action that comes next
	Link       string            `json:"link,omitempty"`   // to the evidence
}
