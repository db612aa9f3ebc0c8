package alertdoor

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/keyturn/functions/alert"
	"example.com/keyturn/shared/gcp"
)

// jwt is an identity token for an audience, as far as anybody looks here.
func jwt(audience string) string {
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{"alg":"none"}`)) + "." + part(fmt.Appendf(nil, `{"aud":%q,"exp":4102444800}`, audience)) + ".c2ln"
}

// google answers whoever wants a token for a service account's key file.
func google(t *testing.T, code int, answer string) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if code != http.StatusOK {
			http.Error(w, answer, code)
			return
		}
		claims := strings.Split(r.PostFormValue("assertion"), ".")
		payload, err := base64.RawURLEncoding.DecodeString(claims[min(1, len(claims)-1)])
		var asked struct {
			Audience string `json:"target_audience"`
		}
		if err != nil || json.Unmarshal(payload, &asked) != nil {
			t.Errorf("asked for a token with %s, %v", payload, err)
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"id_token": jwt(asked.Audience)})
	}))
	t.Cleanup(server.Close)
	return server
}

// runAs has Application Default Credentials be a service account of google's.
func runAs(t *testing.T, google string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "oncall@acme.iam.gserviceaccount.com", "private_key_id": "k1",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": google,
	})
	if err != nil {
		t.Fatal(err)
	}
	useFile(t, file)
}

func useFile(t *testing.T, credentials []byte) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "credentials.json")
	if err := os.WriteFile(name, credentials, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", name)
}

// carriesBoth wants a token in both headers, of which Cloud Run leaves one whole.
func carriesBoth(t *testing.T, r *http.Request, token string) {
	t.Helper()
	for _, name := range []string{"Authorization", "X-Serverless-Authorization"} {
		if got := r.Header.Values(name); len(got) != 1 || got[0] != "Bearer "+token {
			t.Errorf("%s is %q", name, got)
		}
	}
}

func TestHTTPSCarriesATokenForTheFunction(t *testing.T) {
	runAs(t, google(t, http.StatusOK, "").URL)
	var function *httptest.Server
	function = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		carriesBoth(t, r, jwt(function.URL))
		_, _ = io.WriteString(w, `{"incidents":[]}`)
	}))
	defer function.Close()
	d, err := New(Config{URL: function.URL + "/AlertHTTP", AllowKeyFile: true, Transport: function.Client().Transport})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Ask(t.Context(), alert.Command{Verb: "list"}, &list{}); err != nil {
		t.Error(err)
	}
}

// elsewhere sends what is meant for Google to a server of the test.
type elsewhere struct {
	google http.HandlerFunc
	http.RoundTripper
}

func (e elsewhere) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Hostname(), ".googleapis.com") {
		return e.RoundTripper.RoundTrip(r)
	}
	w := httptest.NewRecorder()
	e.google(w, r)
	return w.Result(), nil
}

func TestSomebodyIsImpersonated(t *testing.T) {
	var function *httptest.Server
	function = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		carriesBoth(t, r, jwt(function.URL))
		_, _ = io.WriteString(w, `{"incidents":[]}`)
	}))
	defer function.Close()
	mint := func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			Audience     string   `json:"audience"`
			IncludeEmail bool     `json:"includeEmail"`
			Delegates    []string `json:"delegates"`
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || !asked.IncludeEmail || len(asked.Delegates) != 1 || !strings.Contains(r.URL.Path, "oncall@acme.iam.gserviceaccount.com:generateIdToken") {
			t.Errorf("%s: %+v, %v", r.URL, asked, err)
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"token": jwt(asked.Audience)})
	}
	d, err := New(Config{URL: function.URL, Impersonate: []string{"relay@acme.iam.gserviceaccount.com", "oncall@acme.iam.gserviceaccount.com"}, Transport: elsewhere{mint, function.Client().Transport}})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Ask(t.Context(), alert.Command{Verb: "list"}, &list{}); err != nil {
		t.Error(err)
	}
}

// TestNoTokenNoQuestion has nobody asked where there is no token, and says what to do.
func TestNoTokenNoQuestion(t *testing.T) {
	function := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("asked without a token") }))
	defer function.Close()
	for name, prepare := range map[string]func(t *testing.T){
		"refused": func(t *testing.T) { runAs(t, google(t, http.StatusBadRequest, "invalid_grant\x1b").URL) },
		"nothing": func(t *testing.T) { useFile(t, []byte(`{}`)) },
		"no file": func(t *testing.T) { t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "none")) },
	} {
		t.Run(name, func(t *testing.T) {
			prepare(t)
			d, err := New(Config{URL: function.URL, Transport: function.Client().Transport})
			if err != nil {
				t.Fatal(err)
			}
			err = d.Ask(t.Context(), alert.Command{Verb: "list"}, &list{})
			if err == nil || !strings.Contains(err.Error(), "getting an identity token for "+function.URL) || !strings.Contains(err.Error(), "--impersonate-service-account") {
				t.Fatalf("error %v", err)
			}
			if strings.ContainsAny(err.Error(), "\x1b\n") || strings.Contains(err.Error(), "CANARY") {
				t.Errorf("error %q", err)
			}
		})
	}
}

func TestNobodyAnswersOnTheNetwork(t *testing.T) {
	runAs(t, google(t, http.StatusOK, "").URL)
	function := httptest.NewTLSServer(nil)
	function.Close()
	d, err := New(Config{URL: function.URL, AllowKeyFile: true, Transport: function.Client().Transport})
	if err != nil {
		t.Fatal(err)
	}
	err = d.Ask(t.Context(), alert.Command{Verb: "list"}, &list{})
	if err == nil || !strings.Contains(err.Error(), "nobody answers at "+function.URL) || !strings.Contains(err.Error(), Describe) {
		t.Errorf("error %v", err)
	}
}

// TestAPersonAsks by the login of gcloud's, whose token is for gcloud.
func TestAPersonAsks(t *testing.T) {
	useFile(t, []byte(`{"type":"authorized_user","client_id":"a","client_secret":"CANARY","refresh_token":"CANARY"}`))
	for name, tt := range map[string]struct {
		code   int
		answer map[string]string
		want   string
	}{
		"known":   {http.StatusOK, map[string]string{"access_token": "CANARY", "token_type": "Bearer", "id_token": jwt("gcloud")}, ""},
		"unknown": {http.StatusOK, map[string]string{"access_token": "CANARY", "token_type": "Bearer"}, "says nothing of who you are"},
		"over":    {http.StatusBadRequest, map[string]string{"error": "invalid_grant", "error_description": "reauth related error (invalid_rapt)"}, "invalid_rapt"},
	} {
		t.Run(name, func(t *testing.T) {
			asked := false
			function := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = true
				carriesBoth(t, r, jwt("gcloud"))
				_, _ = io.WriteString(w, `{"incidents":[]}`)
			}))
			defer function.Close()
			mint := func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Host != "oauth2.googleapis.com" || r.PostFormValue("grant_type") != "refresh_token" {
					t.Errorf("asked %s for %v", r.URL, r.PostForm)
				}
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(tt.code)
				_ = json.NewEncoder(w).Encode(tt.answer)
			}
			d, err := New(Config{URL: function.URL, Transport: elsewhere{mint, function.Client().Transport}})
			if err != nil {
				t.Fatal(err)
			}
			err = d.Ask(t.Context(), alert.Command{Verb: "list"}, &list{})
			if asked != (tt.want == "") || (err == nil) != asked {
				t.Fatalf("asked %v, error %v", asked, err)
			}
			if err != nil && (!strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "gcloud auth application-default login") || strings.Contains(err.Error(), "CANARY")) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestAUserManagedKeyAsksNothing unless somebody says that it may.
func TestAUserManagedKeyAsksNothing(t *testing.T) {
	runAs(t, google(t, http.StatusOK, "").URL)
	function := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s was called", r.URL) }))
	defer function.Close()
	d, err := New(Config{URL: function.URL, Transport: function.Client().Transport})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Ask(t.Context(), alert.Command{Verb: "list"}, &list{}); err == nil || !strings.Contains(err.Error(), gcp.ErrOwnKey.Error()) {
		t.Errorf("error %v", err)
	}
}
