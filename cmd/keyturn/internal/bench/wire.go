package bench

import (
	"context"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"example.com/keyturn/shared/gcp"
	"google.golang.org/grpc"
)

// wire makes each remote call take as long as it does in the cloud, and counts
// it.
type wire struct {
	latency time.Duration

	mu    sync.Mutex
	phase string
	calls map[string]int // by phase
	drawn map[string]int // by the quota that they draw on
}

func newWire(latency time.Duration) *wire {
	return &wire{latency: latency, calls: map[string]int{}, drawn: map[string]int{}}
}

func (w *wire) config() *gcp.Wire { return &gcp.Wire{GRPC: w.unary, HTTP: w} }

// enter says what phase the calls from now on belong to.
func (w *wire) enter(phase string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.phase = phase
}

func (w *wire) delay(ctx context.Context, method string) error {
	w.mu.Lock()
	w.calls[w.phase]++
	w.drawn[quotaOf(method)]++
	w.mu.Unlock()
	select {
	case <-time.After(w.latency):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *wire) unary(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if err := w.delay(ctx, method); err != nil {
		return err
	}
	return invoke(ctx, method, req, reply, conn, opts...)
}

// RoundTrip is a call over HTTP.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := w.delay(r.Context(), ""); err != nil {
		return nil, err
	}
	return http.DefaultTransport.RoundTrip(r)
}

// total counts all calls.
func (w *wire) total() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, calls := range w.calls {
		n += calls
	}
	return n
}

// halves are how many calls a minute keyturn makes at most on each quota of a
// project: half of what Google allows.
var halves = map[string]float64{
	"IAM reads": 3000, "IAM writes": 300,
	"Secret Manager accesses": 45_000, "Secret Manager reads": 300, "Secret Manager writes": 300,
}

// quotaOf names the quota that a gRPC method draws on; other calls, such as
// those to Pub/Sub, have quotas that nobody comes near.
func quotaOf(method string) string {
	service, verb := path.Dir(method), path.Base(method)
	name := map[string]string{"/google.iam.admin.v1.IAM": "IAM", "/google.cloud.secretmanager.v1.SecretManagerService": "Secret Manager"}[service]
	switch {
	case name == "":
		return ""
	case verb == "AccessSecretVersion":
		return name + " accesses"
	case strings.HasPrefix(verb, "Get"), strings.HasPrefix(verb, "List"):
		return name + " reads"
	}
	return name + " writes"
}
