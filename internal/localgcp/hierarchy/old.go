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

// OldMethods are the lists of Resource Manager v1 and v2, which have no gRPC form
// and which gcloud calls.
func (s *Service) OldMethods() []wire.Method {
	return []wire.Method{
		{Verb: http.MethodGet, Path: regexp.MustCompile(`^/v1/(projects)$`), Name: "/google.cloud.resourcemanager.v1.Projects/ListProjects", Run: s.listV1},
		{Verb: http.MethodPost, Path: regexp.MustCompile(`^/v1/(organizations):search$`), Name: "/google.cloud.resourcemanager.v1.Organizations/SearchOrganizations", Run: s.organizationsV1},
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
	page, next, err := wire.Page(found, r.Size("pageSize"), maxProjects, r.Query.Get("pageToken"))
	if err != nil {
		return nil, err
	}
	answer := map[string]any{}
	if next != "" {
		answer["nextPageToken"] = next
	}
	var listed []map[string]any
	for _, p := range page {
		listed = append(listed, DescribeV1(p))
	}
	if len(listed) > 0 {
		answer["projects"] = listed
	}
	return answer, nil
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
	page, next, err := wire.Page(below, r.Size("pageSize"), maxFolders, r.Query.Get("pageToken"))
	if err != nil {
		return nil, err
	}
	answer := map[string]any{}
	if next != "" {
		answer["nextPageToken"] = next
	}
	var listed []map[string]any
	for _, f := range page {
		listed = append(listed, map[string]any{"name": f.Name, "parent": f.Parent, "displayName": f.DisplayName, "lifecycleState": "ACTIVE", "createTime": created})
	}
	if len(listed) > 0 {
		answer["folders"] = listed
	}
	return answer, nil
}
