// Package policy keeps IAM allow policies and roles and decides what they grant.
// Errors are gRPC statuses with Google's texts.
package policy

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/genproto/googleapis/type/expr"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"example.com/keyturn/internal/localgcp/iam/condition"
)

// emptyEtag is the etag of a resource that never had a policy: "ACAB" in JSON.
var emptyEtag = []byte{0x00, 0x20, 0x01}

// Store holds the allow policies of resources. It is safe for concurrent use.
type Store struct {
	// Roles says what the roles in the policies grant.
	Roles *Roles
	// Exists reports whether there is a service account of that e-mail address.
	// Policies that name one that does not exist are refused. Nil accepts all.
	Exists func(email string) bool
	// Now is the time that conditions go by; nil is the machine's.
	Now func() time.Time
	// Number is a project's number, by which conditions know it; nil is its id.
	Number func(project string) string

	mu         sync.Mutex
	policies   map[string]*iampb.Policy        // by resource name
	conditions map[string]*condition.Condition // by expression
	uses       map[Use]int
	version    uint64 // of the newest etag
}

// NewStore returns a store without policies.
func NewStore() *Store {
	return &Store{Roles: newRoles(), policies: map[string]*iampb.Policy{}, conditions: map[string]*condition.Condition{}, uses: map[Use]int{}}
}

// Get returns the policy of a resource; an empty one if it has none.
func (s *Store) Get(resource string) *iampb.Policy {
	s.mu.Lock()
	defer s.mu.Unlock()
	return proto.Clone(s.get(resource)).(*iampb.Policy)
}

func (s *Store) get(resource string) *iampb.Policy {
	if p, ok := s.policies[resource]; ok {
		return p
	}
	return &iampb.Policy{Etag: emptyEtag}
}

// Set replaces the policy of a resource. An etag that is not the current one is
// ABORTED; without an etag the policy is replaced blindly, as at Google.
func (s *Store) Set(resource string, p *iampb.Policy) (*iampb.Policy, error) {
	if err := s.validate(p); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(p.GetEtag()) > 0 && !bytes.Equal(p.GetEtag(), s.get(resource).GetEtag()) {
		return nil, status.Error(codes.Aborted,
			"There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.")
	}
	stored := proto.Clone(p).(*iampb.Policy)
	s.version++
	stored.Etag = binary.BigEndian.AppendUint64(nil, 0x07<<56|s.version)
	s.policies[resource] = stored
	return proto.Clone(stored).(*iampb.Policy), nil
}

// Edit replaces the parts of a resource's policy that the request's mask names:
// the bindings when there is none. Errors are those of Set, and bindings with
// conditions need version 3. The policy's version is 3 when it has conditions and
// 1 otherwise, whatever it was sent as.
func (s *Store) Edit(req *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	given := req.GetPolicy()
	if given == nil {
		return nil, status.Error(codes.InvalidArgument, "Field [policy] is required.")
	}
	if conditional(given) && given.GetVersion() != 3 {
		return nil, status.Error(codes.InvalidArgument, "Bindings with conditions need policy version 3.")
	}
	next := s.Get(req.GetResource())
	next.Etag = given.GetEtag()
	paths := req.GetUpdateMask().GetPaths()
	if len(paths) == 0 {
		paths = []string{"bindings"}
	}
	for _, path := range paths {
		switch path {
		case "bindings":
			next.Bindings = given.GetBindings()
		case "audit_configs":
			next.AuditConfigs = given.GetAuditConfigs()
		case "etag", "version": // follow from the rest
		default:
			return nil, status.Errorf(codes.InvalidArgument, "Field [%s] in update_mask is unknown.", path)
		}
	}
	next.Version = 1
	if conditional(next) {
		next.Version = 3
	}
	return s.Set(req.GetResource(), next)
}

func conditional(p *iampb.Policy) bool {
	return slices.ContainsFunc(p.GetBindings(), func(b *iampb.Binding) bool { return b.GetCondition() != nil })
}

