// Package workload serves the pools and providers of IAM's workload identity federation,
// which are part of IAM v1 over REST alone. It exchanges no tokens.
package workload

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/random"
	"example.com/keyturn/internal/localgcp/wire"
)

// Config sets up a Service. All fields are required.
type Config struct {
	Random *random.Source
	Number func(project string) string // by which pools are named
}

// Service keeps the pools and their providers. It is safe for concurrent use.
type Service struct {
	cfg Config

	mu  sync.Mutex
	all []*entry // oldest first
}

// New returns a service without pools.
func New(cfg Config) *Service { return &Service{cfg: cfg} }

// entry is IAM's WorkloadIdentityPool, or the WorkloadIdentityPoolProvider of one.
type entry struct {
	Name        string            `json:"name"`
	State       string            `json:"state"`
	DisplayName string            `json:"displayName,omitempty"`
	Description string            `json:"description,omitempty"`
	Disabled    bool              `json:"disabled,omitempty"`
	Mapping     map[string]string `json:"attributeMapping,omitempty"`
	Condition   string            `json:"attributeCondition,omitempty"`
	OIDC        *oidc             `json:"oidc,omitempty"`
}

type oidc struct {
	Issuer    string   `json:"issuerUri"`
	Audiences []string `json:"allowedAudiences,omitempty"`
}

const (
	parent   = `^/v1/projects/([^/]+)/locations/global/workloadIdentityPools`
	provider = `/([^/:]+)/providers`
	one      = `/([^/:]+)`
	service  = "/google.iam.v1.WorkloadIdentityPools/" // of our own making: the API has no gRPC form
	maxPage  = 1000
)

// Methods are those of the API.
func (s *Service) Methods() []wire.Method {
	var all []wire.Method
	for _, kind := range []struct{ path, name, permission, query string }{
		{parent, "WorkloadIdentityPool", "iam.workloadIdentityPools.", "workloadIdentityPoolId"},
		{parent + provider, "WorkloadIdentityPoolProvider", "iam.workloadIdentityPoolProviders.", "workloadIdentityPoolProviderId"},
	} {
		method := func(verb, path, does, permission string, run func(*wire.Request) (any, error)) {
			all = append(all, wire.Method{
				Verb: verb, Path: regexp.MustCompile(kind.path + path + `$`), Name: service + does + kind.name, Permission: kind.permission + permission,
				Run: func(r *wire.Request) (any, error) {
					s.mu.Lock()
					defer s.mu.Unlock()
					return run(r)
				},
			})
		}
		method(http.MethodGet, "", "List", "list", func(r *wire.Request) (any, error) { return s.list(r, kind.name) })
		method(http.MethodPost, "", "Create", "create", func(r *wire.Request) (any, error) { return s.create(r, r.Query.Get(kind.query), kind.name) })
		method(http.MethodGet, one, "Get", "get", s.get)
		method(http.MethodPatch, one, "Update", "update", s.update)
		method(http.MethodDelete, one, "Delete", "delete", s.remove)
		method(http.MethodPost, one+":undelete", "Undelete", "undelete", s.undelete)
	}
	return all
}

// name is what a request is about: a pool, or a provider, or where they are.
func (s *Service) name(r *wire.Request) string {
	project := r.Args[0]
	if strings.Trim(project, "0123456789") != "" {
		project = s.cfg.Number(project)
	}
	full := "projects/" + project + "/locations/global/workloadIdentityPools"
	if len(r.Args) > 1 {
		full += "/" + r.Args[1]
	}
	if len(r.Args) > 2 {
		full += "/providers/" + r.Args[2]
	}
	return full
}

// collection is that of what a request lists, or makes.
func (s *Service) collection(r *wire.Request) string {
	if len(r.Args) > 1 {
		return s.name(r) + "/providers/"
	}
	return s.name(r) + "/"
}

func (s *Service) list(r *wire.Request, kind string) (any, error) {
	var found []entry
	dead := strings.EqualFold(r.Query.Get("showDeleted"), "true")
	for _, e := range s.all {
		if id, ok := strings.CutPrefix(e.Name, s.collection(r)); ok && !strings.Contains(id, "/") && (dead || e.State == "ACTIVE") {
			found = append(found, *e)
		}
	}
	return wire.List(r, "w"+kind[1:]+"s", found, r.Size("pageSize"), maxPage)
}

