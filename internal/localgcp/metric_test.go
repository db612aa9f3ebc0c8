package localgcp

import (
	"path"
	"testing"
	"time"

	apikeys "cloud.google.com/go/apikeys/apiv2"
	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	iam "cloud.google.com/go/iam/admin/apiv1"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	monitoring "cloud.google.com/go/monitoring/apiv3/v2"
	"cloud.google.com/go/monitoring/apiv3/v2/monitoringpb"
	"golang.org/x/oauth2/google"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// series lists time series of (from, to], a page each.
func (w *world) series(filter string, from, to time.Time) (found []*monitoringpb.TimeSeries) {
	w.Helper()
	for s, err := range open(w, monitoring.NewMetricClient, w.overGRPC()).ListTimeSeries(w.Context(), &monitoringpb.ListTimeSeriesRequest{
		Name: project, Filter: filter, PageSize: 1,
		Interval: &monitoringpb.TimeInterval{StartTime: timestamppb.New(from), EndTime: timestamppb.New(to)},
	}).All() {
		w.must(err)
		found = append(found, s)
	}
	return found
}

// mint buys a token with a key file, if it can.
func (w *world) mint(k *adminpb.ServiceAccountKey) error {
	w.Helper()
	config, err := google.JWTConfigFromJSON(k.GetPrivateKeyData(), "https://www.googleapis.com/auth/cloud-platform")
	w.must(err)
	_, err = config.TokenSource(w.Context()).Token()
	return err
}

func TestUseOfServiceAccountKeysComesLate(t *testing.T) {
	w := startWith(t, Config{MetricLag: 3 * time.Hour})
	ctx, account := t.Context(), w.account("billing")
	accounts := open(w, iam.NewIamClient, w.overGRPC())
	var keys []*adminpb.ServiceAccountKey
	for range 3 {
		k, err := accounts.CreateServiceAccountKey(ctx, &adminpb.CreateServiceAccountKeyRequest{Name: account.GetName(), KeyAlgorithm: adminpb.ServiceAccountKeyAlgorithm_KEY_ALG_RSA_1024})
		w.must(err)
		keys = append(keys, k)
		w.must(w.mint(k))
	}
	w.clock.Advance(time.Hour)
	w.must(accounts.DisableServiceAccountKey(ctx, &adminpb.DisableServiceAccountKeyRequest{Name: keys[0].GetName()}))
	if err := w.mint(keys[0]); err == nil {
		t.Error("a disabled key bought a token")
	}
	id := func(i int) string { return path.Base(keys[i].GetName()) }
	filter := `metric.type="iam.googleapis.com/service_account/key/authn_events_count" AND metric.labels.key_id=one_of("` + id(0) + `","` + id(1) + `")`
	if found := w.series(filter, t0, w.clock.Now()); len(found) != 0 {
		t.Errorf("early: %v", found)
	}
	w.clock.Advance(3*time.Hour + 10*time.Minute)
	points := map[string]int{}
	for _, s := range w.series(filter, t0, w.clock.Now()) {
		if s.GetResource().GetType() != "iam_service_account" || s.GetResource().GetLabels()["unique_id"] != account.GetUniqueId() {
			t.Errorf("resource %v", s.GetResource())
		}
		for _, p := range s.GetPoints() {
			span := p.GetInterval().GetEndTime().AsTime().Sub(p.GetInterval().GetStartTime().AsTime())
			if span != 10*time.Minute || p.GetValue().GetInt64Value() != 1 {
				t.Errorf("%v in %v", p.GetValue(), span)
			}
			points[s.GetMetric().GetLabels()["key_id"]]++
		}
	}
	if len(points) != 2 || points[id(0)] != 2 || points[id(1)] != 1 {
		t.Errorf("points by key: %v", points)
	}
	if late := w.series(filter, t0.Add(30*time.Minute), w.clock.Now()); len(late) != 1 || late[0].GetMetric().GetLabels()["key_id"] != id(0) {
		t.Errorf("since the key is disabled: %v", late)
	}
}

func TestUseOfAPIKeysCountsBlockedCallsToo(t *testing.T) {
	w := start(t)
	client := open(w, apikeys.NewClient, w.overGRPC())
	create := func(id string, ips ...string) *apikeyspb.Key {
		k := &apikeyspb.Key{}
		if ips != nil {
			k.Restrictions = &apikeyspb.Restrictions{ClientRestrictions: &apikeyspb.Restrictions_ServerKeyRestrictions{ServerKeyRestrictions: &apikeyspb.ServerKeyRestrictions{AllowedIps: ips}}}
		}
		op, err := client.CreateKey(t.Context(), &apikeyspb.CreateKeyRequest{Parent: project + "/locations/global", KeyId: id, Key: k})
		w.must(err)
		made, err := op.Wait(t.Context())
		w.must(err)
		return made
	}
	free, blocked, unused := create("free"), create("blocked", "192.0.2.1"), create("unused")
	for k, want := range map[*apikeyspb.Key]int{free: 200, blocked: 403} {
		if code, answer := w.call("GET /v1beta/models", "", "x-goog-api-key", k.GetKeyString()); code != want {
			t.Errorf("%s: %d %v", k.GetName(), code, answer)
		}
	}
	w.clock.Advance(time.Minute)
	credential := func(k *apikeyspb.Key) string {
		return `metric.type="serviceruntime.googleapis.com/api/request_count" AND resource.labels.credential_id="apikey:` + k.GetUid() + `"`
	}
	for k, want := range map[*apikeyspb.Key][2]string{free: {"200", "2xx"}, blocked: {"403", "4xx"}} {
		found := w.series(credential(k), t0, w.clock.Now())
		if len(found) != 1 {
			t.Fatalf("%s: %v", k.GetName(), found)
		}
		labels := found[0].GetMetric().GetLabels()
		if [2]string{labels["response_code"], labels["response_code_class"]} != want || found[0].GetResource().GetType() != "consumed_api" || len(found[0].GetPoints()) != 1 {
			t.Errorf("%s: %v", k.GetName(), found[0])
		}
	}
	if found := w.series(credential(unused), t0, w.clock.Now()); len(found) != 0 {
		t.Errorf("a key that nobody used: %v", found)
	}
}
