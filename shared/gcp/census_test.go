package gcp

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/internal/localgcp/hierarchy"
	"example.com/keyturn/shared/inventory"
	"example.com/keyturn/shared/rotation"
	iamrest "google.golang.org/api/iam/v1"
	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestHierarchyIsReadToTheLastPage(t *testing.T) {
	w := newWorld(t, 0)
	ctx := t.Context()
	w.gcp.Hierarchy.AddFolder(hierarchy.Folder{Name: "folders/10", Parent: hierarchy.Organization})
	w.gcp.Hierarchy.AddFolder(hierarchy.Folder{Name: "folders/20", Parent: "folders/10"})
	for i := range 620 {
		w.gcp.Hierarchy.AddProject(hierarchy.Project{ID: fmt.Sprintf("p-%03d", i), Name: "P", Parent: "folders/20"})
	}
	w.gcp.Hierarchy.AddProject(hierarchy.Project{ID: "dead", Parent: "folders/20", Deleted: true})
	inner, err := w.ProjectsIn(ctx, "folders/20")
	must(t, err)
	below, err := w.ProjectsBelow(ctx, "folders/10")
	must(t, err)
	if len(inner) != 620 || !reflect.DeepEqual(inner, below) {
		t.Errorf("%d listed, %d found below: %+v and %+v", len(inner), len(below), inner[0], below[0])
	}
	folders, err := w.FoldersIn(ctx, hierarchy.Organization)
	if err != nil || !reflect.DeepEqual(folders, []string{"folders/10"}) {
		t.Errorf("%v, %v", folders, err)
	}
	p, err := w.ProjectNamed(ctx, "p-007")
	if err != nil || p.ID != "p-007" || p.Parent != "folders/20" || p.Number == "" || p.Number == p.ID {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestAccountsAndTheirKeysAreInventoried(t *testing.T) {
	w := newWorld(t, 0)
	for i := range 130 {
		w.account(fmt.Sprintf("bot-%03d", i))
	}
	accounts, err := w.Accounts(t.Context(), testProject)
	if err != nil || len(accounts) != 130 || accounts[7].Email != "bot-007@acme.iam.gserviceaccount.com" || accounts[7].UniqueID == "" {
		t.Fatalf("%d accounts, %v", len(accounts), err)
	}
	account := "projects/acme/serviceAccounts/" + accounts[0].Email
	made, _, err := w.CreateAccountKey(t.Context(), account)
	must(t, err)
	must(t, w.gcp.IAM.Expose(accounts[0].Email, made.ID))
	keys, err := w.AccountInventory(t.Context(), account)
	if err != nil || len(keys) != 1 {
		t.Fatalf("%v, %v", keys, err)
	}
	want := inventory.AccountKey{ID: made.ID, Created: w.clock.Now().UTC().Truncate(time.Second), Disabled: true, Reason: "EXPOSED", Exposed: true}
	if !reflect.DeepEqual(keys[0], want) {
		t.Errorf("got  %+v\nwant %+v", keys[0], want)
	}
}

func TestAPIKeysAreInventoried(t *testing.T) {
	w := newWorld(t, 0)
	restricted := &apikeyspb.Restrictions{
		ClientRestrictions: &apikeyspb.Restrictions_ServerKeyRestrictions{ServerKeyRestrictions: &apikeyspb.ServerKeyRestrictions{AllowedIps: []string{"10.0.0.0/8"}}},
		ApiTargets:         []*apikeyspb.ApiTarget{{Service: "translate.googleapis.com", Methods: []string{"Get*"}}},
	}
	live := w.apiKey("live", &apikeyspb.Key{DisplayName: "Live", Restrictions: restricted})
	must(t, w.DisableAPIKey(t.Context(), w.apiKey("blocked", &apikeyspb.Key{})))
	must(t, w.DeleteAPIKey(t.Context(), w.apiKey("gone", &apikeyspb.Key{})))
	keys, err := w.APIKeyInventory(t.Context(), testProject)
	if err != nil || len(keys) != 3 {
		t.Fatalf("%v, %v", keys, err)
	}
	byID := map[string]inventory.APIKey{}
	for _, k := range keys {
		byID[rotation.ShortID(k.Name)] = k
	}
	if k := byID["live"]; rotation.ShortID(k.Name) != rotation.ShortID(live) || k.DisplayName != "Live" || k.UID == "" || k.Created.IsZero() || k.Blocked ||
		!reflect.DeepEqual(k.Restrictions, inventory.Restrictions{Addresses: []string{"10.0.0.0/8"}, Targets: []inventory.APITarget{{Service: "translate.googleapis.com", Methods: []string{"Get*"}}}}) {
		t.Errorf("%+v", k)
	}
	if !byID["blocked"].Blocked || byID["gone"].Deleted.IsZero() || !byID["live"].Deleted.IsZero() {
		t.Errorf("%+v", byID)
	}
}

func TestRestrictionsOfEveryKind(t *testing.T) {
	w := newWorld(t, 0)
	for id, tt := range map[string]struct {
		given *apikeyspb.Restrictions
		want  inventory.Restrictions
	}{
		"browser": {&apikeyspb.Restrictions{ClientRestrictions: &apikeyspb.Restrictions_BrowserKeyRestrictions{BrowserKeyRestrictions: &apikeyspb.BrowserKeyRestrictions{AllowedReferrers: []string{"https://a.example/*"}}}},
			inventory.Restrictions{Referrers: []string{"https://a.example/*"}}},
		"android": {&apikeyspb.Restrictions{ClientRestrictions: &apikeyspb.Restrictions_AndroidKeyRestrictions{AndroidKeyRestrictions: &apikeyspb.AndroidKeyRestrictions{
			AllowedApplications: []*apikeyspb.AndroidApplication{{PackageName: "com.example", Sha1Fingerprint: "DA:39:A3:EE:5E:6B:4B:0D:32:55:BF:EF:95:60:18:90:AF:D8:07:09"}}}}},
			inventory.Restrictions{AndroidApps: []string{"com.example"}}},
		"ios": {&apikeyspb.Restrictions{ClientRestrictions: &apikeyspb.Restrictions_IosKeyRestrictions{IosKeyRestrictions: &apikeyspb.IosKeyRestrictions{AllowedBundleIds: []string{"com.example"}}}},
			inventory.Restrictions{IOSApps: []string{"com.example"}}},
		"none": {nil, inventory.Restrictions{}},
	} {
		w.apiKey(id, &apikeyspb.Key{Restrictions: tt.given})
		keys, err := w.APIKeyInventory(t.Context(), testProject)
		must(t, err)
		for _, k := range keys {
			if rotation.ShortID(k.Name) == id && !reflect.DeepEqual(k.Restrictions, tt.want) {
				t.Errorf("%s: %+v, want %+v", id, k.Restrictions, tt.want)
			}
		}
	}
}

func TestHMACKeysAndOAuthClientsAreInventoried(t *testing.T) {
	w := newWorld(t, 0)
	ctx := t.Context()
	account := rotation.ShortID(w.account("bot"))
	hmac, err := storage.NewService(ctx, option.WithHTTPClient(http.DefaultClient), option.WithEndpoint("http://"+w.gcp.Addr()+"/storage/v1/"))
	must(t, err)
	made, err := hmac.Projects.HmacKeys.Create(testProject, account).Do()
	must(t, err)
	keys, err := w.HMACKeys(ctx, testProject)
	want := []inventory.HMACKey{{AccessID: made.Metadata.AccessId, Account: account, State: "ACTIVE", Created: w.clock.Now().UTC()}}
	if err != nil || !reflect.DeepEqual(keys, want) {
		t.Errorf("%+v, %v, want %+v", keys, err, want)
	}
	rest, err := iamrest.NewService(ctx, w.restOptions()...)
	must(t, err)
	clients := rest.Projects.Locations.OauthClients
	for i := range 120 {
		_, err = clients.Create("projects/acme/locations/global", &iamrest.OauthClient{DisplayName: "Web"}).OauthClientId(fmt.Sprintf("web-%03d", i)).Do()
		must(t, err)
	}
	secret, err := clients.Credentials.Create("projects/acme/locations/global/oauthClients/web-000", &iamrest.OauthClientCredential{Disabled: true}).OauthClientCredentialId("first").Do()
	must(t, err)
	listed, err := w.OAuthClients(ctx, testProject)
	if err != nil || len(listed) != 120 || len(listed[0].Credentials) != 1 || !listed[0].Credentials[0].Disabled || listed[0].ClientID == "" {
		t.Errorf("%d clients, %v", len(listed), err)
	}
	if text := fmt.Sprintf("%+v", listed); secret.ClientSecret == "" || strings.Contains(text, secret.ClientSecret) || strings.Contains(text, made.Secret) {
		t.Error("a secret got into the inventory")
	}
}

func TestSecretsAreInventoried(t *testing.T) {
	w := newWorld(t, 0)
	ctx := t.Context()
	cred := rotation.Credential{Kind: rotation.ServiceAccountKey, Target: "projects/acme/serviceAccounts/bot@acme.iam.gserviceaccount.com", Policy: rotation.DefaultPolicy}
	notes, err := cred.Annotations()
	must(t, err)
	client, err := w.secretManager(ctx)
	must(t, err)
	for id, s := range map[string]*secretmanagerpb.Secret{
		"plain":   {Labels: map[string]string{"team": "sec"}},
		"managed": {Labels: map[string]string{rotation.Label: rotation.Managed}, Annotations: notes},
		"broken":  {Labels: map[string]string{rotation.Label: rotation.Managed}},
		"staging": {Labels: map[string]string{rotation.Label: rotation.Staging}},
	} {
		s.Replication = &secretmanagerpb.Replication{Replication: &secretmanagerpb.Replication_Automatic_{Automatic: &secretmanagerpb.Replication_Automatic{}}}
		_, err := client.CreateSecret(ctx, &secretmanagerpb.CreateSecretRequest{Parent: "projects/acme", SecretId: id, Secret: s})
		must(t, err)
	}
	secrets, err := w.SecretInventory(ctx, testProject)
	must(t, err)
	got := map[string]inventory.Secret{}
	for _, s := range secrets {
		got[rotation.ShortID(s.Name)] = s
	}
	if len(got) != 4 || got["plain"].Labels["team"] != "sec" || got["plain"].Created.IsZero() || got["plain"].Credential != nil ||
		got["managed"].Credential == nil || got["managed"].Credential.Target != cred.Target || got["broken"].Broken == "" || !got["staging"].Staging {
		t.Errorf("%+v", got)
	}
}

func TestCustomersKeysOfSecrets(t *testing.T) {
	cmek := &secretmanagerpb.CustomerManagedEncryption{KmsKeyName: "k"}
	for name, tt := range map[string]struct {
		r    *secretmanagerpb.Replication
		want int
	}{
		"none":      {&secretmanagerpb.Replication{}, 0},
		"automatic": {&secretmanagerpb.Replication{Replication: &secretmanagerpb.Replication_Automatic_{Automatic: &secretmanagerpb.Replication_Automatic{CustomerManagedEncryption: cmek}}}, 1},
		"replicas": {&secretmanagerpb.Replication{Replication: &secretmanagerpb.Replication_UserManaged_{UserManaged: &secretmanagerpb.Replication_UserManaged{
			Replicas: []*secretmanagerpb.Replication_UserManaged_Replica{{CustomerManagedEncryption: cmek}, {}, {CustomerManagedEncryption: cmek}}}}}, 2},
	} {
		if got := cmekOf(tt.r); len(got) != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// One query tells of all keys of a project.
func TestUseRecords(t *testing.T) {
	w := newWorld(t, 0)
	ctx := t.Context()
	count := func(metric string, labels map[string]string, resource map[string]string) {
		resource["project_id"] = testProject
		w.gcp.Monitoring.Count(metric, labels, "r", resource, 3)
	}
	keys := func(id string) {
		count("iam.googleapis.com/service_account/key/authn_events_count", map[string]string{"key_id": id}, map[string]string{"unique_id": "1"})
	}
	began := w.clock.Now()
	keys("old")
	w.clock.Advance(10 * 24 * time.Hour)
	keys("new")
	count("serviceruntime.googleapis.com/api/request_count", map[string]string{"response_code": "200"}, map[string]string{"credential_id": "apikey:uid-1", "method": "x"})
	count("serviceruntime.googleapis.com/api/request_count", map[string]string{"response_code": "200"}, map[string]string{"credential_id": "serviceaccount:1", "method": "x"})
	w.clock.Advance(time.Hour)
	now := w.clock.Now()
	from := now.Add(-rotation.Window)

	r, err := w.UseRecord(ctx, testProject, inventory.AccountKeyKind, from, now)
	must(t, err)
	near := func(got, want time.Time) bool { return !got.Before(want) && got.Before(want.Add(25*time.Hour)) }
	if !r.From.Equal(from) || len(r.Last) != 2 || !near(r.Last["old"], began) || !near(r.Last["new"], now.Add(-time.Hour)) || r.Through.After(now) || !near(r.Through, now.Add(-25*time.Hour)) {
		t.Errorf("%+v", r)
	}
	r, err = w.UseRecord(ctx, testProject, inventory.APIKeyKind, from, now)
	if err != nil || len(r.Last) != 1 || r.Last["uid-1"].IsZero() {
		t.Errorf("%+v, %v", r, err)
	}
	r, err = w.UseRecord(ctx, testProject, inventory.HMACKeyKind, from, now)
	if err != nil || len(r.Last) != 0 || !r.Through.IsZero() {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestListsThatAreRefused(t *testing.T) {
	w := newWorld(t, 0)
	account := w.account("bot")
	for method, call := range map[string]func(context.Context) error{
		"ListProjects":               func(ctx context.Context) error { _, err := w.ProjectsIn(ctx, hierarchy.Organization); return err },
		"GetProject":                 func(ctx context.Context) error { _, err := w.ProjectNamed(ctx, "acme"); return err },
		"ListFolders":                func(ctx context.Context) error { _, err := w.FoldersIn(ctx, hierarchy.Organization); return err },
		"SearchAllResources":         func(ctx context.Context) error { _, err := w.ProjectsBelow(ctx, hierarchy.Organization); return err },
		"ListServiceAccounts":        func(ctx context.Context) error { _, err := w.Accounts(ctx, testProject); return err },
		"ListServiceAccountKeys":     func(ctx context.Context) error { _, err := w.AccountInventory(ctx, account); return err },
		"ListKeys":                   func(ctx context.Context) error { _, err := w.APIKeyInventory(ctx, testProject); return err },
		"ListHmacKeys":               func(ctx context.Context) error { _, err := w.HMACKeys(ctx, testProject); return err },
		"ListOauthClients":           func(ctx context.Context) error { _, err := w.OAuthClients(ctx, testProject); return err },
		"ListOauthClientCredentials": func(ctx context.Context) error { _, err := w.OAuthClients(ctx, testProject); return err },
		"ListSecrets":                func(ctx context.Context) error { _, err := w.SecretInventory(ctx, testProject); return err },
		"ListTimeSeries": func(ctx context.Context) error {
			_, err := w.UseRecord(ctx, testProject, inventory.AccountKeyKind, w.clock.Now().Add(-time.Hour), w.clock.Now())
			return err
		},
	} {
		if method == "ListOauthClientCredentials" {
			rest, err := iamrest.NewService(t.Context(), w.restOptions()...)
			must(t, err)
			_, err = rest.Projects.Locations.OauthClients.Create("projects/acme/locations/global", &iamrest.OauthClient{}).OauthClientId("some-client").Do()
			must(t, err)
		}
		w.refuse(method)
		err := call(t.Context())
		says(t, err, "refused on purpose")
		fails(t, err, codes.PermissionDenied)
		calls := 0
		w.gcp.Faults.Set(func(called string, _ any) fault.Fault { // an answer that is lost once
			if strings.HasSuffix(called, "/"+method) {
				if calls++; calls == 1 {
					return fault.Fault{After: status.Error(codes.Unavailable, "lost")}
				}
			}
			return fault.Fault{}
		})
		must(t, call(t.Context()))
		w.gcp.Faults.Set(nil)
	}
}

// No minute sees more than half of the quota, whichever projects the calls are about.
func TestQuotasOfTheCaller(t *testing.T) {
	now := time.Unix(0, 0)
	var sent []time.Time
	cloud, err := New(Config{Project: testProject, Endpoint: "127.0.0.1:1", Quotas: QuotasOfCaller, Wire: &Wire{
		Now:   func() time.Time { return now },
		Pause: func(_ context.Context, d time.Duration) error { now = now.Add(d); return nil },
	}})
	must(t, err)
	for i := range 2000 {
		must(t, cloud.calls.do(t.Context(), "/google.cloud.secretmanager.v1.SecretManagerService/ListSecrets", fmt.Sprint("p", i), func(context.Context) error {
			sent = append(sent, now)
			return nil
		}))
	}
	for i := range sent {
		if j := i + 300; j < len(sent) && sent[j].Sub(sent[i]) < time.Minute {
			t.Fatalf("call %d comes %v after call %d", j, sent[j].Sub(sent[i]), i)
		}
	}
	if took := sent[len(sent)-1].Sub(sent[0]); took > 7*time.Minute {
		t.Errorf("2000 calls at half of 600 a minute took %v", took)
	}
}
