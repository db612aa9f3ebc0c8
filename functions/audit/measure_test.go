package audit

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	apikeys "cloud.google.com/go/apikeys/apiv2"
	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/monitoring"
	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// answered counts calls with a credential of a project, now.
func (e *env) answered(project, credential, code string, n int64) {
	e.counts.Count(monitoring.RequestCount, map[string]string{"response_code": code}, "consumed_api", map[string]string{"project_id": project, "credential_id": credential}, n)
}

// tried counts authentications with a key of an account, now.
func (e *env) tried(key string, n int64) {
	e.counts.Count(monitoring.KeyAuthnEvents, map[string]string{"key_id": key}, "iam_service_account", map[string]string{"project_id": project, "unique_id": "1"}, n)
}

// workDays lets a credential be called for 30 hours, never refused.
func (e *env) workDays(credential string) {
	for range 30 {
		e.answered(project, credential, "200", 40)
		e.clock.Advance(time.Hour)
	}
}

func TestCallsThatNoLogHoldsAreFound(t *testing.T) {
	e := newEnv(t)
	e.workDays("serviceaccount:1")
	e.answered(project, "serviceaccount:1", "403", 50)
	must(t, e.sweep())
	if found := e.findings(); len(found) != 0 {
		t.Fatalf("findings = %+v before the hour is over", found)
	}
	e.clock.Advance(time.Hour)
	must(t, e.sweep())
	found := e.findings()
	if len(found) != 1 || found[0].Detector != detect.RefusedCredential || found[0].Subject != "serviceaccount:1" || found[0].Count != 50 ||
		!strings.Contains(found[0].Reason, "hour from 2030-01-02T18:00:00Z") || !strings.Contains(found[0].Link, "metrics-explorer") {
		t.Fatalf("findings = %+v", found)
	}
	for range 30 {
		e.clock.Advance(time.Hour)
		must(t, e.sweep())
	}
	if again := e.findings(); len(again) != 0 {
		t.Errorf("told again: %+v", again)
	}
}

// retiredKey is a credential one of whose keys was deleted two days ago.
func retiredKey(t testing.TB) []gcp.Secret {
	t.Helper()
	return []gcp.Secret{credential(t, "projects/acme/secrets/billing", rotation.ServiceAccountKey, "projects/acme/serviceAccounts/"+billing, rotation.Journal{
		Current: &rotation.Key{ID: keyB, Version: "2", Phase: rotation.Active, Since: start, Given: start},
		Retired: []rotation.RetiredKey{{ID: keyA, Versions: []string{"1"}, Given: start.AddDate(0, 0, -9), Disabled: start.AddDate(0, 0, -3), Deleted: start.AddDate(0, 0, -2)}},
	})}
}

func TestAttemptsWithARetiredKeyAreFound(t *testing.T) {
	e := newEnv(t)
	e.f.config.Secrets = &listed{secrets: retiredKey(t)}
	e.tried(keyA, 3)
	e.tried(keyB, 100)
	e.clock.Advance(time.Hour)
	must(t, e.sweep())
	found := e.findings()
	if len(found) != 1 || found[0].Detector != detect.RefusedCredential || found[0].Credential != "projects/acme/secrets/billing" || found[0].Count != 3 || found[0].Subject != billing {
		t.Fatalf("findings = %+v", found)
	}
}

// TestASweepGoesOnWithoutCloudMonitoring finds in the log what there is, says what
// is missing, and makes up for it.
func TestASweepGoesOnWithoutCloudMonitoring(t *testing.T) {
	e := newEnv(t)
	e.f.config.Secrets = &listed{secrets: retiredKey(t)}
	e.tried(keyA, 3)
	e.clock.Advance(time.Hour)
	e.write(probe(8)...)
	e.failing("/google.monitoring.v3.MetricService/ListTimeSeries")
	must(t, e.sweep())
	if found := e.findings(); len(found) != 1 || found[0].Detector != detect.PermissionProbing {
		t.Errorf("findings = %+v, want what the log holds", found)
	}
	for _, want := range []string{"not all refused calls are known", "counting the calls of the credentials of project acme", "reading the uses of the keys of projects/acme/serviceAccounts/" + billing} {
		if !strings.Contains(e.log.String(), want) {
			t.Errorf("the log does not say %q: %s", want, e.log.String())
		}
	}
	e.faults.Set(nil)
	must(t, e.sweep())
	if found := e.findings(); len(found) != 1 || found[0].Detector != detect.RefusedCredential {
		t.Errorf("findings = %+v, want what was missing", found)
	}
}

func TestRefusedCallsThatCannotBeToldAreToldLater(t *testing.T) {
	e := newEnv(t)
	e.workDays("serviceaccount:1")
	e.answered(project, "serviceaccount:1", "401", 50)
	e.clock.Advance(time.Hour)
	e.failing("/google.pubsub.v1.Publisher/Publish")
	if err := e.sweep(); err == nil {
		t.Fatal("no error")
	}
	e.faults.Set(nil)
	must(t, e.deliver(event.TopicLogs, denial("s.things.get", 0), nil))
	if found := e.findings(); len(found) != 1 || found[0].Detector != detect.RefusedCredential {
		t.Errorf("findings = %+v", found)
	}
}

