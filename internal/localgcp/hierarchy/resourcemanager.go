package hierarchy

import (
	"context"
	"strings"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/resourcemanager/apiv3/resourcemanagerpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"example.com/keyturn/internal/localgcp/principal"
	"example.com/keyturn/internal/localgcp/wire"
)

// The largest pages, which are also the usual ones [mem].
const (
	maxProjects = 300
	maxFolders  = 300
)

// Config sets up a Service. All fields are required.
type Config struct {
	Tree *Tree
	// Allows reports whether a service account holds a permission by the policy of
	// a resource.
	Allows func(email, permission string, resources ...string) bool
	// Policy is the allow policy of a folder or an organisation; an empty one if
	// nobody has set any.
	Policy func(resource string) *iampb.Policy
}

// Service implements the reading methods of Resource Manager v3.
type Service struct{ cfg Config }

// NewService returns the service.
func NewService(cfg Config) *Service { return &Service{cfg} }

// The three services of the API share their names of methods.
type (
	projects struct {
		resourcemanagerpb.UnimplementedProjectsServer
		*Service
	}
	folders struct {
		resourcemanagerpb.UnimplementedFoldersServer
		*Service
	}
	organizations struct {
		resourcemanagerpb.UnimplementedOrganizationsServer
		*Service
	}
)

// Register adds Projects, Folders and Organizations.
func (s *Service) Register(r grpc.ServiceRegistrar) {
	resourcemanagerpb.RegisterProjectsServer(r, projects{Service: s})
	resourcemanagerpb.RegisterFoldersServer(r, folders{Service: s})
	resourcemanagerpb.RegisterOrganizationsServer(r, organizations{Service: s})
}

// check refuses callers without the permission on a resource.
func (s *Service) check(ctx context.Context, permission, resource string) error {
	if p := principal.FromContext(ctx); !p.IsOwner() && !s.cfg.Allows(p.Email, permission, resource) {
		return status.Error(codes.PermissionDenied, "The caller does not have permission")
	}
	return nil
}

// listed checks a list's parent and the caller's permission on it.
func (s *Service) listed(ctx context.Context, permission, parent string) error {
	if !strings.HasPrefix(parent, "folders/") && !strings.HasPrefix(parent, "organizations/") {
		return status.Error(codes.InvalidArgument, "field [parent] has issue [parent must have the form folders/FOLDER_ID or organizations/ORGANIZATION_ID]") // [mem]
	}
	if err := s.cfg.Tree.exists(parent); err != nil {
		return err
	}
	return s.check(ctx, permission, parent)
}

func projectProto(p Project) *resourcemanagerpb.Project {
	out := &resourcemanagerpb.Project{
		Name: "projects/" + p.Number, ProjectId: p.ID, DisplayName: p.Name, Parent: p.Parent,
		State: resourcemanagerpb.Project_ACTIVE, CreateTime: timestamppb.New(born),
	}
	if p.Deleted {
		out.State = resourcemanagerpb.Project_DELETE_REQUESTED
	}
	return out
}

// GetProject takes an id or a number.
func (s projects) GetProject(ctx context.Context, req *resourcemanagerpb.GetProjectRequest) (*resourcemanagerpb.Project, error) {
	name, ok := strings.CutPrefix(req.GetName(), "projects/")
	if !ok || name == "" {
		return nil, status.Error(codes.InvalidArgument, "Request contains an invalid argument.")
	}
	p := s.cfg.Tree.Project(name)
	if err := s.check(ctx, "resourcemanager.projects.get", "projects/"+p.ID); err != nil {
		return nil, err
	}
	return projectProto(p), nil
}

// ListProjects lists the projects that are directly below a parent.
func (s projects) ListProjects(ctx context.Context, req *resourcemanagerpb.ListProjectsRequest) (*resourcemanagerpb.ListProjectsResponse, error) {
	if err := s.listed(ctx, "resourcemanager.projects.list", req.GetParent()); err != nil {
		return nil, err
	}
	below := s.cfg.Tree.Projects(func(p Project) bool { return p.Parent == req.GetParent() && (!p.Deleted || req.GetShowDeleted()) })
	page, next, err := wire.Page(below, int(req.GetPageSize()), maxProjects, req.GetPageToken())
	if err != nil {
		return nil, err
	}
	resp := &resourcemanagerpb.ListProjectsResponse{NextPageToken: next}
	for _, p := range page {
		resp.Projects = append(resp.Projects, projectProto(p))
	}
	return resp, nil
}

