package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	apikeys "cloud.google.com/go/apikeys/apiv2"
	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	iam "cloud.google.com/go/iam/admin/apiv1"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/iam/apiv1/iampb"
	pubsub "cloud.google.com/go/pubsub/v2/apiv1"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/fault"
	localiam "example.com/keyturn/internal/localgcp/iam"
	"example.com/keyturn/shared/posture"
	cloudresourcemanager "google.golang.org/api/cloudresourcemanager/v1"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// neglected is an embedded cloud whose project, local, is in a bad way.
type neglected struct {
	*testing.T
	gcp   *localgcp.Cloud
	clock *clock.Clock
	opts  []option.ClientOption
	keys  []string // ids of billing's, the oldest first
	state string
}

func neglect(t *testing.T) *neglected {
	t.Helper()
	n := &neglected{T: t, clock: clock.NewFrozen(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)), state: filepath.Join(t.TempDir(), "state.json")}
	var err error
	n.gcp, err = localgcp.Start(localgcp.Config{Addr: "127.0.0.1:0", ProjectID: "local", Clock: n.clock})
	n.must(err)
	t.Cleanup(func() { n.must(n.gcp.Close()) })
	n.opts = []option.ClientOption{
		option.WithEndpoint(n.gcp.Addr()), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
	}
	n.gcp.IAM.SetOrgPolicy(localiam.OrgPolicy{WaitForAbuse: true, DenyKeyUpload: true})
	n.must(seedAt(t.Context(), n.gcp.Addr(), "local")) // accounts billing, with a key, and other; API key gemini
	n.accounts()
	n.apiKeys()
	n.clock.Advance(91 * 24 * time.Hour)
	n.accountKey()
	n.secrets()
	n.roles()
	return n
}

func (n *neglected) must(err error) {
	n.Helper()
	if err != nil {
		n.Fatal(err)
	}
}

func (n *neglected) admin() *iam.IamClient {
	client, err := iam.NewIamClient(n.Context(), n.opts...)
	n.must(err)
	n.Cleanup(func() { client.Close() })
	return client
}

const billing = "projects/local/serviceAccounts/billing@local.iam.gserviceaccount.com"

func (n *neglected) accounts() {
	r, err := n.admin().ListServiceAccountKeys(n.Context(), &adminpb.ListServiceAccountKeysRequest{Name: billing, KeyTypes: []adminpb.ListServiceAccountKeysRequest_KeyType{adminpb.ListServiceAccountKeysRequest_USER_MANAGED}})
	n.must(err)
	n.keys = append(n.keys, filepath.Base(r.GetKeys()[0].GetName()))
	n.accountKey()
}

// accountKey gives billing another key.
func (n *neglected) accountKey() {
	k, err := n.admin().CreateServiceAccountKey(n.Context(), &adminpb.CreateServiceAccountKeyRequest{Name: billing})
	n.must(err)
	n.keys = append(n.keys, filepath.Base(k.GetName()))
}

func (n *neglected) apiKeys() {
	client, err := apikeys.NewClient(n.Context(), n.opts...)
	n.must(err)
	defer client.Close()
	for id, r := range map[string]*apikeyspb.Restrictions{
		"web": {
			ClientRestrictions: &apikeyspb.Restrictions_BrowserKeyRestrictions{BrowserKeyRestrictions: &apikeyspb.BrowserKeyRestrictions{AllowedReferrers: []string{"*.com/*"}}},
			ApiTargets:         []*apikeyspb.ApiTarget{{Service: "cloudapis.googleapis.com"}},
		},
		"good": {
			ClientRestrictions: &apikeyspb.Restrictions_ServerKeyRestrictions{ServerKeyRestrictions: &apikeyspb.ServerKeyRestrictions{AllowedIps: []string{"198.51.100.7"}}},
			ApiTargets:         []*apikeyspb.ApiTarget{{Service: "translate.googleapis.com"}},
		},
	} {
		op, err := client.CreateKey(n.Context(), &apikeyspb.CreateKeyRequest{Parent: "projects/local/locations/global", KeyId: id, Key: &apikeyspb.Key{Restrictions: r}})
		n.must(err)
		_, err = op.Wait(n.Context())
		n.must(err)
	}
}

