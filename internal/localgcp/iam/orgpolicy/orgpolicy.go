// Package orgpolicy serves the Organization Policy API v2 for projects, as far as
// it is about credentials: what a project sets itself, and what comes of that and
// of its organisation's policies. IAM goes by it. Folders, organisations and custom
// constraints are left out, and changes take effect at once, not within 15 minutes.
package orgpolicy

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
	"sync"

	"cloud.google.com/go/orgpolicy/apiv2/orgpolicypb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/iam/access"
	"example.com/keyturn/internal/localgcp/iam/directory"
)

// Config sets up a Service. All fields but Log are required.
type Config struct {
	// Clock tells when a policy was set.
	Clock *clock.Clock
	// Organisation returns what the organisation of every project constrains.
	Organisation func() directory.OrgPolicy
	// AllowBoundKeys lifts BoundAPIKeys in the organisation.
	AllowBoundKeys bool
	// Number is a project's number, by which Google names it in answers.
	Number func(project string) string
	// Allows reports whether the policy of a resource grants an account a
	// permission.
	Allows func(email, permission string, resources ...string) bool
	// Log writes the audit entries; the zero Log writes none.
	Log access.Log
}

// Service implements the API for callers who hold the permissions. It is safe for
// concurrent use.
type Service struct {
	orgpolicypb.UnimplementedOrgPolicyServer
	cfg Config

	mu       sync.Mutex
	policies map[string]*orgpolicypb.Policy // by projects/ID/policies/CONSTRAINT
	ids      map[string]string              // of projects, by number
	version  uint64                         // of the newest etag
}

// New returns a service in which no project has a policy of its own.
func New(cfg Config) *Service {
	return &Service{cfg: cfg, policies: map[string]*orgpolicypb.Policy{}, ids: map[string]string{}}
}

var rules = map[string]access.Rule{
	"ListConstraints":    {Permission: "orgpolicy.constraints.list"},
	"ListPolicies":       {Permission: "orgpolicy.policies.list"},
	"GetPolicy":          {Permission: "orgpolicy.policy.get"},
	"GetEffectivePolicy": {Permission: "orgpolicy.policy.get"},
	"CreatePolicy":       {Permission: "orgpolicy.policies.create", Write: true},
	"UpdatePolicy":       {Permission: "orgpolicy.policies.update", Write: true},
	"DeletePolicy":       {Permission: "orgpolicy.policies.delete", Write: true},
}

// Register adds the service, its permission checks and its audit log included.
func (s *Service) Register(r grpc.ServiceRegistrar) {
	gate := &access.Gate{Rules: rules, Locate: s.locate, Allows: s.cfg.Allows, Log: s.cfg.Log}
	r.RegisterService(gate.Guard(orgpolicypb.OrgPolicy_ServiceDesc), s)
}

func (s *Service) locate(req any, _ string) (access.Target, error) {
	var name string
	switch r := req.(type) {
	case interface{ GetParent() string }:
		name = r.GetParent()
	case interface{ GetName() string }:
		name = r.GetName()
	case *orgpolicypb.UpdatePolicyRequest:
		name = r.GetPolicy().GetName()
	}
	project, ok := strings.CutPrefix(name, "projects/")
	project, _, _ = strings.Cut(project, "/")
	if !ok || project == "" {
		return access.Target{}, status.Errorf(codes.InvalidArgument, "Invalid resource name %q: only projects are served here.", name)
	}
	return access.Project(s.id(project), "project"), nil
}

// id is that of a project that is named by id or number. Only the number of a
// project that was called by its id before is known.
func (s *Service) id(project string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id, ok := s.ids[project]; ok {
		return id
	}
	s.ids[s.cfg.Number(project)] = project
	return project
}

// ListConstraints lists those that the service knows, on one page.
func (s *Service) ListConstraints(_ context.Context, req *orgpolicypb.ListConstraintsRequest) (*orgpolicypb.ListConstraintsResponse, error) {
	resp := &orgpolicypb.ListConstraintsResponse{}
	for _, c := range constraints {
		resp.Constraints = append(resp.Constraints, c.message(req.GetParent()))
	}
	return resp, nil
}

// ListPolicies lists what the project itself has set, on one page.
func (s *Service) ListPolicies(_ context.Context, req *orgpolicypb.ListPoliciesRequest) (*orgpolicypb.ListPoliciesResponse, error) {
	prefix := "projects/" + s.id(strings.TrimPrefix(req.GetParent(), "projects/")) + "/policies/"
	s.mu.Lock()
	defer s.mu.Unlock()
	resp := &orgpolicypb.ListPoliciesResponse{}
	for name, p := range s.policies {
		if strings.HasPrefix(name, prefix) {
			resp.Policies = append(resp.Policies, clone(p))
		}
	}
	slices.SortFunc(resp.Policies, func(a, b *orgpolicypb.Policy) int { return strings.Compare(a.GetName(), b.GetName()) })
	return resp, nil
}

// GetPolicy returns what the project itself has set for a constraint; NOT_FOUND if
// that is nothing.
func (s *Service) GetPolicy(_ context.Context, req *orgpolicypb.GetPolicyRequest) (*orgpolicypb.Policy, error) {
	key, _, err := s.resolve(req.GetName())
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.policies[key]
	if !ok {
		return nil, notFound()
	}
	return clone(p), nil
}

