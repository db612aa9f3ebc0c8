package iam_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/internal/localgcp/iam"
	"example.com/keyturn/internal/localgcp/iam/jwt"
	"example.com/keyturn/internal/localgcp/principal"
)

const cloudPlatform = "https://www.googleapis.com/auth/cloud-platform"

// token buys an access token with a key file, as Google's Go client does.
func (w *world) token(keyFile []byte) (*oauth2.Token, error) {
	w.t.Helper()
	cfg, err := google.JWTConfigFromJSON(keyFile, cloudPlatform)
	must(w.t, err)
	return cfg.TokenSource(w.ctx).Token()
}

// wantRefusal checks an OAuth error of the token endpoint.
func wantRefusal(t testing.TB, err error, code, description string) {
	t.Helper()
	var e *oauth2.RetrieveError
	want := `{"error":"` + code + `","error_description":"` + description + `"}`
	if !errors.As(err, &e) || strings.TrimSpace(string(e.Body)) != want {
		t.Errorf("error is %v, want %s", err, want)
	}
}

// auditName is how audit logs name a key.
func auditName(k *adminpb.ServiceAccountKey) string { return "//iam.googleapis.com/" + k.GetName() }

func TestKeyFileBuysAnAccessToken(t *testing.T) {
	w := newWorld(t, iam.Config{})
	a := w.account("rot")
	k := w.key(a)
	tok, err := w.token(k.GetPrivateKeyData())
	must(t, err)
	if !strings.HasPrefix(tok.AccessToken, "ya29.") || tok.TokenType != "Bearer" || time.Until(tok.Expiry) < 59*time.Minute {
		t.Errorf("token of type %s expires at %v", tok.TokenType, tok.Expiry)
	}
	p, err := w.Authenticate(tok.AccessToken)
	must(t, err)
	if want := (principal.Principal{Email: a.GetEmail(), KeyName: auditName(k)}); p != want {
		t.Errorf("authenticated as %+v, want %+v", p, want)
	}
	if n, labels := w.metrics.of(keyID(k)); n != 2 || labels["unique_id"] != a.GetUniqueId() || labels["project_id"] != "local" {
		t.Errorf("a token and a call with it counted %d on %v", n, labels)
	}
}

func TestUploadedKeyBuysAnAccessToken(t *testing.T) {
	w := newWorld(t, iam.Config{})
	a := w.account("rot")
	private, cert := certificate(t, 1024, start, start.Add(time.Hour))
	_, err := w.admin.UploadServiceAccountKey(w.ctx, &adminpb.UploadServiceAccountKeyRequest{Name: a.GetName(), PublicKeyData: cert})
	must(t, err)
	buy := func() (int, map[string]any) {
		claims := w.claims(a)
		return w.buy(t, claims, "a kid that names no key", private)
	}
	if code, answer := buy(); code != 200 || answer["expires_in"] != 3599.0 {
		t.Errorf("%d %v", code, answer["error_description"])
	}
	w.clock.Advance(2 * time.Hour) // the certificate expires by the policy clock
	if code, answer := buy(); code != 400 || answer["error_description"] != "Invalid JWT Signature." {
		t.Errorf("expired key: %d %v", code, answer["error_description"])
	}
}

// claims are those of a good assertion.
func (w *world) claims(a *adminpb.ServiceAccount) jwt.Claims {
	now := time.Now().Unix()
	return jwt.Claims{
		Issuer: a.GetEmail(), Scope: cloudPlatform, Audience: "https://oauth2.googleapis.com/token", IssuedAt: jwt.Time(now), Expires: jwt.Time(now + 3600),
	}
}

func TestNewKeyIsUnknownUntilItPropagates(t *testing.T) {
	w := newWorld(t, iam.Config{KeyLag: time.Minute})
	k := w.key(w.account("rot"))
	_, err := w.token(k.GetPrivateKeyData())
	wantRefusal(t, err, "invalid_grant", "Invalid JWT Signature.")
	w.clock.Advance(time.Minute)
	_, err = w.token(k.GetPrivateKeyData())
	must(t, err)
}

func TestDisabledKeyFailsLateAndItsTokensLiveOn(t *testing.T) {
	w := newWorld(t, iam.Config{DisableLag: time.Minute})
	k := w.key(w.account("rot"))
	minted, err := w.token(k.GetPrivateKeyData())
	must(t, err)
	must(t, w.admin.DisableServiceAccountKey(w.ctx, &adminpb.DisableServiceAccountKeyRequest{Name: k.GetName()}))
	_, err = w.token(k.GetPrivateKeyData())
	must(t, err)
	w.clock.Advance(time.Minute)
	_, err = w.token(k.GetPrivateKeyData())
	wantRefusal(t, err, "invalid_grant", "Invalid JWT Signature.")
	_, err = w.Authenticate(minted.AccessToken)
	must(t, err)

	must(t, w.admin.EnableServiceAccountKey(w.ctx, &adminpb.EnableServiceAccountKeyRequest{Name: k.GetName()}))
	w.clock.Advance(time.Minute)
	_, err = w.token(k.GetPrivateKeyData())
	must(t, err)
	must(t, w.admin.DeleteServiceAccountKey(w.ctx, &adminpb.DeleteServiceAccountKeyRequest{Name: k.GetName()}))
	w.clock.Advance(time.Minute)
	_, err = w.token(k.GetPrivateKeyData())
	wantRefusal(t, err, "invalid_grant", "Invalid JWT Signature.")
	_, err = w.Authenticate(minted.AccessToken)
	must(t, err)
}

