package event

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

var rotationEvent = Rotation{
	ID: "r1", Milestone: Failed, Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Project: "p", Secret: "projects/p/secrets/s",
	Kind: "api-key", Rotation: 3, Key: "k", Step: "verify", Reason: "reason", Severity: "warning",
}

func TestRotationEvent(t *testing.T) {
	out, err := RotationEvent(rotationEvent)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"ce-specversion": "1.0", "ce-type": "dev.keyturn.rotation.v1", "ce-id": "r1", "ce-source": "//secretmanager.googleapis.com/projects/p/secrets/s",
		"ce-time": "2026-03-01T12:00:00Z", "content-type": "application/json", "severity": "warning", "milestone": "failed",
		"project": "p", "credential": "projects/p/secrets/s",
	}
	if out.Topic != TopicFindings || !reflect.DeepEqual(out.Attributes, want) {
		t.Errorf("topic %q, attributes %v\nwant %v", out.Topic, out.Attributes, want)
	}
	back, err := DecodeRotation(Message{Data: out.Data})
	if err != nil || back != rotationEvent {
		t.Errorf("decoded %+v, %v\nwant %+v", back, err, rotationEvent)
	}
}

func TestRotationEventsRefuse(t *testing.T) {
	if _, err := RotationEvent(Rotation{Time: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}); err == nil || !strings.Contains(err.Error(), "encoding a rotation event") {
		t.Errorf("RotationEvent: error %v", err)
	}
	if _, err := DecodeRotation(Message{Data: []byte("{")}); err == nil || !strings.Contains(err.Error(), "decoding a rotation event") {
		t.Errorf("DecodeRotation: error %v", err)
	}
}

func TestSeverityOfMilestones(t *testing.T) {
	for m, want := range map[Milestone]string{Started: "info", Promoted: "info", Disabled: "info", Retired: "info", Failed: "warning", Refused: "high"} {
		if got := m.SeverityOf(); got != want {
			t.Errorf("severity of %s = %q, want %q", m, got, want)
		}
	}
}
