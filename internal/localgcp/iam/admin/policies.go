package admin

import (
	"context"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/iam/apiv1/iampb"

	"example.com/keyturn/internal/localgcp/iam/access"
	"example.com/keyturn/internal/localgcp/iam/directory"
	"example.com/keyturn/internal/localgcp/iam/policy"
	"example.com/keyturn/internal/localgcp/principal"
)

// GetIamPolicy returns the allow policy of a service account.
func (s *Service) GetIamPolicy(_ context.Context, req *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	a, err := s.cfg.Directory.Account(req.GetResource())
	if err != nil {
		return nil, err
	}
	return s.cfg.Policies.Get(access.AccountPolicy(a)), nil
}

// SetIamPolicy replaces the allow policy of a service account; ABORTED when the
// etag shows that it changed since it was read.
func (s *Service) SetIamPolicy(_ context.Context, req *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	a, err := s.cfg.Directory.Account(req.GetResource())
	if err != nil {
		return nil, err
	}
	return s.cfg.Policies.Set(access.AccountPolicy(a), req.GetPolicy())
}

// TestIamPermissions returns those of the permissions that the caller holds on
// a service account, by its policy or the project's.
func (s *Service) TestIamPermissions(ctx context.Context, req *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	a, err := account(s.cfg.Directory.Account, req.GetResource(), "iam.serviceAccounts.get")
	if err != nil {
		return nil, err
	}
	caller := principal.FromContext(ctx)
	granted, err := policy.Test(req.GetPermissions(), func(permission string) bool {
		return caller.IsOwner() || s.cfg.Policies.Holds(caller.Email, permission, access.ServiceAccount(a).Policies...)
	})
	return &iampb.TestIamPermissionsResponse{Permissions: granted}, err
}

// CreateRole adds a custom role to a project.
func (s *Service) CreateRole(_ context.Context, req *adminpb.CreateRoleRequest) (*adminpb.Role, error) {
	project, err := directory.SplitProjectName(req.GetParent())
	if err != nil {
		return nil, err
	}
	return s.cfg.Policies.Roles.Create(access.ProjectPolicy(project), req.GetRoleId(), req.GetRole())
}

// GetRole returns a predefined or custom role.
func (s *Service) GetRole(_ context.Context, req *adminpb.GetRoleRequest) (*adminpb.Role, error) {
	return s.cfg.Policies.Roles.Get(req.GetName())
}

// ListRoles lists a project's custom roles, or the predefined ones for an empty
// parent, in one page; permissions are shown in the FULL view only.
func (s *Service) ListRoles(_ context.Context, req *adminpb.ListRolesRequest) (*adminpb.ListRolesResponse, error) {
	if req.GetParent() != "" {
		if _, err := directory.SplitProjectName(req.GetParent()); err != nil {
			return nil, err
		}
	}
	roles := s.cfg.Policies.Roles.List(req.GetParent(), req.GetShowDeleted())
	if req.GetView() != adminpb.RoleView_FULL {
		for _, r := range roles {
			r.IncludedPermissions = nil
		}
	}
	return &adminpb.ListRolesResponse{Roles: roles}, nil
}

// UpdateRole changes the fields of a custom role that the mask names.
func (s *Service) UpdateRole(_ context.Context, req *adminpb.UpdateRoleRequest) (*adminpb.Role, error) {
	return s.cfg.Policies.Roles.Update(req.GetName(), req.GetRole(), req.GetUpdateMask().GetPaths())
}

// DeleteRole deletes a custom role softly: it stays in policies but grants nothing.
func (s *Service) DeleteRole(_ context.Context, req *adminpb.DeleteRoleRequest) (*adminpb.Role, error) {
	return s.cfg.Policies.Roles.SetDeleted(req.GetName(), true, req.GetEtag())
}

// UndeleteRole brings a deleted role back.
func (s *Service) UndeleteRole(_ context.Context, req *adminpb.UndeleteRoleRequest) (*adminpb.Role, error) {
	return s.cfg.Policies.Roles.SetDeleted(req.GetName(), false, req.GetEtag())
}

// QueryTestablePermissions lists the same permissions for every resource; gcloud
// asks for them before it creates a role.
func (s *Service) QueryTestablePermissions(_ context.Context, _ *adminpb.QueryTestablePermissionsRequest) (*adminpb.QueryTestablePermissionsResponse, error) {
	resp := &adminpb.QueryTestablePermissionsResponse{}
	for _, p := range policy.Permissions() {
		resp.Permissions = append(resp.Permissions, &adminpb.Permission{Name: p, Stage: adminpb.Permission_GA})
	}
	return resp, nil
}
