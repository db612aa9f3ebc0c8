package event

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/detect"
)

var finding = detect.Finding{
	ID: "f1", Time: time.Date(2026, 3, 1, 12, 0, 0, 5, time.UTC), Detector: detect.TokenMinting, Severity: detect.High, Subject: "s",
	Project: "p", Key: "//iam.googleapis.com/k", Count: 8, Permissions: []string{"a.b.c"}, Targets: []string{"t"},
	FirstSeen: time.Date(2026, 3, 1, 11, 59, 0, 0, time.UTC), LastSeen: time.Date(2026, 3, 1, 12, 0, 0, 5, time.UTC),
	Reason: "<b>reason</b>\n", Advice: "advice", Link: "link", Evidence: []string{"i1"},
}

func TestFindingEvent(t *testing.T) {
	out, err := FindingEvent(finding)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"ce-specversion": "1.0", "ce-type": "dev.keyturn.finding.v1", "ce-id": "f1", "ce-source": "//keyturn.dev/projects/p/functions/audit",
		"ce-time": "2026-03-01T12:00:00.000000005Z", "content-type": "application/json",
		"severity": "high", "detector": "token-minting", "project": "p", "credential": "//iam.googleapis.com/k",
	}
	if out.Topic != TopicFindings || !reflect.DeepEqual(out.Attributes, want) {
		t.Errorf("topic %q, attributes %v\nwant %v", out.Topic, out.Attributes, want)
	}
	if strings.ContainsAny(string(out.Data), "<>\n") {
		t.Errorf("data is not escaped: %s", out.Data)
	}
	back, err := DecodeFinding(Message{Data: out.Data})
	if err != nil || !reflect.DeepEqual(back, finding) {
		t.Errorf("decoded %+v, %v\nwant %+v", back, err, finding)
	}
}

func TestFindingEventLeavesOutWhatIsNotKnown(t *testing.T) {
	f := finding
	f.Project, f.Key, f.Detector = "", "", strings.Repeat("d", 5000)
	out, err := FindingEvent(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"project", "credential"} {
		if value, ok := out.Attributes[name]; ok {
			t.Errorf("attribute %s = %q, want none", name, value)
		}
	}
	if out.Attributes["ce-source"] != "//keyturn.dev/functions/audit" || len(out.Attributes["detector"]) > maxAttribute {
		t.Errorf("attributes = %v", out.Attributes)
	}
}

func TestAlertEvent(t *testing.T) {
	a := alerting.Alert{
		ID: "a1", Incident: "i1", State: alerting.Update, Opened: finding.Time, Findings: 2, Notice: alerting.Notice{
			Severity: alerting.Critical, Rule: "finding", Detector: "d", Subject: "s",
			Project: "p", Credential: "projects/p/secrets/s", Time: finding.Time, Summary: "summary",
		},
	}
	out, err := AlertEvent(a)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"ce-specversion": "1.0", "ce-type": "dev.keyturn.alert.v1", "ce-id": "a1", "ce-source": "//keyturn.dev/projects/p/functions/alert",
		"ce-time": "2026-03-01T12:00:00.000000005Z", "content-type": "application/json", "severity": "critical", "rule": "finding",
		"detector": "d", "project": "p", "credential": "projects/p/secrets/s", "incident": "i1", "state": "update",
	}
	if out.Topic != TopicAlerts || !reflect.DeepEqual(out.Attributes, want) {
		t.Errorf("topic %q, attributes %v\nwant %v", out.Topic, out.Attributes, want)
	}
	var back alerting.Alert
	if err := json.Unmarshal(out.Data, &back); err != nil || !reflect.DeepEqual(back, a) {
		t.Errorf("decoded %+v, %v\nwant %+v", back, err, a)
	}
}

func TestEventsRefuseWhatJSONCannotHold(t *testing.T) {
	never := time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := FindingEvent(detect.Finding{ID: "f1", Time: never}); err == nil || !strings.Contains(err.Error(), "encoding finding f1") {
		t.Errorf("FindingEvent: error %v", err)
	}
	if _, err := AlertEvent(alerting.Alert{ID: "a1", Opened: never}); err == nil || !strings.Contains(err.Error(), "encoding alert a1") {
		t.Errorf("AlertEvent: error %v", err)
	}
}

func TestDecodeFindingRefuses(t *testing.T) {
	for _, data := range []string{"", "null", "{}", `{"id":"f1"}`, `{"id":"f1","detector":"d","time":"soon"}`} {
		if f, err := DecodeFinding(Message{Data: []byte(data)}); err == nil || !reflect.ValueOf(f).IsZero() {
			t.Errorf("%s: %+v, %v", data, f, err)
		}
	}
}