var idForm = regexp.MustCompile(`^[a-z0-9-]{4,32}$`)

func (s *Service) create(r *wire.Request, id, kind string) (any, error) {
	e := &entry{}
	if err := r.Decode(e); err != nil {
		return nil, err
	}
	e.Name, e.State = s.collection(r)+id, "ACTIVE"
	provides := kind == "WorkloadIdentityPoolProvider"
	switch {
	case !idForm.MatchString(id) || strings.HasPrefix(id, "gcp-"):
		return nil, status.Errorf(codes.InvalidArgument, "Invalid id %q: it must match %s and not begin with gcp-.", id, idForm) // [mem]
	case s.index(e.Name) >= 0:
		return nil, status.Error(codes.AlreadyExists, "Requested entity already exists")
	case provides && s.index(s.name(r)) < 0:
		return nil, notFound
	}
	if err := e.check(provides); err != nil {
		return nil, err
	}
	s.all = append(s.all, e)
	return s.done(e), nil
}

// check refuses a provider that Google refuses: without a subject, or without a condition
// where everybody's repositories have the same issuer [mem: the texts].
func (e *entry) check(provides bool) error {
	switch {
	case !provides:
	case e.OIDC == nil || !strings.HasPrefix(e.OIDC.Issuer, "https://"):
		return status.Error(codes.InvalidArgument, "The issuer URI must be an HTTPS URI.")
	case e.Mapping["google.subject"] == "":
		return status.Error(codes.InvalidArgument, "The attribute mapping must map google.subject.")
	case e.Condition == "" && slices.Contains([]string{"https://token.actions.githubusercontent.com", "https://gitlab.com"}, e.OIDC.Issuer):
		return status.Error(codes.InvalidArgument, "The attribute condition must reference one of the provider's claims.")
	}
	return nil
}

var notFound = status.Error(codes.NotFound, "Requested entity was not found.")

func (s *Service) index(full string) int {
	return slices.IndexFunc(s.all, func(e *entry) bool { return e.Name == full })
}

func (s *Service) find(r *wire.Request) (*entry, error) {
	i := s.index(s.name(r))
	if i < 0 {
		return nil, notFound
	}
	return s.all[i], nil
}

func (s *Service) get(r *wire.Request) (any, error) {
	e, err := s.find(r)
	if err != nil {
		return nil, err
	}
	return *e, nil
}

func (s *Service) update(r *wire.Request) (any, error) {
	e, err := s.find(r)
	if err != nil {
		return nil, err
	}
	var want entry
	if err := r.Decode(&want); err != nil {
		return nil, err
	}
	next := *e
	for _, field := range strings.Split(r.Query.Get("updateMask"), ",") {
		switch field {
		case "displayName":
			next.DisplayName = want.DisplayName
		case "description":
			next.Description = want.Description
		case "disabled":
			next.Disabled = want.Disabled
		case "attributeMapping":
			next.Mapping = maps.Clone(want.Mapping)
		case "attributeCondition":
			next.Condition = want.Condition
		case "oidc", "oidc.issuerUri":
			next.OIDC = want.OIDC
		default:
			return nil, status.Errorf(codes.InvalidArgument, "Invalid update mask: %q cannot be updated.", field)
		}
	}
	if err := next.check(strings.Contains(next.Name, "/providers/")); err != nil {
		return nil, err
	}
	*e = next
	return s.done(e), nil
}

// remove deletes for 30 days, in which the id is taken.
func (s *Service) remove(r *wire.Request) (any, error) { return s.enter(r, "ACTIVE", "DELETED") }

func (s *Service) undelete(r *wire.Request) (any, error) { return s.enter(r, "DELETED", "ACTIVE") }

func (s *Service) enter(r *wire.Request, from, to string) (any, error) {
	e, err := s.find(r)
	switch {
	case err != nil:
		return nil, err
	case e.State != from:
		return nil, status.Errorf(codes.FailedPrecondition, "The entity is in state %s.", e.State) // [mem]
	}
	e.State = to
	return s.done(e), nil
}

// done is an operation that has ended.
func (s *Service) done(e *entry) map[string]any {
	return map[string]any{"name": e.Name + "/operations/" + s.cfg.Random.Text(20), "done": true, "response": map[string]any{"@type": "type.googleapis.com/google.iam.v1.WorkloadIdentityPool", "name": e.Name}}
}
