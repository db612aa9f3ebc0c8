package event

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/detect"
)

// The CloudEvents types of findings and alerts.
const (
	FindingType = "dev.keyturn.finding.v1"
	AlertType   = "dev.keyturn.alert.v1"
)

// FindingEvent puts a finding into a CloudEvent on the findings topic.
func FindingEvent(f detect.Finding) (Outgoing, error) {
	data, err := json.Marshal(f)
	if err != nil {
		return Outgoing{}, fmt.Errorf("encoding finding %s: %w", f.ID, err)
	}
	return Outgoing{Topic: TopicFindings, Data: data, Attributes: attributes(map[string]string{
		"ce-type":    FindingType,
		"ce-id":      f.ID,
		"ce-source":  source("audit", f.Project),
		"ce-time":    f.Time.UTC().Format(time.RFC3339Nano),
		"severity":   string(f.Severity),
		"detector":   f.Detector,
		"project":    f.Project,
		"credential": cmp.Or(f.Credential, f.Key),
	})}, nil
}

// DecodeFinding reads what FindingEvent wrote.
func DecodeFinding(m Message) (detect.Finding, error) {
	var f detect.Finding
	if err := json.Unmarshal(m.Data, &f); err != nil {
		return detect.Finding{}, fmt.Errorf("decoding a finding: %w", err)
	}
	if f.ID == "" || f.Detector == "" {
		return detect.Finding{}, errors.New("decoding a finding: it has no id or no detector")
	}
	return f, nil
}

// AlertEvent puts an alert into a CloudEvent on the alerts topic, with
// attributes that subscribers can filter by.
func AlertEvent(a alerting.Alert) (Outgoing, error) {
	data, err := json.Marshal(a)
	if err != nil {
		return Outgoing{}, fmt.Errorf("encoding alert %s: %w", a.ID, err)
	}
	return Outgoing{Topic: TopicAlerts, Data: data, Attributes: attributes(map[string]string{
		"ce-type":    AlertType,
		"ce-id":      a.ID,
		"ce-source":  source("alert", a.Project),
		"ce-time":    a.Time.UTC().Format(time.RFC3339Nano),
		"severity":   a.Severity.String(),
		"rule":       a.Rule,
		"detector":   a.Detector,
		"project":    a.Project,
		"credential": a.Credential,
		"incident":   a.Incident,
		"state":      string(a.State),
	})}, nil
}

// attributes completes a binary CloudEvent and leaves out what is not known:
// filters tell an absent attribute from one with a value.
func attributes(a map[string]string) map[string]string {
	a["ce-specversion"] = "1.0"
	a["content-type"] = "application/json"
	for name, value := range a {
		if value == "" {
			delete(a, name)
			continue
		}
		a[name] = clip(value, maxAttribute)
	}
	return a
}

func source(function, project string) string {
	if project == "" {
		return "//keyturn.dev/functions/" + function
	}
	return "//keyturn.dev/projects/" + project + "/functions/" + function
}
