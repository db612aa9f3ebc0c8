package iam_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"golang.org/x/oauth2/google"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/internal/localgcp/iam"
)

// userInfo asks whose a token is; an empty authorization is not sent.
func (w *world) userInfo(authorization string) (int, map[string]any, http.Header) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.ctx, http.MethodGet, "http://"+w.addr+"/v1/userinfo?alt=json", nil)
	must(w.t, err)
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := http.DefaultClient.Do(req)
	must(w.t, err)
	defer resp.Body.Close()
	var answer map[string]any
	must(w.t, json.NewDecoder(resp.Body).Decode(&answer))
	return resp.StatusCode, answer, resp.Header
}

func TestUserInfoTellsGooglesClientWhoItIs(t *testing.T) {
	w := newWorld(t, iam.Config{})
	a := w.account("rot")
	k := w.key(a)
	cfg, err := google.JWTConfigFromJSON(k.GetPrivateKeyData(), "https://www.googleapis.com/auth/userinfo.email")
	must(t, err)
	client := cfg.Client(w.ctx)
	for range 2 {
		resp, err := client.Get("http://" + w.addr + "/v1/userinfo")
		must(t, err)
		var answer map[string]any
		must(t, json.NewDecoder(resp.Body).Decode(&answer))
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || answer["sub"] != a.GetUniqueId() || answer["email"] != a.GetEmail() || answer["email_verified"] != true || answer["picture"] == "" {
			t.Errorf("answered %s %v", resp.Status, answer)
		}
	}
	if n := w.uses(k); n != 3 {
		t.Errorf("a token and two calls with it counted %d uses", n)
	}
	if entries := w.log.all(); len(entries) != 2 {
		t.Errorf("%d audit entries, want those of the account and the key alone", len(entries))
	}
}

func TestUserInfoRefuses(t *testing.T) {
	w := newWorld(t, iam.Config{})
	a := w.account("rot")
	minted, err := w.token(w.key(a).GetPrivateKeyData())
	must(t, err)
	good := "bearer " + minted.AccessToken
	refused := func(authorization string) {
		t.Helper()
		code, answer, header := w.userInfo(authorization)
		w.wantAnswer(t, 401, "invalid_request", "Invalid Credentials")(code, answer)
		if got := header.Get("WWW-Authenticate"); got != `Bearer realm="https://accounts.google.com/", error="invalid_token"` {
			t.Errorf("WWW-Authenticate: %s", got)
		}
	}
	for _, authorization := range []string{"", "Bearer", "Bearer ", "Bearer local-token", "Bearer ya29.x", "Bearer a.b.c", "Basic " + minted.AccessToken, minted.AccessToken} {
		refused(authorization)
	}
	if code, answer, _ := w.userInfo(good); code != 200 || answer["email"] != a.GetEmail() {
		t.Errorf("answered %d %v", code, answer)
	}
	must(t, w.admin.DisableServiceAccount(w.ctx, &adminpb.DisableServiceAccountRequest{Name: a.GetName()}))
	refused(good)
	must(t, w.admin.DeleteServiceAccount(w.ctx, &adminpb.DeleteServiceAccountRequest{Name: a.GetName()}))
	refused(good)
}

func TestFaultsOfUserInfo(t *testing.T) {
	faults := &fault.Injector{}
	w := newWorld(t, iam.Config{Faults: faults})
	k := w.key(w.account("rot"))
	minted, err := w.token(k.GetPrivateKeyData())
	must(t, err)
	w.metrics.reset()
	for want, f := range map[int64]fault.Fault{
		0: {Before: status.Error(codes.Unavailable, "on purpose")},
		1: {After: status.Error(codes.Unavailable, "on purpose")},
	} {
		faults.Set(func(method string, _ any) fault.Fault {
			if method != "GET /v1/userinfo" {
				t.Errorf("fault asked for %s", method)
			}
			return f
		})
		code, answer, header := w.userInfo("Bearer " + minted.AccessToken)
		e, _ := answer["error"].(map[string]any)
		if code != 503 || e["status"] != "UNAVAILABLE" || e["message"] != "on purpose" || header.Get("WWW-Authenticate") != "" {
			t.Errorf("answered %d %v", code, answer)
		}
		if n := w.uses(k); n != want {
			t.Errorf("counted %d uses, want %d", n, want)
		}
	}
}
