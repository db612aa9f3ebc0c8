//go:build unix

package main

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	iam "cloud.google.com/go/iam/admin/apiv1"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/rotation"
)

// fleet is how many credentials the drill's project has, and leaked which of them a
// thief has.
const fleet, leaked = 500, 317

// TestIncidentDrill has one key of 500 leaked and abused. From what the alert says to
// a key that is revoked, and seen to be, it takes three commands, and nothing else
// changes.
func TestIncidentDrill(t *testing.T) {
	leaveToPlain(t)
	w := newIncidentWorld(t, stock())
	w.populate()
	w.wait(70 * time.Minute) // by then the audit function has read whose keys these are
	secret := fmt.Sprintf("service-%03d-key", leaked)
	file, id := w.current(secret)
	before := w.everything()

	w.probe(w.mint(file))
	alert := w.alert(id, "distinct permissions")
	began := time.Now()
	commands := []string{
		strings.TrimSpace(alert["next"]),
		"sleep 1200",
		"keyturn status --key " + path.Base(alert["key"]),
		"keyturn alerts show " + alert["incident"],
	}
	var printed string
	for _, command := range commands {
		var err error
		if printed, err = w.shell(command, ""); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, printed)
		}
		t.Logf("$ %s\n%s", command, tail(printed))
		if strings.Contains(command, "status") && !seen(id+" revoked …", printed) {
			t.Errorf("the status does not say that the key is revoked:\n%s", printed)
		}
	}
	took := time.Since(began)
	if !strings.Contains(printed, "resolved") || !strings.Contains(printed, "the key has stopped working") {
		t.Errorf("the incident is not over:\n%s", printed)
	}
	if w.signsIn(file) {
		t.Error("the leaked key still signs in")
	}
	w.consumersSignIn(secret)
	w.nothingElse(before, secret)
	t.Logf("drill: %d credentials, %d commands and a wait of 20 minutes of the world's clock, %v of wall time, to revoked and verified", fleet, len(commands)-1, took.Round(time.Millisecond))
}

// stock makes a few pairs, and gives them again and again: they take most of the time.
// No account may get two alike, as either would be taken for the other.
func stock() func() (*rsa.PrivateKey, error) {
	var pairs []*rsa.PrivateKey
	next := 0
	return func() (pair *rsa.PrivateKey, err error) {
		if len(pairs) < 8 {
			if pair, err = rsa.GenerateKey(rand.Reader, 2048); err == nil {
				pairs = append(pairs, pair)
			}
			return pair, err
		}
		next++
		return pairs[next%len(pairs)], nil
	}
}

// populate makes the credentials and adopts them.
func (w *incidentWorld) populate() {
	w.Helper()
	accounts, err := iam.NewIamClient(w.Context(), w.Options()...)
	w.must(err)
	defer accounts.Close()
	secrets, err := secretmanager.NewClient(w.Context(), w.Options()...)
	w.must(err)
	defer secrets.Close()
	f := rotate.New(rotate.Config{Cloud: w.cloud, Now: w.clock.Now})
	for i := range fleet {
		id := fmt.Sprintf("service-%03d", i)
		a, err := accounts.CreateServiceAccount(w.Context(), &adminpb.CreateServiceAccountRequest{Name: "projects/local", AccountId: id})
		w.must(err)
		k, err := accounts.CreateServiceAccountKey(w.Context(), &adminpb.CreateServiceAccountKeyRequest{Name: a.GetName()})
		w.must(err)
		w.must(seedSecret(w.Context(), secrets, "local", id+"-key", string(k.GetPrivateKeyData())))
	}
	w.wait(stride)
	for i := range fleet {
		id := fmt.Sprintf("service-%03d", i)
		_, err = f.Adopt(w.Context(), rotate.Adoption{
			Secret: "projects/local/secrets/" + id + "-key", Kind: rotation.ServiceAccountKey,
			Target: "projects/local/serviceAccounts/" + id + "@local.iam.gserviceaccount.com", Policy: rotation.DefaultPolicy,
		})
		w.must(err)
	}
}

// everything is what there is of each credential, by its secret: annotations, versions
// and keys.
func (w *incidentWorld) everything() map[string]string {
	w.Helper()
	accounts, err := iam.NewIamClient(w.Context(), w.Options()...)
	w.must(err)
	defer accounts.Close()
	secrets, err := secretmanager.NewClient(w.Context(), w.Options()...)
	w.must(err)
	defer secrets.Close()
	all := map[string]string{}
	for s, err := range secrets.ListSecrets(w.Context(), &secretmanagerpb.ListSecretsRequest{Parent: "projects/local", Filter: "labels.keyturn=managed"}).All() {
		w.must(err)
		name := path.Base(s.GetName())
		parts := []any{s.GetAnnotations(), s.GetVersionAliases(), s.GetEtag()}
		for v, err := range secrets.ListSecretVersions(w.Context(), &secretmanagerpb.ListSecretVersionsRequest{Parent: s.GetName()}).All() {
			w.must(err)
			parts = append(parts, v.GetName(), v.GetState().String())
		}
		keys, err := accounts.ListServiceAccountKeys(w.Context(), &adminpb.ListServiceAccountKeysRequest{
			Name: "projects/local/serviceAccounts/" + strings.TrimSuffix(name, "-key") + "@local.iam.gserviceaccount.com",
		})
		w.must(err)
		for _, k := range keys.GetKeys() {
			parts = append(parts, k.GetName(), k.GetDisabled())
		}
		text, err := json.Marshal(parts)
		w.must(err)
		all[name] = string(text)
	}
	return all
}

// nothingElse checks that of everything only one credential has changed.
func (w *incidentWorld) nothingElse(before map[string]string, secret string) {
	w.Helper()
	after := w.everything()
	if len(before) != fleet || len(after) != fleet {
		w.Errorf("%d credentials, then %d, want %d", len(before), len(after), fleet)
	}
	for name, was := range before {
		if changed := after[name] != was; changed != (name == secret) {
			w.Errorf("%s has changed: %v\nbefore %s\nafter  %s", name, changed, was, after[name])
		}
	}
}
