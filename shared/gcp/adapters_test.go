package gcp

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	apikeys "cloud.google.com/go/apikeys/apiv2"
	"example.com/keyturn/shared/event"
	"google.golang.org/grpc/codes"
)

const (
	someSecret  = "projects/acme/secrets/some"
	someAccount = "projects/acme/serviceAccounts/some@acme.iam.gserviceaccount.com"
	someAPIKey  = "projects/acme/locations/global/keys/some"
	blockedKey  = "projects/acme/locations/global/keys/blocked"
	deletedKey  = "projects/acme/locations/global/keys/deleted"
)

// somewhere is a world with what the adapters below are called about.
func somewhere(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, 0)
	w.secret("some", "payload")
	w.account("some")
	w.topic("some")
	for _, id := range []string{"some", "blocked", "deleted"} {
		w.apiKey(id, nil)
	}
	must(t, w.DisableAPIKey(t.Context(), blockedKey))
	must(t, w.DeleteAPIKey(t.Context(), deletedKey))
	return w
}

// adapter is one method of Cloud and what it calls.
type adapter struct {
	do      func(context.Context, *Cloud) error
	service string   // as errors of dialling name it
	methods []string // of the service, each of which may fail
	says    string   // what its errors name
}

func adapters() map[string]adapter {
	all := map[string]adapter{}
	for _, group := range []map[string]adapter{secretAdapters(), accountAdapters(), apiKeyAdapters(), otherAdapters()} {
		maps.Copy(all, group)
	}
	return all
}

func secretAdapters() map[string]adapter {
	return map[string]adapter{
		"Secret": {func(ctx context.Context, c *Cloud) error { _, err := c.Secret(ctx, someSecret); return err },
			"Secret Manager", []string{"GetSecret"}, someSecret},
		"Secrets": {func(ctx context.Context, c *Cloud) (failure error) {
			for _, err := range c.Secrets(ctx, "") {
				failure = errors.Join(failure, err)
			}
			return failure
		}, "Secret Manager", []string{"ListSecrets"}, "listing secrets of acme"},
		"UpdateSecret": {func(ctx context.Context, c *Cloud) error {
			_, err := c.UpdateSecret(ctx, Change{Name: someSecret, Labels: map[string]string{"a": "b"}})
			return err
		}, "Secret Manager", []string{"UpdateSecret"}, someSecret},
		"EnsureSecret": {func(ctx context.Context, c *Cloud) error { return c.EnsureSecret(ctx, someSecret+"2", nil) },
			"Secret Manager", []string{"CreateSecret"}, someSecret + "2"},
		"AddVersion": {func(ctx context.Context, c *Cloud) error {
			_, _, err := c.AddVersion(ctx, someSecret, []byte(canary))
			return err
		},
			"Secret Manager", []string{"AddSecretVersion"}, someSecret},
		"AccessVersion": {func(ctx context.Context, c *Cloud) error { _, err := c.AccessVersion(ctx, someSecret, "1"); return err },
			"Secret Manager", []string{"AccessSecretVersion"}, "version 1 of " + someSecret},
		"Versions": {func(ctx context.Context, c *Cloud) error { _, err := c.Versions(ctx, someSecret); return err },
			"Secret Manager", []string{"ListSecretVersions"}, someSecret},
		"DisableVersion": {func(ctx context.Context, c *Cloud) error { return c.DisableVersion(ctx, someSecret, "1") },
			"Secret Manager", []string{"DisableSecretVersion"}, "version 1 of " + someSecret},
		"DestroyVersion": {func(ctx context.Context, c *Cloud) error { return c.DestroyVersion(ctx, someSecret, "1") },
			"Secret Manager", []string{"DestroySecretVersion"}, "version 1 of " + someSecret},
		"EnabledVersions": {func(ctx context.Context, c *Cloud) error { _, err := c.EnabledVersions(ctx, someSecret); return err },
			"Secret Manager", []string{"ListSecretVersions"}, someSecret},
		"EnableVersion": {func(ctx context.Context, c *Cloud) error { return c.EnableVersion(ctx, someSecret, "1") },
			"Secret Manager", []string{"EnableSecretVersion"}, "version 1 of " + someSecret},
	}
}

