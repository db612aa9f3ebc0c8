package gcp

import (
	"encoding/json"
	"net/http"
	"path"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp/iam"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	iamrest "google.golang.org/api/iam/v1"
	"google.golang.org/grpc/codes"
)

// TestDisabledAccount cannot mint; enabled again it can.
func TestDisabledAccount(t *testing.T) {
	w := newWorld(t, 0)
	account := w.account("robot")
	_, file, err := w.CreateAccountKey(t.Context(), account)
	must(t, err)
	for range 2 {
		must(t, w.DisableAccount(t.Context(), account))
	}
	wantProbe(t, w.ProbeAccountKey(t.Context(), account, file), "not yet")
	for range 2 {
		must(t, w.EnableAccount(t.Context(), account))
	}
	wantProbe(t, w.ProbeAccountKey(t.Context(), account, file), "good")
	fails(t, w.DisableAccount(t.Context(), account+"x"), codes.NotFound)
	fails(t, w.EnableAccount(t.Context(), account+"x"), codes.NotFound)
}

func TestEnabledAccountKey(t *testing.T) {
	w := newWorld(t, 0)
	account := w.account("robot")
	id, file, err := w.createKey(account)
	must(t, err)
	must(t, w.DisableAccountKey(t.Context(), account, id))
	wantProbe(t, w.ProbeAccountKey(t.Context(), account, file), "not yet")
	for range 2 { // again, as after a lost reply
		must(t, w.EnableAccountKey(t.Context(), account, id))
	}
	wantProbe(t, w.ProbeAccountKey(t.Context(), account, file), "good")
	must(t, w.DeleteAccountKey(t.Context(), account, id))
	fails(t, w.EnableAccountKey(t.Context(), account, id), codes.NotFound)
}

func TestAccountKeyStates(t *testing.T) {
	w := newWorld(t, time.Minute)
	account := w.account("robot")
	var ids [2]string
	for i := range ids {
		var err error
		ids[i], _, err = w.createKey(account)
		must(t, err)
		w.clock.Advance(time.Minute)
	}
	must(t, w.DisableAccountKey(t.Context(), account, ids[0]))
	w.clock.Advance(time.Minute)
	got, err := w.AccountKeyStates(t.Context(), account)
	must(t, err)
	if len(got) != 2 {
		t.Fatalf("states %v", got)
	}
	for _, k := range got {
		if k.ID != ids[0] && k.ID != ids[1] || k.Disabled != (k.ID == ids[0]) || k.Exposed {
			t.Errorf("state %v of the keys %v", k, ids)
		}
	}
	_, err = w.AccountKeyStates(t.Context(), account+"x")
	fails(t, err, codes.NotFound)
}

// TestKeysThatGoogleDisabled has them found in public and in an attacker's hands.
func TestKeysThatGoogleDisabled(t *testing.T) {
	w := newWorld(t, 0)
	account := w.account("robot")
	email := path.Base(account)
	key := func() string {
		id, _, err := w.createKey(account)
		must(t, err)
		return id
	}
	leaked, abused, forgiven, noted := key(), key(), key(), key()
	must(t, w.gcp.IAM.Expose(email, leaked))
	must(t, w.gcp.IAM.Compromise(email, abused))
	must(t, w.gcp.IAM.Expose(email, forgiven))
	must(t, w.EnableAccountKey(t.Context(), account, forgiven))
	w.gcp.IAM.SetOrgPolicy(iam.OrgPolicy{WaitForAbuse: true})
	must(t, w.gcp.IAM.Expose(email, noted))
	got, err := w.AccountKeyStates(t.Context(), account)
	must(t, err)
	want := []KeyState{
		{leaked, true, "EXPOSED", true}, {abused, true, "COMPROMISE_DETECTED", true},
		{forgiven, false, "", true}, {noted, false, "", true},
	}
	if diff := cmp.Diff(want, got, cmpopts.SortSlices(func(a, b KeyState) bool { return a.ID < b.ID })); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	must(t, w.gcp.IAM.Suspend(email))
	if err := w.EnableAccount(t.Context(), account); err == nil || Diagnose(err).Retry {
		t.Errorf("enabling what Google disabled: error %v", err)
	}
}

// TestExposedKeys reads answers of Google's, as its discovery document has them.
func TestExposedKeys(t *testing.T) {
	const reason, extended = "SERVICE_ACCOUNT_KEY_DISABLE_REASON_", "SERVICE_ACCOUNT_KEY_EXTENDED_STATUS_KEY_"
	cloud := impostor(t, func(w http.ResponseWriter, r *http.Request) {
		if want := "/v1/" + someAccount + "/keys"; r.URL.Path != want || r.URL.Query().Get("keyTypes") != "USER_MANAGED" {
			t.Errorf("called %s", r.URL)
		}
		must(t, json.NewEncoder(w).Encode(iamrest.ListServiceAccountKeysResponse{Keys: []*iamrest.ServiceAccountKey{
			{Name: someAccount + "/keys/good"},
			{Name: someAccount + "/keys/leaked", Disabled: true, DisableReason: reason + "EXPOSED", ExtendedStatus: []*iamrest.ExtendedStatus{{Key: extended + "EXPOSED", Value: canary}}},
			{Name: someAccount + "/keys/abused", ExtendedStatus: []*iamrest.ExtendedStatus{nil, {Key: "ELSE"}, {Key: extended + "COMPROMISE_DETECTED"}}},
			{Name: someAccount + "/keys/byhand", Disabled: true, DisableReason: reason + "USER_INITIATED", ExtendedStatus: []*iamrest.ExtendedStatus{{Key: extended + "UNSPECIFIED"}}},
			{Name: someAccount + "/keys/quiet", Disabled: true, DisableReason: reason + "UNSPECIFIED"},
			{Name: someAccount + "/keys/hostile", Disabled: true, DisableReason: "see\nhttps://evil.example"},
		}}))
	})
	got, err := cloud.AccountKeyStates(t.Context(), someAccount)
	must(t, err)
	want := []KeyState{
		{ID: "good"},
		{ID: "leaked", Disabled: true, Reason: "EXPOSED", Exposed: true},
		{ID: "abused", Exposed: true},
		{ID: "byhand", Disabled: true, Reason: "USER_INITIATED"},
		{ID: "quiet", Disabled: true},
		{ID: "hostile", Disabled: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
}
