// Package secretmanager is the Secret Manager v1 of the embedded Google Cloud:
// secrets global and regional, versions, aliases, etags, rotation schedules,
// expiry, delayed destruction, notifications and IAM policies, kept in memory.
//
// It refuses what Google refuses, with Google's codes and, where they are
// known, Google's texts. What no source confirms is marked [mem] where it is
// decided. Deviations: names keep the project as the caller spelled it (Google
// answers with the project number), and managed rotation (Cloud SQL only) is
// unimplemented. What the policies allow is left to package permission.
package secretmanager

import (
	"fmt"
	"sync"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	pb "cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/iam/policy"
)

// Publisher sends notifications to Pub/Sub.
type Publisher interface {
	// PublishMessage publishes to topic, a full name such as
	// projects/p/topics/t. Its error carries a gRPC status: NotFound when the
	// topic does not exist. It must not call the Service.
	PublishMessage(topic string, data []byte, attributes map[string]string) error
}

// Audit takes the log entries that Secret Manager writes itself.
type Audit interface {
	WriteEntry(*loggingpb.LogEntry)
}

// Config says how a Service behaves.
type Config struct {
	// Clock drives rotation, expiry and delayed destruction, and dates every
	// change. Nil is a clock that flows with the machine's.
	Clock *clock.Clock

	// Publisher receives the notifications of secrets that have topics. Nil
	// publishes nothing and takes any topic name as an existing topic.
	Publisher Publisher

	// EventualLag is how long `latest`, aliases, listings of versions and the
	// states of versions keep their old value for readers after a change.
	// Access by version number and everything read from a Secret is never
	// behind. Zero means that every read sees every write.
	EventualLag time.Duration

	// Audit receives a SecretEvent entry for each notification that could not
	// be published. Nil drops them.
	Audit Audit

	// Policies holds the allow policies of the secrets, by name. Share the store
	// that has the projects' policies for TestIamPermissions to see those too;
	// nil is a store of the service's own.
	Policies *policy.Store
}

// Service serves google.cloud.secretmanager.v1.SecretManagerService.
// It is safe for concurrent use, and messages it returns are the caller's own.
type Service struct {
	pb.UnimplementedSecretManagerServiceServer

	cfg Config

	// mu also covers publishing, so that the notifications of a secret are in
	// the order of its changes.
	mu        sync.Mutex
	secrets   map[string]*secret
	born      int64 // secrets created so far
	lastStamp int64 // of the youngest etag
}

// New returns an empty Secret Manager.
func New(cfg Config) *Service {
	if cfg.Clock == nil {
		cfg.Clock = clock.New()
	}
	if cfg.Policies == nil {
		cfg.Policies = policy.NewStore()
	}
	return &Service{cfg: cfg, secrets: map[string]*secret{}}
}

// Register adds the service to r.
func (s *Service) Register(r grpc.ServiceRegistrar) {
	pb.RegisterSecretManagerServiceServer(r, s)
}

// secret is a stored secret. The messages it holds are replaced, never changed.
type secret struct {
	born     int64 // orders listings
	resource *pb.Secret
	aliases  history[map[string]int64]
	versions []*version // version id i is at i-1
	cancels  []func()   // of the timers of expiry and rotation
}

// version is a stored secret version.
type version struct {
	states        history[*pb.SecretVersion]
	data          []byte // nil once destroyed
	crc           int64
	cancelDestroy func() // nil when no destruction is scheduled
}

// history is a value and, for readers that are behind, what it was before.
type history[T any] []since[T]

type since[T any] struct {
	from  time.Time
	value T
}

// set makes v the newest value and forgets what nobody at horizon or later can see.
func (h *history[T]) set(v T, now, horizon time.Time) {
	*h = append(*h, since[T]{now, v})
	for len(*h) > 1 && !(*h)[1].from.After(horizon) {
		*h = (*h)[1:]
	}
}

func (h history[T]) newest() T { return h[len(h)-1].value }

// at returns the value that stood at t; false when there was none yet.
func (h history[T]) at(t time.Time) (v T, ok bool) {
	for _, e := range h {
		if e.from.After(t) {
			break
		}
		v, ok = e.value, true
	}
	return v, ok
}

// horizon is the moment that readers who are behind see.
func (s *Service) horizon() time.Time { return s.cfg.Clock.Now().Add(-s.cfg.EventualLag) }

// find returns the stored secret of that name.
func (s *Service) find(name string) (*secret, error) {
	if _, err := parseSecret(name); err != nil {
		return nil, err
	}
	sec, ok := s.secrets[name]
	if !ok {
		return nil, status.Errorf(codes.NotFound, "Secret [%s] not found.", name)
	}
	return sec, nil
}

// etag returns a new one, in Google's form: quoted, rising, hexadecimal microseconds.
func (s *Service) etag() string {
	s.lastStamp = max(s.lastStamp+1, s.cfg.Clock.Now().UnixMicro())
	return fmt.Sprintf(`"1%013x"`, s.lastStamp)
}

// checkEtag lets an omitted etag pass unchecked.
func checkEtag(given, current string) error {
	if given != "" && given != current {
		return status.Error(codes.FailedPrecondition, "The etag provided in the request does not match the resource's current etag. Please retry the whole read-modify-write with exponential backoff.")
	}
	return nil
}

func required(field string) error {
	return status.Errorf(codes.InvalidArgument, "Field [%s] is required.", field)
}
