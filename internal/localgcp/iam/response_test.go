package iam_test

import (
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	restiam "google.golang.org/api/iam/v1"
	"google.golang.org/api/option"
	"google.golang.org/genproto/googleapis/cloud/audit"
	"google.golang.org/grpc/codes"

	"example.com/keyturn/internal/localgcp/iam"
)

// keys is Google's REST client of the keys.
func (w *world) keys() *restiam.ProjectsServiceAccountsKeysService {
	w.t.Helper()
	c, err := restiam.NewService(w.ctx, option.WithEndpoint("http://"+w.addr), option.WithoutAuthentication())
	must(w.t, err)
	return c.Projects.ServiceAccounts.Keys
}

// wantReason checks what both list and get tell of a key over REST.
func (w *world) wantReason(name, reason string, extended ...string) {
	w.t.Helper()
	got, err := w.keys().Get(name).Do()
	must(w.t, err)
	account, _, _ := strings.Cut(name, "/keys/")
	list, err := w.keys().List(account).Do()
	must(w.t, err)
	shown := []*restiam.ServiceAccountKey{got}
	for _, k := range list.Keys {
		if k.Name == name {
			shown = append(shown, k)
		}
	}
	if len(shown) != 2 {
		w.t.Fatalf("%s is not in the list %v", name, list.Keys)
	}
	for i, k := range shown {
		var keys []string
		for _, e := range k.ExtendedStatus {
			if e.Value == "" {
				w.t.Errorf("extended status %s without a value", e.Key)
			}
			keys = append(keys, e.Key)
		}
		if k.Disabled != (reason != "") || k.DisableReason != reason || !slices.Equal(keys, extended) || k.ValidAfterTime == "" {
			w.t.Errorf("%s tells disabled %t %q %v, want %q %v", [2]string{"get", "list"}[i], k.Disabled, k.DisableReason, keys, reason, extended)
		}
	}
}

const (
	reasons     = "SERVICE_ACCOUNT_KEY_DISABLE_REASON_"
	exposed     = "SERVICE_ACCOUNT_KEY_EXTENDED_STATUS_KEY_EXPOSED"
	compromised = "SERVICE_ACCOUNT_KEY_EXTENDED_STATUS_KEY_COMPROMISE_DETECTED"
)

func TestWhyAKeyIsDisabled(t *testing.T) {
	w := newWorld(t, iam.Config{})
	a := w.account("rot")
	mine, leaked, abused := w.key(a), w.key(a), w.key(a)
	w.wantReason(mine.GetName(), "")
	must(t, w.admin.DisableServiceAccountKey(w.ctx, &adminpb.DisableServiceAccountKeyRequest{Name: mine.GetName()}))
	w.wantReason(mine.GetName(), reasons+"USER_INITIATED")
	must(t, w.admin.EnableServiceAccountKey(w.ctx, &adminpb.EnableServiceAccountKeyRequest{Name: mine.GetName()}))
	w.wantReason(mine.GetName(), "")

	must(t, w.Expose(a.GetEmail(), keyID(leaked)))
	must(t, w.Expose(a.GetUniqueId(), keyID(leaked))) // is found again
	w.wantReason(leaked.GetName(), reasons+"EXPOSED", exposed)
	_, err := w.token(leaked.GetPrivateKeyData())
	wantRefusal(t, err, "invalid_grant", "Invalid JWT Signature.")
	w.wantReason(mine.GetName(), "")

	must(t, w.Compromise(a.GetEmail(), keyID(abused)))
	w.wantReason(abused.GetName(), reasons+"COMPROMISE_DETECTED", compromised)
	must(t, w.Expose(a.GetEmail(), keyID(abused))) // keeps its reason
	w.wantReason(abused.GetName(), reasons+"COMPROMISE_DETECTED", compromised, exposed)

	must(t, w.admin.EnableServiceAccountKey(w.ctx, &adminpb.EnableServiceAccountKeyRequest{Name: leaked.GetName()}))
	w.wantReason(leaked.GetName(), "", exposed) // for ever
}

func TestOrganisationThatWaitsForAbuse(t *testing.T) {
	w := newWorld(t, iam.Config{OrgPolicy: iam.OrgPolicy{WaitForAbuse: true}})
	a := w.account("rot")
	k := w.key(a)
	must(t, w.Expose(a.GetEmail(), keyID(k)))
	w.wantReason(k.GetName(), "", exposed)
	if _, err := w.token(k.GetPrivateKeyData()); err != nil {
		t.Error(err)
	}
	if n := len(w.google()); n != 0 {
		t.Errorf("%d entries say that Google disabled something", n)
	}
	must(t, w.Compromise(a.GetEmail(), keyID(k)))
	w.wantReason(k.GetName(), reasons+"COMPROMISE_DETECTED", exposed, compromised)
}

