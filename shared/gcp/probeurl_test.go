package gcp

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/shared/egress"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// page is what a policy's URL answers, and remembers what it was sent.
func page(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(answer))
	t.Cleanup(server.Close)
	return server.URL + "/v1/things"
}

func TestProbeAccountKeyAt(t *testing.T) {
	w := newWorld(t, time.Minute)
	_, file, err := w.CreateAccountKey(t.Context(), w.account("robot"))
	must(t, err)
	calls := 0
	address := page(t, func(answer http.ResponseWriter, r *http.Request) {
		calls++
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		caller, err := w.gcp.IAM.Authenticate(token)
		if !ok || err != nil || !strings.HasPrefix(caller.Email, "robot@") || r.Method != http.MethodGet || r.URL.RawQuery != "a=b" {
			t.Errorf("%s %s by %q, error %v", r.Method, r.URL, caller.Email, err)
		}
		answer.WriteHeader(http.StatusNoContent)
	}) + "?a=b"
	wantProbe(t, w.ProbeAccountKeyAt(t.Context(), file, address), "not yet")
	w.clock.Advance(time.Hour)
	if calls != 0 {
		t.Error("called before there was a token")
	}
	wantProbe(t, w.ProbeAccountKeyAt(t.Context(), file, address), "good")
	if calls != 1 {
		t.Errorf("%d calls", calls)
	}
	wantProbe(t, w.ProbeAccountKeyAt(t.Context(), []byte(canary), address), "not a service-account key file")
	w.inject("token", fault.Fault{Before: status.Error(codes.PermissionDenied, "refused")})
	wantProbe(t, w.ProbeAccountKeyAt(t.Context(), file, address), "minting a token: HTTP 403")
}

func TestProbeAPIKeyAt(t *testing.T) {
	cloud := newCloud(t, "127.0.0.1:1")
	address := page(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Goog-Api-Key") != canary || strings.Contains(r.URL.String(), canary) || r.Header.Get("Authorization") != "" {
			t.Errorf("called %s with %v", r.URL, r.Header)
		}
	})
	wantProbe(t, cloud.ProbeAPIKeyAt(t.Context(), canary, address), "good")
	wantProbe(t, cloud.ProbeAPIKeyAt(t.Context(), canary, "http://"+closedPort(t)), "connection refused")
	truncated := page(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "10") })
	wantProbe(t, cloud.ProbeAPIKeyAt(t.Context(), canary, truncated), "probing: reading the answer")
	for _, code := range []int{301, 307, 308} {
		away := page(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, address+"?"+canary, code) })
		wantProbe(t, cloud.ProbeAPIKeyAt(t.Context(), canary, away), "the probe URL answered HTTP 30")
	}
}

// TestProbeURLs lets no credential go where others may read it.
func TestProbeURLs(t *testing.T) {
	embedded, google := newCloud(t, "127.0.0.1:1"), newCloud(t, "")
	for address, tt := range map[string]struct{ embedded, google bool }{
		"https://storage.googleapis.com/storage/v1/b/x": {true, true},
		"https://127.0.0.1/":                            {true, true},
		"http://127.0.0.1:1/x":                          {true, false},
		"http://[::1]:1/x":                              {true, false},
		"http://localhost:1/":                           {}, // a name is what a resolver says
		"http://storage.googleapis.com/":                {},
		"http://127.0.0.1.evil.example":                 {},
		"https://user:pass@x.example/":                  {},
		"https:///x":                                    {},
		"ftp://x.example":                               {},
		"//x.example":                                   {},
		"file:///etc/passwd":                            {},
		"https://%zz":                                   {},
		"":                                              {},
	} {
		if err := embedded.checkProbeURL(address); (err == nil) != tt.embedded {
			t.Errorf("%q, embedded: error %v", address, err)
		}
		if err := google.checkProbeURL(address); (err == nil) != tt.google {
			t.Errorf("%q, Google's own: error %v", address, err)
		}
	}
	wantProbe(t, google.ProbeAPIKeyAt(t.Context(), canary, "http://x.example/"), `"x.example" is not https`)
	wantProbe(t, google.ProbeAccountKeyAt(t.Context(), []byte(canary), "https://a:"+canary+"@x.example/"), "is not an https URL without user and password")
}

