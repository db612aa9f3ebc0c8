package iam_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	iamadmin "cloud.google.com/go/iam/admin/apiv1"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	iamcredentials "cloud.google.com/go/iam/credentials/apiv1"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/api/option"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/iam"
	"example.com/keyturn/internal/localgcp/iam/jwt"
	"example.com/keyturn/internal/localgcp/wire"
)

var start = time.Now().UTC().Truncate(time.Second)

// world is the service behind a real server, with Google's clients.
type world struct {
	*iam.Service
	t       *testing.T
	ctx     context.Context
	clock   *clock.Clock
	log     *recorder
	metrics *counter
	addr    string
	admin   *iamadmin.IamClient
}

// newWorld starts a server for cfg, with a frozen clock, a log and metrics.
func newWorld(t *testing.T, cfg iam.Config) *world {
	t.Helper()
	w := &world{t: t, ctx: t.Context(), clock: clock.NewFrozen(start), log: &recorder{}, metrics: &counter{}}
	cfg.Clock, cfg.ProjectID, cfg.Audit, cfg.Metrics = w.clock, "local", w.log, w.metrics
	w.Service = iam.New(cfg)
	interceptors := []grpc.ServerOption{grpc.UnaryInterceptor(w.Unary()), grpc.StreamInterceptor(w.Stream())}
	main, err := wire.NewHandler(w.Register, nil, interceptors...)
	must(t, err)
	credentials, err := wire.NewHandler(w.RegisterCredentials, nil, interceptors...)
	must(t, err)
	server, err := wire.Listen("127.0.0.1:0", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case iam.ServesOAuth(r.URL.Path):
			w.OAuth().ServeHTTP(rw, r)
		case iam.ServesProjects(r.URL.Path):
			w.Projects().ServeHTTP(rw, r)
		case iam.ServesCredentials(r.URL.Path):
			credentials.ServeHTTP(rw, r)
		default:
			w.Middleware(main).ServeHTTP(rw, r)
		}
	}))
	must(t, err)
	t.Cleanup(func() { server.Close() })
	w.addr = server.Addr
	w.SetBaseURL(server.URL())
	w.admin = w.adminClient(option.WithoutAuthentication())
	return w
}

func plaintext(addr string, opts ...option.ClientOption) []option.ClientOption {
	return append(opts, option.WithEndpoint(addr), option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
}

func (w *world) adminClient(opts ...option.ClientOption) *iamadmin.IamClient {
	w.t.Helper()
	c, err := iamadmin.NewIamClient(w.ctx, plaintext(w.addr, opts...)...)
	must(w.t, err)
	w.t.Cleanup(func() { c.Close() })
	return c
}

func (w *world) credentialsClient(opts ...option.ClientOption) *iamcredentials.IamCredentialsClient {
	w.t.Helper()
	c, err := iamcredentials.NewIamCredentialsClient(w.ctx, plaintext(w.addr, opts...)...)
	must(w.t, err)
	w.t.Cleanup(func() { c.Close() })
	return c
}

// account creates a service account.
func (w *world) account(id string) *adminpb.ServiceAccount {
	w.t.Helper()
	a, err := w.admin.CreateServiceAccount(w.ctx, &adminpb.CreateServiceAccountRequest{Name: "projects/local", AccountId: id})
	must(w.t, err)
	return a
}

// key creates a key, a small one because its strength does not matter here.
func (w *world) key(a *adminpb.ServiceAccount) *adminpb.ServiceAccountKey {
	w.t.Helper()
	k, err := w.admin.CreateServiceAccountKey(w.ctx, &adminpb.CreateServiceAccountKeyRequest{
		Name: a.GetName(), KeyAlgorithm: adminpb.ServiceAccountKeyAlgorithm_KEY_ALG_RSA_1024,
	})
	must(w.t, err)
	return k
}

// grant binds a role to an account on a service account, or on the project.
func (w *world) grant(on *adminpb.ServiceAccount, role string, to *adminpb.ServiceAccount) {
	w.t.Helper()
	p, err := w.admin.GetIamPolicy(w.ctx, getPolicy(on.GetName()))
	must(w.t, err)
	p.Add("serviceAccount:"+to.GetEmail(), roleName(role))
	_, err = w.admin.SetIamPolicy(w.ctx, &iamadmin.SetIamPolicyRequest{Resource: on.GetName(), Policy: p})
	must(w.t, err)
}

// rest sends a request as gcloud would and returns the status and the body.
func (w *world) rest(method, path, body string, header ...string) (int, map[string]any) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.ctx, method, "http://"+w.addr+path, strings.NewReader(body))
	must(w.t, err)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	must(w.t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	must(w.t, err)
	var answer map[string]any
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &answer); err != nil {
			w.t.Fatalf("%s %s: %s is no JSON: %v", method, path, raw, err)
		}
	}
	return resp.StatusCode, answer
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantStatus checks the code of an error and that its message has a part.
func wantStatus(t testing.TB, err error, code codes.Code, part string) {
	t.Helper()
	if status.Code(err) != code || !strings.Contains(status.Convert(err).Message(), part) {
		t.Errorf("error is %v, want %v with %q", err, code, part)
	}
}

// reason is that of the ErrorInfo in an error.
func reason(err error) string {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}

// recorder keeps audit entries.
type recorder struct {
	mu      sync.Mutex
	entries []*loggingpb.LogEntry
}

func (r *recorder) WriteEntry(e *loggingpb.LogEntry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries = append(r.entries, e)
}

func (r *recorder) all() []*loggingpb.LogEntry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*loggingpb.LogEntry(nil), r.entries...)
}

// counter keeps metric counts by key id.
type counter struct {
	mu     sync.Mutex
	counts map[string]int64
	last   map[string]string // resource labels of the last count
}

func (c *counter) Count(metric string, labels map[string]string, resource string, resourceLabels map[string]string, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if metric != "iam.googleapis.com/service_account/key/authn_events_count" || resource != "iam_service_account" {
		panic("unexpected metric " + metric + " on " + resource)
	}
	if c.counts == nil {
		c.counts = map[string]int64{}
	}
	c.counts[labels["key_id"]] += n
	c.last = resourceLabels
}

func (c *counter) of(keyID string) (int64, map[string]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[keyID], c.last
}

func (c *counter) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts = nil
}

// certificate is a self-signed certificate in PEM.
func certificate(t testing.TB, bits int, from, to time.Time) (*rsa.PrivateKey, []byte) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "unused"}, NotBefore: from, NotAfter: to}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	return key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func keyID(k *adminpb.ServiceAccountKey) string {
	return k.GetName()[strings.LastIndex(k.GetName(), "/")+1:]
}

// buy asks the token endpoint for a token for claims signed by key.
func (w *world) buy(t *testing.T, claims jwt.Claims, kid string, key *rsa.PrivateKey) (int, map[string]any) {
	t.Helper()
	assertion, err := jwt.Sign(claims, kid, key)
	must(t, err)
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}
	return w.rest("POST", "/token", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

// publicKey reads a PEM public key.
func publicKey(t testing.TB, data []byte) any {
	t.Helper()
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatalf("%q is no PEM", data)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	must(t, err)
	return key
}
