package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// RotationType is the CloudEvents type of a rotation event.
const RotationType = "dev.keyturn.rotation.v1"

// Milestone is what happened in a rotation.
type Milestone string

// The milestones that are told.
const (
	Started  Milestone = "started"  // the intent of a new key is in the journal
	Promoted Milestone = "promoted" // consumers are given the new key
	Disabled Milestone = "disabled" // an old key has stopped working and can be brought back
	Retired  Milestone = "retired"  // an old key is gone
	Failed   Milestone = "failed"   // a step failed; it is tried again
	Refused  Milestone = "refused"  // the credential cannot be rotated until somebody mends it
)

// Rotation tells about one milestone of one credential.
type Rotation struct {
	ID        string    `json:"id"` // the same for the same milestone, however often it is told
	Milestone Milestone `json:"milestone"`
	Time      time.Time `json:"time"` // policy time
	Project   string    `json:"project"`
	Secret    string    `json:"secret"` // projects/P/secrets/S
	Kind      string    `json:"kind,omitempty"`
	Rotation  int       `json:"rotation,omitempty"` // its number
	Key       string    `json:"key,omitempty"`      // id of the key concerned
	Step      string    `json:"step,omitempty"`     // the step that failed
	Reason    string    `json:"reason,omitempty"`   // RotationEvent cuts it to 1 KiB
	Severity  string    `json:"severity"`           // info, warning or high
}

// SeverityOf is how urgent a milestone is: what goes as planned is info.
func (m Milestone) SeverityOf() string {
	switch m {
	case Failed:
		return "warning"
	case Refused:
		return "high"
	}
	return "info"
}

// RotationEvent puts a milestone into a CloudEvent on the findings topic.
func RotationEvent(r Rotation) (Outgoing, error) {
	r.Reason = clip(r.Reason, maxAttribute)
	data, err := json.Marshal(r)
	if err != nil {
		return Outgoing{}, fmt.Errorf("encoding a rotation event: %w", err)
	}
	return Outgoing{Topic: TopicFindings, Data: data, Attributes: attributes(map[string]string{
		"ce-type":    RotationType,
		"ce-id":      r.ID,
		"ce-source":  "//secretmanager.googleapis.com/" + r.Secret,
		"ce-time":    r.Time.UTC().Format(time.RFC3339Nano),
		"severity":   r.Severity,
		"milestone":  string(r.Milestone),
		"project":    r.Project,
		"credential": r.Secret,
	})}, nil
}

// DecodeRotation reads what RotationEvent wrote.
func DecodeRotation(m Message) (Rotation, error) {
	var r Rotation
	if err := json.Unmarshal(m.Data, &r); err != nil {
		return Rotation{}, fmt.Errorf("decoding a rotation event: %w", err)
	}
	if r.ID == "" || r.Milestone == "" {
		return Rotation{}, errors.New("decoding a rotation event: it has no id or no milestone")
	}
	return r, nil
}
