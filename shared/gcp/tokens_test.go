package gcp

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// credentials writes a key file whose tokens come from a server, and returns its name.
func credentials(t *testing.T, tokenURL string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	file, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "alert@acme.iam.gserviceaccount.com", "token_uri": tokenURL,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	must(t, err)
	name := filepath.Join(t.TempDir(), "key.json")
	must(t, os.WriteFile(name, file, 0o600))
	return name
}

// Credentials that are not there at first are looked for again.
func TestTokensOfTheAccountThatKeyturnRunsAs(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token":"` + canary + `","token_type":"Bearer","expires_in":3600}`))
	}))
	defer server.Close()
	cloud, err := New(Config{Project: testProject, AllowKeyFile: true})
	must(t, err)
	tokens := cloud.Tokens()
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "none.json"))
	_, err = tokens.Token()
	says(t, err, "connecting to Google for tokens")
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", credentials(t, server.URL))
	for range 2 {
		token, err := tokens.Token()
		must(t, err)
		if token.AccessToken != canary {
			t.Errorf("token %q", token.AccessToken)
		}
	}
}

func TestTheEmbeddedCloudHasNoTokens(t *testing.T) {
	_, err := newCloud(t, "127.0.0.1:1").Tokens().Token()
	says(t, err, "the embedded Google Cloud has no such API")
}