func TestStaleListsTellLateOfExposure(t *testing.T) {
	w := newWorld(t, iam.Config{StaleLists: time.Minute})
	a := w.account("rot")
	k := w.key(a)
	w.clock.Advance(time.Minute)
	must(t, w.Expose(a.GetEmail(), keyID(k)))
	list, err := w.keys().List(a.GetName()).Do()
	must(t, err)
	if got := list.Keys[0]; got.Disabled || got.DisableReason != "" || len(got.ExtendedStatus) > 0 {
		t.Errorf("a list of a minute ago tells %+v", got)
	}
	w.clock.Advance(time.Minute)
	w.wantReason(k.GetName(), reasons+"EXPOSED", exposed)
}

// google is what Google did by itself, by the audit log: method and principal.
func (w *world) google() (did []string) {
	w.t.Helper()
	for _, e := range w.log.all() {
		a := &audit.AuditLog{}
		must(w.t, e.GetPayload().(*loggingpb.LogEntry_ProtoPayload).ProtoPayload.UnmarshalTo(a))
		if email := a.GetAuthenticationInfo().GetPrincipalEmail(); email != "owner@example.com" {
			did = append(did, a.GetMethodName()+" by "+email+" of "+a.GetRequest().GetFields()["name"].GetStringValue())
		}
	}
	return did
}

func TestAuditLogTellsWhatGoogleDid(t *testing.T) {
	w := newWorld(t, iam.Config{NoDataAccess: true})
	a := w.account("rot")
	k := w.key(a)
	must(t, w.Expose(a.GetEmail(), keyID(k)))
	must(t, w.Expose(a.GetEmail(), keyID(k))) // changes nothing
	must(t, w.Suspend(a.GetEmail()))
	account := "projects/-/serviceAccounts/" + a.GetEmail()
	want := []string{
		"google.iam.admin.v1.DisableServiceAccountKey by gcp-compromised-key-response@system.gserviceaccount.com of " + account + "/keys/" + keyID(k),
		"google.iam.admin.v1.DisableServiceAccount by gcp-compromised-project-response@system.gserviceaccount.com of " + account,
	}
	if got := w.google(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAccountThatGoogleDisabledCannotBeEnabled(t *testing.T) {
	w := newWorld(t, iam.Config{})
	a := w.account("rot")
	k := w.key(a)
	minted, err := w.token(k.GetPrivateKeyData())
	must(t, err)
	must(t, w.Suspend(a.GetEmail()))
	err = w.admin.EnableServiceAccount(w.ctx, &adminpb.EnableServiceAccountRequest{Name: a.GetName()})
	wantStatus(t, err, codes.FailedPrecondition, "was disabled by Google and cannot be enabled")
	must(t, w.admin.DisableServiceAccount(w.ctx, &adminpb.DisableServiceAccountRequest{Name: a.GetName()}))
	got, err := w.admin.GetServiceAccount(w.ctx, &adminpb.GetServiceAccountRequest{Name: a.GetName()})
	if err != nil || !got.GetDisabled() {
		t.Errorf("%v, %v", got, err)
	}
	if _, err = w.Authenticate(minted.AccessToken); reason(err) != "ACCOUNT_STATE_INVALID" {
		t.Errorf("an access token: %v", err)
	}
}

func TestGoogleRespondsToWhatThereIs(t *testing.T) {
	w := newWorld(t, iam.Config{})
	a := w.account("rot")
	k := w.key(a)
	for name, err := range map[string]error{
		"exposed key":     w.Expose(a.GetEmail(), "missing"),
		"compromised key": w.Compromise("nobody@local.iam.gserviceaccount.com", keyID(k)),
		"account":         w.Suspend("nobody@local.iam.gserviceaccount.com"),
		"enabling":        w.admin.EnableServiceAccount(w.ctx, &adminpb.EnableServiceAccountRequest{Name: a.GetName() + "x"}),
	} {
		t.Log(name)
		wantStatus(t, err, codes.NotFound, "does not exist")
	}
	all, err := w.keys().List(a.GetName()).KeyTypes("SYSTEM_MANAGED").Do()
	must(t, err)
	wantStatus(t, w.Expose(a.GetEmail(), path.Base(all.Keys[0].Name)), codes.FailedPrecondition, "Precondition check failed.")
	answer := httptest.NewRecorder() // as if the account went between the answer and its annotation
	w.Middleware(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte(`{"keys":[{}]}`)) })).
		ServeHTTP(answer, httptest.NewRequest("GET", "/v1/"+a.GetName()+"x/keys", nil))
	if strings.TrimSpace(answer.Body.String()) != `{"keys":[{}]}` {
		t.Errorf("keys of an account that went: %s", answer.Body)
	}
	if code, _ := w.rest("GET", "/v1/"+a.GetName()+"x/keys", ""); code != 404 {
		t.Errorf("keys of no account: %d", code)
	}
	if code, _ := w.rest("GET", "/v1/"+a.GetName()+"/keys/missing", ""); code != 404 {
		t.Errorf("no key: %d", code)
	}
}