// secrets has keyturn manage billing-key, of whose rotation nothing comes, and
// everybody read it.
func (n *neglected) secrets() {
	topics, err := pubsub.NewTopicAdminClient(n.Context(), n.opts...)
	n.must(err)
	defer topics.Close()
	_, err = topics.CreateTopic(n.Context(), &pubsubpb.Topic{Name: "projects/local/topics/keyturn-rotate"})
	n.must(err)
	var stderr bytes.Buffer
	args := []string{"adopt", "billing-key", "--service-account", "billing@local.iam.gserviceaccount.com", "--project", "local", "--endpoint", n.gcp.Addr()}
	if code := run(n.Context(), args, &bytes.Buffer{}, &stderr); code != exitOK {
		n.Fatalf("adopting: %s", &stderr)
	}
	n.clock.Advance(40 * 24 * time.Hour)
	client, err := secretmanager.NewClient(n.Context(), n.opts...)
	n.must(err)
	defer client.Close()
	_, err = client.SetIamPolicy(n.Context(), &iampb.SetIamPolicyRequest{Resource: "projects/local/secrets/billing-key", Policy: &iampb.Policy{Bindings: []*iampb.Binding{{Role: "roles/secretmanager.secretAccessor", Members: []string{"allAuthenticatedUsers"}}}}})
	n.must(err)
	_, err = client.CreateSecret(n.Context(), &secretmanagerpb.CreateSecretRequest{Parent: "projects/local", SecretId: "sealed", Secret: &secretmanagerpb.Secret{Replication: &secretmanagerpb.Replication{
		Replication: &secretmanagerpb.Replication_Automatic_{Automatic: &secretmanagerpb.Replication_Automatic{CustomerManagedEncryption: &secretmanagerpb.CustomerManagedEncryption{KmsKeyName: "projects/local/locations/global/keyRings/r/cryptoKeys/k"}}},
	}}})
	n.must(err)
}

func (n *neglected) roles() {
	client, err := cloudresourcemanager.NewService(n.Context(), option.WithEndpoint(n.gcp.URL()), option.WithoutAuthentication())
	n.must(err)
	p, err := client.Projects.GetIamPolicy("local", &cloudresourcemanager.GetIamPolicyRequest{}).Do()
	n.must(err)
	p.Bindings = append(p.Bindings, &cloudresourcemanager.Binding{Role: "roles/iam.serviceAccountTokenCreator", Members: []string{"user:dev@acme.example", "serviceAccount:other@local.iam.gserviceaccount.com"}})
	_, err = client.Projects.SetIamPolicy("local", &cloudresourcemanager.SetIamPolicyRequest{Policy: p}).Do()
	n.must(err)
}

// posture runs the command, and returns its exit code and output.
func (n *neglected) posture(ctx context.Context, more ...string) (int, *bytes.Buffer, *bytes.Buffer) {
	n.Helper()
	var stdout, stderr bytes.Buffer
	args := append([]string{"posture", "--project", "local", "--endpoint", n.gcp.Addr(), "--state", n.state}, more...)
	return run(ctx, args, &stdout, &stderr), &stdout, &stderr
}

// judged is the report in JSON, as lines "check status what".
func (n *neglected) judged(code int, more ...string) (posture.Report, []string) {
	n.Helper()
	got, stdout, stderr := n.posture(n.Context(), append(more, "--json")...)
	var r posture.Report
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil || got != code {
		n.Fatalf("exit code %d, %v: %s", got, err, stderr)
	}
	var lines []string
	for _, result := range r.Results {
		what := result.Subject
		if what == "" {
			what = filepath.Base(result.Resource)
		}
		lines = append(lines, fmt.Sprintf("%s %s %s", result.Check, result.Status, what))
	}
	slices.Sort(lines)
	return r, lines
}

