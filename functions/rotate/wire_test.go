package rotate

import (
	"context"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/shared/gcp"
	"google.golang.org/grpc"
)

// counter counts the remote calls that keyturn makes, at the wire.
type counter struct {
	mu     sync.Mutex
	counts map[string]int    // by the method's name; over HTTP, by verb and path
	during func(call string) // told before each call; nil is nobody
}

func (c *counter) count(call string) {
	c.mu.Lock()
	c.counts[call]++
	c.mu.Unlock()
	if c.during != nil {
		c.during(call)
	}
}

// take returns what was counted since the last time.
func (c *counter) take() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.counts
	c.counts = map[string]int{}
	return taken
}

func (c *counter) unary(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	c.count(path.Base(method))
	return invoke(ctx, method, req, reply, conn, opts...)
}

// RoundTrip implements http.RoundTripper.
func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.count(r.Method + " " + r.URL.Path)
	return http.DefaultTransport.RoundTrip(r)
}

// changes are the calls that may change something: all but those that are known not
// to. A token is minted, and logs are read, by POST.
func changes(counts map[string]int) []string {
	harmless := func(call string) bool {
		for _, prefix := range []string{"Get", "List", "Access", "Test", "GET ", "POST /token", "POST /v2/entries:list"} {
			if strings.HasPrefix(call, prefix) || strings.HasSuffix(call, ":testIamPermissions") {
				return true
			}
		}
		return false
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(counts)), harmless)
}

// newCounted is a world whose calls are counted.
func newCounted(t *testing.T) (*env, *counter) {
	t.Helper()
	c := &counter{counts: map[string]int{}}
	e := newEnvOn(t, localgcp.Config{DataAccess: true}, c)
	must(t, e.cloud.Close())
	cloud, err := gcp.New(gcp.Config{Project: project, Endpoint: e.gcp.Addr(), Wire: &gcp.Wire{GRPC: c.unary, HTTP: c, Pause: dontWait}})
	must(t, err)
	t.Cleanup(func() { must(t, cloud.Close()) })
	e.cloud = cloud
	e.f = New(Config{TrustTopic: true, Cloud: cloud, Now: e.clock.Now, Pair: e.pair})
	return e, c
}
