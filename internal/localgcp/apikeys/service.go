// Package apikeys is the API Keys v2 of the embedded Google Cloud: keys with
// restrictions, soft deletion, long-running operations and the guard against
// deleting or changing keys that are in use, kept in memory.
//
// It refuses what Google refuses, with Google's codes and, where they are
// known, Google's texts. What no source confirms is marked [mem] where it is
// decided. IAM permissions are left to package permission. A key that is bound to
// a service account authenticates as any other: its account gets to do nothing.
package apikeys

import (
	"context"
	"hash/fnv"
	"regexp"
	"strconv"
	"sync"
	"time"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/operation"
	"example.com/keyturn/internal/localgcp/random"
)

// Audit takes the audit entries that API Keys writes.
type Audit interface {
	WriteEntry(*loggingpb.LogEntry)
}

// Config says how a Service behaves.
type Config struct {
	// Clock dates changes, and drives propagation, purging and the usage window.
	// Nil is a clock that flows with the machine's.
	Clock *clock.Clock

	// Lag is how long, on the clock, users of a key see nothing of its creation,
	// deletion, undeletion or changed restrictions. Zero means at once.
	Lag time.Duration

	// Operations keeps the service's, whose effects are there at once all the same. Nil
	// is a store of its own, in which they are done at once.
	Operations *operation.Store

	// UsageWindow is how far back, on the clock, a use counts for
	// checkExistingUsage. Zero means Google's 7 days.
	UsageWindow time.Duration

	// ProjectNumber tells a project's number from its id. Nil derives one of
	// twelve digits from the id.
	ProjectNumber func(id string) string

	// Owner is the e-mail address that stands in audit entries for the developer
	// at the machine. Empty leaves it out.
	Owner string

	// Audit receives an entry for each change, and with DataAccess for each
	// reading of a key string. Nil drops them.
	Audit Audit

	// DataAccess says whether Data Access audit logs are on, which at Google they
	// are not unless somebody turns them on.
	DataAccess bool

	// AllowBound reports whether a project's keys may be bound to service accounts,
	// which organisations forbid by default
	// (iam.managed.disableServiceAccountApiKeyCreation). Nil forbids it.
	AllowBound func(project string) bool

	// HasAccount reports whether there is a service account of that e-mail
	// address. Nil takes any to be there.
	HasAccount func(email string) bool

	// MayBind refuses a caller who may not bind keys to a service account. Nil lets
	// everybody.
	MayBind func(ctx context.Context, account string) error

	// Random is where key strings and ids come from. Nil is crypto/rand.
	Random *random.Source
}

// Service serves google.api.apikeys.v2.ApiKeys. It is safe for concurrent use,
// and messages it returns are the caller's own.
type Service struct {
	apikeyspb.UnimplementedApiKeysServer

	cfg Config

	mu       sync.Mutex
	keys     map[string]*key   // by name; purged ones stay until their id is used again
	strings  map[string]*key   // by key string, for ever
	born     int               // keys made so far
	accounts map[string]string // that keys are bound to, by name; empty for none
	projects map[string]string // id by number, of the projects that were named by id
}

// New returns a Service without keys.
func New(cfg Config) *Service {
	if cfg.Clock == nil {
		cfg.Clock = clock.New()
	}
	if cfg.UsageWindow == 0 {
		cfg.UsageWindow = 7 * 24 * time.Hour
	}
	if cfg.ProjectNumber == nil {
		cfg.ProjectNumber = derivedNumber
	}
	if cfg.Operations == nil {
		cfg.Operations = &operation.Store{}
	}
	return &Service{
		cfg:      cfg,
		keys:     map[string]*key{},
		strings:  map[string]*key{},
		accounts: map[string]string{},
		projects: map[string]string{},
	}
}

// Register adds the service and google.longrunning.Operations to r.
func (s *Service) Register(r grpc.ServiceRegistrar) {
	apikeyspb.RegisterApiKeysServer(r, s)
	longrunningpb.RegisterOperationsServer(r, s.cfg.Operations)
}

// Lookup returns the key of that string as the APIs it is used on see it now.
// False means that they do not know it: it never was, its creation has not got
// there yet, or its deletion has.
func (s *Service) Lookup(keyString string) (*apikeyspb.Key, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.strings[keyString]
	if !ok {
		return nil, false
	}
	seen := k.seenAt(s.cfg.Clock.Now())
	return proto.CloneOf(seen), seen != nil
}

// Use records that the key of that string is in use now. A call that the key's
// restrictions blocked counts as well [mem].
func (s *Service) Use(keyString string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k, ok := s.strings[keyString]; ok {
		k.lastUse = s.cfg.Clock.Now()
	}
}

var allDigits = regexp.MustCompile(`^[0-9]+$`)

// number returns the number of a project given by number or id.
func (s *Service) number(project string) string {
	if allDigits.MatchString(project) {
		return project
	}
	n := s.cfg.ProjectNumber(project)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.projects[n] = project
	return n
}

// projectID returns the id of a project, or its number while only that is known.
func (s *Service) projectID(number string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id, ok := s.projects[number]; ok {
		return id
	}
	return number
}

// derivedNumber spreads ids over the numbers from 100000000000 up.
func derivedNumber(id string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // a hash never fails
	return strconv.FormatUint(100_000_000_000+h.Sum64()%900_000_000_000, 10)
}