// SearchProjects lists the projects that the caller may get. Of queries it knows
// parent:, id: and state:, joined by blanks.
func (s projects) SearchProjects(ctx context.Context, req *resourcemanagerpb.SearchProjectsRequest) (*resourcemanagerpb.SearchProjectsResponse, error) {
	match, err := parseQuery(req.GetQuery())
	if err != nil {
		return nil, err
	}
	found := s.cfg.Tree.Projects(func(p Project) bool {
		return match(p) && s.check(ctx, "resourcemanager.projects.get", "projects/"+p.ID) == nil
	})
	page, next, err := wire.Page(found, int(req.GetPageSize()), maxProjects, req.GetPageToken())
	if err != nil {
		return nil, err
	}
	resp := &resourcemanagerpb.SearchProjectsResponse{NextPageToken: next}
	for _, p := range page {
		resp.Projects = append(resp.Projects, projectProto(p))
	}
	return resp, nil
}

// parseQuery reads the query of a search for projects.
func parseQuery(query string) (func(Project) bool, error) {
	want := map[string]string{}
	for _, term := range strings.Fields(query) {
		field, value, ok := strings.Cut(strings.Replace(term, "=", ":", 1), ":")
		if field == "AND" && !ok {
			continue
		}
		if !ok || field != "parent" && field != "id" && field != "projectId" && field != "state" {
			return nil, status.Errorf(codes.InvalidArgument, "The embedded Resource Manager searches by parent, id and state, not by %q.", term)
		}
		want[field] = value
	}
	return func(p Project) bool {
		state := "ACTIVE"
		if p.Deleted {
			state = "DELETE_REQUESTED"
		}
		for field, is := range map[string]string{"parent": p.Parent, "id": p.ID, "projectId": p.ID, "state": state} {
			if w, asked := want[field]; asked && w != is {
				return false
			}
		}
		return true
	}, nil
}

func folderProto(f Folder) *resourcemanagerpb.Folder {
	return &resourcemanagerpb.Folder{
		Name: f.Name, DisplayName: f.DisplayName, Parent: f.Parent, State: resourcemanagerpb.Folder_ACTIVE, CreateTime: timestamppb.New(born),
	}
}

// GetFolder returns one folder.
func (s folders) GetFolder(ctx context.Context, req *resourcemanagerpb.GetFolderRequest) (*resourcemanagerpb.Folder, error) {
	for _, f := range s.cfg.Tree.Folders(func(f Folder) bool { return f.Name == req.GetName() }) {
		return folderProto(f), s.check(ctx, "resourcemanager.folders.get", f.Name)
	}
	return nil, s.cfg.Tree.exists(req.GetName())
}

// GetIamPolicy returns a folder's allow policy.
func (s folders) GetIamPolicy(ctx context.Context, req *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	return s.policy(ctx, "resourcemanager.folders.getIamPolicy", req)
}

// policy is an allow policy, for whoever may read it.
func (s *Service) policy(ctx context.Context, permission string, req *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	if err := s.cfg.Tree.exists(req.GetResource()); err != nil {
		return nil, err
	}
	return s.cfg.Policy(req.GetResource()), s.check(ctx, permission, req.GetResource())
}

// ListFolders lists the folders that are directly below a parent.
func (s folders) ListFolders(ctx context.Context, req *resourcemanagerpb.ListFoldersRequest) (*resourcemanagerpb.ListFoldersResponse, error) {
	if err := s.listed(ctx, "resourcemanager.folders.list", req.GetParent()); err != nil {
		return nil, err
	}
	below := s.cfg.Tree.Folders(func(f Folder) bool { return f.Parent == req.GetParent() })
	page, next, err := wire.Page(below, int(req.GetPageSize()), maxFolders, req.GetPageToken())
	if err != nil {
		return nil, err
	}
	resp := &resourcemanagerpb.ListFoldersResponse{NextPageToken: next}
	for _, f := range page {
		resp.Folders = append(resp.Folders, folderProto(f))
	}
	return resp, nil
}

func organization() *resourcemanagerpb.Organization {
	return &resourcemanagerpb.Organization{Name: Organization, DisplayName: Domain, State: resourcemanagerpb.Organization_ACTIVE, CreateTime: timestamppb.New(born)}
}

// GetOrganization returns the organisation.
func (s organizations) GetOrganization(ctx context.Context, req *resourcemanagerpb.GetOrganizationRequest) (*resourcemanagerpb.Organization, error) {
	if req.GetName() != Organization {
		return nil, status.Error(codes.PermissionDenied, "The caller does not have permission")
	}
	return organization(), s.check(ctx, "resourcemanager.organizations.get", Organization)
}

// GetIamPolicy returns an organisation's allow policy.
func (s organizations) GetIamPolicy(ctx context.Context, req *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	return s.policy(ctx, "resourcemanager.organizations.getIamPolicy", req)
}

// SearchOrganizations lists the organisation to whoever may get it.
func (s organizations) SearchOrganizations(ctx context.Context, _ *resourcemanagerpb.SearchOrganizationsRequest) (*resourcemanagerpb.SearchOrganizationsResponse, error) {
	resp := &resourcemanagerpb.SearchOrganizationsResponse{}
	if s.check(ctx, "resourcemanager.organizations.get", Organization) == nil {
		resp.Organizations = append(resp.Organizations, organization())
	}
	return resp, nil
}
