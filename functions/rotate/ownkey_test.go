package rotate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
)

// ownedBy gives an account all rights, as whoever runs keyturn on a key has them.
func (e *env) ownedBy(account string) {
	e.Helper()
	p := e.gcp.Policies.Get("projects/" + project)
	p.Bindings = append(p.Bindings, &iampb.Binding{Role: "roles/owner", Members: []string{"serviceAccount:" + filepath.Base(account)}})
	_, err := e.gcp.Policies.Set("projects/"+project, p)
	must(e.T, err)
}

func newAccount(id string) *adminpb.CreateServiceAccountRequest {
	return &adminpb.CreateServiceAccountRequest{Name: "projects/" + project, AccountId: id}
}

// keyFileOf writes a new key of an account.
func (e *env) keyFileOf(account string) string {
	e.Helper()
	name := filepath.Join(e.TempDir(), "key.json")
	must(e.T, os.WriteFile(name, e.newKey(account).GetPrivateKeyData(), 0o600))
	e.clock.Advance(10 * time.Minute)
	return name
}

// byKeyOf is the function as it runs on the key that a version of a secret holds.
func (e *env) byKeyOf(secret, version string) *Function {
	e.Helper()
	v, err := e.secrets.AccessSecretVersion(e.ctx, &secretmanagerpb.AccessSecretVersionRequest{Name: secret + "/versions/" + version})
	must(e.T, err)
	name := filepath.Join(e.TempDir(), "own.json")
	must(e.T, os.WriteFile(name, v.GetPayload().GetData(), 0o600))
	cloud, err := gcp.New(gcp.Config{Project: project, Endpoint: e.gcp.Addr(), KeyFile: name, Wire: &gcp.Wire{Pause: dontWait}})
	must(e.T, err)
	e.Cleanup(func() { must(e.T, cloud.Close()) })
	return New(Config{TrustTopic: true, Cloud: cloud, Now: e.clock.Now, Pair: e.pair})
}

// TestKeyturnRotatesTheKeyThatItRunsOn and does not lock itself out: what it calls with
// lives until it is given the key that consumers have.
func TestKeyturnRotatesTheKeyThatItRunsOn(t *testing.T) {
	e := newEnv(t)
	secret, account := e.account("keyturn-operator", rotation.Upload)
	e.ownedBy(account)
	old := e.standing(secret).Current.ID
	e.f = e.byKeyOf(secret, "current")
	e.replace(secret) // by the key that is being replaced
	if e.standing(secret).Current.ID == old {
		t.Fatal("consumers were given no new key")
	}
	e.clock.Advance(time.Duration(policy.Overlap) + time.Minute)
	for range 2 {
		_, err := e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
		if err == nil || !strings.Contains(err.Error(), "keyturn itself calls with it") {
			t.Fatalf("error %v", err)
		}
		e.clock.Advance(time.Hour)
	}
	e.do(event.Command{Verb: event.Status, Secret: secret}) // it still works
	e.f = e.byKeyOf(secret, "current")
	e.proceed(secret)
	if got := e.standing(secret).Retiring; len(got) != 1 || got[0].ID != old || got[0].Phase != rotation.Quarantined {
		t.Errorf("by the new key the old one is not disabled: %+v", got)
	}
}

// TestARevocationLeavesKeyturnItsOwnKey, leaked as it is, until there is another.
func TestARevocationLeavesKeyturnItsOwnKey(t *testing.T) {
	e := newEnv(t)
	secret, account := e.account("keyturn-operator", rotation.Upload)
	e.ownedBy(account)
	old := e.standing(secret).Current.ID
	e.f = e.byKeyOf(secret, "current")
	e.do(event.Command{Verb: event.Revoke, Secret: secret, Key: old, KillTokens: true})
	e.clock.Advance(lag)
	_, err := e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
	if err == nil || !strings.Contains(err.Error(), "keyturn itself calls with it") {
		t.Fatalf("error %v", err)
	}
	e.clock.Advance(time.Hour)
	e.do(event.Command{Verb: event.Status, Secret: secret})
}