func TestPostureOfASeededProject(t *testing.T) {
	n := neglect(t)
	want := []string{
		"broad-secret-readers fail billing-key",
		"cis-1.12 fail gemini", "cis-1.12 fail good", "cis-1.12 fail web",
		"cis-1.13 fail gemini", "cis-1.13 fail web", "cis-1.13 pass good",
		"cis-1.14 fail gemini", "cis-1.14 fail web", "cis-1.14 pass good",
		"cis-1.15 fail gemini", "cis-1.15 fail good", "cis-1.15 fail web",
		"cis-1.4 fail billing@local.iam.gserviceaccount.com", "cis-1.4 pass other@local.iam.gserviceaccount.com",
		"cis-1.6 fail roles/iam.serviceAccountTokenCreator serviceAccount:other@local.iam.gserviceaccount.com",
		"cis-1.6 fail roles/iam.serviceAccountTokenCreator user:dev@acme.example",
		"cis-1.7 fail " + n.keys[0], "cis-1.7 fail " + n.keys[1], "cis-1.7 pass " + n.keys[2], "cis-1.7 pass other@local.iam.gserviceaccount.com",
		"key-without-expiry fail " + n.keys[0], "key-without-expiry fail " + n.keys[1], "key-without-expiry fail " + n.keys[2],
		"org-policy-bound-api-keys pass iam.managed.disableServiceAccountApiKeyCreation",
		"org-policy-exposure-response fail iam.serviceAccountKeyExposureResponse",
		"org-policy-key-creation fail iam.managed.disableServiceAccountKeyCreation",
		"org-policy-key-upload pass iam.managed.disableServiceAccountKeyUpload",
		"rotation-overdue fail billing-key",
		"secret-without-cmek fail billing-key", "secret-without-cmek fail copy", "secret-without-cmek fail empty", "secret-without-cmek fail gemini-key", "secret-without-cmek fail plain", "secret-without-cmek pass sealed",
		"too-many-keys fail billing@local.iam.gserviceaccount.com", "too-many-keys pass other@local.iam.gserviceaccount.com",
		"unused-credential pass " + n.keys[2],
		"unused-credential fail " + n.keys[0], "unused-credential fail " + n.keys[1],
		"unused-credential unknown gemini", "unused-credential unknown good", "unused-credential unknown web",
	}
	slices.Sort(want)
	r, got := n.judged(exitFound, "--require-cmek")
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, result := range r.Results {
		if len(result.Evidence) == 0 || !result.Evidence[0].At.Equal(n.clock.Now()) {
			t.Errorf("%s of %s has the evidence %+v", result.Check, result.Resource, result.Evidence)
		}
	}
}

