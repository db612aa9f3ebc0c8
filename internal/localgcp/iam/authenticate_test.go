package iam_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"google.golang.org/api/idtoken"
	"google.golang.org/api/option"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/iam"
)

func TestDisabledAccountRejectsItsTokensUntilEnabled(t *testing.T) {
	w := newWorld(t, iam.Config{})
	a := w.account("rot")
	k := w.key(a)
	minted, err := w.token(k.GetPrivateKeyData())
	must(t, err)
	must(t, w.admin.DisableServiceAccount(w.ctx, &adminpb.DisableServiceAccountRequest{Name: a.GetName()}))
	_, err = w.Authenticate(minted.AccessToken)
	wantStatus(t, err, codes.Unauthenticated, "invalid authentication credentials")
	if reason(err) != "ACCOUNT_STATE_INVALID" {
		t.Errorf("reason is %s", reason(err))
	}
	_, err = w.token(k.GetPrivateKeyData())
	wantRefusal(t, err, "invalid_grant", "Invalid grant: account not found")
	must(t, w.admin.EnableServiceAccount(w.ctx, &adminpb.EnableServiceAccountRequest{Name: a.GetName()}))
	_, err = w.Authenticate(minted.AccessToken)
	must(t, err)

	must(t, w.admin.DeleteServiceAccount(w.ctx, &adminpb.DeleteServiceAccountRequest{Name: a.GetName()}))
	_, err = w.token(k.GetPrivateKeyData())
	wantRefusal(t, err, "invalid_grant", "Invalid grant: account not found")
	w.account("rot") // an heir to the e-mail address is no heir to the tokens
	if _, err = w.Authenticate(minted.AccessToken); reason(err) != "ACCOUNT_STATE_INVALID" {
		t.Errorf("token of a deleted account: %v", err)
	}
}

func TestIdentityTokenSatisfiesGooglesValidator(t *testing.T) {
	w := newWorld(t, iam.Config{})
	a := w.account("rot")
	source, err := idtoken.NewTokenSource(w.ctx, "https://consumer.example", option.WithAuthCredentialsJSON(option.ServiceAccount, w.key(a).GetPrivateKeyData()))
	must(t, err)
	bought, err := source.Token()
	must(t, err)
	minted, err := w.IdentityToken(a.GetEmail(), "https://consumer.example")
	must(t, err)
	validator, err := idtoken.NewValidator(w.ctx, option.WithHTTPClient(&http.Client{Transport: redirect(w.addr)}))
	must(t, err)
	for how, token := range map[string]string{"bought with a key": bought.AccessToken, "minted": minted} {
		payload, err := validator.Validate(w.ctx, token, "https://consumer.example")
		if err != nil {
			t.Errorf("%s: %v", how, err)
			continue
		}
		if payload.Issuer != "https://accounts.google.com" || payload.Subject != a.GetUniqueId() || payload.Claims["email"] != a.GetEmail() ||
			payload.Claims["email_verified"] != true || payload.Claims["azp"] != a.GetEmail() {
			t.Errorf("%s: claims %v", how, payload.Claims)
		}
		if _, err := validator.Validate(w.ctx, token, "https://other.example"); err == nil {
			t.Errorf("%s: valid for another audience", how)
		}
		if _, err := w.Authenticate(token); reason(err) != "ACCESS_TOKEN_TYPE_UNSUPPORTED" {
			t.Errorf("%s: an API took an identity token: %v", how, err)
		}
	}
	_, err = w.IdentityToken("nobody@local.iam.gserviceaccount.com", "x")
	wantStatus(t, err, codes.NotFound, "does not exist")
}

// redirect sends every request to one address.
type redirect string

func (to redirect) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = "http", string(to)
	return http.DefaultTransport.RoundTrip(r)
}

func TestPublishedCertificates(t *testing.T) {
	w := newWorld(t, iam.Config{})
	a := w.account("rot")
	k := w.key(a)
	_, keys := w.rest("GET", "/oauth2/v3/certs", "")
	_, certs := w.rest("GET", "/oauth2/v1/certs", "")
	kid := keys["keys"].([]any)[0].(map[string]any)["kid"].(string)
	if pem, _ := certs[kid].(string); !strings.HasPrefix(pem, "-----BEGIN CERTIFICATE-----") {
		t.Errorf("key %s has the certificate %q", kid, pem)
	}
	_, own := w.rest("GET", "/robot/v1/metadata/x509/"+url.PathEscape(a.GetEmail()), "")
	if pem, _ := own[keyID(k)].(string); len(own) != 1 || !strings.HasPrefix(pem, "-----BEGIN CERTIFICATE-----") {
		t.Errorf("the account's certificates are %v", own)
	}
	resp, err := http.Get("http://" + w.addr + "/robot/v1/metadata/x509/nobody")
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("certificates of nobody: %s", resp.Status)
	}
}

func TestSelfSignedTokenAuthenticatesAtAnAPI(t *testing.T) {
	w := newWorld(t, iam.Config{})
	a := w.account("rot")
	k := w.key(a)
	own := w.adminClient(option.WithAuthCredentialsJSON(option.ServiceAccount, k.GetPrivateKeyData()))
	list := func() error {
		_, err := own.ListServiceAccountKeys(w.ctx, &adminpb.ListServiceAccountKeysRequest{Name: a.GetName()})
		return err
	}
	err := list()
	wantStatus(t, err, codes.PermissionDenied, "Permission 'iam.serviceAccountKeys.list' denied on resource (or it may not exist).")
	if n, _ := w.metrics.of(keyID(k)); n != 1 {
		t.Errorf("a denied call counted %d uses of the key", n)
	}
	w.grant(a, "roles/iam.serviceAccountKeyAdmin", a)
	must(t, list())
	must(t, w.admin.DisableServiceAccountKey(w.ctx, &adminpb.DisableServiceAccountKeyRequest{Name: k.GetName()}))
	wantStatus(t, list(), codes.Unauthenticated, "invalid authentication credentials")
	must(t, w.admin.EnableServiceAccountKey(w.ctx, &adminpb.EnableServiceAccountKeyRequest{Name: k.GetName()}))
	must(t, w.admin.DisableServiceAccount(w.ctx, &adminpb.DisableServiceAccountRequest{Name: a.GetName()}))
	if err := list(); reason(err) != "ACCOUNT_STATE_INVALID" {
		t.Errorf("self-signed token of a disabled account: %v", err)
	}
}

func TestStrangersAreTheOwnerAndFalseTokensAreNot(t *testing.T) {
	w := newWorld(t, iam.Config{})
	w.account("rot")
	get := func(authorization string) int {
		code, _ := w.rest("GET", "/v1/projects/-/serviceAccounts/rot@local.iam.gserviceaccount.com", "", "Authorization", authorization)
		return code
	}
	for authorization, want := range map[string]int{
		"":                         200,
		"Bearer local-token":       200,
		"Basic YTpi":               200,
		"Bearer ya29.never-issued": 401,
		"Bearer a.b.c":             401,
	} {
		if got := get(authorization); got != want {
			t.Errorf("Authorization %q: %d, want %d", authorization, got, want)
		}
	}
	for _, bearer := range []string{"local-token", "", "ya29.x", "a.b.c"} {
		if _, err := w.Authenticate(bearer); status.Code(err) != codes.Unauthenticated || reason(err) == "" {
			t.Errorf("Authenticate(%q): %v", bearer, err)
		}
	}
}