// GetEffectivePolicy returns what applies to the project for a constraint, without
// etag and conditions. Where nobody set anything it is the constraint's default,
// spelled out [mem].
func (s *Service) GetEffectivePolicy(_ context.Context, req *orgpolicypb.GetEffectivePolicyRequest) (*orgpolicypb.Policy, error) {
	key, c, err := s.resolve(req.GetName())
	if err != nil {
		return nil, err
	}
	project, _, _ := split(key)
	return &orgpolicypb.Policy{Name: s.shown(project, c.name), Spec: c.spec(s.effective(project, c))}, nil
}

// CreatePolicy sets a policy for a constraint that the project has none for yet.
func (s *Service) CreatePolicy(_ context.Context, req *orgpolicypb.CreatePolicyRequest) (*orgpolicypb.Policy, error) {
	key, c, err := s.resolve(req.GetPolicy().GetName())
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, exists := s.policies[key]; exists {
		return nil, status.Error(codes.AlreadyExists, "Requested entity already exists")
	}
	return s.put(key, c, req.GetPolicy())
}

// UpdatePolicy replaces the project's policy, whatever the mask says; ABORTED when
// the etag is not the current one.
func (s *Service) UpdatePolicy(_ context.Context, req *orgpolicypb.UpdatePolicyRequest) (*orgpolicypb.Policy, error) {
	key, c, err := s.resolve(req.GetPolicy().GetName())
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.policies[key]
	switch given := req.GetPolicy().GetSpec().GetEtag(); {
	case !ok:
		return nil, notFound()
	case given != "" && given != old.GetSpec().GetEtag():
		return nil, stale()
	}
	return s.put(key, c, req.GetPolicy())
}

// DeletePolicy has the project inherit again.
func (s *Service) DeletePolicy(_ context.Context, req *orgpolicypb.DeletePolicyRequest) (*emptypb.Empty, error) {
	key, _, err := s.resolve(req.GetName())
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.policies[key]
	switch {
	case !ok:
		return nil, notFound()
	case req.GetEtag() != "" && req.GetEtag() != old.GetSpec().GetEtag():
		return nil, stale()
	}
	delete(s.policies, key)
	return &emptypb.Empty{}, nil
}

// put stores a policy under its key; s.mu is held.
func (s *Service) put(key string, c constraint, given *orgpolicypb.Policy) (*orgpolicypb.Policy, error) {
	if err := check(c, given.GetSpec()); err != nil {
		return nil, err
	}
	project, _, _ := split(key)
	p := clone(given)
	p.Name = s.shown(project, c.name)
	if p.Spec == nil {
		p.Spec = &orgpolicypb.PolicySpec{}
	}
	s.version++
	p.Spec.Etag = base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, 0x07<<56|s.version))
	p.Spec.UpdateTime = timestamppb.New(s.cfg.Clock.Now())
	s.policies[key] = p
	return clone(p), nil
}

// check refuses rules of the other kind of constraint.
func check(c constraint, spec *orgpolicypb.PolicySpec) error {
	for _, r := range spec.GetRules() {
		if _, isEnforce := r.GetKind().(*orgpolicypb.PolicySpec_PolicyRule_Enforce); isEnforce == c.list {
			return status.Errorf(codes.InvalidArgument, "The policy's rules do not fit the type of constraint constraints/%s.", c.name)
		}
	}
	return nil
}

// resolve finds the key and the constraint of projects/P/policies/C.
func (s *Service) resolve(name string) (key string, c constraint, err error) {
	project, short, ok := split(name)
	if !ok {
		return "", c, status.Errorf(codes.InvalidArgument, "Invalid policy name %q: it must have the form projects/PROJECT/policies/CONSTRAINT.", name)
	}
	if c, ok = find(short); !ok {
		return "", c, notFound()
	}
	return "projects/" + s.id(project) + "/policies/" + short, c, nil
}

// shown is a policy's name in answers.
func (s *Service) shown(project, constraint string) string {
	return "projects/" + s.cfg.Number(project) + "/policies/" + constraint
}

// effective is what applies to a project.
func (s *Service) effective(project string, c constraint) rule {
	return s.merged(project, c, s.cfg.Organisation())
}

func (s *Service) merged(project string, c constraint, organisation directory.OrgPolicy) rule {
	inherited := c.unset
	if c.name == BoundAPIKeys {
		inherited.enforce = !s.cfg.AllowBoundKeys
	} else if r, ok := c.has(organisation); ok {
		inherited = r
	}
	s.mu.Lock()
	own, ok := s.policies["projects/"+project+"/policies/"+c.name]
	s.mu.Unlock()
	if !ok {
		return inherited
	}
	return c.merge(own.GetSpec(), inherited)
}

// OfProject is what the project's own policies make of the organisation's.
func (s *Service) OfProject(project string, organisation directory.OrgPolicy) directory.OrgPolicy {
	p := organisation
	for _, c := range constraints {
		if c.change != nil {
			c.change(&p, s.merged(project, c, organisation))
		}
	}
	return p
}

// Enforced reports whether a constraint without values is enforced for a project.
func (s *Service) Enforced(project, name string) bool {
	c, ok := find(name)
	return ok && s.effective(project, c).enforce
}

func clone(p *orgpolicypb.Policy) *orgpolicypb.Policy { return proto.Clone(p).(*orgpolicypb.Policy) }

func notFound() error { return status.Error(codes.NotFound, "Requested entity was not found.") }

func stale() error {
	return status.Error(codes.Aborted, "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.")
}
