package history

import (
	"strings"
	"testing"
	"time"

	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestDecode(t *testing.T) {
	for name, tt := range map[string]struct {
		line string
		want Event
	}{
		"keyturn's": {
			`{"timestamp":"2026-03-01T12:00:00Z","jsonPayload":{"message":"rotation","milestone":"promoted","secret":"s","key":"projects/p/locations/global/keys/k1","reason":"it has authenticated","by":"me@acme.com"}}`,
			Event{Time: noon, What: "promoted", Key: "k1", By: "me@acme.com", Why: "it has authenticated", Source: Keyturn},
		},
		"keyturn's that was asked for": {
			`{"timestamp":"2026-03-01T12:00:00Z","jsonPayload":{"message":"rotation","milestone":"disabled","key":"k1","reason":"revoked","by":"me@acme.com","why":"leaked"}}`,
			Event{Time: noon, What: "disabled", Key: "k1", By: "me@acme.com", Why: "revoked", Asked: "leaked", Source: Keyturn},
		},
		"a pause": {
			`{"timestamp":"2026-03-01T12:00:00Z","jsonPayload":{"message":"rotation","milestone":"paused","reason":"freeze","by":"me@acme.com","why":"freeze"}}`,
			Event{Time: noon, What: "paused", By: "me@acme.com", Why: "freeze", Source: Keyturn},
		},
		"a disabling, whose resource is the account": {
			`{"timestamp":"2026-03-01T12:00:00Z","protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","serviceName":"iam.googleapis.com","methodName":"google.iam.admin.v1.DisableServiceAccountKey","resourceName":"projects/-/serviceAccounts/1","request":{"name":"projects/p/serviceAccounts/a/keys/k2"}}}`,
			Event{Time: noon, What: "DisableServiceAccountKey", Key: "k2", Source: Audit},
		},
		"a change of an API key": {
			`{"timestamp":"2026-03-01T12:00:00Z","protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","serviceName":"apikeys.googleapis.com","methodName":"google.api.apikeys.v2.ApiKeys.UpdateKey","resourceName":"projects/1","request":{"key":{"name":"projects/p/locations/global/keys/k3"}}}}`,
			Event{Time: noon, What: "UpdateKey", Key: "k3", Source: Audit},
		},
		"an API key that could not be made": {
			`{"timestamp":"2026-03-01T12:00:00Z","protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","serviceName":"apikeys.googleapis.com","methodName":"google.api.apikeys.v2.ApiKeys.CreateKey","resourceName":"projects/1","status":{"code":8,"message":"too many"},"request":{"keyId":"k4"}}}`,
			Event{Time: noon, What: "CreateKey", Key: "k4", Why: "refused: too many", Source: Audit},
		},
		"an upload": {
			`{"timestamp":"2026-03-01T12:00:00Z","protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","serviceName":"iam.googleapis.com","methodName":"google.iam.admin.v1.UploadServiceAccountKey","resourceName":"projects/-/serviceAccounts/1","authenticationInfo":{"principalEmail":"r@p.iam.gserviceaccount.com"},"response":{"name":"projects/p/serviceAccounts/a/keys/k2"}}}`,
			Event{Time: noon, What: "UploadServiceAccountKey", Key: "k2", By: "r@p.iam.gserviceaccount.com", Source: Audit},
		},
		"a refused destruction": {
			`{"timestamp":"2026-03-01T12:00:00Z","protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","serviceName":"secretmanager.googleapis.com","methodName":"google.cloud.secretmanager.v1.SecretManagerService.DestroySecretVersion","resourceName":"projects/1/secrets/s/versions/3","status":{"code":7,"message":"no"}}}`,
			Event{Time: noon, What: "DestroySecretVersion", Version: "3", Why: "refused: no", Source: Audit},
		},
	} {
		got, err := Decode([]byte(tt.line))
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	for _, line := range []string{"", "[]", `{"timestamp":7}`, `{"textPayload":"hello"}`} {
		if e, err := Decode([]byte(line)); err == nil || e != (Event{}) {
			t.Errorf("%q: %+v, %v", line, e, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(`{"timestamp":"2026-03-01T12:00:00Z","jsonPayload":{"milestone":"promoted"}}`)
	f.Fuzz(func(t *testing.T, line string) {
		if e, err := Decode([]byte(line)); (err == nil) != (e.What != "") {
			t.Errorf("%+v, %v", e, err)
		}
	})
}

func standing() *rotate.Standing {
	return &rotate.Standing{
		Target: "projects/p/serviceAccounts/a@p.iam.gserviceaccount.com", Current: &rotation.Key{ID: "k2", Phase: rotation.Active, Since: noon},
		Incoming: &rotation.Key{Phase: rotation.Intended, Since: noon}, Retiring: []rotation.Key{{ID: "k1", Phase: rotation.Quarantined, Since: noon.Add(-time.Hour)}},
	}
}

// TestOf tells from the journal what the logs do not.
func TestOf(t *testing.T) {
	logged := []Event{
		{Time: noon.Add(time.Second), What: "promoted", Key: "k2", Source: Keyturn},
		{Time: noon.Add(-time.Hour), What: "DisableServiceAccountKey", Key: "k1", Source: Audit},
		{Time: noon.Add(-2 * time.Hour), What: "promoted", Key: "k1", Source: Keyturn},
	}
	want := []Event{logged[2], logged[1], {Time: noon.Add(-time.Hour), What: "quarantined", Key: "k1", Source: Journal}, logged[0]}
	if diff := cmp.Diff(want, Of(standing(), logged, time.Time{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s := standing()
	s.Requests = []rotation.Request{{Verb: "rollback", By: "ada@example.com", Why: "it broke", At: noon.Add(-time.Minute)}}
	back := Event{Time: noon.Add(-time.Minute), What: "rollback asked for", By: "ada@example.com", Why: "it broke", Source: Journal}
	if diff := cmp.Diff([]Event{logged[2], logged[1], want[2], back, logged[0]}, Of(s, logged, time.Time{})); diff != "" {
		t.Errorf("with a request (-want +got):\n%s", diff)
	}
	s.Requests[0].Key = "k1"
	if got := Of(s, logged, noon.Add(-2*time.Minute)); len(got) != 2 || got[0].Key != "k1" || got[1] != logged[0] {
		t.Errorf("of the last two minutes: %+v", got)
	}
	if got := Of(standing(), nil, time.Time{}); len(got) != 2 || got[0].Key != "k1" || got[1].Key != "k2" {
		t.Errorf("of the journal alone: %+v", got)
	}
}

// TestFilter has Cloud Logging take the filters of names that mean something to it.
func TestFilter(t *testing.T) {
	cloud, err := localgcp.Start(localgcp.Config{Addr: "127.0.0.1:0", ProjectID: "p", Clock: clock.New()})
	if err != nil {
		t.Fatal(err)
	}
	defer cloud.Close()
	client, err := gcp.New(gcp.Config{Project: "p", Endpoint: cloud.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	apiKey := &rotate.Standing{Target: "projects/p/locations/global/keys/k", Current: &rotation.Key{ID: `projects/p/locations/global/keys/k") OR ("`}}
	for name, s := range map[string]*rotate.Standing{"account": standing(), "API key": apiKey, "new": {Target: "projects/p/locations/global/keys/k"}} {
		filter := Filter("projects/p/secrets/billing-key", s, noon, []string{"keyturn-rotate", "keyturn-rotate-http"})
		if err := client.Log(t.Context(), filter, func([]byte) error { return nil }); err != nil {
			t.Errorf("%s: %v: %s", name, err, filter)
		}
		if !strings.Contains(filter, "2026-03-01T12:00:00Z") || !strings.Contains(filter, "projects/p/secrets/billing-key") {
			t.Errorf("%s: %s", name, filter)
		}
	}
}