func TestWhatCloudMonitoringIsAskedAbout(t *testing.T) {
	const key = "projects/shop/locations/global/keys/"
	l := &detect.Ledger{
		Secrets: []detect.LedgerSecret{
			{Name: "projects/acme/secrets/a", Target: "//iam.googleapis.com/projects/other/serviceAccounts/a@other.iam.gserviceaccount.com"},
			{Name: "projects/acme/secrets/b", Target: "//apikeys.googleapis.com/" + key + "new"},
			{Name: "projects/acme/secrets/c", Target: "nonsense"},
		},
		Keys: []detect.LedgerKey{
			{ID: keyA, Secret: "projects/acme/secrets/a", State: "active", Given: start},
			{ID: keyB, Secret: "projects/acme/secrets/a", State: "quarantined", Since: start},
			{ID: key + "new", Secret: "projects/acme/secrets/b", State: "active"},
		},
		Retired: []detect.RetiredKey{{ID: keyC, Secret: "projects/acme/secrets/a", Deleted: start}, {ID: key + "gone", Secret: "projects/acme/secrets/b", Deleted: start}},
	}
	for name, tt := range map[string]struct {
		l              *detect.Ledger
		apiKeys, ended map[string][]string
	}{
		"no ledger": {nil, map[string][]string{"acme": nil}, map[string][]string{}},
		"a ledger": {l, map[string][]string{"acme": nil, "other": nil, "shop": {key + "gone", key + "new"}},
			map[string][]string{"projects/other/serviceAccounts/a@other.iam.gserviceaccount.com": {keyB, keyC}}},
	} {
		apiKeys, ended := asked("acme", tt.l)
		if diff := cmp.Diff(tt.apiKeys, apiKeys) + cmp.Diff(tt.ended, ended); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// outbox is a Publisher that keeps what it is given.
type outbox []event.Outgoing

func (o *outbox) Publish(_ context.Context, out ...event.Outgoing) error {
	*o = append(*o, out...)
	return nil
}

// TestAManagedAPIKeyThatIsRefused calls with a key as a consumer does, until it is
// blocked, on a whole embedded Google Cloud.
func TestAManagedAPIKeyThatIsRefused(t *testing.T) {
	c := clock.NewFrozen(start)
	cloud, err := localgcp.Start(localgcp.Config{Addr: "127.0.0.1:0", ProjectID: project, Clock: c})
	must(t, err)
	t.Cleanup(func() { must(t, cloud.Close()) })
	adapter, err := gcp.New(gcp.Config{Project: project, Endpoint: cloud.Addr()})
	must(t, err)
	t.Cleanup(func() { must(t, adapter.Close()) })
	client, err := apikeys.NewClient(t.Context(), option.WithEndpoint(cloud.Addr()), option.WithoutAuthentication(), option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	must(t, err)
	defer client.Close()
	making, err := client.CreateKey(t.Context(), &apikeyspb.CreateKeyRequest{Parent: "projects/" + project + "/locations/global", KeyId: "gemini-1", Key: &apikeyspb.Key{}})
	must(t, err)
	key, err := making.Wait(t.Context())
	must(t, err)
	call := func(want int) {
		t.Helper()
		resp, err := http.Get(cloud.URL() + "/v1beta/models?key=" + key.GetKeyString())
		must(t, err)
		must(t, resp.Body.Close())
		if resp.StatusCode != want {
			t.Fatalf("HTTP %d, want %d", resp.StatusCode, want)
		}
	}
	for range 30 {
		call(http.StatusOK)
		c.Advance(time.Hour)
	}
	must(t, adapter.DisableAPIKey(t.Context(), apiKey))
	for range 25 {
		call(http.StatusForbidden)
	}
	c.Advance(time.Hour)
	var out outbox
	managed := credential(t, "projects/acme/secrets/gemini", rotation.APIKey, apiKey, rotation.Journal{
		Current: &rotation.Key{ID: apiKey, Version: "1", Phase: rotation.Active, Since: start, Given: start},
	})
	f := New(Config{Publisher: &out, Logs: adapter, Secrets: &listed{secrets: []gcp.Secret{managed}}, Metrics: adapter, Project: project, Now: c.Now})
	must(t, f.sweep(t.Context()))
	var found []detect.Finding
	for _, o := range out {
		one, err := event.DecodeFinding(event.Message{Data: o.Data})
		must(t, err)
		found = append(found, one)
	}
	found = slices.DeleteFunc(found, func(f detect.Finding) bool { return f.Detector != detect.RefusedCredential })
	if len(found) != 1 || found[0].Credential != managed.Name || found[0].Count != 25 || !strings.HasPrefix(found[0].Advice, "keyturn rollback "+managed.Name) {
		t.Errorf("findings = %+v", found)
	}
}
