package rollout

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"example.com/keyturn/cmd/keyturn/internal/bearer"
	"example.com/keyturn/shared/deployment"
	"example.com/keyturn/shared/gcp/traffic"
)

const name = "keyturn-alert-http"

func TestSelfCheckJudgesTheAnswer(t *testing.T) {
	for title, tt := range map[string]struct {
		code int
		body string
		want string // of the error; empty is none
	}{
		"well":          {200, `{"incidents":[]}`, ""},
		"not json":      {200, "hello", "what is no JSON"},
		"an error":      {200, `{"error":"no seal"}`, "HTTP 200: no seal"},
		"a warning":     {200, `{"warning":"no ledger"}`, "with a warning: no ledger"},
		"no callers":    {403, `{"error":"not allowed"}`, "KEYTURN_CALLERS"},
		"no invoker":    {403, "<html>", "roles/run.invoker on " + name},
		"nobody":        {401, "", "roles/run.invoker"},
		"unconfigured":  {500, "keyturn: the function is not configured; see its log\nmore", "HTTP 500: keyturn: the function is not configured; see its log"},
		"not reachable": {502, `{"error":"a step failed"}`, "HTTP 502: a step failed"},
		"elsewhere":     {302, "", "HTTP 302"},
	} {
		t.Run(title, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked, _ := io.ReadAll(r.Body)
				if string(asked) != `{"command":"list"}` || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Authorization") != "" {
					t.Errorf("it was asked %s %q %v", r.Method, asked, r.Header)
				}
				w.Header().Set("Location", "https://example.com")
				w.WriteHeader(tt.code)
				_, _ = io.WriteString(w, tt.body)
			}))
			defer s.Close()
			err := SelfCheck(bearer.Config{})(t.Context(), name, s.URL, traffic.Service{URL: s.URL})
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func TestSelfCheckThatCannotAsk(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	breaks := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "9")
	}))
	defer breaks.Close()
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "none"))
	for url, want := range map[string]string{
		closed.URL:           "connection refused",
		breaks.URL:           "reading the answer",
		"http://example.com": "no token is sent there",
		"%":                  "invalid URL",
		"":                   "no token is sent there",
		"https://x":          "roles/iam.serviceAccountOpenIdTokenCreator",
	} {
		if err := SelfCheck(bearer.Config{})(t.Context(), name, url, traffic.Service{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", url, err, want)
		}
	}
}

// TestTokenIsForTheService whichever of its revisions is called: Cloud Run takes no
// other, and the function none that KEYTURN_AUDIENCES does not have.
func TestTokenIsForTheService(t *testing.T) {
	for _, tt := range []struct {
		s    traffic.Service
		want string
	}{
		{traffic.Service{URL: "https://a-hash-uc.a.run.app", URLs: []string{"https://a-123.us-central1.run.app", "https://a-hash-uc.a.run.app"}}, "https://a-123.us-central1.run.app"},
		{traffic.Service{URL: "https://a-hash-uc.a.run.app"}, "https://a-hash-uc.a.run.app"},
	} {
		if got := audience(tt.s); got != tt.want {
			t.Errorf("the token is for %s, want %s", got, tt.want)
		}
	}
}

// TestFunctionsOfPeopleAreChecked and no others: their accounts are those of all.
func TestFunctionsOfPeopleAreChecked(t *testing.T) {
	accounts := map[string]bool{}
	for _, f := range deployment.Functions {
		if _, checked := Find(f.Name); checked != (f.Topic == "") {
			t.Errorf("%s is checked: %v", f.Name, checked)
		}
		if f.Topic == "" {
			accounts[f.Account] = true
		}
	}
	for _, f := range deployment.Functions {
		if !accounts[f.Account] {
			t.Errorf("no canary runs as %s, as %s does", f.Account, f.Name)
		}
	}
	if len(Names()) != len(accounts) {
		t.Errorf("checked are %v", Names())
	}
}