func TestProbeVerdict(t *testing.T) {
	reason := func(r string) string {
		return `{"error":{"status":"UNAUTHENTICATED","message":"` + canary + `","details":[{"reason":"` + r + `"}]}}`
	}
	for name, tt := range map[string]struct {
		code int
		body string
		want string
	}{
		"answer":                   {200, canary, "good"},
		"created":                  {201, "", "good"},
		"no content":               {204, "", "good"},
		"moved":                    {302, "", "HTTP 302"},
		"unknown token":            {401, reason("ACCESS_TOKEN_TYPE_UNSUPPORTED"), "not yet"},
		"unknown account":          {401, reason("ACCOUNT_STATE_INVALID"), "not yet"},
		"unknown, no reason":       {401, `{"error":{"status":"UNAUTHENTICATED"}}`, "not yet"},
		"unknown API key":          {400, `{"error":{"status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}`, "not yet"},
		"unknown API key, by 403":  {403, `{"error":{"status":"PERMISSION_DENIED","details":[{"reason":"API_KEY_INVALID"}]}}`, "not yet"},
		"takes no API keys":        {401, reason("CREDENTIALS_MISSING"), "HTTP 401 UNAUTHENTICATED CREDENTIALS_MISSING"},
		"somebody else's refusal":  {401, "<html>" + canary, "HTTP 401"},
		"no permission":            {403, `{"error":{"status":"PERMISSION_DENIED","details":[{"reason":"IAM_PERMISSION_DENIED"}]}}`, "HTTP 403 PERMISSION_DENIED IAM_PERMISSION_DENIED"},
		"restricted to other APIs": {403, `{"error":{"status":"PERMISSION_DENIED","details":[{"reason":"API_KEY_SERVICE_BLOCKED"}]}}`, "HTTP 403 PERMISSION_DENIED API_KEY_SERVICE_BLOCKED"},
		"no such page":             {404, canary, "HTTP 404"},
		"too many":                 {429, "", "not yet"},
		"outage":                   {500, canary, "not yet"},
		"front end down":           {503, "", "not yet"},
	} {
		t.Run(name, func(t *testing.T) { wantProbe(t, probeVerdict(tt.code, []byte(tt.body)), tt.want) })
	}
}

// TestProbesReachTheInternetOnly, and there the hosts that are allowed: whoever may edit
// a policy does not choose what keyturn's network is asked.
func TestProbesReachTheInternetOnly(t *testing.T) {
	inside := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s was asked with key %q", r.URL, r.Header.Get(apiKeyHeader))
	}))
	t.Cleanup(inside.Close)
	_, port, err := net.SplitHostPort(inside.Listener.Addr().String())
	must(t, err)
	google := newCloud(t, "")
	google.probes.Transport.(*http.Transport).TLSClientConfig = inside.Client().Transport.(*http.Transport).TLSClientConfig
	t.Setenv("HTTPS_PROXY", inside.URL) // it would be asked to resolve names
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "10.0.0.1", "192.168.0.1", "169.254.169.254", "[fd20:ce::254]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"} {
		err := google.ProbeAPIKeyAt(t.Context(), canary, "https://"+host+":"+port+"/")
		if err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", host, err)
		}
		if host[0] != '2' && host[0] != '0' { // which a resolver may or may not know
			says(t, err, "private, link-local and metadata addresses are not connected to")
		}
	}
	few, err := New(Config{Project: testProject, Egress: egress.Hosts{"*.example.com"}})
	must(t, err)
	says(t, few.ProbeAPIKeyAt(t.Context(), canary, "https://evil.example/"), `KEYTURN_EGRESS, which says where keyturn may go, does not name "evil.example"`)
	_, err = ReadEnvironment([]string{"KEYTURN_PROJECT=acme", "KEYTURN_ENDPOINT=127.0.0.1:1", "KEYTURN_EGRESS=https://a.example"})
	says(t, err, `KEYTURN_EGRESS has "https://a.example"`)
}
