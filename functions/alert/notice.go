package alert

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/lazyregexp"
)

// maxNotice is how large a message may be. What keyturn finds is a few KiB: an
// incident holds several of them and must remain small enough to be written.
const maxNotice = 64 << 10

// decodeNotice reads a finding or a rotation event.
func decodeNotice(m event.Message) (alerting.Notice, error) {
	if len(m.Data) > maxNotice {
		return alerting.Notice{}, fmt.Errorf("message of %d bytes, more than %d: let nobody but keyturn publish to %s", len(m.Data), maxNotice, event.TopicFindings)
	}
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
	return alerting.Notice{
		ID: f.ID, Rule: alerting.RuleFinding, Detector: f.Detector, Severity: severity,
		Subject: f.Subject, Project: f.Project, Credential: cmp.Or(f.Credential, f.Key), Key: f.Key, Standing: f.Standing.String(), Radius: f.BlastRadius(), Labels: f.Labels, Technique: f.Technique, Runbook: f.Runbook, Count: f.Count,
		Time: f.Time, Summary: f.Reason, Next: f.Advice, Link: f.Link,
		Fields: fields(
			"first seen", f.FirstSeen.UTC().Format(time.RFC3339),
			"last seen", f.LastSeen.UTC().Format(time.RFC3339),
			"from", strings.Join(f.From, ", "),
			"permissions", strings.Join(f.Permissions, ", "),
			"targets", strings.Join(f.Targets, ", "),
			"evidence", strings.Join(f.Evidence, ", "),
		),
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
		ID: r.ID, Rule: alerting.RuleRotation, Detector: event.MilestonePrefix + string(r.Milestone), Severity: severity,
		Subject: r.Secret, Project: r.Project, Credential: r.Secret, Key: r.Key, Labels: r.Labels, Time: r.Time,
		Summary: fmt.Sprintf("rotation %d of %s: %s", r.Rotation, r.Secret, r.Milestone),
		Next:    nextOf(r),
		Fields:  fields("kind", r.Kind, "key", r.Key, "step", r.Step, "reason", r.Reason),
	}, nil
}

// fields pairs names with values and leaves out what is not known.
func fields(pairs ...string) []alerting.Field {
	var known []alerting.Field
	for pair := range slices.Chunk(pairs, 2) {
		if pair[1] != "" {
			known = append(known, alerting.Field{Name: pair[0], Value: pair[1]})
		}
	}
	return known
}

var secretID = lazyregexp.New(`/secrets/([A-Za-z0-9_-]{1,255})$`)

// nextOf is what to do next. Nothing else than the name of a secret gets into it.
func nextOf(r event.Rotation) string {
	m := secretID.FindStringSubmatch(r.Secret)
	if m == nil {
		return "keyturn status"
	}
	if r.Milestone == event.Broken && r.Step == event.AccountGone {
		return strings.ReplaceAll("keyturn status SECRET  (which tells how to bring the account back, or how to forget the credential)", "SECRET", m[1])
	}
	if next, ok := nexts[r.Milestone]; ok {
		return strings.ReplaceAll(next, "SECRET", m[1])
	}
	return strings.ReplaceAll("keyturn status SECRET, mend what the reason says, then keyturn rotate SECRET", "SECRET", m[1])
}

var nexts = map[event.Milestone]string{
	event.Failed:     "keyturn status SECRET  (the next sweep tries again by itself)",
	event.Straggler:  "have its user read the secret again; the key is kept until then: keyturn status SECRET",
	event.Restored:   "have its user read the secret again; the old key works until then: keyturn status SECRET",
	event.RolledBack: "find out why the newer key was not good, then keyturn rotate SECRET",
	event.Suspended:  "wait: the account is enabled again by itself when the tokens have died: keyturn status SECRET",
	event.Exposed:    "find where the key leaked; it is being disabled by itself, and replaced where it is in use: keyturn status SECRET",
	event.Broken:     "keyturn rotate SECRET",
}
