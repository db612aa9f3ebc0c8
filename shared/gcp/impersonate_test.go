package gcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/shared/event"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestParseImpersonate(t *testing.T) {
	const a, b = "a@acme.iam.gserviceaccount.com", "1-compute@developer.gserviceaccount.com"
	for list, want := range map[string][]string{"": nil, a: {a}, a + "," + b: {a, b}, " " + a + " , " + b: {a, b}} {
		if got, err := ParseImpersonate(list); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q is %q, %v", list, got, err)
		}
	}
	for _, list := range []string{"ada@example.com", a + ",", ",", "a", a + ";" + b, "A@acme.iam.gserviceaccount.com\x1b"} {
		_, err := ParseImpersonate(list)
		says(t, err, "want the e-mail address of a service account")
		if strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%q is not fit for a terminal", err)
		}
	}
	_, err := New(Config{Project: testProject, Impersonate: []string{"ada@example.com"}})
	says(t, err, "want the e-mail address of a service account")
}

const (
	bot   = "bot@acme.iam.gserviceaccount.com"
	relay = "relay@acme.iam.gserviceaccount.com"
)

// grant makes a role the only one that the policy of a resource grants.
func (w *world) grant(resource, role, email string) {
	w.Helper()
	body := fmt.Sprintf(`{"policy":{"bindings":[{"role":%q,"members":["serviceAccount:%s"]}]}}`, role, email)
	resp, err := http.Post("http://"+w.gcp.Addr()+"/v1/"+resource+":setIamPolicy", "application/json", strings.NewReader(body))
	must(w.T, err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		w.Fatalf("granting %s on %s: HTTP %d", role, resource, resp.StatusCode)
	}
}

// as is the adapters of somebody else on the same cloud.
func (w *world) as(c Config) *Cloud {
	w.Helper()
	c.Project, c.Endpoint = testProject, w.gcp.Addr()
	cloud, err := New(c)
	must(w.T, err)
	w.Cleanup(func() { must(w.T, cloud.Close()) })
	cloud.calls.pause = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return cloud
}

// keyFile writes a key of an account.
func (w *world) keyFile(account string) string {
	w.Helper()
	_, file, err := w.createKey(account)
	must(w.T, err)
	name := filepath.Join(w.TempDir(), "key.json")
	must(w.T, os.WriteFile(name, file, 0o600))
	return name
}

// TestCallsAreMadeAsAnother goes over both transports, with and without a grant.
func TestCallsAreMadeAsAnother(t *testing.T) {
	w := newWorld(t, 0)
	secret, account := w.secret("s", "payload"), w.account("bot")
	cloud := w.as(Config{Impersonate: []string{bot}})
	_, err := cloud.AccessVersion(t.Context(), secret, "1")
	fails(t, err, codes.PermissionDenied)
	_, err = cloud.AccountKeyStates(t.Context(), account) // over REST
	fails(t, err, codes.PermissionDenied)
	w.grant(secret, "roles/secretmanager.secretAccessor", bot)
	w.grant(account, "roles/iam.serviceAccountViewer", bot)
	_, err = cloud.AccessVersion(t.Context(), secret, "1")
	must(t, err)
	_, err = cloud.AccountKeyStates(t.Context(), account)
	must(t, err)
}

// TestChainsOfAccounts has a key's account act as one that acts as another.
func TestChainsOfAccounts(t *testing.T) {
	w := newWorld(t, 0)
	first, middle, target := w.account("relay"), w.account("middle"), w.account("bot")
	secret := w.secret("s", "payload")
	w.grant(secret, "roles/secretmanager.viewer", bot)
	key := w.keyFile(first)
	read := func(chain ...string) error {
		_, err := w.as(Config{KeyFile: key, Impersonate: chain}).Secret(t.Context(), secret)
		return err
	}
	err := read(bot)
	fails(t, err, codes.PermissionDenied)
	says(t, err, "acting as "+bot+": Permission 'iam.serviceAccounts.getAccessToken' denied")
	if d, ok := DenialOf(err); !ok || d.Permission != "iam.serviceAccounts.getAccessToken" || d.Resource != "projects/-/serviceAccounts/"+bot || d.Role != "roles/iam.serviceAccountTokenCreator" {
		t.Errorf("denied %+v, %v", d, ok)
	}
	w.grant(middle, "roles/iam.serviceAccountTokenCreator", relay)
	w.grant(target, "roles/iam.serviceAccountTokenCreator", "middle@acme.iam.gserviceaccount.com")
	fails(t, read(bot), codes.PermissionDenied)
	must(t, read("middle@acme.iam.gserviceaccount.com", bot))
	fails(t, read(), codes.PermissionDenied)
	w.grant(secret, "roles/secretmanager.viewer", relay)
	must(t, read())
}