func TestTokenEndpointRefuses(t *testing.T) {
	w := newWorld(t, iam.Config{})
	a := w.account("rot")
	private, cert := certificate(t, 1024, start, start.Add(time.Hour))
	_, err := w.admin.UploadServiceAccountKey(w.ctx, &adminpb.UploadServiceAccountKeyRequest{Name: a.GetName(), PublicKeyData: cert})
	must(t, err)
	stranger, _ := certificate(t, 1024, start, start)
	now := jwt.Time(time.Now().Unix())
	const untimely = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe"
	for name, c := range map[string]struct {
		edit              func(*jwt.Claims)
		code              int
		kind, description string
	}{
		"own audience":      {func(c *jwt.Claims) { c.Audience = jwt.Audience("http://" + w.addr + "/token") }, 200, "", ""},
		"other audience":    {func(c *jwt.Claims) { c.Audience = "https://evil.example" }, 400, "invalid_grant", "Invalid JWT: Failed audience check."},
		"expired":           {func(c *jwt.Claims) { c.IssuedAt, c.Expires = now-7200, now-3600 }, 400, "invalid_grant", untimely},
		"long-lived":        {func(c *jwt.Claims) { c.Expires = now + 7200 }, 400, "invalid_grant", untimely},
		"from the future":   {func(c *jwt.Claims) { c.IssuedAt, c.Expires = now+600, now+1200 }, 400, "invalid_grant", untimely},
		"without times":     {func(c *jwt.Claims) { c.IssuedAt, c.Expires = 0, 0 }, 400, "invalid_grant", untimely},
		"unknown account":   {func(c *jwt.Claims) { c.Issuer = "nobody@local.iam.gserviceaccount.com" }, 400, "invalid_grant", "Invalid grant: account not found"},
		"no issuer":         {func(c *jwt.Claims) { c.Issuer = "" }, 400, "invalid_grant", "Invalid grant: account not found"},
		"for another user":  {func(c *jwt.Claims) { c.Subject = "boss@example.com" }, 401, "unauthorized_client", "Client is unauthorized"},
		"no scope":          {func(c *jwt.Claims) { c.Scope = "" }, 400, "invalid_scope", "Invalid OAuth scope or ID token audience provided."},
		"about itself":      {func(c *jwt.Claims) { c.Subject = c.Issuer }, 200, "", ""},
		"identity audience": {func(c *jwt.Claims) { c.Scope, c.TargetAudience = "", "x" }, 200, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			claims := w.claims(a)
			c.edit(&claims)
			w.wantAnswer(t, c.code, c.kind, c.description)(w.buy(t, claims, "", private))
		})
	}
	t.Run("stranger's key", func(t *testing.T) {
		w.wantAnswer(t, 400, "invalid_grant", "Invalid JWT Signature.")(w.buy(t, w.claims(a), "", stranger))
	})
	for body, want := range map[string][2]string{
		"":                             {"invalid_request", "Required parameter is missing: grant_type"},
		"grant_type=x":                 {"invalid_request", "Required parameter is missing: assertion"},
		"grant_type=x&assertion=a.b.c": {"unsupported_grant_type", "Invalid grant_type"},
		"grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=a.b.c": {"invalid_grant", "Invalid JWT"},
		"%":                               {"invalid_request", "The body must be a form"},
		"x=" + strings.Repeat("x", 1<<17): {"invalid_request", "The body must be a form"},
	} {
		code, answer := w.rest("POST", "/token", body, "Content-Type", "application/x-www-form-urlencoded")
		w.wantAnswer(t, 400, want[0], want[1])(code, answer)
	}
	resp, err := http.Get("http://" + w.addr + "/token")
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET /token: %s", resp.Status)
	}
}

func (w *world) wantAnswer(t *testing.T, code int, kind, description string) func(int, map[string]any) {
	return func(gotCode int, answer map[string]any) {
		t.Helper()
		gotKind, _ := answer["error"].(string)
		got, _ := answer["error_description"].(string)
		if gotCode != code || gotKind != kind || !strings.HasPrefix(got, description) {
			t.Errorf("answered %d %q: %q, want %d %q: %q", gotCode, gotKind, got, code, kind, description)
		}
	}
}

func TestFaultsOfTheTokenEndpoint(t *testing.T) {
	faults := &fault.Injector{}
	w := newWorld(t, iam.Config{Faults: faults})
	k := w.key(w.account("rot"))
	faults.Set(func(method string, _ any) fault.Fault {
		if method != "POST /token" {
			t.Errorf("fault asked for %s", method)
		}
		return fault.Fault{After: status.Error(codes.Unavailable, "the reply was lost")}
	})
	_, err := w.token(k.GetPrivateKeyData())
	var e *oauth2.RetrieveError
	if !errors.As(err, &e) || e.Response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("error is %v", err)
	}
	faults.Set(nil)
	_, err = w.token(k.GetPrivateKeyData())
	must(t, err)
}
