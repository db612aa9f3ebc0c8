package secretmanager

import (
	"context"
	"strings"

	"cloud.google.com/go/iam/apiv1/iampb"
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

// SetIamPolicy replaces the parts of a secret's policy that the mask names, as
// policy.Store.Edit does.
func (s *Service) SetIamPolicy(_ context.Context, req *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(req.GetResource()); err != nil {
		return nil, err
	}
	return s.cfg.Policies.Edit(req)
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
			(caller.IsOwner() || s.cfg.Policies.Holds(caller.Email, permission, req.GetResource(), projectOf(req.GetResource())))
	})
	return &iampb.TestIamPermissionsResponse{Permissions: granted}, err
}
