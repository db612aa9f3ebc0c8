package localgcp

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	iam "cloud.google.com/go/iam/admin/apiv1"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	serviceusage "cloud.google.com/go/serviceusage/apiv1"
	"cloud.google.com/go/serviceusage/apiv1/serviceusagepb"
	"google.golang.org/api/policyanalyzer/v1"
)

const keyActivities = project + "/locations/global/activityTypes/serviceAccountKeyLastAuthentication"

// activities asks Policy Analyzer by Google's client, and tells by the ids of the keys
// from when to when each was observed, and when it was used last.
func (w *world) activities(filter string) map[string][3]string {
	w.Helper()
	client, err := policyanalyzer.NewService(w.Context(), w.overREST()...)
	w.must(err)
	found := map[string][3]string{}
	w.must(client.Projects.Locations.ActivityTypes.Activities.Query(keyActivities).Filter(filter).PageSize(2).Pages(w.Context(), func(r *policyanalyzer.GoogleCloudPolicyanalyzerV1QueryActivityResponse) error {
		for _, a := range r.Activities {
			var told struct {
				LastAuthenticatedTime string
				ServiceAccountKey     struct{ FullResourceName, ProjectNumber, ServiceAccountID string }
			}
			w.must(json.Unmarshal(a.Activity, &told))
			if k := told.ServiceAccountKey; k.FullResourceName != a.FullResourceName || k.ProjectNumber == "" || k.ServiceAccountID == "" || a.ActivityType != path.Base(keyActivities) {
				w.Errorf("%+v", a)
			}
			found[path.Base(a.FullResourceName)] = [3]string{a.ObservationPeriod.StartTime, a.ObservationPeriod.EndTime, told.LastAuthenticatedTime}
		}
		return nil
	}))
	return found
}

func TestPolicyAnalyzerTellsOfUsesByTheDayAndLate(t *testing.T) {
	w, ctx := start(t), t.Context()
	account := w.account("billing")
	accounts := open(w, iam.NewIamClient, w.overGRPC())
	var keys []*adminpb.ServiceAccountKey
	for range 5 {
		k, err := accounts.CreateServiceAccountKey(ctx, &adminpb.CreateServiceAccountKeyRequest{Name: account.GetName(), KeyAlgorithm: adminpb.ServiceAccountKeyAlgorithm_KEY_ALG_RSA_1024})
		w.must(err)
		keys = append(keys, k)
	}
	id := func(i int) string { return path.Base(keys[i].GetName()) }
	w.must(w.mint(keys[0]))
	if found := w.activities(""); len(found) != 0 {
		t.Errorf("on the first day: %v", found)
	}
	w.clock.Advance(100 * 24 * time.Hour) // to 2030-04-11
	w.must(w.mint(keys[1]))
	w.clock.Advance(24 * time.Hour)
	w.must(w.mint(keys[1]))
	w.must(accounts.DisableServiceAccountKey(ctx, &adminpb.DisableServiceAccountKeyRequest{Name: keys[3].GetName()}))
	w.must(accounts.DeleteServiceAccountKey(ctx, &adminpb.DeleteServiceAccountKeyRequest{Name: keys[4].GetName()}))
	const from = "2029-12-31T07:00:00Z"
	check := func(when, filter string, want map[int][3]string) {
		t.Helper()
		found := w.activities(filter)
		for i, told := range want {
			if found[id(i)] != told {
				t.Errorf("%s: key %d: %v, want %v", when, i, found[id(i)], told)
			}
		}
		if len(found) != len(want) {
			t.Errorf("%s: %v", when, found)
		}
	}
	end := "2030-04-09T07:00:00Z"
	check("before it is known", "", map[int][3]string{0: {from, end, from}, 1: {from, end, ""}, 2: {from, end, ""}})
	w.clock.Advance(2 * 24 * time.Hour)
	end = "2030-04-11T07:00:00Z"
	check("the first of two days", "", map[int][3]string{0: {from, end, from}, 1: {from, end, "2030-04-10T07:00:00Z"}, 2: {from, end, ""}})
	w.clock.Advance(24 * time.Hour)
	w.must(w.mint(keys[1]))
	end = "2030-04-12T07:00:00Z"
	check("both days", "", map[int][3]string{0: {from, end, from}, 1: {from, end, "2030-04-11T07:00:00Z"}, 2: {from, end, ""}})
	name := func(i int) string { return `"//iam.googleapis.com/` + keys[i].GetName() + `"` }
	check("two of them", "activities.fullResourceName = "+name(0)+" OR activities.full_resource_name="+name(2), map[int][3]string{0: {from, end, from}, 2: {from, end, ""}})
}

func TestPolicyAnalyzerRefuses(t *testing.T) {
	w := start(t)
	account := w.account("nosy")
	url := "GET /v1/" + keyActivities + "/activities:query"
	for query, want := range map[string]int{
		url:                  200,
		url + "?filter=x":    400,
		url + "?pageToken=x": 400,
		url + "?filter=" + strings.Repeat("activities.fullResourceName%3D%22a%22%20OR%20", 10) + "activities.fullResourceName%3D%22a%22": 400,
		strings.Replace(url, "Key", "", 1):    400,
		strings.Replace(url, "GET", "PUT", 1): 404,
	} {
		if code, answer := w.call(query, ""); code != want {
			t.Errorf("%s: %d, want %d: %v", query, code, want, answer)
		}
	}
	bearer := "Bearer " + w.token(account.GetEmail())
	code, answer := w.call(url, "", "Authorization", bearer)
	if code != 403 || !strings.Contains(fmt.Sprint(answer), "policyanalyzer.serviceAccountKeyLastAuthenticationActivities.query") {
		t.Errorf("without the permission: %d %v", code, answer)
	}
	w.bind(project, "roles/policyanalyzer.activityAnalysisViewer", account.GetEmail())
	if code, answer := w.call(url, "", "Authorization", bearer); code != 200 {
		t.Errorf("with the permission: %d %v", code, answer)
	}
	off, err := open(w, serviceusage.NewClient, w.overGRPC()).DisableService(t.Context(), &serviceusagepb.DisableServiceRequest{Name: project + "/services/policyanalyzer.googleapis.com"})
	w.must(err)
	_, err = off.Wait(t.Context())
	w.must(err)
	if code, answer := w.call(url, ""); code != 403 || !strings.Contains(fmt.Sprint(answer), "Policy Analyzer API has not been used in project") {
		t.Errorf("with the API disabled: %d %v", code, answer)
	}
}
