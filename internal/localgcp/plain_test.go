package localgcp

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	iam "cloud.google.com/go/iam/admin/apiv1"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"golang.org/x/oauth2/google"
	"google.golang.org/api/googleapi"
	restiam "google.golang.org/api/iam/v1"
	reststorage "google.golang.org/api/storage/v1"
)

// httpCode is the status of an error of a REST client; 0 is no such error.
func httpCode(err error) int {
	var refused *googleapi.Error
	if errors.As(err, &refused) {
		return refused.Code
	}
	return 0
}

func (w *world) storage() *reststorage.ProjectsHmacKeysService {
	w.Helper()
	c, err := reststorage.NewService(w.Context(), append(w.overREST()[1:], w.overREST()[0])...)
	w.must(err)
	c.BasePath = w.cloud.URL() + "/storage/v1/"
	return c.Projects.HmacKeys
}

func TestHMACKeysLiveAndDie(t *testing.T) {
	w := start(t)
	account := w.account("bot").GetEmail()
	keys := w.storage()
	made, err := keys.Create("acme", account).Do()
	w.must(err)
	id := made.Metadata.AccessId
	if len(id) != 61 || len(made.Secret) != 40 || made.Metadata.State != "ACTIVE" || made.Metadata.ServiceAccountEmail != account {
		t.Errorf("%+v", made)
	}
	got, err := keys.Get("acme", id).Do()
	if err != nil || got.TimeCreated != "2030-01-01T00:00:00Z" {
		t.Errorf("%+v, %v", got, err)
	}
	for want, call := range map[string]func() error{
		"400 delete a key that works": func() error { return keys.Delete("acme", id).Do() },
		"400 no such state": func() error {
			_, err := keys.Update("acme", id, &reststorage.HmacKeyMetadata{State: "TIRED"}).Do()
			return err
		},
		"412 stale etag": func() error {
			_, err := keys.Update("acme", id, &reststorage.HmacKeyMetadata{State: "INACTIVE", Etag: "x"}).Do()
			return err
		},
		"404 no such account": func() error { _, err := keys.Create("acme", "x@example.com").Do(); return err },
		"400 no account":      func() error { _, err := keys.Create("acme", "").Do(); return err },
		"404 other project":   func() error { _, err := keys.Get("other", id).Do(); return err },
		"404 update nothing": func() error {
			_, err := keys.Update("acme", "GOOG", &reststorage.HmacKeyMetadata{State: "INACTIVE"}).Do()
			return err
		},
		"404 delete nothing": func() error { return keys.Delete("acme", "GOOG").Do() },
		"400 page token":     func() error { _, err := keys.List("acme").PageToken("x").Do(); return err },
	} {
		if err := call(); fmt.Sprint(httpCode(err)) != want[:3] {
			t.Errorf("%s: %v", want, err)
		}
	}
	_, err = keys.Update("acme", id, &reststorage.HmacKeyMetadata{State: "INACTIVE", Etag: got.Etag}).Do()
	w.must(err)
	w.must(keys.Delete("acme", id).Do())
	count := func(dead bool) int {
		list, err := keys.List("acme").ShowDeletedKeys(dead).Do()
		w.must(err)
		return len(list.Items)
	}
	if count(false) != 0 || count(true) != 1 {
		t.Errorf("%d keys, %d with deleted ones", count(false), count(true))
	}
	w.clock.Advance(31 * 24 * time.Hour)
	if count(true) != 0 {
		t.Error("a deleted key is kept for more than 30 days")
	}
}

func TestHMACKeysAreListedInPagesOfAnAccountAtMostTen(t *testing.T) {
	w := start(t)
	keys := w.storage()
	for _, id := range []string{"one", "two"} {
		account := w.account(id).GetEmail()
		for range 10 {
			_, err := keys.Create("acme", account).Do()
			w.must(err)
		}
		if _, err := keys.Create("acme", account).Do(); httpCode(err) != 400 {
			t.Errorf("an eleventh key: %v", err)
		}
	}
	n, pages := 0, 0
	w.must(keys.List("acme").MaxResults(7).Pages(t.Context(), func(page *reststorage.HmacKeysMetadata) error {
		n, pages = n+len(page.Items), pages+1
		return nil
	}))
	one, err := keys.List("acme").ServiceAccountEmail("one@acme.iam.gserviceaccount.com").Do()
	w.must(err)
	if n != 20 || pages != 3 || len(one.Items) != 10 {
		t.Errorf("%d keys on %d pages, %d of one account", n, pages, len(one.Items))
	}
}

