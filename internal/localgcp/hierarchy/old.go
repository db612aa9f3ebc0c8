package hierarchy

import (
	"net/http"
	"regexp"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/wire"
)

// created is born as these versions tell times.
var created = born.Format("2006-01-02T15:04:05.000Z")

// OldMethods are the lists of Resource Manager v1 and v2, which gcloud calls, and the
// ancestry of v1: they have no gRPC form.
func (s *Service) OldMethods() []wire.Method {
	return []wire.Method{
		{Verb: http.MethodGet, Path: regexp.MustCompile(`^/v1/(projects)$`), Name: "/google.cloud.resourcemanager.v1.Projects/ListProjects", Run: s.listV1},
		{Verb: http.MethodPost, Path: regexp.MustCompile(`^/v1/(organizations):search$`), Name: "/google.cloud.resourcemanager.v1.Organizations/SearchOrganizations", Run: s.organizationsV1},
		{
			Verb: http.MethodPost, Path: regexp.MustCompile(`^/v1/projects/([^/:]+):getAncestry$`), Name: "/google.cloud.resourcemanager.v1.Projects/GetAncestry",
			Permission: "resourcemanager.projects.get", Run: s.ancestryV1,
		},
		{Verb: http.MethodGet, Path: regexp.MustCompile(`^/v2/(folders)$`), Name: "/google.cloud.resourcemanager.v2.Folders/ListFolders", Run: s.foldersV2},
	}
}

// listV1 lists the projects that the caller may get. Of filters it knows
// lifecycleState:ACTIVE.
func (s *Service) listV1(r *wire.Request) (any, error) {
	filter := r.Query.Get("filter")
	if filter != "" && filter != "lifecycleState:ACTIVE" {
		return nil, status.Error(codes.Unimplemented, "The embedded Resource Manager filters by lifecycleState:ACTIVE only.")
	}
	found := s.cfg.Tree.Projects(func(p Project) bool {
		return (filter == "" || !p.Deleted) && s.check(r.Context, "resourcemanager.projects.get", "projects/"+p.ID) == nil
	})
	return wire.List(r, "projects", each(found, DescribeV1), r.Size("pageSize"), maxProjects)
}

// DescribeV1 is a project in the form of Resource Manager v1.
func DescribeV1(p Project) map[string]any {
	out := map[string]any{
		"projectId": p.ID, "name": p.Name, "projectNumber": p.Number, "lifecycleState": "ACTIVE", "createTime": created,
	}
	if kind, id, ok := strings.Cut(p.Parent, "s/"); ok {
		out["parent"] = map[string]string{"type": kind, "id": id}
	}
	if p.Deleted {
		out["lifecycleState"] = "DELETE_REQUESTED"
	}
	return out
}

// ancestryV1 is a project and what is above it, the nearest first.
func (s *Service) ancestryV1(r *wire.Request) (any, error) {
	p := s.cfg.Tree.Project(r.Args[0])
	all := []map[string]any{{"resourceId": map[string]string{"type": "project", "id": p.ID}}}
	for _, above := range s.cfg.Tree.Ancestors(p.Parent) {
		kind, id, _ := strings.Cut(above, "s/")
		all = append(all, map[string]any{"resourceId": map[string]string{"type": kind, "id": id}})
	}
	return map[string]any{"ancestor": all}, nil
}

func (s *Service) organizationsV1(r *wire.Request) (any, error) {
	if s.check(r.Context, "resourcemanager.organizations.get", Organization) != nil {
		return map[string]any{}, nil
	}
	return map[string]any{"organizations": []map[string]any{{
		"name": Organization, "displayName": Domain, "lifecycleState": "ACTIVE", "creationTime": created,
		"owner": map[string]string{"directoryCustomerId": "C00000001"},
	}}}, nil
}

func (s *Service) foldersV2(r *wire.Request) (any, error) {
	parent := r.Query.Get("parent")
	if err := s.listed(r.Context, "resourcemanager.folders.list", parent); err != nil {
		return nil, err
	}
	below := s.cfg.Tree.Folders(func(f Folder) bool { return f.Parent == parent })
	return wire.List(r, "folders", each(below, describeV2), r.Size("pageSize"), maxFolders)
}

func describeV2(f Folder) map[string]any {
	return map[string]any{"name": f.Name, "parent": f.Parent, "displayName": f.DisplayName, "lifecycleState": "ACTIVE", "createTime": created}
}

func each[E any](all []E, describe func(E) map[string]any) []map[string]any {
	described := make([]map[string]any, len(all))
	for i, e := range all {
		described[i] = describe(e)
	}
	return described
}