func accountAdapters() map[string]adapter {
	return map[string]adapter{
		"AccountKeys": {func(ctx context.Context, c *Cloud) error { _, err := c.AccountKeys(ctx, someAccount); return err },
			"IAM", []string{"ListServiceAccountKeys"}, someAccount},
		"AccountKeyPublic": {func(ctx context.Context, c *Cloud) error {
			_, err := c.AccountKeyPublic(ctx, someAccount, "k")
			return err
		},
			"IAM", []string{"GetServiceAccountKey"}, someAccount + "/keys/k"},
		"UploadAccountKey": {func(ctx context.Context, c *Cloud) error {
			_, err := c.UploadAccountKey(ctx, someAccount, []byte(canary))
			return err
		}, "IAM", []string{"UploadServiceAccountKey"}, someAccount},
		"CreateAccountKey": {func(ctx context.Context, c *Cloud) error {
			_, _, err := c.CreateAccountKey(ctx, someAccount)
			return err
		},
			"IAM", []string{"CreateServiceAccountKey"}, someAccount},
		"DisableAccountKey": {func(ctx context.Context, c *Cloud) error { return c.DisableAccountKey(ctx, someAccount, "k") },
			"IAM", []string{"DisableServiceAccountKey"}, someAccount + "/keys/k"},
		"DeleteAccountKey": {func(ctx context.Context, c *Cloud) error { return c.DeleteAccountKey(ctx, someAccount, "k") },
			"IAM", []string{"DeleteServiceAccountKey"}, someAccount + "/keys/k"},
		"EnableAccountKey": {func(ctx context.Context, c *Cloud) error { return c.EnableAccountKey(ctx, someAccount, "k") },
			"IAM", []string{"EnableServiceAccountKey"}, someAccount + "/keys/k"},
		"DisableAccount": {func(ctx context.Context, c *Cloud) error { return c.DisableAccount(ctx, someAccount) },
			"IAM", []string{"DisableServiceAccount"}, "disabling " + someAccount},
		"EnableAccount": {func(ctx context.Context, c *Cloud) error { return c.EnableAccount(ctx, someAccount) },
			"IAM", []string{"EnableServiceAccount"}, "enabling " + someAccount},
		"AccountKeyStates": {func(ctx context.Context, c *Cloud) error { _, err := c.AccountKeyStates(ctx, someAccount); return err },
			"IAM over REST", []string{"ListServiceAccountKeys"}, someAccount},
	}
}

func apiKeyAdapters() map[string]adapter {
	return map[string]adapter{
		"RefreshClone": {func(ctx context.Context, c *Cloud) error { return c.RefreshClone(ctx, someAPIKey, blockedKey) },
			"API Keys", []string{"GetKey", "UpdateKey"}, someAPIKey},
		"CloneAPIKey": {func(ctx context.Context, c *Cloud) error {
			_, err := c.CloneAPIKey(ctx, someAPIKey, "clone")
			return err
		},
			"API Keys", []string{"GetKey", "CreateKey"}, "API key projects/acme/locations/global/keys/"},
		"APIKeyString": {func(ctx context.Context, c *Cloud) error { _, err := c.APIKeyString(ctx, someAPIKey); return err },
			"API Keys", []string{"GetKeyString"}, someAPIKey},
		"APIKeyCreated": {func(ctx context.Context, c *Cloud) error { _, err := c.APIKeyCreated(ctx, someAPIKey); return err },
			"API Keys", []string{"GetKey"}, someAPIKey},
		"DisableAPIKey": {func(ctx context.Context, c *Cloud) error { return c.DisableAPIKey(ctx, someAPIKey) },
			"API Keys", []string{"GetKey", "UpdateKey"}, someAPIKey},
		"DeleteAPIKey": {func(ctx context.Context, c *Cloud) error { return c.DeleteAPIKey(ctx, someAPIKey) },
			"API Keys", []string{"DeleteKey"}, someAPIKey},
		"APIKeyUsable": {func(ctx context.Context, c *Cloud) error { _, err := c.APIKeyUsable(ctx, someAPIKey); return err },
			"API Keys", []string{"GetKey"}, someAPIKey},
		"EnableAPIKey": {func(ctx context.Context, c *Cloud) error { return c.EnableAPIKey(ctx, blockedKey) },
			"API Keys", []string{"GetKey", "UpdateKey"}, blockedKey},
		"UndeleteAPIKey": {func(ctx context.Context, c *Cloud) error { return c.UndeleteAPIKey(ctx, deletedKey) },
			"API Keys", []string{"GetKey", "UndeleteKey"}, deletedKey},
		"DeleteUnusedAPIKey": {func(ctx context.Context, c *Cloud) error { return c.DeleteUnusedAPIKey(ctx, someAPIKey) },
			"API Keys", []string{"DeleteKey"}, someAPIKey},
		"APIKeyUses": {func(ctx context.Context, c *Cloud) error {
			_, err := c.APIKeyUses(ctx, []string{someAPIKey}, time.Unix(0, 0), time.Unix(600, 0))
			return err
		}, "API Keys", []string{"GetKey", "ListTimeSeries"}, someAPIKey},
	}
}

