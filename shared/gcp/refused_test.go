package gcp

import (
	"net/http"
	"testing"
	"time"

	"example.com/keyturn/shared/detect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
)

// answered counts calls with a credential, now.
func (w *world) answered(credential, code string, n int64) {
	labels := map[string]string{"response_code": code, "response_code_class": code[:1] + "xx", "protocol": "http"}
	w.gcp.Monitoring.Count("serviceruntime.googleapis.com/api/request_count", labels, "consumed_api",
		map[string]string{"project_id": testProject, "service": "s", "method": "m" + code, "version": "v1", "location": "global", "credential_id": credential}, n)
}

func TestCalls(t *testing.T) {
	w := newWorld(t, 0)
	start := w.clock.Now()
	w.answered("serviceaccount:1", "200", 7)
	w.answered("serviceaccount:1", "403", 2)
	w.answered("serviceaccount:1", "401", 1)
	w.answered("serviceaccount:1", "404", 5)
	w.answered("", "401", 9)
	w.clock.Advance(time.Hour)
	w.answered("serviceaccount:1", "403", 4)
	w.answered("oauth2:c", "200", 1)
	w.clock.Advance(time.Hour)
	w.answered("serviceaccount:1", "403", 100) // the hour is not over
	w.clock.Advance(30 * time.Minute)
	got, err := w.Calls(t.Context(), testProject, nil, start.Add(10*time.Minute), w.clock.Now())
	must(t, err)
	hour := func(n int, credential string, refused, all int64) detect.Sample {
		from := start.Add(time.Duration(n) * time.Hour)
		return detect.Sample{Credential: credential, From: from, To: from.Add(time.Hour), Refused: refused, All: all}
	}
	want := map[detect.Sample]bool{hour(0, "serviceaccount:1", 3, 15): true, hour(1, "serviceaccount:1", 4, 4): true, hour(1, "oauth2:c", 0, 1): true}
	if diff := cmp.Diff(want, setOf(got)); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if got, err := w.Calls(t.Context(), "elsewhere", nil, start, w.clock.Now()); err != nil || len(got) != 0 {
		t.Errorf("calls of another project: %v, %v", got, err)
	}
	_, err = w.Calls(t.Context(), testProject, nil, start, start.Add(time.Minute))
	fails(t, err, codes.InvalidArgument)
}

// TestCallsOfAPIKeys calls with a key as a consumer does, before and after it is
// blocked.
func TestCallsOfAPIKeys(t *testing.T) {
	w := newWorld(t, 0)
	start := w.clock.Now()
	name := w.apiKey("used", billing())
	uid := w.getAPIKey(name).GetUid()
	secret, err := w.APIKeyString(t.Context(), name)
	must(t, err)
	for _, want := range []int{http.StatusOK, http.StatusForbidden} {
		if code := w.call(secret); code != want {
			t.Fatalf("HTTP %d, want %d", code, want)
		}
		must(t, w.DisableAPIKey(t.Context(), name))
	}
	w.clock.Advance(time.Hour)
	gone := "projects/" + testProject + "/locations/global/keys/gone"
	for _, tt := range []struct {
		keys []string
		name string
	}{{[]string{gone, name}, name}, {[]string{gone}, ""}, {nil, ""}} {
		got, err := w.Calls(t.Context(), testProject, tt.keys, start, w.clock.Now())
		must(t, err)
		want := []detect.Sample{{Key: tt.name, Credential: "apikey:" + uid, From: start, To: start.Add(time.Hour), Refused: 1, All: 2}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("calls, asked with %v (-want +got):\n%s", tt.keys, diff)
		}
	}
}

func setOf(samples []detect.Sample) map[detect.Sample]bool {
	set := make(map[detect.Sample]bool)
	for _, s := range samples {
		set[s] = true
	}
	return set
}
