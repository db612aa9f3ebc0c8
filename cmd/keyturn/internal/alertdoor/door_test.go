package alertdoor

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/keyturn/functions/alert"
)

// list is the answer to list.
type list = alert.Overview

// ask has a door ask a function that answers so.
func ask(t *testing.T, h http.HandlerFunc) (list, error) {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	d, err := New(Config{URL: server.URL + "/AlertHTTP", Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	var answer list
	err = d.Ask(t.Context(), alert.Command{Verb: "list"}, &answer)
	return answer, err
}

func TestAskSendsACommandWithoutAToken(t *testing.T) {
	answer, err := ask(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != `{"command":"list"}` || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Authorization") != "" {
			t.Errorf("%s with %v: %s, %v", r.Method, r.Header, body, err)
		}
		_, _ = io.WriteString(w, `{"incidents":[{"incident":"a1","status":"open","severity":"high","later":"versions say more"}]}`)
	})
	if err != nil || len(answer.Incidents) != 1 || answer.Incidents[0].ID != "a1" || answer.Incidents[0].Status != "open" {
		t.Errorf("answer %+v, %v", answer, err)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for name, tt := range map[string]struct {
		code int
		body string
		want []string
	}{
		"said":              {404, `{"error":"there is no such incident"}`, []string{"there is no such incident"}},
		"said by hostiles":  {502, `{"error":"channel \u001b[2J\u202e"}`, []string{`channel \x1b[2J\u202e`}},
		"unauthenticated":   {401, "<html>", []string{"HTTP 401", "the token is for http://127.0.0.1", Describe}},
		"forbidden":         {403, "<html>", []string{"HTTP 403", "roles/run.invoker", grant}},
		"forbidden by it":   {403, `{"error":"not allowed; the function's log says why"}`, []string{"HTTP 403", "KEYTURN_CALLERS", "docs/doors.md"}},
		"no function":       {404, "404 page not found\n", []string{"there is no function at http://127.0.0.1", "keyturn local env"}},
		"redirect":          {302, "", []string{"HTTP 302", "is not followed"}},
		"overload":          {503, "the functions did not\x1b come back\nin time", []string{"HTTP 503", `the functions did not\x1b come back;`, "try again"}},
		"another service":   {200, "<html>", []string{"is not keyturn's alert function", "--url"}},
		"an empty object":   {200, "{}", []string{"is not keyturn's alert function", "its answer has no incidents"}},
		"nothing":           {200, "null", []string{"its answer has no incidents"}},
		"others' objects":   {200, `{"incidents":[{}]}`, []string{"its answer has no incidents"}},
		"an error's length": {400, `{"error":"` + strings.Repeat("x", 5000) + `"}`, []string{"xxx…"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ask(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/AlertHTTP" {
					t.Errorf("asked for %s", r.URL)
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(tt.code)
				_, _ = io.WriteString(w, tt.body)
			})
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q: %v", want, err)
				}
			}
			if strings.ContainsAny(err.Error(), "\x1b\u202e\n") || len(err.Error()) > 1500 {
				t.Errorf("the error is not fit for a terminal: %q", err)
			}
		})
	}
}

// TestAnAnswerIsReadBesideAnError is how a test alert tells its receipts.
func TestAnAnswerIsReadBesideAnError(t *testing.T) {
	answer, err := ask(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, `{"incidents":[{"incident":"a1"}]}`)
	})
	if err == nil || len(answer.Incidents) != 1 {
		t.Errorf("answer %+v, %v", answer, err)
	}
}

func TestAnswersThatBreakOff(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"before it begins": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"in the middle": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"incidents":[`)
		},
	} {
		if _, err := ask(t, h); err == nil || !strings.Contains(err.Error(), "broke off: the command may have been carried out") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWhatOnlyReadsIsAskedAgain where an answer breaks off, and nothing else is.
func TestWhatOnlyReadsIsAskedAgain(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1)%2 == 1 {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, `{"incidents":[{"incident":"a1"}]}`)
	}))
	defer server.Close()
	d, err := New(Config{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	var answer list
	if err := d.Ask(t.Context(), alert.Command{Verb: "list"}, &answer); err != nil || asked.Load() != 2 || len(answer.Incidents) != 1 {
		t.Errorf("asked %d times: %+v, %v", asked.Load(), answer, err)
	}
	if err := d.Ask(t.Context(), alert.Command{Verb: "stop"}, &answer); !errors.Is(err, errBrokeOff) || asked.Load() != 3 {
		t.Errorf("asked %d times: %v", asked.Load(), err)
	}
}

func TestNobodyAnswersInTime(t *testing.T) {
	hold := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hold }))
	defer server.Close()
	defer close(hold)
	d, err := New(Config{URL: server.URL, Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	err = d.Ask(t.Context(), alert.Command{Verb: "list"}, &list{})
	if err == nil || !strings.Contains(err.Error(), "did not answer within 50ms: the command may have been carried out") {
		t.Errorf("error %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	err = d.Ask(gone, alert.Command{Verb: "list"}, &list{})
	if err == nil || !strings.HasPrefix(err.Error(), "interrupted: ") {
		t.Errorf("error %v", err)
	}
}

func TestNobodyListens(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	d, err := New(Config{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	err = d.Ask(t.Context(), alert.Command{Verb: "list"}, &list{})
	if err == nil || !strings.Contains(err.Error(), "nobody answers at "+server.URL) || !strings.Contains(err.Error(), "is 'keyturn local' running") {
		t.Errorf("error %v", err)
	}
}

func TestURLs(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://keyturn-alert-http-abc.a.run.app": true, "https://a.run.app/": true, "http://127.0.0.1:8791/AlertHTTP": true,
		"http://localhost:8791": true, "http://[::1]:80/x": true,
		"": false, "127.0.0.1:8791": false, "http://example.com": false, "http://10.0.0.1/": false, "ftp://127.0.0.1": false,
		"https://user:CANARY@a.run.app": false, "https://a.run.app?x=1": false, "https://a.run.app/#x": false, "https://": false,
		"http://localhost.example.com": false, "http://127.0.0.1:CANARY/": false,
	} {
		_, err := New(Config{URL: url})
		if (err == nil) != ok {
			t.Errorf("%q: %v", url, err)
		}
		if err != nil && (!errors.Is(err, errURL) || strings.Contains(err.Error(), "CANARY")) {
			t.Errorf("%q: %v", url, err)
		}
	}
}
