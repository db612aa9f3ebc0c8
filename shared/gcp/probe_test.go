package gcp

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"example.com/keyturn/internal/localgcp/fault"
	"golang.org/x/oauth2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// wantProbe checks an error of a probe: "good", "not yet" or a part of a text.
func wantProbe(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "good":
		if err != nil {
			t.Errorf("error %v, want none", err)
		}
	case want == "not yet":
		if !errors.Is(err, ErrNotYet) {
			t.Errorf("error %v, want %v", err, ErrNotYet)
		}
	case errors.Is(err, ErrNotYet):
		t.Errorf("error %v is taken for one that passes, want %q", err, want)
	default:
		says(t, err, want)
	}
	if err != nil && strings.Contains(err.Error(), canary) {
		t.Errorf("error %v holds secret material", err)
	}
}

// impostor stands where Google should and answers as it likes.
func impostor(t *testing.T, handler http.HandlerFunc) *Cloud {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return newCloud(t, server.Listener.Addr().String())
}

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, l.Close())
	return l.Addr().String()
}

func TestProbeAccountKey(t *testing.T) {
	w := newWorld(t, time.Minute)
	account := w.account("robot")
	w.clock.Advance(time.Hour)
	id, file, err := w.createKey(account)
	must(t, err)
	wantProbe(t, w.ProbeAccountKey(t.Context(), account, file), "not yet")
	w.clock.Advance(time.Minute)
	wantProbe(t, w.ProbeAccountKey(t.Context(), account, file), "good")
	w.inject("token", fault.Fault{Before: status.Error(codes.Unavailable, "outage")})
	wantProbe(t, w.ProbeAccountKey(t.Context(), account, file), "not yet")
	w.inject("token", fault.Fault{Before: status.Error(codes.PermissionDenied, "refused")})
	wantProbe(t, w.ProbeAccountKey(t.Context(), account, file), "minting a token: HTTP 403")
	w.gcp.Faults.Set(nil)
	must(t, w.DisableAccountKey(t.Context(), account, id))
	w.clock.Advance(time.Minute)
	err = w.ProbeAccountKey(t.Context(), account, file)
	wantProbe(t, err, "not yet")
	says(t, err, `HTTP 400 "invalid_grant": "Invalid JWT Signature."`)
	wantProbe(t, newCloud(t, closedPort(t)).ProbeAccountKey(t.Context(), account, file), "connection refused")
}

// edited is a key file with one field changed.
func edited(t *testing.T, file []byte, field, value string) []byte {
	t.Helper()
	fields := map[string]string{}
	must(t, json.Unmarshal(file, &fields))
	fields[field] = value
	out, err := json.Marshal(fields)
	must(t, err)
	return out
}

// TestKeyFileDoesNotChooseWhereItIsSent probes a file with somebody else's
// token_uri.
func TestKeyFileDoesNotChooseWhereItIsSent(t *testing.T) {
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the thief was sent %s %s", r.Method, r.URL)
	}))
	t.Cleanup(thief.Close)
	w := newWorld(t, 0)
	account := w.account("robot")
	_, file, err := w.CreateAccountKey(t.Context(), account)
	must(t, err)
	wantProbe(t, w.ProbeAccountKey(t.Context(), account, edited(t, file, "token_uri", thief.URL+"/token")), "good")
	wantProbe(t, w.ProbeAccountKey(t.Context(), account, edited(t, file, "type", "authorized_user")), "not a service-account key file")
}

