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

	Straggler  Milestone = "straggler"   // an old key is still used, or may be, and is kept for that
	Restored   Milestone = "restored"    // a disabled key works again, because somebody still uses it
	RolledBack Milestone = "rolled-back" // consumers are given an earlier key again
	Suspended  Milestone = "suspended"   // the service account is disabled, and with it every token of its keys
	Reinstated Milestone = "reinstated"  // the service account works again
	Exposed    Milestone = "exposed"     // a key works that is in the wrong hands: Google has found it in public, or somebody has enabled one that was revoked
	Broken     Milestone = "broken"      // the key in use does not work: somebody has disabled or deleted it, or its service account
	Overdue    Milestone = "overdue"     // what should have happened has not

	Paused   Milestone = "paused"   // somebody has the schedule leave the credential alone
	Resumed  Milestone = "resumed"  // and ended that
	Released Milestone = "released" // keyturn has forgotten the credential
)

// Milestones are all milestones.
var Milestones = []Milestone{Started, Promoted, Disabled, Retired, Failed, Refused, Straggler, Restored, RolledBack, Suspended, Reinstated, Exposed, Broken, Overdue, Paused, Resumed, Released}

// MilestonePrefix begins the name of the detector that alerts on a milestone give.
const MilestonePrefix = "rotation-"

// AccountGone is the Step of Broken and Reinstated where they tell of a service account
// that was deleted.
const AccountGone = "account-gone"

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
	Severity  string    `json:"severity"`           // info, warning, high or critical

	By  string `json:"by,omitempty"`  // who asked for it; empty if it was due by itself
	Why string `json:"why,omitempty"` // in the words of whoever asked; empty if he gave no reason

	Labels map[string]string `json:"labels,omitempty"` // that the owner gave the secret
}

// SeverityOf is how urgent a milestone is: what goes as planned is info.
func (m Milestone) SeverityOf() string {
	switch m {
	case Failed, Straggler, RolledBack:
		return "warning"
	case Refused, Restored, Suspended, Overdue:
		return "high"
	case Exposed, Broken:
		return "critical"
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