func otherAdapters() map[string]adapter {
	return map[string]adapter{
		"ProjectPolicy": {func(ctx context.Context, c *Cloud) error { _, err := c.ProjectPolicy(ctx, testProject); return err },
			"Resource Manager", []string{"GetIamPolicy"}, "project " + testProject},
		"SecretPolicy": {func(ctx context.Context, c *Cloud) error { _, err := c.SecretPolicy(ctx, someSecret); return err },
			"Secret Manager", []string{"GetIamPolicy"}, someSecret},
		"RolePermissions": {func(ctx context.Context, c *Cloud) error { _, err := c.RolePermissions(ctx, "roles/owner"); return err },
			"IAM", []string{"GetRole"}, "role roles/owner"},
		"AccountKeyUses": {func(ctx context.Context, c *Cloud) error {
			_, err := c.AccountKeyUses(ctx, someAccount, []string{"k"}, time.Unix(0, 0), time.Unix(600, 0))
			return err
		}, "Cloud Monitoring", []string{"ListTimeSeries"}, someAccount},
		"Calls": {func(ctx context.Context, c *Cloud) error {
			_, err := c.Calls(ctx, testProject, nil, time.Unix(0, 0), time.Unix(3600, 0))
			return err
		}, "Cloud Monitoring", []string{"ListTimeSeries"}, "credentials of project " + testProject},
		"CallsOfAPIKeys": {func(ctx context.Context, c *Cloud) error {
			_, err := c.Calls(ctx, testProject, []string{someAPIKey}, time.Unix(0, 0), time.Unix(3600, 0))
			return err
		}, "API Keys", []string{"GetKey", "ListTimeSeries"}, "credentials of project " + testProject},
		"AccountKeyUsers": {func(ctx context.Context, c *Cloud) error {
			_, err := c.AccountKeyUsers(ctx, someAccount, "k", time.Unix(0, 0))
			return err
		}, "Cloud Logging", []string{"ListLogEntries"}, someAccount + "/keys/k"},
		"LostNotices": {func(ctx context.Context, c *Cloud) error {
			_, err := c.LostNotices(ctx, time.Unix(0, 0))
			return err
		}, "Cloud Logging", []string{"ListLogEntries"}, "lost notices"},
		"Publish": {func(ctx context.Context, c *Cloud) error {
			return c.Publish(ctx, event.Outgoing{Topic: "some", Data: []byte(canary)})
		}, "Pub/Sub", []string{"Publish"}, "topic some"},
		"Entries": {func(ctx context.Context, c *Cloud) error {
			return c.Entries(ctx, time.Unix(0, 0), time.Unix(1, 0), func([]byte) error { return nil })
		}, "Cloud Logging", []string{"ListLogEntries"}, "listing log entries"},
	}
}

