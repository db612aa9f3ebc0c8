package gcp

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp/fault"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const authnEvents = "iam.googleapis.com/service_account/key/authn_events_count"

// authenticated counts uses of a key, now.
func (w *world) authenticated(key string, n int64) {
	w.gcp.Monitoring.Count(authnEvents, map[string]string{"key_id": key}, "iam_service_account", map[string]string{"project_id": testProject, "unique_id": "1"}, n)
}

func TestAccountKeyUses(t *testing.T) {
	w := newWorld(t, 0)
	start := w.clock.Now()
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	use := func(to int, count int64) Use { return Use{at(to - 10), at(to), count} }
	uses := func(from, to int, ids ...string) Uses {
		t.Helper()
		got, err := w.AccountKeyUses(t.Context(), someAccount, ids, at(from), at(to))
		must(t, err)
		return got
	}
	w.authenticated("old", 3)
	w.authenticated("other's", 1)
	w.clock.Advance(10 * time.Minute)
	w.authenticated("new", 1)
	w.authenticated("old", 0) // a point that says: not used
	w.clock.Advance(20 * time.Minute)
	w.authenticated("old", 1)
	w.clock.Advance(30 * time.Minute)
	for name, tt := range map[string]struct{ got, want Uses }{
		"both":         {uses(0, 60, "old", "new"), Uses{at(40), map[string][]Use{"old": {use(10, 3), use(40, 1)}, "new": {use(20, 1)}}}},
		"one":          {uses(0, 60, "new"), Uses{at(20), map[string][]Use{"new": {use(20, 1)}}}},
		"later":        {uses(10, 60, "old"), Uses{at(40), map[string][]Use{"old": {use(40, 1)}}}},
		"unused":       {uses(10, 30, "old"), Uses{at(20), map[string][]Use{}}},
		"no data":      {uses(40, 60, "old", "new"), Uses{Of: map[string][]Use{}}},
		"unheard of":   {uses(0, 60, "none"), Uses{Of: map[string][]Use{}}},
		"of nothing":   {uses(0, 60), Uses{}},
		"with a quote": {uses(0, 60, `x") OR metric.type="`), Uses{Of: map[string][]Use{}}},
	} {
		if diff := cmp.Diff(tt.want, tt.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	_, err := w.AccountKeyUses(t.Context(), someAccount, []string{"old"}, at(60), at(0))
	fails(t, err, codes.InvalidArgument)
}

// TestAccountKeyUsesOfItsProject asks the account's project, not keyturn's.
func TestAccountKeyUsesOfItsProject(t *testing.T) {
	w := newWorld(t, 0)
	w.authenticated("k", 1)
	w.clock.Advance(time.Hour)
	got, err := w.AccountKeyUses(t.Context(), "projects/elsewhere/serviceAccounts/e", []string{"k"}, w.clock.Now().Add(-time.Hour), w.clock.Now())
	if err != nil || len(got.Of) > 0 || !got.Through.IsZero() {
		t.Errorf("uses %v, error %v", got, err)
	}
}

// TestUsesOfSeveralSeries has a key whose uses are told twice, in any order.
func TestUsesOfSeveralSeries(t *testing.T) {
	w := newWorld(t, 0)
	start := w.clock.Now()
	for _, unique := range []int{2, 1} {
		w.gcp.Monitoring.Count(authnEvents, map[string]string{"key_id": "k"}, "iam_service_account", map[string]string{"project_id": testProject, "unique_id": strconv.Itoa(unique)}, 1)
		w.clock.Advance(5 * time.Minute)
		w.authenticated("k", 1)
		w.clock.Advance(5 * time.Minute)
	}
	got, err := w.AccountKeyUses(t.Context(), someAccount, []string{"k"}, start, w.clock.Now())
	must(t, err)
	end := start.Add(20 * time.Minute)
	if diff := cmp.Diff(Uses{end, map[string][]Use{"k": {{start, end.Add(-10 * time.Minute), 2}, {end.Add(-10 * time.Minute), end, 2}}}}, got); diff != "" {
		t.Errorf("uses (-want +got):\n%s", diff)
	}
}

// TestAPIKeyUses calls with keys as a consumer does; failed calls are uses, too.
func TestAPIKeyUses(t *testing.T) {
	w := newWorld(t, 0)
	start := w.clock.Now()
	w.apiKey("used", billing())
	w.apiKey("quiet", nil)
	const keys = "projects/acme/locations/global/keys/"
	used, quiet, gone := keys+"used", keys+"quiet", keys+"gone"
	secret, err := w.APIKeyString(t.Context(), used)
	must(t, err)
	call := func(want int) {
		t.Helper()
		if code := w.call(secret); code != want {
			t.Fatalf("HTTP %d, want %d", code, want)
		}
		w.clock.Advance(7 * time.Minute)
	}
	call(http.StatusOK)
	call(http.StatusOK)
	must(t, w.DisableAPIKey(t.Context(), used))
	w.clock.Advance(10 * time.Minute)
	call(http.StatusForbidden) // at minute 24
	w.clock.Advance(time.Hour)
	got, err := w.APIKeyUses(t.Context(), []string{used, gone, quiet}, start.Add(5*time.Minute), w.clock.Now().Add(5*time.Minute))
	must(t, err)
	want := Uses{start.Add(30 * time.Minute), map[string][]Use{used: {{start, start.Add(10 * time.Minute), 2}, {start.Add(20 * time.Minute), start.Add(30 * time.Minute), 1}}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("uses (-want +got):\n%s", diff)
	}
	for name, keys := range map[string][]string{"gone": {gone}, "of nothing": nil} {
		if got, err := w.APIKeyUses(t.Context(), keys, start, w.clock.Now()); err != nil || got.Of != nil {
			t.Errorf("%s: uses %v, error %v", name, got, err)
		}
	}
	other := "projects/other/locations/global/keys/other"
	client, err := w.apiKeys(t.Context())
	must(t, err)
	must(t, createKey(t.Context(), client, other, nil))
	_, err = w.APIKeyUses(t.Context(), []string{used, other}, start, w.clock.Now())
	says(t, err, "API keys "+used+" and "+other+" are of different projects")
}

// TestUsesThatAreUnknown has no answer that could be taken for "unused".
func TestUsesThatAreUnknown(t *testing.T) {
	w := newWorld(t, 0)
	key := w.apiKey("k", nil)
	w.inject("ListTimeSeries", fault.Fault{Before: status.Error(codes.NotFound, "Cannot find metric(s)")})
	if got, err := w.APIKeyUses(t.Context(), []string{key}, w.clock.Now().Add(-time.Hour), w.clock.Now()); !IsNotFound(err) || got.Of != nil {
		t.Errorf("uses %v, error %v", got, err)
	}
	if got, err := w.AccountKeyUses(t.Context(), someAccount, []string{"k"}, w.clock.Now().Add(-time.Hour), w.clock.Now()); !IsNotFound(err) || got.Of != nil {
		t.Errorf("uses %v, error %v", got, err)
	}
}