func (s *Store) validate(p *iampb.Policy) error {
	if p == nil {
		return status.Error(codes.InvalidArgument, "The policy is missing: send it in the field policy.")
	}
	for _, b := range p.GetBindings() {
		if err := s.Roles.check(b.GetRole()); err != nil {
			return err
		}
		if c := b.GetCondition(); c != nil {
			if _, err := condition.Compile(c); err != nil {
				return err
			}
		}
		for _, m := range b.GetMembers() {
			if err := s.validateMember(m); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) validateMember(m string) error {
	if m == "allUsers" || m == "allAuthenticatedUsers" {
		return nil
	}
	kind, id, ok := strings.Cut(m, ":")
	if !ok || kind == "" || id == "" {
		return status.Errorf(codes.InvalidArgument, "Invalid member %q: members have the form user:EMAIL, serviceAccount:EMAIL and so on.", m)
	}
	if s.Exists != nil && kind == "serviceAccount" && userAccount(id) && !s.Exists(id) {
		return status.Errorf(codes.InvalidArgument, "Service account %s does not exist.", id)
	}
	return nil
}

// userAccount tells the accounts that people create from Google's service agents.
func userAccount(email string) bool {
	return strings.HasSuffix(email, ".iam.gserviceaccount.com") && !strings.Contains(email, "@gcp-sa-")
}

// Delete forgets the policy of a resource that is gone.
func (s *Store) Delete(resource string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.policies, resource)
}

// Resources are those that have a policy, in no order.
func (s *Store) Resources() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.policies))
}

// Allows reports whether the policy of any of the resources grants a service
// account the permission, and notes that it was asked for. The first resource is the
// one that something is done with, by which conditions go.
func (s *Store) Allows(email, permission string, resources ...string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	use, granted := s.decide(email, permission, resources)
	s.note(use)
	return granted
}

// Holds is Allows of what is asked for nothing but to know it.
func (s *Store) Holds(email, permission string, resources ...string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, granted := s.decide(email, permission, resources)
	return granted
}

func (s *Store) decide(email, permission string, resources []string) (use Use, granted bool) {
	use = Use{Caller: email, Permission: permission}
	if len(resources) > 0 {
		use.Resource = resources[0]
	}
	for _, r := range resources {
		for _, b := range s.get(r).GetBindings() {
			if binds(b, email) && s.Roles.Grants(b.GetRole(), permission) && s.holds(b.GetCondition(), use.Resource) {
				use.On, use.Role = r, b.GetRole()
				return use, true
			}
		}
	}
	return use, false
}

// holds evaluates the condition of a binding, which may have none. It was compiled
// when it was set.
func (s *Store) holds(e *expr.Expr, resource string) bool {
	if e == nil {
		return true
	}
	c, ok := s.conditions[e.GetExpression()]
	if !ok {
		c, _ = condition.Compile(e)
		s.conditions[e.GetExpression()] = c
	}
	now, number := time.Now, func(project string) string { return project }
	if s.Now != nil {
		now = s.Now
	}
	if s.Number != nil {
		number = s.Number
	}
	return c != nil && c.Holds(condition.Of(resource, number), now())
}

func binds(b *iampb.Binding, email string) bool {
	return slices.ContainsFunc(b.GetMembers(), func(m string) bool {
		return m == "serviceAccount:"+email || m == "allUsers" || m == "allAuthenticatedUsers"
	})
}

// Test returns those of the permissions that allowed accepts, as
// testIamPermissions does; wildcards are INVALID_ARGUMENT.
func Test(permissions []string, allowed func(permission string) bool) ([]string, error) {
	var granted []string
	for _, p := range permissions {
		if !ValidPermission(p) {
			return nil, invalidPermission(p)
		}
		if allowed(p) {
			granted = append(granted, p)
		}
	}
	return granted, nil
}