func TestPostureOfACleanProject(t *testing.T) {
	g, err := localgcp.Start(localgcp.Config{Addr: "127.0.0.1:0", ProjectID: "local", Clock: clock.NewFrozen(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	g.IAM.SetOrgPolicy(localiam.OrgPolicy{DenyKeyCreation: true, DenyKeyUpload: true})
	n := &neglected{T: t, gcp: g, state: "-"}
	code, stdout, stderr := n.posture(t.Context())
	if code != exitOK || stderr.Len() > 0 || !strings.Contains(stdout.String(), "16 checks, 0 failed, 0 unknown, 16 passed") {
		t.Errorf("exit code %d\n%s\n%s", code, stdout, stderr)
	}
	for line := range strings.Lines(stdout.String()) {
		if len(strings.TrimRight(line, " \n")) > 80 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}

// TestPostureIsUnknownWithoutPermission refuses each call in turn, and wants every
// check that needs it to be unknown, with the permission that it takes.
func TestPostureIsUnknownWithoutPermission(t *testing.T) {
	n := neglect(t)
	for method, tt := range map[string]struct {
		permission string
		checks     []string
	}{
		"IAM/ListServiceAccounts":           {"iam.serviceAccounts.list", []string{"cis-1.4", "cis-1.7", "key-without-expiry", "too-many-keys"}},
		"IAM/ListServiceAccountKeys":        {"iam.serviceAccountKeys.list", []string{"cis-1.4", "cis-1.7", "key-without-expiry", "too-many-keys"}},
		"ApiKeys/ListKeys":                  {"apikeys.keys.list", []string{"cis-1.12", "cis-1.13", "cis-1.14", "cis-1.15"}},
		"Projects/GetIamPolicy":             {"resourcemanager.projects.getIamPolicy", []string{"cis-1.6"}},
		"SecretManagerService/ListSecrets":  {"secretmanager.secrets.list", []string{"broad-secret-readers", "rotation-overdue"}},
		"SecretManagerService/GetIamPolicy": {"secretmanager.secrets.getIamPolicy", []string{"broad-secret-readers"}},
		"OrgPolicy/GetEffectivePolicy":      {"orgpolicy.policy.get", []string{"org-policy-bound-api-keys", "org-policy-exposure-response", "org-policy-key-creation", "org-policy-key-upload"}},
		"MetricService/ListTimeSeries":      {"monitoring.timeSeries.list", []string{"unused-credential"}},
		"PolicyAnalyzer/QueryActivity":      {"policyanalyzer.serviceAccountKeyLastAuthenticationActivities.query", []string{"unused-credential"}},
	} {
		n.gcp.Faults.Set(func(called string, _ any) fault.Fault {
			if strings.HasSuffix(called, method) {
				return fault.Fault{Before: status.Error(codes.PermissionDenied, "The caller does not have permission")}
			}
			return fault.Fault{}
		})
		r, _ := n.judged(exitFound, "--state", "-")
		for _, check := range tt.checks {
			unknown := false
			for _, result := range r.Results {
				passes := result.Check == check && result.Status == posture.Pass && !strings.Contains(result.Resource, "other@") && result.Check != "unused-credential"
				unknown = unknown || result.Check == check && result.Status == posture.Unknown && result.Permission == tt.permission
				if passes && method != "IAM/ListServiceAccountKeys" {
					t.Errorf("without %s, %s of %s passes: %s", tt.permission, check, result.Resource, result.Reason)
				}
			}
			if !unknown {
				t.Errorf("without %s, %s is not unknown for want of it", tt.permission, check)
			}
		}
	}
}

func TestPostureTellsWhatChanged(t *testing.T) {
	n := neglect(t)
	if r, _ := n.judged(exitFound); !r.Since.IsZero() || r.Results[0].Change != "" {
		t.Errorf("the first report is compared with one of %s", r.Since)
	}
	_, err := n.admin().CreateServiceAccount(n.Context(), &adminpb.CreateServiceAccountRequest{Name: "projects/local", AccountId: "more"})
	n.must(err)
	k, err := n.admin().CreateServiceAccountKey(n.Context(), &adminpb.CreateServiceAccountKeyRequest{Name: "projects/local/serviceAccounts/more@local.iam.gserviceaccount.com"})
	n.must(err)
	n.must(n.admin().DeleteServiceAccountKey(n.Context(), &adminpb.DeleteServiceAccountKeyRequest{Name: billing + "/keys/" + n.keys[1]}))
	n.clock.Advance(time.Hour)
	r, _ := n.judged(exitFound)
	changes := map[string]posture.Change{}
	for _, result := range r.Results {
		changes[result.Check+" "+filepath.Base(result.Resource)] = result.Change
	}
	for what, want := range map[string]posture.Change{
		"key-without-expiry " + filepath.Base(k.GetName()):    posture.NewlyFailing,
		"key-without-expiry " + n.keys[0]:                     posture.StillFailing,
		"too-many-keys billing@local.iam.gserviceaccount.com": posture.NewlyPassing,
		"rotation-overdue billing-key":                        posture.StillFailing,
	} {
		if changes[what] != want {
			t.Errorf("%s is %q, want %q", what, changes[what], want)
		}
	}
	if !slices.ContainsFunc(r.Fixed, func(f posture.Failure) bool { return strings.HasSuffix(f.Resource, n.keys[1]) }) {
		t.Errorf("fixed: %+v", r.Fixed)
	}
	_, stdout, _ := n.posture(t.Context())
	if !strings.Contains(stdout.String(), "0 new failures, 0 fixed") || !strings.Contains(stdout.String(), "; since 2030-") {
		t.Errorf("%s", stdout)
	}
}

func TestPostureAsCSV(t *testing.T) {
	n := neglect(t)
	code, stdout, stderr := n.posture(t.Context(), "--format", "csv")
	rows, err := csv.NewReader(stdout).ReadAll()
	if err != nil || code != exitFound || !slices.Equal(rows[0], postureColumns) || len(rows) < 30 {
		t.Fatalf("exit code %d, %d rows, %v: %s", code, len(rows), err, stderr)
	}
}

func TestPostureFlags(t *testing.T) {
	n := neglect(t)
	for name, args := range map[string][]string{
		"format":           {"--format", "xml"},
		"two formats":      {"--format", "csv", "--json"},
		"nothing unused":   {"--unused", "0"},
		"no keys":          {"--max-keys", "0"},
		"argument":         {"x"},
		"flag":             {"--x"},
		"project":          {"--project", "?"},
		"unreadable state": {"--state", t.TempDir()},
	} {
		if code, stdout, stderr := n.posture(t.Context(), args...); code != exitFailed || stderr.Len() == 0 {
			t.Errorf("%s: exit code %d\n%s\n%s", name, code, stdout, stderr)
		}
	}
	n.state = filepath.Join(n.state, "under", "a", "file")
	n.must(writeState(filepath.Join(t.TempDir(), "new", "state.json"), posture.State{}))
	if err := writeState(filepath.Join("/dev/null", "x"), posture.State{}); err == nil {
		t.Error("a state below a file was written")
	}
	if err := writeState(t.TempDir(), posture.State{}); err == nil {
		t.Error("a directory was replaced")
	}
}
