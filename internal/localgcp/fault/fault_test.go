package fault_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	pubsub "cloud.google.com/go/pubsub/v2/apiv1"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"example.com/keyturn/internal/localgcp/fault"
	localpubsub "example.com/keyturn/internal/localgcp/pubsub"
	"example.com/keyturn/internal/localgcp/wire"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

const (
	topic  = "projects/local/topics/ttt"
	create = "/google.pubsub.v1.Publisher/CreateTopic"
)

// world is an embedded Pub/Sub under an injector, with Google's clients.
type world struct {
	*testing.T
	faults  fault.Injector
	service *localpubsub.Service
	clients map[string]*pubsub.TopicAdminClient // by transport
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, service: localpubsub.New(localpubsub.Config{})}
	t.Cleanup(func() { w.must(w.service.Close()) })
	handler, err := wire.NewHandler(w.service.Register, nil, grpc.ChainUnaryInterceptor(w.faults.Unary()))
	w.must(err)
	server, err := wire.Listen("127.0.0.1:0", handler)
	w.must(err)
	t.Cleanup(func() { w.must(server.Close()) })
	overGRPC, err := pubsub.NewTopicAdminClient(t.Context(), option.WithEndpoint(server.Addr), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	w.must(err)
	t.Cleanup(func() { overGRPC.Close() })
	overREST, err := pubsub.NewTopicAdminRESTClient(t.Context(), option.WithEndpoint(server.URL()), option.WithoutAuthentication())
	w.must(err)
	t.Cleanup(func() { overREST.Close() })
	w.clients = map[string]*pubsub.TopicAdminClient{"gRPC": overGRPC, "REST": overREST}
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// exists reports whether the topic does, and removes it.
func (w *world) exists() bool {
	_, err := w.service.DeleteTopic(w.Context(), &pubsubpb.DeleteTopicRequest{Topic: topic})
	return status.Code(err) != codes.NotFound
}

// code is the gRPC code of a client's error; REST clients know only of HTTP's.
func code(err error) string {
	if rest := (*googleapi.Error)(nil); errors.As(err, &rest) {
		_, after, _ := strings.Cut(rest.Body, `"status":"`)
		name, _, _ := strings.Cut(after, `"`)
		return name
	}
	return map[codes.Code]string{codes.OK: "OK", codes.Aborted: "ABORTED", codes.DataLoss: "DATA_LOSS", codes.Unknown: "UNKNOWN"}[status.Code(err)]
}

func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		fault fault.Fault
		code  string
		done  bool
	}{
		"none":                   {fault.Fault{}, "OK", true},
		"before":                 {fault.Fault{Before: status.Error(codes.Aborted, "no")}, "ABORTED", false},
		"before wins over after": {fault.Fault{Before: status.Error(codes.Aborted, "no"), After: status.Error(codes.DataLoss, "lost")}, "ABORTED", false},
		"after":                  {fault.Fault{After: status.Error(codes.DataLoss, "lost")}, "DATA_LOSS", true},
		"after, of no status":    {fault.Fault{After: errors.New("lost")}, "UNKNOWN", true},
		"late":                   {fault.Fault{Delay: time.Millisecond}, "OK", true},
		"late, then before":      {fault.Fault{Delay: time.Millisecond, Before: status.Error(codes.Aborted, "no")}, "ABORTED", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.faults.Set(func(method string, req any) fault.Fault {
				if got, ok := req.(*pubsubpb.Topic); method != create || !ok || got.GetName() != topic {
					t.Errorf("%s %v, want %s of %s", method, req, create, topic)
				}
				return c.fault
			})
			for transport, client := range w.clients {
				_, err := client.CreateTopic(t.Context(), &pubsubpb.Topic{Name: topic})
				if got := code(err); got != c.code {
					t.Errorf("%s: %v, want %s", transport, err, c.code)
				}
				if got := w.exists(); got != c.done {
					t.Errorf("%s: topic exists: %v, want %v", transport, got, c.done)
				}
			}
		})
	}
}

func TestACallThatFailsByItselfKeepsItsError(t *testing.T) {
	w := newWorld(t)
	w.faults.Set(func(string, any) fault.Fault { return fault.Fault{After: status.Error(codes.DataLoss, "lost")} })
	for transport, c := range w.clients {
		err := c.DeleteTopic(t.Context(), &pubsubpb.DeleteTopicRequest{Topic: topic})
		if err == nil || !strings.Contains(err.Error(), "Resource not found") {
			t.Errorf("%s: %v", transport, err)
		}
	}
}

func TestADelayEndsWithTheCaller(t *testing.T) {
	w := newWorld(t)
	for transport, c := range w.clients {
		t.Run(transport, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			w.faults.Set(func(string, any) fault.Fault {
				cancel() // the caller goes away while the call is delayed
				return fault.Fault{Delay: time.Hour}
			})
			if _, err := c.CreateTopic(ctx, &pubsubpb.Topic{Name: topic}); err == nil {
				t.Error("no error")
			}
			if w.exists() {
				t.Error("the topic was made all the same")
			}
		})
	}
}

func TestDo(t *testing.T) {
	var i fault.Injector
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	broken := errors.New("broken")
	done := 0
	work := func() error { done++; return broken }
	if err := i.Do(gone, "POST /token", nil, work); err != broken || done != 1 {
		t.Errorf("without a hook: %v, done %d times", err, done)
	}
	i.Set(func(method string, req any) fault.Fault {
		if method != "POST /token" || req != nil {
			t.Errorf("hook asked for %s %v", method, req)
		}
		return fault.Fault{Delay: time.Hour}
	})
	if err := i.Do(gone, "POST /token", nil, work); err != context.Canceled || done != 1 {
		t.Errorf("delayed for a caller who is gone: %v, done %d times", err, done)
	}
	i.Set(nil)
	if err := i.Do(t.Context(), "POST /token", nil, func() error { return nil }); err != nil {
		t.Errorf("after the hook was removed: %v", err)
	}
}

func TestHooksAreReplacedWhileCallsRun(t *testing.T) {
	var i fault.Injector
	var wg sync.WaitGroup
	broken := errors.New("broken")
	for range 4 {
		wg.Go(func() {
			for n := range 1000 {
				if n%2 == 0 {
					i.Set(func(string, any) fault.Fault { return fault.Fault{Before: broken} })
				} else {
					i.Set(nil)
				}
				if err := i.Do(t.Context(), "", nil, func() error { return nil }); err != nil && err != broken {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
