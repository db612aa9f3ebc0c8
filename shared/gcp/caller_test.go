package gcp

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCallerOfAPerson asks Google whose Application Default Credentials are, with their
// token, and takes no answer for nobody.
func TestCallerOfAPerson(t *testing.T) {
	minted := http.StatusOK
	google := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(minted)
		_, _ = io.WriteString(w, `{"access_token":"ya29.ada","token_type":"Bearer","expires_in":3600}`)
	}))
	defer google.Close()
	own, err := json.Marshal(map[string]string{"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r", "token_uri": google.URL})
	must(t, err)
	file := filepath.Join(t.TempDir(), "adc.json")
	must(t, os.WriteFile(file, own, 0o600))
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
	caller := func(code int, body string, failure error) string {
		cloud, err := New(Config{Project: testProject, Wire: &Wire{HTTP: trip(func(r *http.Request) (*http.Response, error) {
			if r.URL.Host != userInfoHost || r.Header.Get("Authorization") != "Bearer ya29.ada" {
				t.Errorf("asked %s", r.URL)
			}
			if failure != nil {
				return nil, failure
			}
			return &http.Response{StatusCode: code, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
		})}})
		must(t, err)
		defer cloud.Close()
		return cloud.Caller(t.Context())
	}
	for name, tt := range map[string]struct {
		code    int
		body    string
		failure error
		want    string
	}{
		"a person":           {http.StatusOK, `{"sub":"1","email":"ada@example.com"}`, nil, "ada@example.com"},
		"without the scope":  {http.StatusOK, `{"sub":"1"}`, nil, ""},
		"refused":            {http.StatusUnauthorized, `{"email":"ada@example.com"}`, nil, ""},
		"what is no address": {http.StatusOK, "{\"email\":\"ada@example.com\\n\"}", nil, ""},
		"what is no JSON":    {http.StatusOK, "<html>", nil, ""},
		"nobody answers":     {0, "", errors.New("connection refused"), ""},
	} {
		if got := caller(tt.code, tt.body, tt.failure); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	minted = http.StatusBadRequest
	if got := caller(http.StatusOK, "{}", nil); got != "" {
		t.Errorf("without a token: %q", got)
	}
	embedded, err := New(Config{Project: testProject, Endpoint: "127.0.0.1:1"})
	must(t, err)
	if got := embedded.Caller(t.Context()); got != "" {
		t.Errorf("the embedded cloud's owner is %q", got)
	}
}
