package gcp

import (
	"net/http"
	"path"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp/fault"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestProbeAsksWhoseTheKeyIs(t *testing.T) {
	w := newWorld(t, 0)
	account := w.account("robot")
	_, file, err := w.CreateAccountKey(t.Context(), account)
	must(t, err)
	probe := func() error { return w.ProbeAccountKey(t.Context(), account, file) }
	wantProbe(t, probe(), "good")
	for code, want := range map[codes.Code]string{
		codes.Unavailable: "not yet", codes.Internal: "not yet", codes.ResourceExhausted: "not yet", codes.Unauthenticated: "not yet",
		codes.PermissionDenied: "HTTP 403 PERMISSION_DENIED; see that keyturn can reach openidconnect.googleapis.com",
	} {
		w.inject("userinfo", fault.Fault{After: status.Error(code, canary)})
		wantProbe(t, probe(), want)
	}
	w.gcp.Faults.Set(nil)
	wantProbe(t, probe(), "good")
	unique := path.Dir(account) + "/" + w.gcp.IAM.UniqueID(path.Base(account))
	wantProbe(t, w.ProbeAccountKey(t.Context(), unique, file), "good")
	err = w.ProbeAccountKey(t.Context(), w.account("other"), file)
	wantProbe(t, err, "is one of "+path.Base(account)+" and not of other@acme.iam.gserviceaccount.com")
	says(t, err, "use 'keyturn rotate'")
}

// TestTokenThatIsNotKnownYet has the account disabled after the key has minted.
func TestTokenThatIsNotKnownYet(t *testing.T) {
	w := newWorld(t, 0)
	account := w.account("robot")
	_, file, err := w.CreateAccountKey(t.Context(), account)
	must(t, err)
	w.gcp.Faults.Set(func(method string, _ any) fault.Fault {
		if method == "GET /v1/userinfo" {
			if err := w.DisableAccount(t.Context(), account); err != nil {
				t.Error(err)
			}
		}
		return fault.Fault{}
	})
	err = w.ProbeAccountKey(t.Context(), account, file)
	wantProbe(t, err, "not yet")
	says(t, err, "HTTP 401 invalid_request")
}

// TestHostileUserInfo mints a token that is the canary and gets an answer that
// may echo it.
func TestHostileUserInfo(t *testing.T) {
	w := newWorld(t, 0)
	account := w.account("robot")
	_, file, err := w.CreateAccountKey(t.Context(), account)
	must(t, err)
	thief := page(t, func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the thief was sent %s %s with %v", r.Method, r.URL, r.Header)
	})
	for name, tt := range map[string]struct {
		code   int
		body   string
		header string // its name and value
		want   string
	}{
		"known":           {200, `{"sub":"1","email":"` + path.Base(account) + `"}`, "", "good"},
		"other letters":   {200, `{"sub":"1","email":"` + strings.ToUpper(path.Base(account)) + `"}`, "", "good"},
		"refusal":         {401, `{"error":"invalid_request","error_description":"Invalid Credentials ` + canary + `"}`, "Www-Authenticate: Bearer " + canary, "not yet"},
		"refusal, echo":   {400, `{"error":"` + canary + `","error_description":"` + canary + `"}`, "", "HTTP 400 ;"},
		"bad request":     {400, `{"error":"invalid_request"}`, "", "HTTP 400 invalid_request;"},
		"front end":       {403, `{"error":{"status":"PERMISSION_DENIED","message":"` + canary + `","details":[{"reason":"SECURITY_POLICY_VIOLATED"}]}}`, "", "HTTP 403 PERMISSION_DENIED SECURITY_POLICY_VIOLATED;"},
		"too many":        {429, canary, "", "not yet"},
		"outage":          {503, canary, "", "not yet"},
		"moved":           {302, canary, "Location: " + thief + "?" + canary, "HTTP 302"},
		"no content":      {204, "", "", "HTTP 204"},
		"echo as address": {200, `{"sub":"` + canary + `","email":"` + canary + `@acme.iam.gserviceaccount.com"}`, "", "is one of another account and not of robot@"},
		"long address":    {200, `{"email":"` + strings.Repeat("a", 64) + `@acme.iam.gserviceaccount.com"}`, "", "is one of another account"},
		"person":          {200, `{"email":"eve@example.com"}`, "", "is one of another account"},
		"nobody":          {200, `{"sub":"` + path.Base(account) + `"}`, "", "names no account"},
		"portal":          {200, "<html>" + canary, "", "names no account"},
		"no object":       {200, `["` + canary + `"]`, "", "names no account"},
		"another type":    {200, `{"email":{"` + canary + `":1}}`, "", "names no account"},
		"huge":            {200, strings.Repeat(" ", 2<<20) + `{"email":"` + path.Base(account) + `"}`, "", "names no account"},
		"breaks off":      {200, "{", "Content-Length: 1000", "whose the key's token is: reading the answer"},
		"no answer":       {0, "", "", "whose the key's token is: Get "},
	} {
		t.Run(name, func(t *testing.T) {
			cloud := impostor(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/token" {
					w.Header().Set("Content-Type", "application/json")
					_, _ = w.Write([]byte(`{"access_token":"` + canary + `","token_type":"Bearer"}`))
					return
				}
				if r.Method != http.MethodGet || r.URL.String() != "/v1/userinfo" || r.Header.Get("Authorization") != "Bearer "+canary {
					t.Errorf("asked %s %s", r.Method, r.URL)
				}
				if tt.code == 0 {
					panic(http.ErrAbortHandler)
				}
				if key, value, ok := strings.Cut(tt.header, ": "); ok {
					w.Header().Set(key, value)
				}
				w.WriteHeader(tt.code)
				_, _ = w.Write([]byte(tt.body)) // the prober need not read it all
			})
			wantProbe(t, cloud.ProbeAccountKey(t.Context(), account, file), tt.want)
		})
	}
}

// TestProbeCountsAsUses: one for the token and one for the call, which is what
// package rotation takes off for each test of keyturn's own.
func TestProbeCountsAsUses(t *testing.T) {
	w := newWorld(t, 0)
	account := w.account("robot")
	id, file, err := w.createKey(account)
	must(t, err)
	wantProbe(t, w.ProbeAccountKey(t.Context(), account, file), "good")
	w.clock.Advance(time.Hour)
	uses, err := w.AccountKeyUses(t.Context(), account, []string{id}, w.clock.Now().Add(-2*time.Hour), w.clock.Now())
	must(t, err)
	if got := uses.Of[id]; len(got) != 1 || got[0].Count != 2 {
		t.Errorf("uses %v, want two in one interval", got)
	}
}