// TestThereIsNoToken tells why, over both transports, and calls nobody.
func TestThereIsNoToken(t *testing.T) {
	w := newWorld(t, 0)
	account := w.account("relay")
	junk := filepath.Join(t.TempDir(), "junk.json")
	must(t, os.WriteFile(junk, []byte(`{"private_key":"`+canary+`"}`), 0o600))
	dead := w.keyFile(account)
	keys, err := w.AccountKeys(t.Context(), account)
	must(t, err)
	for _, k := range keys {
		must(t, w.DeleteAccountKey(t.Context(), account, k.ID))
	}
	for name, c := range map[string]struct {
		config Config
		code   codes.Code
		want   string
	}{
		"nobody of that name": {Config{Impersonate: []string{"nobody@acme.iam.gserviceaccount.com"}}, codes.Unauthenticated, "acting as nobody@acme.iam.gserviceaccount.com: Not found; Gaia id not found"},
		"no file":             {Config{KeyFile: junk + "x"}, codes.Unauthenticated, "reading the key file to call with: "},
		"no key file":         {Config{KeyFile: junk}, codes.Unauthenticated, "is not a service-account key file"},
		"a deleted key":       {Config{KeyFile: dead}, codes.Unauthenticated, "getting a token: "},
		"one to act with":     {Config{KeyFile: dead, Impersonate: []string{bot}}, codes.Unauthenticated, "getting a token: "},
	} {
		t.Run(name, func(t *testing.T) {
			w.gcp.Faults.Set(func(method string, _ any) fault.Fault {
				if strings.HasSuffix(method, "Secret") {
					t.Error("it was called without a token")
				}
				return fault.Fault{}
			})
			defer w.gcp.Faults.Set(nil)
			cloud := w.as(c.config)
			_, grpcErr := cloud.Secret(t.Context(), "projects/acme/secrets/s")
			_, restErr := cloud.AccountKeyStates(t.Context(), account)
			for _, err := range []error{grpcErr, restErr} {
				fails(t, err, c.code)
				says(t, err, c.want)
				if strings.Contains(fmt.Sprint(err), canary) {
					t.Errorf("error %v", err)
				}
			}
		})
	}
	cloud := newCloud(t, "127.0.0.1:1")
	cloud.actor = newActor(Config{Endpoint: "127.0.0.1:1", Impersonate: []string{bot}}, cloud.http)
	_, err = cloud.Secret(t.Context(), "projects/acme/secrets/s")
	fails(t, err, codes.Unavailable)
	says(t, err, "acting as "+bot+": ")
	if strings.Contains(err.Error(), "googleapis.com") {
		t.Errorf("%v names who was not called", err)
	}
}

// TestKeyFilesOfOthers are not called with: they would sign for whoever listens.
func TestKeyFilesOfOthers(t *testing.T) {
	w := newWorld(t, 0)
	own := w.keyFile(w.account("bot"))
	foreign := filepath.Join(t.TempDir(), "foreign.json")
	content, err := json.Marshal(map[string]string{"type": "service_account", "token_uri": "https://oauth2.googleapis.com/token"})
	must(t, err)
	must(t, os.WriteFile(foreign, content, 0o600))
	for path, want := range map[string]bool{own: true, foreign: false, foreign + "x": false, "": false} {
		if got := KeyFileOf(w.gcp.Addr(), path); got != want {
			t.Errorf("%s is one of this cloud: %v", path, got)
		}
	}
	if KeyFileOf("127.0.0.1:1", own) {
		t.Error("a key file of one embedded cloud is one of another")
	}
}