// TestRefusalsAreNeverTakenForSuccess refuses every call that every adapter
// makes, on resources that are there.
func TestRefusalsAreNeverTakenForSuccess(t *testing.T) {
	w := somewhere(t)
	for name, a := range adapters() {
		for _, method := range a.methods {
			t.Run(name+"/"+method, func(t *testing.T) {
				w.refuse(method)
				err := a.do(t.Context(), w.Cloud)
				fails(t, err, codes.PermissionDenied)
				says(t, err, a.says)
				if err != nil && strings.Contains(err.Error(), canary) {
					t.Errorf("error %v holds what was sent", err)
				}
			})
		}
	}
}

// TestFailedDialIsTriedAgain dials with credentials that appear only later, as
// a mounted file does.
func TestFailedDialIsTriedAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "credentials.json")
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
	cloud := newCloud(t, "") // Google's own, which is dialled and not called
	for name, a := range adapters() {
		t.Run(name, func(t *testing.T) { says(t, a.do(t.Context(), cloud), "connecting to "+a.service+": ") })
	}
	must(t, os.WriteFile(file, []byte(`{"type":"authorized_user","client_id":"i","client_secret":"s","refresh_token":"t"}`), 0o600))
	_, secrets := cloud.secretManager(t.Context())
	_, iam := cloud.iamAdmin(t.Context())
	_, keys := cloud.apiKeys(t.Context())
	_, topics := cloud.topics(t.Context())
	_, metrics := cloud.cloudMonitoring(t.Context())
	_, rest := connect(t.Context(), cloud, &cloud.clients.rest, "REST", cloud.restClient)
	must(t, errors.Join(secrets, iam, keys, topics, metrics, rest))
}

// TestFailedDialOverREST has the gRPC client of the same API dialled already.
func TestFailedDialOverREST(t *testing.T) {
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "missing.json"))
	cloud := newCloud(t, "")
	w := newWorld(t, 0)
	name := w.apiKey("some", nil)
	client, err := apikeys.NewClient(t.Context(), w.options()...)
	must(t, err)
	cloud.clients.keys.client, cloud.clients.keys.dialed = client, true
	_, _, err = cloud.boundKey(t.Context(), client, name)
	says(t, err, "connecting to API Keys over REST: ")
	says(t, cloud.DeleteUnusedAPIKey(t.Context(), someAPIKey), "connecting to API Keys over REST: ")
}

func TestClientIsDialledOnceByConcurrentCallers(t *testing.T) {
	var l lazy[*nothing]
	var dials atomic.Int32
	start := make(chan struct{})
	got := make([]*nothing, 32)
	var callers sync.WaitGroup
	for i := range got {
		callers.Go(func() {
			<-start
			client, err := l.get(t.Context(), "x", func(context.Context) (*nothing, error) {
				dials.Add(1)
				return new(nothing), nil
			})
			if err != nil {
				t.Error(err)
			}
			got[i] = client
		})
	}
	close(start)
	callers.Wait()
	for _, client := range got {
		if client == nil || client != got[0] {
			t.Fatalf("callers were given %p and %p", got[0], client)
		}
	}
	if dials.Load() != 1 {
		t.Errorf("dialled %d times", dials.Load())
	}
}

// TestClientOutlivesTheFirstCaller dials for a request that ends.
func TestClientOutlivesTheFirstCaller(t *testing.T) {
	var l lazy[*nothing]
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := l.get(ctx, "x", func(ctx context.Context) (*nothing, error) { return new(nothing), ctx.Err() })
	must(t, err)
}

func TestCloseReportsEveryFailure(t *testing.T) {
	broken := errors.New("broken pipe")
	l := lazy[*nothing]{client: &nothing{broken}, dialed: true}
	if err := closing(&l); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
	must(t, closing(&l)) // it is closed now
}

// nothing is a client of no service.
type nothing struct{ err error }

func (n *nothing) Close() error { return n.err }

func TestClosedCloudDialsAgain(t *testing.T) {
	w := newWorld(t, 0)
	must(t, w.Close()) // before anything was dialled
	name := w.secret("some", "payload")
	must(t, w.Close())
	must(t, w.Close())
	_, err := w.Secret(t.Context(), name)
	must(t, err)
}
