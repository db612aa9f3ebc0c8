package gcp

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/fault"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	testProject = "acme"
	canary      = "CANARY" // stands in secret material; no error may hold it
)

// world is the adapters on an embedded Google Cloud.
type world struct {
	*testing.T
	*Cloud
	gcp   *localgcp.Cloud
	clock *clock.Clock
}

// newWorld boots a cloud in which new keys take lag to be known.
func newWorld(t *testing.T, lag time.Duration) *world {
	t.Helper()
	c := clock.NewFrozen(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	g, err := localgcp.Start(localgcp.Config{Addr: "127.0.0.1:0", ProjectID: testProject, Clock: c, KeyLag: lag})
	must(t, err)
	t.Cleanup(func() { must(t, g.Close()) })
	return &world{T: t, Cloud: newCloud(t, g.Addr()), gcp: g, clock: c}
}

func newCloud(t *testing.T, endpoint string) *Cloud {
	t.Helper()
	cloud, err := New(Config{Project: testProject, Endpoint: endpoint})
	must(t, err)
	t.Cleanup(func() { must(t, cloud.Close()) })
	cloud.calls.pause = func(ctx context.Context, _ time.Duration) error { return ctx.Err() } // no test waits
	return cloud
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// says checks that an error is there and says something.
func says(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one that says %q", err, want)
	}
}

// fails checks the status of an error.
func fails(t *testing.T, err error, want codes.Code) {
	t.Helper()
	if status.Code(err) != want || err == nil {
		t.Errorf("error %v, want status %v", err, want)
	}
}

// inject makes calls of a method, given by the end of its full name, go wrong.
func (w *world) inject(method string, f fault.Fault) {
	w.gcp.Faults.Set(func(called string, _ any) fault.Fault {
		if strings.HasSuffix(called, "/"+method) {
			return f
		}
		return fault.Fault{}
	})
}

// refuse makes a method answer PERMISSION_DENIED, which no client tries again.
func (w *world) refuse(method string) {
	w.inject(method, fault.Fault{Before: status.Error(codes.PermissionDenied, "refused on purpose")})
}

func (w *world) secret(id string, payloads ...string) string {
	w.Helper()
	name := "projects/" + testProject + "/secrets/" + id
	must(w.T, w.EnsureSecret(w.Context(), name, nil))
	for _, p := range payloads {
		_, _, err := w.AddVersion(w.Context(), name, []byte(p))
		must(w.T, err)
	}
	return name
}

func (w *world) account(id string) string {
	w.Helper()
	client, err := w.iamAdmin(w.Context())
	must(w.T, err)
	a, err := client.CreateServiceAccount(w.Context(), &adminpb.CreateServiceAccountRequest{Name: "projects/" + testProject, AccountId: id})
	must(w.T, err)
	return a.GetName()
}

func (w *world) apiKey(id string, k *apikeyspb.Key) string {
	w.Helper()
	client, err := w.apiKeys(w.Context())
	must(w.T, err)
	op, err := client.CreateKey(w.Context(), &apikeyspb.CreateKeyRequest{Parent: "projects/" + testProject + "/locations/global", KeyId: id, Key: k})
	must(w.T, err)
	made, err := op.Wait(w.Context())
	must(w.T, err)
	return made.GetName()
}

// getAPIKey reads all of a key.
func (w *world) getAPIKey(name string) *apikeyspb.Key {
	w.Helper()
	client, err := w.apiKeys(w.Context())
	must(w.T, err)
	k, err := client.GetKey(w.Context(), &apikeyspb.GetKeyRequest{Name: name})
	must(w.T, err)
	return k
}

func (w *world) topic(id string) {
	w.Helper()
	client, err := w.topics(w.Context())
	must(w.T, err)
	_, err = client.CreateTopic(w.Context(), &pubsubpb.Topic{Name: "projects/" + testProject + "/topics/" + id})
	must(w.T, err)
}

// certificate is a new pair's public half, as IAM takes it, and the pair.
func (w *world) certificate() ([]byte, *rsa.PrivateKey) {
	w.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	must(w.T, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: w.clock.Now().Add(-time.Hour), NotAfter: w.clock.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	must(w.T, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), private
}

// createKey has Google make a key and returns its id and its file.
func (w *world) createKey(account string) (id string, file []byte, err error) {
	key, file, err := w.CreateAccountKey(w.Context(), account)
	return key.ID, file, err
}