func TestAccountOf(t *testing.T) {
	w := newWorld(t, 0)
	own := w.keyFile(w.account("bot"))
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", own)
	for name, c := range map[string]struct {
		config Config
		want   string
	}{
		"nobody":            {Config{Endpoint: "127.0.0.1:1"}, ""},
		"an impersonated":   {Config{Impersonate: []string{bot, relay}}, relay},
		"of a key file":     {Config{Endpoint: "127.0.0.1:1", KeyFile: own}, bot},
		"of no key file":    {Config{Endpoint: "127.0.0.1:1", KeyFile: own + "x"}, ""},
		"Application's own": {Config{}, bot},
	} {
		if got := accountOf(t.Context(), c.config); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", own+"x")
	if got := accountOf(t.Context(), Config{}); got != "" {
		t.Errorf("without credentials the caller is %q", got)
	}
}

// TestGooglesOwnIsCalledAsAnother sends what is meant for Google to a server of the
// test: the token, and whose quota it is to use.
func TestGooglesOwnIsCalledAsAnother(t *testing.T) {
	cloud, err := New(Config{Project: testProject, Impersonate: []string{bot}, QuotaProject: "quota"})
	must(t, err)
	if len(cloud.options()) != 3 || len(cloud.restOptions()) != 2 {
		t.Errorf("%d and %d options", len(cloud.options()), len(cloud.restOptions()))
	}
	plain, err := New(Config{Project: testProject})
	must(t, err)
	if len(plain.options()) != 1 || len(plain.restOptions()) != 0 {
		t.Errorf("as nobody else %d and %d options", len(plain.options()), len(plain.restOptions()))
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "none.json"))
	_, err = cloud.Tokens().Token()
	fails(t, err, codes.Unauthenticated)
	_, err = cloud.Secret(t.Context(), "projects/acme/secrets/s")
	fails(t, err, codes.Unauthenticated)
	says(t, err, "none.json")
}

func TestDenials(t *testing.T) {
	const member = "serviceAccount:" + bot
	for permission, c := range map[string]struct{ resource, want string }{
		"secretmanager.versions.access": {"projects/p/secrets/s/versions/1", "gcloud secrets add-iam-policy-binding s --project=p --member=" + member + " --role=roles/secretmanager.secretAccessor"},
		"secretmanager.versions.add":    {"projects/p/secrets/s-keyturn-staging", "gcloud projects add-iam-policy-binding p --member=" + member + " --role=roles/secretmanager.secretVersionAdder"},
		"secretmanager.secrets.list":    {"projects/p", "gcloud projects add-iam-policy-binding p --member=" + member + " --role=roles/secretmanager.viewer"},
		"iam.serviceAccountKeys.list":   {"projects/-/serviceAccounts/" + relay, "gcloud iam service-accounts add-iam-policy-binding " + relay + " --member=" + member + " --role=roles/iam.serviceAccountViewer"},
		"iam.serviceAccountKeys.create": {"projects/p/serviceAccounts/" + relay, "gcloud iam service-accounts add-iam-policy-binding " + relay + " --project=p --member=" + member + " --role=roles/iam.serviceAccountKeyAdmin"},
		"apikeys.keys.get":              {"projects/p/locations/global/keys/k", "gcloud projects add-iam-policy-binding p --member=" + member + " --role=roles/serviceusage.apiKeysViewer"},
		"pubsub.topics.publish":         {"projects/p/topics/t", "gcloud pubsub topics add-iam-policy-binding t --project=p --member=" + member + " --role=roles/pubsub.publisher"},
		"storage.objects.get":           {"projects/p", ""},
	} {
		if got := (Denial{Permission: permission, Resource: c.resource, Role: roles[permission]}).Grant(member); got != c.want {
			t.Errorf("%s on %s: %s\nwant %s", permission, c.resource, got, c.want)
		}
	}
	for name, err := range map[string]error{
		"none": nil, "another": errors.New("x"), "of another kind": status.Error(codes.NotFound, "x"), "without a permission": status.Error(codes.PermissionDenied, "x"),
	} {
		if d, ok := DenialOf(err); ok {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// TestPublishingSaysWhatIsLacking, as Pub/Sub does not.
func TestPublishingSaysWhatIsLacking(t *testing.T) {
	w := newWorld(t, 0)
	w.account("bot")
	w.topic("ttt")
	err := w.as(Config{Impersonate: []string{bot}}).Publish(t.Context(), event.Outgoing{Topic: "ttt", Data: []byte("x")})
	fails(t, err, codes.PermissionDenied)
	if d, ok := DenialOf(err); !ok || d.Permission != "pubsub.topics.publish" || d.Resource != "projects/acme/topics/ttt" {
		t.Errorf("denied %+v, %v", d, ok)
	}
}
