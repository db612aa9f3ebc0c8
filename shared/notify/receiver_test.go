package notify

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/keyturn/shared/alerting"
	"golang.org/x/oauth2"
)

// deliverer is a channel.
type deliverer interface {
	Name() string
	Deliver(ctx context.Context, a alerting.Alert) error
}

// receiver answers with each of its codes in turn, then with 200, and keeps what it got.
type receiver struct {
	codes  []int
	header http.Header // of the answers that are no 200
	answer string      // of every answer

	mu       sync.Mutex
	requests []*http.Request
	bodies   [][]byte
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests, r.bodies = append(r.requests, req), append(r.bodies, body)
	if n := len(r.requests); n <= len(r.codes) {
		for name, values := range r.header {
			w.Header()[name] = values
		}
		w.WriteHeader(r.codes[n-1])
	}
	_, _ = io.WriteString(w, r.answer)
}

// got is how many requests came.
func (r *receiver) got() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.requests)
}

// Parts of URLs and settings that no error may tell.
const (
	secretPath   = "/hook/T0KEN?key=S3CRET"
	secretToken  = "t0ken-S3CRET"
	routingKey   = "R0UTINGKEY0123456789S3CRET012345"
	mailPassword = "passw0rd-S3CRET"
)

// deployed is what messages of tests come from.
var deployed = Deployment{Region: "us-central1", Runbooks: "https://git.example/keyturn/docs/detectors.md"}

// neighbours reaches receivers of tests.
func neighbours() *Client {
	return NewClient(Egress{AllowPrivate: true, Timeout: 10 * time.Second, Deployment: deployed})
}

// serve serves h and returns its URL.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// poster is a channel that posts, and what its receiver answers when it takes an alert.
type poster struct {
	deliverer
	answer string
}

// posters are all channels that post, to a receiver at url.
func posters(url string, c *Client) []poster {
	return []poster{
		{&Webhook{URL: url + secretPath, Secret: []byte("sign"), Client: c}, ""},
		{&Slack{URL: url + secretPath, Client: c}, "ok"},
		{&GoogleChat{URL: url + secretPath + "&token=T0KEN", Client: c}, `{"name":"spaces/AAA/messages/BBB"}`},
		{&PagerDuty{URL: url + secretPath, RoutingKey: routingKey, Client: c}, `{"status":"success","message":"Event processed","dedup_key":"x"}`},
		{&Alertmanager{URL: url + secretPath, Token: secretToken, Client: c}, ""},
		{&OCSF{URL: url + secretPath, Token: secretToken, Client: c}, ""},
		{&SecurityCommandCenter{URL: url, Source: "organizations/1/sources/2", Tokens: oauth2.StaticTokenSource(&oauth2.Token{AccessToken: secretToken}), Client: c}, `{"name":"organizations/1/sources/2/findings/3"}`},
	}
}

// checkError holds that an error says want, is a *Failure, and tells no secret.
func checkError(t *testing.T, err error, want string) *Failure {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("error %v, want one with %q", err, want)
	}
	for _, secret := range []string{"S3CRET", "T0KEN", "http://", "https://"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("error tells %q: %v", secret, err)
		}
	}
	var f *Failure
	if !errors.As(err, &f) {
		t.Fatalf("error %v is no failure", err)
	}
	return f
}

// stuck answers once it is released.
type stuck struct{ released chan struct{} }

func (s stuck) ServeHTTP(http.ResponseWriter, *http.Request) { <-s.released }

// certified is a TLS server's certificate for 127.0.0.1, and who vouches for it.
func certified(t *testing.T) (*httptest.Server, *x509.CertPool) {
	t.Helper()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return server, roots
}
