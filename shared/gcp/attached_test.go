package gcp

import (
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/keyturn/internal/localgcp/metadata"
	"google.golang.org/grpc/codes"
)

// TestAttachedAccount calls the embedded cloud as the account of a metadata server, over
// gRPC and over REST, and as nobody else.
func TestAttachedAccount(t *testing.T) {
	w := newWorld(t, 0)
	must(t, w.gcp.IAM.AddAccount(testProject, "bot", "for a function"))
	server := httptest.NewServer(metadata.New(metadata.Config{Email: "bot@acme.iam.gserviceaccount.com", Project: testProject, Number: "1", Region: "us-central1", Tokens: w.gcp.IAM}))
	defer server.Close()
	t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(server.URL, "http://"))
	env, err := ReadEnvironment([]string{"KEYTURN_PROJECT=" + testProject, "KEYTURN_ENDPOINT=" + w.gcp.Addr(), "GCE_METADATA_HOST=" + strings.TrimPrefix(server.URL, "http://")})
	must(t, err)
	bot, err := New(env.Config)
	must(t, err)
	defer bot.Close()
	_, err = bot.AccessVersion(t.Context(), "projects/acme/secrets/s", "1")
	fails(t, err, codes.PermissionDenied)
	if _, err = bot.ProjectPolicy(t.Context(), testProject); !IsPermissionDenied(err) {
		t.Errorf("over REST: %v", err)
	}
	server.Close()
	none, err := New(env.Config)
	must(t, err)
	defer none.Close()
	_, err = none.AccessVersion(t.Context(), "projects/acme/secrets/s", "1")
	says(t, err, "getting a token")
}