func TestProbeOfWhatIsNoKeyFile(t *testing.T) {
	cloud := impostor(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s was called", r.URL) })
	for file, want := range map[string]string{
		"":            "not a service-account key file",
		canary:        "not a service-account key file",
		`{"` + canary: "not a service-account key file",
		`{"type":"` + canary + `","private_key":"` + canary + `"}`:                                                                 "not a service-account key file",
		`{"type":"service_account","client_email":"a@b.c","private_key":"` + canary + `"}`:                                         "minting a token: private key",
		`{"type":"service_account","private_key":"-----BEGIN PRIVATE KEY-----\nQ0FOQVJZ\n-----END PRIVATE KEY-----\n` + `","a":1}`: "minting a token: private key",
	} {
		wantProbe(t, cloud.ProbeAccountKey(t.Context(), "projects/acme/serviceAccounts/a@b.c", []byte(file)), want)
	}
}

func TestProbesOfHostileAnswers(t *testing.T) {
	w := newWorld(t, 0)
	account := w.account("robot")
	_, file, err := w.CreateAccountKey(t.Context(), account)
	must(t, err)
	for name, tt := range map[string]struct {
		code      int
		body      string
		token     string // what comes of probing a key file
		apiKey    string // and of an API key
		truncated bool
	}{
		"no token":           {code: 200, body: "{}", token: "holds none", apiKey: "good"},
		"another type":       {code: 200, body: `{"access_token":7}`, token: "cannot fetch token", apiKey: "good"},
		"page of a portal":   {code: 200, body: "<html>", token: "cannot fetch token", apiKey: "good"},
		"error of a portal":  {code: 403, body: "<html>" + canary, token: "HTTP 403", apiKey: "HTTP 403"},
		"no body":            {code: 404, token: "HTTP 404", apiKey: "HTTP 404"},
		"busy front end":     {code: 429, body: "<html>", token: "not yet", apiKey: "not yet"},
		"outage":             {code: 503, body: canary, token: "not yet", apiKey: "not yet"},
		"huge":               {code: 400, body: strings.Repeat(" ", 2<<20) + `{"error":"invalid_grant"}`, token: "HTTP 400", apiKey: "HTTP 400"},
		"breaks off":         {code: 400, body: `{"error":`, truncated: true, token: "fetch token", apiKey: "reading the answer"},
		"fields of no type":  {code: 400, body: `{"error":{"status":7,"details":{"reason":[]}}}`, token: "HTTP 400", apiKey: "HTTP 400"},
		"echo":               {code: 400, body: `{"error":{"status":"` + canary + ` x","details":[{"reason":"A` + canary + ` x"}]}}`, token: "HTTP 400", apiKey: "HTTP 400"},
		"blocked, elsewhere": {code: 400, body: `{"error":{"details":[{"reason":"API_KEY_SERVICE_BLOCKED"}]}}`, token: "HTTP 400", apiKey: "HTTP 400"},
	} {
		t.Run(name, func(t *testing.T) {
			cloud := impostor(t, func(w http.ResponseWriter, _ *http.Request) {
				if tt.truncated {
					w.Header().Set("Content-Length", "1000")
				}
				w.WriteHeader(tt.code)
				_, _ = w.Write([]byte(tt.body)) // the prober need not read it all
			})
			wantProbe(t, cloud.ProbeAccountKey(t.Context(), account, file), tt.token)
			wantProbe(t, cloud.ProbeAPIKey(t.Context(), canary), tt.apiKey)
		})
	}
}

// TestProbesFollowNoRedirect sends them to a thief.
func TestProbesFollowNoRedirect(t *testing.T) {
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the thief was sent %s %s with key %q", r.Method, r.URL, r.Header.Get("X-Goog-Api-Key"))
	}))
	t.Cleanup(thief.Close)
	w := newWorld(t, 0)
	account := w.account("robot")
	_, file, err := w.CreateAccountKey(t.Context(), account)
	must(t, err)
	for _, code := range []int{301, 302, 303, 307, 308} {
		cloud := impostor(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, thief.URL, code) })
		wantProbe(t, cloud.ProbeAccountKey(t.Context(), account, file), "minting a token: HTTP 30")
		wantProbe(t, cloud.ProbeAPIKey(t.Context(), canary), "trying the API key: HTTP 30")
	}
}

func TestProbeAPIKey(t *testing.T) {
	w := newWorld(t, time.Minute)
	name := w.apiKey("k", nil)
	key, err := w.APIKeyString(t.Context(), name)
	must(t, err)
	probe := func() error { return w.ProbeAPIKey(t.Context(), key) }
	wantProbe(t, probe(), "not yet")
	w.clock.Advance(time.Minute)
	wantProbe(t, probe(), "good")
	elsewhere := w.apiKey("elsewhere", &apikeyspb.Key{Restrictions: &apikeyspb.Restrictions{ApiTargets: []*apikeyspb.ApiTarget{{Service: "translate.googleapis.com"}}}})
	w.clock.Advance(time.Minute)
	other, err := w.APIKeyString(t.Context(), elsewhere)
	must(t, err)
	wantProbe(t, w.ProbeAPIKey(t.Context(), other), "good")
	must(t, w.DisableAPIKey(t.Context(), name))
	w.clock.Advance(time.Minute)
	wantProbe(t, probe(), "good")
	must(t, w.DeleteAPIKey(t.Context(), name))
	w.clock.Advance(time.Minute)
	wantProbe(t, probe(), "not yet")
	wantProbe(t, w.ProbeAPIKey(t.Context(), canary), "not yet")
	wantProbe(t, w.ProbeAPIKey(t.Context(), canary+"\n"), "trying the API key")
	wantProbe(t, w.ProbeAPIKey(t.Context(), ""), "HTTP 403")
	wantProbe(t, newCloud(t, closedPort(t)).ProbeAPIKey(t.Context(), canary), "connection refused")
	wantProbe(t, newCloud(t, "[::1%lo]:1").ProbeAPIKey(t.Context(), canary), "trying the API key: preparing the call")
}

