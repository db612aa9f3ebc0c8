// Package admin serves the IAM Admin API v1: service accounts, their keys and
// policies, and custom roles.
package admin

import (
	"strings"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/iam/access"
	"example.com/keyturn/internal/localgcp/iam/directory"
	"example.com/keyturn/internal/localgcp/iam/policy"
)

// Config sets up a Service. All fields but Log are required.
type Config struct {
	// Directory holds the accounts and keys.
	Directory *directory.Directory
	// Policies holds the accounts' allow policies and the roles.
	Policies *policy.Store
	// TokenURL returns the token endpoint's address for the key files.
	TokenURL func() string
	// Log writes the audit entries; the zero Log writes none.
	Log access.Log
}

// Service implements the API for callers who hold the permissions.
type Service struct {
	adminpb.UnimplementedIAMServer
	cfg Config
}

// rules leaves TestIamPermissions out: anyone may ask what they may do.
var rules = map[string]access.Rule{
	"ListServiceAccounts":      {Permission: "iam.serviceAccounts.list"},
	"GetServiceAccount":        {Permission: "iam.serviceAccounts.get"},
	"CreateServiceAccount":     {Permission: "iam.serviceAccounts.create", Write: true},
	"UpdateServiceAccount":     {Permission: "iam.serviceAccounts.update", Write: true},
	"PatchServiceAccount":      {Permission: "iam.serviceAccounts.update", Write: true},
	"DeleteServiceAccount":     {Permission: "iam.serviceAccounts.delete", Write: true},
	"UndeleteServiceAccount":   {Permission: "iam.serviceAccounts.undelete", Write: true},
	"EnableServiceAccount":     {Permission: "iam.serviceAccounts.enable", Write: true},
	"DisableServiceAccount":    {Permission: "iam.serviceAccounts.disable", Write: true},
	"ListServiceAccountKeys":   {Permission: "iam.serviceAccountKeys.list"},
	"GetServiceAccountKey":     {Permission: "iam.serviceAccountKeys.get"},
	"CreateServiceAccountKey":  {Permission: "iam.serviceAccountKeys.create", Write: true},
	"UploadServiceAccountKey":  {Permission: "iam.serviceAccountKeys.create", Write: true},
	"DeleteServiceAccountKey":  {Permission: "iam.serviceAccountKeys.delete", Write: true},
	"DisableServiceAccountKey": {Permission: "iam.serviceAccountKeys.disable", Write: true},
	"EnableServiceAccountKey":  {Permission: "iam.serviceAccountKeys.enable", Write: true},
	"GetIamPolicy":             {Permission: "iam.serviceAccounts.getIamPolicy"},
	"SetIamPolicy":             {Permission: "iam.serviceAccounts.setIamPolicy", Write: true},
	"GetRole":                  {Permission: "iam.roles.get"},
	"ListRoles":                {Permission: "iam.roles.list"},
	"CreateRole":               {Permission: "iam.roles.create", Write: true},
	"UpdateRole":               {Permission: "iam.roles.update", Write: true},
	"DeleteRole":               {Permission: "iam.roles.delete", Write: true},
	"UndeleteRole":             {Permission: "iam.roles.undelete", Write: true},
}

// New returns the service.
func New(cfg Config) *Service { return &Service{cfg: cfg} }

// Register adds the service, its permission checks and its audit log included.
func (s *Service) Register(r grpc.ServiceRegistrar) {
	gate := &access.Gate{Rules: rules, Locate: s.locate, Allows: s.cfg.Policies.Allows, Log: s.cfg.Log}
	r.RegisterService(gate.Guard(desc()), s)
}

func (s *Service) locate(req any, permission string) (access.Target, error) {
	switch r := req.(type) {
	case *adminpb.CreateServiceAccountRequest:
		return located(r.GetName(), "service_account")
	case *adminpb.ListServiceAccountsRequest:
		return located(r.GetName(), "project")
	case *adminpb.CreateRoleRequest:
		return located(r.GetParent(), "iam_role")
	case *adminpb.ListRolesRequest:
		return locateRoles(r.GetParent())
	case *adminpb.GetRoleRequest, *adminpb.UpdateRoleRequest, *adminpb.DeleteRoleRequest, *adminpb.UndeleteRoleRequest:
		name := r.(interface{ GetName() string }).GetName()
		parent, _, _ := strings.Cut(name, "roles/")
		return locateRoles(strings.TrimSuffix(parent, "/"))
	case *adminpb.UndeleteServiceAccountRequest:
		a, err := account(s.cfg.Directory.Deleted, r.GetName(), permission)
		return access.ServiceAccount(a), err
	}
	a, err := account(s.cfg.Directory.Account, accountName(req), permission)
	return access.ServiceAccount(a), err
}

// locateRoles finds whose roles they are: a project's, or, without a parent, the
// predefined ones, which anyone may look at and nobody can change.
func locateRoles(parent string) (access.Target, error) {
	if parent == "" {
		return access.Target{Open: true}, nil
	}
	return located(parent, "iam_role")
}

func located(project, resourceType string) (access.Target, error) {
	id, err := directory.SplitProjectName(project)
	return access.Project(id, resourceType), err
}

// accountName is the service account that a request is about, whichever field
// names it; a key's name is cut to its account's.
func accountName(req any) string {
	var name string
	switch r := req.(type) {
	case *adminpb.PatchServiceAccountRequest:
		name = r.GetServiceAccount().GetName()
	case interface{ GetResource() string }:
		name = r.GetResource()
	case interface{ GetName() string }:
		name = r.GetName()
	}
	name, _, _ = strings.Cut(name, "/keys/")
	return name
}

// account finds an account. One that is missing under projects/- is answered
// with a misleading 403, as at Google.
func account(find func(string) (directory.Account, error), name, permission string) (directory.Account, error) {
	a, err := find(name)
	if status.Code(err) == codes.NotFound && strings.HasPrefix(name, "projects/-/") {
		return a, access.Denied(permission)
	}
	return a, err
}
