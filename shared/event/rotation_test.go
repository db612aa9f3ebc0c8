package event

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var rotationEvent = Rotation{
	ID: "r1", Milestone: Failed, Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Project: "p", Secret: "projects/p/secrets/s",
	Kind: "api-key", Rotation: 3, Key: "k", Step: "verify", Reason: "reason", Severity: "warning", Labels: map[string]string{"team": "payments"},
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
	if err != nil || !reflect.DeepEqual(back, rotationEvent) {
		t.Errorf("decoded %+v, %v\nwant %+v", back, err, rotationEvent)
	}
}

func TestRotationEventsRefuse(t *testing.T) {
	if _, err := RotationEvent(Rotation{Time: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}); err == nil || !strings.Contains(err.Error(), "encoding a rotation event") {
		t.Errorf("RotationEvent: error %v", err)
	}
	for _, data := range []string{"", "{", "null", "{}", `{"id":"1"}`, `{"milestone":"failed"}`, `{"id":1,"milestone":"failed"}`, `{"id":"1","milestone":"failed","time":"soon"}`} {
		r, err := DecodeRotation(Message{Data: []byte(data)})
		if err == nil || !strings.Contains(err.Error(), "decoding a rotation event") || !reflect.DeepEqual(r, Rotation{}) {
			t.Errorf("DecodeRotation of %s: %+v, error %v", data, r, err)
		}
	}
}

func TestRotationEventBoundsWhatItTells(t *testing.T) {
	r := rotationEvent
	r.Secret, r.Kind, r.Project = strings.Repeat("s", 5000), "", ""
	r.Reason = strings.Repeat("r", maxAttribute) + "end of a long answer \xff"
	out, err := RotationEvent(r)
	if err != nil {
		t.Fatal(err)
	}
	back, err := DecodeRotation(Message{Data: out.Data})
	if err != nil {
		t.Fatal(err)
	}
	if len(back.Reason) > maxAttribute || !strings.HasPrefix(r.Reason, strings.TrimSuffix(back.Reason, "…")) {
		t.Errorf("reason %q of %d bytes", back.Reason, len(back.Reason))
	}
	if _, told := out.Attributes["project"]; told || len(out.Attributes["credential"]) > maxAttribute {
		t.Errorf("attributes %v", out.Attributes)
	}
}

// FuzzDecodeRotation holds that what is decoded is encoded to the same, but for
// a long reason.
func FuzzDecodeRotation(f *testing.F) {
	out, err := RotationEvent(rotationEvent)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(out.Data)
	for _, data := range []string{"{}", "null", `{"id":"1","milestone":"x","time":"9999-12-31T23:59:59-12:00"}`, `{"ID":"1","milestone":"x","reason":"\ud800"}`, `{"id":"1","milestone":"x","labels":{}}`} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := DecodeRotation(Message{Data: data})
		if err != nil {
			if !reflect.DeepEqual(r, Rotation{}) {
				t.Errorf("an error and %+v", r)
			}
			return
		}
		out, err := RotationEvent(r)
		if err != nil {
			t.Fatal(err)
		}
		back, err := DecodeRotation(Message{Data: out.Data})
		if err != nil {
			t.Fatal(err)
		}
		if len(back.Reason) > maxAttribute || len(r.Reason) <= maxAttribute && back.Reason != r.Reason || !back.Time.Equal(r.Time) {
			t.Errorf("%+v came back as %+v", r, back)
		}
		back.Reason, back.Time = r.Reason, r.Time
		if !cmp.Equal(back, r, cmpopts.EquateEmpty()) {
			t.Errorf("%+v came back as %+v", r, back)
		}
	})
}

func TestSeverityOfMilestones(t *testing.T) {
	for m, want := range map[Milestone]string{Started: "info", Promoted: "info", Disabled: "info", Retired: "info", Failed: "warning", Refused: "high"} {
		if got := m.SeverityOf(); got != want {
			t.Errorf("severity of %s = %q, want %q", m, got, want)
		}
	}
}
