package secretmanager

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	sm "cloud.google.com/go/secretmanager/apiv1"
	pb "cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/wire"
)

const (
	project = "projects/local"
	name    = project + "/secrets/s1"
	topic   = project + "/topics/rot"
)

var t0 = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// world is a Secret Manager on a frozen clock with Google's client before it.
type world struct {
	*sm.Client
	t      *testing.T
	clock  *clock.Clock
	pubsub *topics
	audit  *entries
	url    string
}

func newWorld(t *testing.T, lag time.Duration) *world {
	t.Helper()
	w := &world{t: t, clock: clock.NewFrozen(t0), pubsub: &topics{missing: map[string]error{}}, audit: &entries{}}
	s := New(Config{Clock: w.clock, Publisher: w.pubsub, EventualLag: lag, Audit: w.audit})
	addr := serve(t, s)
	client, err := sm.NewClient(t.Context(), option.WithEndpoint(addr), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	w.Client, w.url = client, "http://"+addr
	return w
}

func serve(t *testing.T, s *Service) (addr string) {
	t.Helper()
	h, err := wire.NewHandler(s.Register, nil)
	if err != nil {
		t.Fatal(err)
	}
	server, err := wire.Listen("127.0.0.1:0", h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server.Addr
}

// topics stands for Pub/Sub: it notes what was published.
type topics struct {
	mu      sync.Mutex
	got     []message
	missing map[string]error // by topic
}

type message struct {
	topic, data string
	attributes  map[string]string
}

func (p *topics) PublishMessage(topic string, data []byte, attributes map[string]string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.missing[topic]; err != nil {
		return err
	}
	p.got = append(p.got, message{topic, string(data), maps.Clone(attributes)})
	return nil
}

// take returns what was published since the last call.
func (p *topics) take() []message {
	p.mu.Lock()
	defer p.mu.Unlock()
	got := p.got
	p.got = nil
	return got
}

func (p *topics) fail(topic string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.missing[topic] = err
}

// events returns the types of the messages published since the last call.
func (w *world) events() (types []string) {
	for _, m := range w.pubsub.take() {
		types = append(types, m.attributes["eventType"])
	}
	return types
}

func (w *world) wantEvents(want ...string) {
	w.t.Helper()
	if got := w.events(); !slices.Equal(got, want) {
		w.t.Errorf("published %v, want %v", got, want)
	}
}

type entries struct {
	mu  sync.Mutex
	got []*loggingpb.LogEntry
}

func (e *entries) WriteEntry(entry *loggingpb.LogEntry) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.got = append(e.got, entry)
}

func (e *entries) all() []*loggingpb.LogEntry {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.got)
}

func automatic() *pb.Replication {
	return &pb.Replication{Replication: &pb.Replication_Automatic_{Automatic: &pb.Replication_Automatic{}}}
}

// create makes the secret of that id; given is the rest of it.
func (w *world) create(id string, given *pb.Secret) *pb.Secret {
	w.t.Helper()
	if given == nil {
		given = &pb.Secret{}
	}
	given.Replication = automatic()
	return must(w.CreateSecret(w.t.Context(), &pb.CreateSecretRequest{Parent: project, SecretId: id, Secret: given}))(w.t)
}

func (w *world) add(secret, data string) *pb.SecretVersion {
	w.t.Helper()
	return must(w.AddSecretVersion(w.t.Context(), &pb.AddSecretVersionRequest{Parent: secret, Payload: &pb.SecretPayload{Data: []byte(data)}}))(w.t)
}

func (w *world) get(secret string) *pb.Secret {
	w.t.Helper()
	return must(w.GetSecret(w.t.Context(), &pb.GetSecretRequest{Name: secret}))(w.t)
}

// access returns the payload of a version, or the text of the error.
func (w *world) access(ref string) string {
	w.t.Helper()
	resp, err := w.AccessSecretVersion(w.t.Context(), &pb.AccessSecretVersionRequest{Name: name + "/versions/" + ref})
	if err != nil {
		return status.Convert(err).Message()
	}
	return string(resp.GetPayload().GetData())
}

func (w *world) state(ref string) string {
	w.t.Helper()
	return must(w.GetSecretVersion(w.t.Context(), &pb.GetSecretVersionRequest{Name: name + "/versions/" + ref}))(w.t).GetState().String()
}

// update changes the masked fields of a secret to those of given.
func (w *world) update(given *pb.Secret, mask ...string) (*pb.Secret, error) {
	if given.Name == "" {
		given.Name = name
	}
	return w.UpdateSecret(w.t.Context(), &pb.UpdateSecretRequest{Secret: given, UpdateMask: &fieldmaskpb.FieldMask{Paths: mask}})
}

func (w *world) alias(aliases map[string]int64) {
	w.t.Helper()
	must(w.update(&pb.Secret{VersionAliases: aliases}, "version_aliases"))(w.t)
}

func (w *world) disable(id string) *pb.SecretVersion {
	w.t.Helper()
	return must(w.DisableSecretVersion(w.t.Context(), &pb.DisableSecretVersionRequest{Name: name + "/versions/" + id}))(w.t)
}

func (w *world) enable(id string) *pb.SecretVersion {
	w.t.Helper()
	return must(w.EnableSecretVersion(w.t.Context(), &pb.EnableSecretVersionRequest{Name: name + "/versions/" + id}))(w.t)
}

func (w *world) destroy(id string) *pb.SecretVersion {
	w.t.Helper()
	return must(w.DestroySecretVersion(w.t.Context(), &pb.DestroySecretVersionRequest{Name: name + "/versions/" + id}))(w.t)
}

// listed returns the ids of the secrets of one filter, in the order listed.
func (w *world) listed(req *pb.ListSecretsRequest) (ids []string) {
	w.t.Helper()
	for s := range all(w.t, w.ListSecrets(w.t.Context(), req).Next) {
		ids = append(ids, s.GetName()[len(project+"/secrets/"):])
	}
	return ids
}

func (w *world) listedVersions(req *pb.ListSecretVersionsRequest) (ids []string) {
	w.t.Helper()
	for v := range all(w.t, w.ListSecretVersions(w.t.Context(), req).Next) {
		ids = append(ids, v.GetName()[len(name+"/versions/"):])
	}
	return ids
}

func all[T any](t *testing.T, next func() (T, error)) func(func(T) bool) {
	return func(yield func(T) bool) {
		for {
			v, err := next()
			if errors.Is(err, iterator.Done) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !yield(v) {
				return
			}
		}
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantError(t *testing.T, err error, code codes.Code, text string) {
	t.Helper()
	if status.Code(err) != code || text != "" && status.Convert(err).Message() != text {
		t.Errorf("error %v, want %v %q", err, code, text)
	}
}
