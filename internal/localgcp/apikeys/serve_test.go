package apikeys_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	client "cloud.google.com/go/apikeys/apiv2"
	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"example.com/keyturn/internal/localgcp/apikeys"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/operation"
	"example.com/keyturn/internal/localgcp/wire"
)

const parent = "projects/local/locations/global"

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is a served Service with Google's clients dialled.
type world struct {
	*apikeys.Service
	clock      *clock.Clock
	audit      *auditSink
	url        string
	grpc, rest *client.Client
}

// auditSink keeps the entries written to it.
type auditSink struct {
	mu      sync.Mutex
	entries []*loggingpb.LogEntry
}

func (a *auditSink) WriteEntry(e *loggingpb.LogEntry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.entries = append(a.entries, e)
}

func serve(t *testing.T, cfg apikeys.Config) *world {
	t.Helper()
	w := &world{clock: clock.NewFrozen(start), audit: &auditSink{}}
	cfg.Clock, cfg.Audit = w.clock, w.audit
	w.Service = apikeys.New(cfg)
	h, err := wire.NewHandler(w.Register, operation.Rules())
	if err != nil {
		t.Fatal(err)
	}
	server, err := wire.Listen("127.0.0.1:0", w.Middleware(h))
	if err != nil {
		t.Fatal(err)
	}
	w.url = server.URL()
	w.grpc, err = client.NewClient(t.Context(), option.WithEndpoint(server.Addr), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err != nil {
		t.Fatal(err)
	}
	w.rest, err = client.NewRESTClient(t.Context(), option.WithEndpoint(w.url), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = w.grpc.Close()
		_ = w.rest.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// create makes a key and returns it as the operation answers it: with its string.
func (w *world) create(t *testing.T, id string, k *apikeyspb.Key) *apikeyspb.Key {
	t.Helper()
	op, err := w.grpc.CreateKey(t.Context(), &apikeyspb.CreateKeyRequest{Parent: parent, KeyId: id, Key: k})
	if err != nil {
		t.Fatal(err)
	}
	made, err := op.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func (w *world) update(ctx context.Context, k *apikeyspb.Key, paths ...string) (*apikeyspb.Key, error) {
	op, err := w.grpc.UpdateKey(ctx, &apikeyspb.UpdateKeyRequest{Key: k, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}})
	if err != nil {
		return nil, err
	}
	return op.Wait(ctx)
}

func (w *world) delete(t *testing.T, name string) *apikeyspb.Key {
	t.Helper()
	op, err := w.grpc.DeleteKey(t.Context(), &apikeyspb.DeleteKeyRequest{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	k, err := op.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (w *world) list(t *testing.T, req *apikeyspb.ListKeysRequest) (ids []string) {
	t.Helper()
	req.Parent = parent
	for k, err := range w.grpc.ListKeys(t.Context(), req).All() {
		if err != nil {
			t.Fatal(err)
		}
		if k.GetKeyString() != "" {
			t.Errorf("the listing shows the string of %s", k.GetName())
		}
		ids = append(ids, k.GetName()[strings.LastIndex(k.GetName(), "/")+1:])
	}
	return ids
}

// do sends a raw REST request and returns the status and the JSON answer.
func (w *world) do(t *testing.T, method, path, body string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	answer := map[string]any{}
	if err := json.Unmarshal(b, &answer); err != nil {
		t.Fatalf("%s %s: %d %q: %v", method, path, resp.StatusCode, b, err)
	}
	return resp.StatusCode, answer
}

func wantCode(t *testing.T, what string, err error, want codes.Code) {
	t.Helper()
	if got := status.Code(err); got != want {
		t.Errorf("%s: %v (%v), want %v", what, got, err, want)
	}
}

func server(ips ...string) *apikeyspb.Restrictions {
	return &apikeyspb.Restrictions{
		ApiTargets:         []*apikeyspb.ApiTarget{{Service: "generativelanguage.googleapis.com"}},
		ClientRestrictions: &apikeyspb.Restrictions_ServerKeyRestrictions{ServerKeyRestrictions: &apikeyspb.ServerKeyRestrictions{AllowedIps: ips}},
	}
}

// secret is the string of the key "k".
func (w *world) secret(t *testing.T) string {
	t.Helper()
	r, err := w.GetKeyString(t.Context(), &apikeyspb.GetKeyStringRequest{Name: parent + "/keys/k"})
	if err != nil {
		t.Fatal(err)
	}
	return r.GetKeyString()
}
