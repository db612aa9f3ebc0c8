package metadata_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cloud.google.com/go/auth/credentials/idtoken"
	"golang.org/x/oauth2/google"

	"example.com/keyturn/internal/localgcp/metadata"
)

const bot = "bot@acme.iam.gserviceaccount.com"

// tokens name whose they are.
type tokens struct{ gone bool }

var errGone = errors.New("the account is gone")

func (t tokens) AccessToken(email string) (string, error) {
	if t.gone {
		return "", errGone
	}
	return "access of " + email, nil
}

func (t tokens) IdentityToken(email, audience string) (string, error) {
	if t.gone {
		return "", errGone
	}
	return "identity of " + email + " for " + audience, nil
}

func serve(t *testing.T, tokens tokens) (base string) {
	t.Helper()
	server := httptest.NewServer(metadata.New(metadata.Config{Email: bot, Project: "acme", Number: "123", Region: "us-central1", Tokens: tokens}))
	t.Cleanup(server.Close)
	t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(server.URL, "http://"))
	return server.URL
}

// TestGooglesClientsFindTheAccount and nothing but it.
func TestGooglesClientsFindTheAccount(t *testing.T) {
	serve(t, tokens{})
	token, err := google.ComputeTokenSource("").Token()
	if err != nil || token.AccessToken != "access of "+bot || !token.Valid() {
		t.Errorf("access token %+v, %v", token, err)
	}
	c, err := idtoken.NewCredentials(&idtoken.Options{Audience: "https://one"})
	if err != nil {
		t.Fatal(err)
	}
	identity, err := c.Token(t.Context())
	if err != nil || identity.Value != "identity of "+bot+" for https://one" {
		t.Errorf("identity token %v, %v", identity, err)
	}
}

func TestAnswers(t *testing.T) {
	base := serve(t, tokens{})
	const accounts = "/computeMetadata/v1/instance/service-accounts/"
	for path, want := range map[string]string{
		"/": "computeMetadata/", "/computeMetadata/v1/project/project-id": "acme", "/computeMetadata/v1/project/numeric-project-id": "123",
		"/computeMetadata/v1/instance/region": "projects/123/regions/us-central1", "/computeMetadata/v1/instance/zone": "projects/123/zones/us-central1-1",
		accounts: "default/\n" + bot, accounts + "default/email": bot, accounts + bot + "/email": bot, accounts + "default/aliases": "default", accounts + "default/": "aliases\nemail",
		accounts + "default/scopes": "https://www.googleapis.com/auth/cloud-platform", accounts + "default/identity?audience=https://one&format=full": "identity of " + bot + " for https://one",
		accounts + "other@acme.iam.gserviceaccount.com/token": "404", accounts + "default/identity": "404", accounts + "default/more": "404", "/computeMetadata/v1/instance/hostname": "404",
	} {
		if got := ask(t, base+path, "Metadata-Flavor", "Google"); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	for what, header := range map[string][]string{"a page that a browser was sent": {"X", "Y"}, "a proxy": {"Metadata-Flavor", "Google", "X-Forwarded-For", "10.0.0.1"}} {
		if got := ask(t, base+accounts+"default/token", header...); !strings.HasPrefix(got, "403") {
			t.Errorf("%s: %q", what, got)
		}
	}
	gone := serve(t, tokens{gone: true})
	for _, path := range []string{"token", "identity?audience=x"} {
		if got := ask(t, gone+accounts+"default/"+path, "Metadata-Flavor", "Google"); !strings.HasPrefix(got, "404") || !strings.Contains(got, "gone") {
			t.Errorf("%s of an account that is gone: %q", path, got)
		}
	}
}

// ask is an answer, or what code it came with and why.
func ask(t *testing.T, url string, headers ...string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		return resp.Status + " " + string(text)
	}
	return string(text)
}
