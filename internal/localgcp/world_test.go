package localgcp

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	iam "cloud.google.com/go/iam/admin/apiv1"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	pubsub "cloud.google.com/go/pubsub/v2/apiv1"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"example.com/keyturn/internal/localgcp/clock"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const (
	project = "projects/acme"
	region  = project + "/locations/us-central1"
)

var t0 = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// world is a running cloud.
type world struct {
	*testing.T
	cloud *Cloud
	clock *clock.Clock
}

func start(t *testing.T) *world {
	t.Helper()
	return startWith(t, Config{})
}

// startWith starts a cloud of that configuration, as far as it is given.
func startWith(t *testing.T, cfg Config) *world {
	t.Helper()
	w := &world{T: t, clock: clock.NewFrozen(t0)}
	cfg.Addr, cfg.ProjectID, cfg.Clock = "127.0.0.1:0", "acme", w.clock
	var err error
	w.cloud, err = Start(cfg)
	w.must(err)
	t.Cleanup(func() { w.must(w.cloud.Close()) })
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) overGRPC() []option.ClientOption {
	return []option.ClientOption{
		option.WithEndpoint(w.cloud.Addr()), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
	}
}

func (w *world) overREST() []option.ClientOption {
	return []option.ClientOption{option.WithEndpoint(w.cloud.URL()), option.WithoutAuthentication()}
}

// open calls one of Google's constructors and closes the client at the end of the test.
func open[C io.Closer](w *world, newClient func(context.Context, ...option.ClientOption) (C, error), opts []option.ClientOption) C {
	w.Helper()
	c, err := newClient(w.Context(), opts...)
	w.must(err)
	w.Cleanup(func() { c.Close() })
	return c
}

// both are Google's client of a service over each transport.
func both[C io.Closer](w *world, newGRPC, newREST func(context.Context, ...option.ClientOption) (C, error)) map[string]C {
	w.Helper()
	return map[string]C{"gRPC": open(w, newGRPC, w.overGRPC()), "REST": open(w, newREST, w.overREST())}
}

// account makes a service account.
func (w *world) account(id string) *adminpb.ServiceAccount {
	w.Helper()
	a, err := open(w, iam.NewIamClient, w.overGRPC()).CreateServiceAccount(w.Context(), &adminpb.CreateServiceAccountRequest{Name: project, AccountId: id})
	w.must(err)
	return a
}

func (w *world) topic(id string) string {
	w.Helper()
	name := project + "/topics/" + id
	_, err := open(w, pubsub.NewTopicAdminClient, w.overGRPC()).CreateTopic(w.Context(), &pubsubpb.Topic{Name: name})
	w.must(err)
	return name
}

// hanging is a function that reports its calls and never answers.
func (w *world) hanging() (url string, called chan struct{}) {
	called = make(chan struct{}, 100)
	over := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server does not see the caller leave
		called <- struct{}{}
		select {
		case <-r.Context().Done():
		case <-over:
		}
	}))
	w.Cleanup(server.Close)
	w.Cleanup(func() { close(over) })
	return server.URL, called
}

// call is a plain call, whose answer must be JSON.
func (w *world) call(line, body string, headers ...string) (code int, answer map[string]any) {
	w.Helper()
	method, path, _ := strings.Cut(line, " ")
	req, err := http.NewRequestWithContext(w.Context(), method, w.cloud.URL()+path, strings.NewReader(body))
	w.must(err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	w.must(err)
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		w.Fatalf("%s: HTTP %d: %v", line, resp.StatusCode, err)
	}
	return resp.StatusCode, answer
}

// message is that of an answer in Google's error form.
func message(answer map[string]any) string {
	failure, _ := answer["error"].(map[string]any)
	text, _ := failure["message"].(string)
	return text
}
