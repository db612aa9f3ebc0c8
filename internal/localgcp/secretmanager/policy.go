package secretmanager

import (
	"context"
	"slices"
	"strings"

	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/iam/policy"
	"example.com/keyturn/internal/localgcp/principal"
)

// GetIamPolicy returns the policy of a secret; an empty one when none was set.
func (s *Service) GetIamPolicy(_ context.Context, req *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(req.GetResource()); err != nil {
		return nil, err
	}
	return s.cfg.Policies.Get(req.GetResource()), nil
}

// SetIamPolicy replaces the parts of a secret's policy that the mask names:
// the bindings when there is none. A stale etag fails with Aborted; an omitted
// one is not checked. The policy's version is 3 when it has conditions and 1
// otherwise, whatever it was sent as.
func (s *Service) SetIamPolicy(_ context.Context, req *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	given := req.GetPolicy()
	if given == nil {
		return nil, required("policy")
	}
	if conditional(given) && given.GetVersion() != 3 {
		return nil, status.Error(codes.InvalidArgument, "Bindings with conditions need policy version 3.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(req.GetResource()); err != nil {
		return nil, err
	}
	next := s.cfg.Policies.Get(req.GetResource())
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
	return s.cfg.Policies.Set(req.GetResource(), next)
}

func conditional(p *iampb.Policy) bool {
	return slices.ContainsFunc(p.GetBindings(), func(b *iampb.Binding) bool { return b.GetCondition() != nil })
}

// TestIamPermissions returns those of the permissions that the caller holds by
// the policies of the secret and its project; the owner holds all of Secret
// Manager's. Of a secret that does not exist nobody holds any, and that is no
// error, as at Google.
func (s *Service) TestIamPermissions(ctx context.Context, req *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	s.mu.Lock()
	_, exists := s.secrets[req.GetResource()]
	s.mu.Unlock()
	caller := principal.FromContext(ctx)
	granted, err := policy.Test(req.GetPermissions(), func(permission string) bool {
		return exists && strings.HasPrefix(permission, "secretmanager.") &&
			(caller.IsOwner() || s.cfg.Policies.Allows(caller.Email, permission, req.GetResource(), projectOf(req.GetResource())))
	})
	return &iampb.TestIamPermissionsResponse{Permissions: granted}, err
}
