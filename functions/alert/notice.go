package alert

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
)

// decodeNotice reads a finding or a rotation event.
func decodeNotice(m event.Message) (alerting.Notice, error) {
	switch kind := m.Attributes["ce-type"]; kind {
	case event.FindingType:
		f, err := event.DecodeFinding(m)
		if err != nil {
			return alerting.Notice{}, err
		}
		return noticeOfFinding(f)
	case event.RotationType:
		r, err := event.DecodeRotation(m)
		if err != nil {
			return alerting.Notice{}, err
		}
		return noticeOfRotation(r)
	default:
		return alerting.Notice{}, fmt.Errorf("message of type %q is neither a finding (%s) nor a rotation event (%s) by its attribute ce-type: let nobody but keyturn publish to %s",
			kind, event.FindingType, event.RotationType, event.TopicFindings)
	}
}

func noticeOfFinding(f detect.Finding) (alerting.Notice, error) {
	severity, err := alerting.ParseSeverity(string(f.Severity))
	if err != nil {
		return alerting.Notice{}, fmt.Errorf("finding %s: %w", f.ID, err)
	}
	credential := f.Credential
	if credential == "" {
		credential = f.Key
	}
	return alerting.Notice{
		ID: f.ID, Rule: "finding", Detector: f.Detector, Severity: severity,
		Subject: f.Subject, Project: f.Project, Credential: credential, Count: f.Count,
		Time: f.Time, Summary: f.Reason, Next: f.Advice, Link: f.Link,
		Fields: []alerting.Field{
			{Name: "first seen", Value: f.FirstSeen.UTC().Format(time.RFC3339)},
			{Name: "last seen", Value: f.LastSeen.UTC().Format(time.RFC3339)},
			{Name: "permissions", Value: strings.Join(f.Permissions, ", ")},
			{Name: "targets", Value: strings.Join(f.Targets, ", ")},
			{Name: "evidence", Value: strings.Join(f.Evidence, ", ")},
		},
	}, nil
}

func noticeOfRotation(r event.Rotation) (alerting.Notice, error) {
	severity, err := alerting.ParseSeverity(r.Severity)
	if err != nil {
		return alerting.Notice{}, fmt.Errorf("rotation event %s: %w", r.ID, err)
	}
	if r.ID == "" || r.Secret == "" {
		return alerting.Notice{}, fmt.Errorf("rotation event without id or secret: let nobody but keyturn publish to %s", event.TopicFindings)
	}
	return alerting.Notice{
		ID: r.ID, Rule: "rotation", Detector: "rotation-" + string(r.Milestone), Severity: severity,
		Subject: r.Secret, Project: r.Project, Credential: r.Secret, Time: r.Time,
		Summary: fmt.Sprintf("rotation %d of %s: %s", r.Rotation, r.Secret, r.Milestone),
		Next:    nextOf(r),
		Fields: []alerting.Field{
			{Name: "kind", Value: r.Kind},
			{Name: "key", Value: r.Key},
			{Name: "step", Value: r.Step},
			{Name: "reason", Value: r.Reason},
		},
	}, nil
}

var secretID = regexp.MustCompile(`/secrets/([A-Za-z0-9_-]{1,255})$`)

// nextOf is the command that shows what is wrong. Nothing else than the name of
// a secret gets into it.
func nextOf(r event.Rotation) string {
	m := secretID.FindStringSubmatch(r.Secret)
	switch {
	case m == nil:
		return "keyturn status"
	case r.Milestone == event.Failed:
		return "keyturn status  (the next sweep tries again by itself)"
	}
	return "keyturn status, mend what the reason says, then keyturn rotate " + m[1]
}