func TestAPIKeyVerdict(t *testing.T) {
	for name, tt := range map[string]struct {
		code int
		body string
		want string
	}{
		"answer":            {200, `{"models":[]}`, "good"},
		"quota used up":     {429, `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}`, "good"},
		"other API":         {403, `{"error":{"status":"PERMISSION_DENIED","details":[{"reason":"API_KEY_SERVICE_BLOCKED"},{"message":"m"}]}}`, "good"},
		"other address":     {403, `{"error":{"details":[{"reason":"API_KEY_IP_ADDRESS_BLOCKED"}]}}`, "good"},
		"other referrer":    {403, `{"error":{"details":[{"reason":"API_KEY_HTTP_REFERRER_BLOCKED"}]}}`, "good"},
		"API not turned on": {403, `{"error":{"details":[{"reason":"SERVICE_DISABLED"}]}}`, "good"},
		"unknown key":       {400, `{"error":{"status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}`, "not yet"},
		"outage":            {500, `{"error":{"status":"INTERNAL"}}`, "not yet"},
		"suspended":         {403, `{"error":{"status":"PERMISSION_DENIED","details":[{"reason":"CONSUMER_SUSPENDED"}]}}`, "HTTP 403 PERMISSION_DENIED CONSUMER_SUSPENDED"},
		"denied":            {403, `{"error":{"status":"PERMISSION_DENIED"}}`, "HTTP 403 PERMISSION_DENIED"},
		"unauthenticated":   {401, `{"error":{"status":"UNAUTHENTICATED"}}`, "HTTP 401"},
		"null":              {404, `null`, "HTTP 404"},
	} {
		t.Run(name, func(t *testing.T) { wantProbe(t, apiKeyVerdict(tt.code, []byte(tt.body)), tt.want) })
	}
}

func TestTokenError(t *testing.T) {
	refused := func(code int, body string) error {
		return &url.Error{Op: "Post", URL: "u", Err: &oauth2.RetrieveError{Response: &http.Response{StatusCode: code}, Body: []byte(body)}}
	}
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"unknown key":     {refused(400, `{"error":"invalid_grant","error_description":"Invalid JWT Signature."}`), "not yet"},
		"outage":          {refused(502, "<html>"), "not yet"},
		"too many":        {refused(429, `{"error":"rate_limit_exceeded"}`), "not yet"},
		"deleted client":  {refused(401, `{"error":"deleted_client","error_description":"The OAuth client was deleted."}`), `HTTP 401 "deleted_client": "The OAuth client was deleted."`},
		"network":         {errors.New("no route"), "minting a token: no route"},
		"echo":            {refused(400, `{"error":"`+strings.Repeat("x", 40)+canary+`","error_description":"`+strings.Repeat("y", 200)+canary+`"}`), "HTTP 400"},
		"controls":        {refused(400, `{"error":"a\nb"}`), `"a\nb"`},
		"error of an API": {refused(403, `{"error":{"message":"`+canary+`"}}`), `HTTP 403 "": ""`},
	} {
		t.Run(name, func(t *testing.T) { wantProbe(t, tokenError(tt.err), tt.want) })
	}
}

// FuzzVerdicts holds that no answer is quoted but in Google's own terms, and that
// whatever is no answer of Google's is not taken for a good one.
func FuzzVerdicts(f *testing.F) {
	for _, body := range []string{"", "null", "{}", `{"error":{"status":"S","details":[{"reason":"R_BLOCKED"}]}}`, `{"error":"invalid_grant","error_description":"d"}`, `{"error":{"details":[null,1]}}`} {
		f.Add(403, []byte(body))
	}
	f.Fuzz(func(t *testing.T, code int, body []byte) {
		status, reason := failureOf(body)
		for _, word := range []string{status, reason} {
			if word != "" && !constant.MatchString(word) {
				t.Errorf("quoted %q", word)
			}
		}
		if err := apiKeyVerdict(code, body); err == nil && code != 200 && status+reason == "" {
			t.Errorf("HTTP %d %q is taken for good", code, body)
		}
		if err := userInfoVerdict(code, body, "a@b.c"); err == nil && code != 200 || err != nil && len(err.Error()) > 500 {
			t.Errorf("HTTP %d %q: of UserInfo's answer error %v", code, body, err)
		}
		err := tokenError(&oauth2.RetrieveError{Response: &http.Response{StatusCode: code}, Body: body})
		if err == nil || len(err.Error()) > 5000 {
			t.Errorf("HTTP %d %q: error %v", code, body, err)
		}
	})
}

// TestMintingEndsWithItsContext, although package oauth2 gives the call none.
func TestMintingEndsWithItsContext(t *testing.T) {
	w := newWorld(t, 0)
	file, err := os.ReadFile(w.keyFile(w.account("bot")))
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	asked := 0
	cloud, err := New(Config{Project: testProject, Wire: &Wire{HTTP: trip(func(r *http.Request) (*http.Response, error) {
		if _, limited := r.Context().Deadline(); !limited {
			t.Error("the client's own limit is gone")
		}
		asked++
		cancel()
		<-r.Context().Done()
		return nil, r.Context().Err()
	})}})
	must(t, err)
	if _, err := cloud.mint(ctx, file, emailScope); asked != 1 || err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("asked %d times, error %v", asked, err)
	}
}