func TestOAuthClientsLiveAndDie(t *testing.T) {
	w := start(t)
	iamREST, err := restiam.NewService(t.Context(), w.overREST()...)
	w.must(err)
	clients := iamREST.Projects.Locations.OauthClients
	parent := project + "/locations/global"
	for i := range 60 {
		_, err := clients.Create(parent, &restiam.OauthClient{DisplayName: "Web"}).OauthClientId(fmt.Sprintf("web-%02d", i)).Do()
		w.must(err)
	}
	name := parent + "/oauthClients/web-00"
	secret, err := clients.Credentials.Create(name, &restiam.OauthClientCredential{DisplayName: "one"}).OauthClientCredentialId("first").Do()
	if err != nil || secret.ClientSecret == "" {
		t.Fatalf("%+v, %v", secret, err)
	}
	count := func(dead bool) (n int) {
		w.must(clients.List(parent).ShowDeleted(dead).Pages(t.Context(), func(page *restiam.ListOauthClientsResponse) error {
			n += len(page.OauthClients)
			return nil
		}))
		return n
	}
	if count(false) != 60 {
		t.Errorf("%d clients", count(false))
	}
	listed, err := clients.Credentials.List(name).Do()
	if err != nil || len(listed.OauthClientCredentials) != 1 || listed.OauthClientCredentials[0].ClientSecret != secret.ClientSecret {
		t.Errorf("%+v, %v", listed, err)
	}
	none, err := clients.Credentials.List(parent + "/oauthClients/web-01").Do()
	if err != nil || len(none.OauthClientCredentials) != 0 {
		t.Errorf("%+v, %v", none, err)
	}
	for want, call := range map[string]func() error{
		"409 taken": func() error {
			return second(clients.Create(parent, &restiam.OauthClient{}).OauthClientId("web-00").Do())
		},
		"400 bad id": func() error {
			return second(clients.Create(parent, &restiam.OauthClient{}).OauthClientId("gcp-x").Do())
		},
		"404 no client":   func() error { return second(clients.Get(parent + "/oauthClients/none").Do()) },
		"400 bad mask":    func() error { return second(clients.Patch(name, &restiam.OauthClient{}).UpdateMask("state").Do()) },
		"400 page token":  func() error { return second(clients.List(parent).PageToken("x").Do()) },
		"404 no secret":   func() error { return second(clients.Credentials.Get(name + "/credentials/none").Do()) },
		"400 live secret": func() error { return second(clients.Credentials.Delete(secret.Name).Do()) },
		"400 secret's mask": func() error {
			return second(clients.Credentials.Patch(secret.Name, &restiam.OauthClientCredential{}).UpdateMask("name").Do())
		},
		"409 secret taken": func() error {
			return second(clients.Credentials.Create(name, &restiam.OauthClientCredential{}).OauthClientCredentialId("first").Do())
		},
		"400 secret's id": func() error {
			return second(clients.Credentials.Create(name, &restiam.OauthClientCredential{}).OauthClientCredentialId("x").Do())
		},
		"404 secret of nothing": func() error { return second(clients.Credentials.List(parent + "/oauthClients/none").Do()) },
	} {
		if err := call(); fmt.Sprint(httpCode(err)) != want[:3] {
			t.Errorf("%s: %v", want, err)
		}
	}
	_, err = clients.Credentials.Patch(secret.Name, &restiam.OauthClientCredential{Disabled: true, DisplayName: "old"}).UpdateMask("disabled,displayName").Do()
	w.must(err)
	off, err := clients.Credentials.Get(secret.Name).Do()
	if err != nil || !off.Disabled || off.DisplayName != "old" {
		t.Errorf("%+v, %v", off, err)
	}
	_, err = clients.Credentials.Delete(secret.Name).Do()
	w.must(err)
	_, err = clients.Patch(name, &restiam.OauthClient{Disabled: true, DisplayName: "Old", Description: "x"}).UpdateMask("disabled,displayName,description").Do()
	w.must(err)
	c, err := clients.Get(name).Do()
	if err != nil || !c.Disabled || c.DisplayName != "Old" {
		t.Errorf("%+v, %v", c, err)
	}
	_, err = clients.Delete(name).Do()
	w.must(err)
	if count(false) != 59 || count(true) != 60 {
		t.Errorf("%d clients, %d with deleted ones", count(false), count(true))
	}
	w.clock.Advance(31 * 24 * time.Hour)
	if count(true) != 59 {
		t.Error("a deleted client is kept for more than 30 days")
	}
}

// A service account sees what its roles let it see.
func TestPlainAPIsAskForPermissions(t *testing.T) {
	w, ctx := start(t), t.Context()
	account := w.account("bot")
	key, err := open(w, iam.NewIamClient, w.overGRPC()).CreateServiceAccountKey(ctx, &adminpb.CreateServiceAccountKeyRequest{Name: account.GetName()})
	w.must(err)
	config, err := google.JWTConfigFromJSON(key.GetPrivateKeyData(), "https://www.googleapis.com/auth/cloud-platform")
	w.must(err)
	token, err := config.TokenSource(ctx).Token()
	w.must(err)
	for path, want := range map[string]int{
		"GET /storage/v1/projects/acme/hmacKeys":                http.StatusForbidden,
		"GET /v1/projects/acme/locations/global/oauthClients":   http.StatusForbidden,
		"GET /v3/projects?parent=organizations/100000000001":    http.StatusForbidden,
		"GET /v3/projects/acme":                                 http.StatusForbidden,
		"GET /v3/projects:search":                               http.StatusOK, // of nothing
		"GET /v1/organizations/100000000001:searchAllResources": http.StatusForbidden,
		"GET /v1/projects":                                      http.StatusOK, // of nothing
		"GET /v3/organizations:search":                          http.StatusOK, // of nothing
		"GET /v3/folders?parent=organizations/100000000001":     http.StatusForbidden,
	} {
		code, answer := w.call(path, "", "Authorization", "Bearer "+token.AccessToken)
		if code != want || code == http.StatusOK && len(fmt.Sprint(answer)) > 5 {
			t.Errorf("%s: %d %v", path, code, answer)
		}
	}
}
