// Package storage is of Cloud Storage what concerns credentials and deployments: the HMAC
// keys of service accounts, and buckets with their policies, over the JSON API v1. It has
// no objects.
package storage

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/iam/policy"
	"example.com/keyturn/internal/localgcp/random"
	"example.com/keyturn/internal/localgcp/wire"
)

// The states of a key.
const (
	active   = "ACTIVE"
	inactive = "INACTIVE"
	deleted  = "DELETED" // listed for 30 days on demand
)

const (
	maxKeys = 10  // of an account, the deleted ones not counted
	maxPage = 250 // also the default
	kept    = 30 * 24 * time.Hour
)

// Config sets up a Service. All fields are required.
type Config struct {
	Clock *clock.Clock
	// ProjectOf is the project of a service account; empty when there is none of
	// that e-mail address.
	ProjectOf func(email string) string
	Random    *random.Source
	Policies  *policy.Store // of buckets
}

// Service keeps the keys and buckets. It is safe for concurrent use.
type Service struct {
	cfg Config

	mu      sync.Mutex
	keys    []*key // oldest first
	buckets []*bucket
}

// New returns a service without keys and buckets.
func New(cfg Config) *Service { return &Service{cfg: cfg} }

// key is Cloud Storage's HmacKeyMetadata.
type key struct {
	Kind     string    `json:"kind"`
	ID       string    `json:"id"`
	SelfLink string    `json:"selfLink"`
	AccessID string    `json:"accessId"`
	Project  string    `json:"projectId"`
	Account  string    `json:"serviceAccountEmail"`
	State    string    `json:"state"`
	Created  time.Time `json:"timeCreated"`
	Updated  time.Time `json:"updated"`
	Etag     string    `json:"etag"`
}

const (
	listPath = `^/storage/v1/projects/([^/]+)/hmacKeys$`
	keyPath  = `^/storage/v1/projects/([^/]+)/hmacKeys/([^/]+)$`
	service  = "/google.storage.v1.HmacKeys/" // of our own making: the API has no gRPC form
)

// Methods are those of the API.
func (s *Service) Methods() []wire.Method {
	list, one := regexp.MustCompile(listPath), regexp.MustCompile(keyPath)
	return []wire.Method{
		{Verb: http.MethodGet, Path: list, Name: service + "ListHmacKeys", Permission: "storage.hmacKeys.list", Run: s.list},
		{Verb: http.MethodPost, Path: list, Name: service + "CreateHmacKey", Permission: "storage.hmacKeys.create", Run: s.create},
		{Verb: http.MethodGet, Path: one, Name: service + "GetHmacKey", Permission: "storage.hmacKeys.get", Run: s.get},
		{Verb: http.MethodPut, Path: one, Name: service + "UpdateHmacKey", Permission: "storage.hmacKeys.update", Run: s.update},
		{Verb: http.MethodDelete, Path: one, Name: service + "DeleteHmacKey", Permission: "storage.hmacKeys.delete", Run: s.remove},
	}
}

// list lists by age. Deleted keys are left out unless showDeletedKeys asks for them.
func (s *Service) list(r *wire.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	account, dead := r.Query.Get("serviceAccountEmail"), strings.EqualFold(r.Query.Get("showDeletedKeys"), "true")
	now := s.cfg.Clock.Now()
	var items []key
	for _, k := range s.keys {
		gone := k.State == deleted && (!dead || now.Sub(k.Updated) > kept)
		if k.Project == r.Args[0] && !gone && (account == "" || account == k.Account) {
			items = append(items, *k)
		}
	}
	answer, err := wire.List(r, "items", items, r.Size("maxResults"), maxPage)
	if err != nil {
		return nil, err
	}
	answer["kind"] = "storage#hmacKeysMetadata"
	return answer, nil
}

// create answers with the secret, which is told nowhere else.
func (s *Service) create(r *wire.Request) (any, error) {
	account := r.Query.Get("serviceAccountEmail")
	if account == "" {
		return nil, status.Error(codes.InvalidArgument, "Required parameter: serviceAccountEmail")
	}
	if s.cfg.ProjectOf(account) != r.Args[0] {
		return nil, status.Errorf(codes.NotFound, "Service account %s does not exist.", account) // [mem]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count(account) >= maxKeys {
		return nil, status.Error(codes.FailedPrecondition, "Service account already has the maximum number of HMAC keys.") // [mem]
	}
	id := "GOOG1E" + strings.ToUpper(fmt.Sprintf("%055x", s.cfg.Random.Bytes(27))[:55])
	now := s.now()
	k := &key{
		Kind: "storage#hmacKeyMetadata", ID: r.Args[0] + "/" + id, AccessID: id, Project: r.Args[0], Account: account, State: active, Created: now,
		SelfLink: "https://www.googleapis.com/storage/v1/projects/" + r.Args[0] + "/hmacKeys/" + id,
	}
	k.touch(now)
	s.keys = append(s.keys, k)
	return map[string]any{"kind": "storage#hmacKey", "metadata": *k, "secret": base64.StdEncoding.EncodeToString(s.cfg.Random.Bytes(30))}, nil
}

// now is to the millisecond, as the API tells times.
func (s *Service) now() time.Time { return s.cfg.Clock.Now().UTC().Truncate(time.Millisecond) }

func (s *Service) count(account string) (n int) {
	for _, k := range s.keys {
		if k.Account == account && k.State != deleted {
			n++
		}
	}
	return n
}

func (k *key) touch(now time.Time) {
	k.Updated, k.Etag = now, base64.StdEncoding.EncodeToString([]byte(strconv.FormatInt(now.UnixNano(), 36)))
}

func (s *Service) get(r *wire.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.find(r)
	if err != nil {
		return nil, err
	}
	return *k, nil
}

func (s *Service) find(r *wire.Request) (*key, error) {
	for _, k := range s.keys {
		if k.Project == r.Args[0] && k.AccessID == r.Args[1] {
			return k, nil
		}
	}
	return nil, status.Error(codes.NotFound, "Access ID not found in project.") // [mem]
}

// update sets the state to ACTIVE or INACTIVE.
func (s *Service) update(r *wire.Request) (any, error) {
	var want struct{ State, Etag string }
	if err := r.Decode(&want); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.find(r)
	switch {
	case err != nil:
		return nil, err
	case want.Etag != "" && want.Etag != k.Etag:
		return nil, status.Error(codes.Aborted, "The etag does not match the current etag of the HMAC key.") // [mem]
	case k.State == deleted, want.State != active && want.State != inactive:
		return nil, status.Errorf(codes.InvalidArgument, "Invalid argument: a key in state %s cannot be updated to state %q.", k.State, want.State) // [mem]
	}
	k.State = want.State
	k.touch(s.now())
	return *k, nil
}

// remove refuses a key that works.
func (s *Service) remove(r *wire.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.find(r)
	if err != nil {
		return nil, err
	}
	if k.State == active {
		return nil, status.Error(codes.InvalidArgument, "Cannot delete keys in 'ACTIVE' state. Update to state 'INACTIVE' prior to deletion.") // [mem]
	}
	k.State = deleted
	k.touch(s.now())
	return nil, nil
}

// Refuse writes an error as the JSON API does: with a list of errors, and no status.
func Refuse(w http.ResponseWriter, err error) {
	s := status.Convert(err)
	code, reason := http.StatusBadRequest, "invalid"
	switch s.Code() {
	case codes.NotFound:
		code, reason = http.StatusNotFound, "notFound"
	case codes.PermissionDenied:
		code, reason = http.StatusForbidden, "forbidden"
	case codes.Unauthenticated:
		code, reason = http.StatusUnauthorized, "authError"
	case codes.AlreadyExists:
		code, reason = http.StatusConflict, "conflict"
	case codes.Aborted:
		code, reason = http.StatusPreconditionFailed, "conditionNotMet"
	case codes.ResourceExhausted:
		code, reason = http.StatusTooManyRequests, "rateLimitExceeded"
	case codes.Unavailable:
		code, reason = http.StatusServiceUnavailable, "backendError"
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{ // to a client that went away nothing can be said
		"code": code, "message": s.Message(),
		"errors": []map[string]string{{"message": s.Message(), "domain": "global", "reason": reason}},
	}})
}
