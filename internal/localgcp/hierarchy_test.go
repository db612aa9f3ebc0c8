package localgcp

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	resourcemanager "cloud.google.com/go/resourcemanager/apiv3"
	"cloud.google.com/go/resourcemanager/apiv3/resourcemanagerpb"
	restasset "google.golang.org/api/cloudasset/v1"
	restmanager "google.golang.org/api/cloudresourcemanager/v1"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/internal/localgcp/hierarchy"
)

// startOrganization has a folder in a folder, with n projects in the inner one.
func startOrganization(t *testing.T, n int) *world {
	w := start(t)
	w.cloud.Hierarchy.AddFolder(hierarchy.Folder{Name: "folders/10", DisplayName: "Outer", Parent: hierarchy.Organization})
	w.cloud.Hierarchy.AddFolder(hierarchy.Folder{Name: "folders/20", DisplayName: "Inner", Parent: "folders/10"})
	for i := range n {
		w.cloud.Hierarchy.AddProject(hierarchy.Project{ID: fmt.Sprintf("inner-%04d", i), Name: "Inner", Parent: "folders/20"})
	}
	w.cloud.Hierarchy.AddProject(hierarchy.Project{ID: "dead", Name: "Dead", Parent: "folders/20", Deleted: true})
	return w
}

// all reads an iterator of Google's clients to its end.
func all[T any](w *world, next func() (T, error)) (items []T) {
	w.Helper()
	for {
		item, err := next()
		if err == iterator.Done {
			return items
		}
		w.must(err)
		items = append(items, item)
	}
}

func TestResourceManagerListsInPages(t *testing.T) {
	w := startOrganization(t, 700)
	ctx := t.Context()
	for transport, c := range both(w, resourcemanager.NewProjectsClient, resourcemanager.NewProjectsRESTClient) {
		listed := all(w, c.ListProjects(ctx, &resourcemanagerpb.ListProjectsRequest{Parent: "folders/20"}).Next)
		dead := all(w, c.ListProjects(ctx, &resourcemanagerpb.ListProjectsRequest{Parent: "folders/20", ShowDeleted: true, PageSize: 99}).Next)
		found := all(w, c.SearchProjects(ctx, &resourcemanagerpb.SearchProjectsRequest{Query: "parent:folders/20 AND state:ACTIVE"}).Next)
		if len(listed) != 700 || len(dead) != 701 || len(found) != 700 {
			t.Errorf("%s: %d listed, %d with the deleted one, %d found", transport, len(listed), len(dead), len(found))
		}
		if p := listed[0]; p.GetParent() != "folders/20" || p.GetState() != resourcemanagerpb.Project_ACTIVE || !strings.HasPrefix(p.GetProjectId(), "inner-") || p.GetName() == "projects/"+p.GetProjectId() {
			t.Errorf("%s: %v", transport, p)
		}
		p, err := c.GetProject(ctx, &resourcemanagerpb.GetProjectRequest{Name: listed[0].GetName()}) // by number
		if err != nil || p.GetProjectId() != listed[0].GetProjectId() {
			t.Errorf("%s: %v, %v", transport, p, err)
		}
		_, err = c.ListProjects(ctx, &resourcemanagerpb.ListProjectsRequest{Parent: "folders/99"}).Next()
		if code := status.Code(err); transport == "gRPC" && code != codes.PermissionDenied {
			t.Errorf("projects of no folder: %v", err)
		}
		for _, bad := range []*resourcemanagerpb.ListProjectsRequest{{Parent: "acme"}, {Parent: "folders/20", PageToken: "x"}} {
			if _, err := c.ListProjects(ctx, bad).Next(); transport == "gRPC" && status.Code(err) != codes.InvalidArgument {
				t.Errorf("%v: %v", bad, err)
			}
		}
		if _, err := c.SearchProjects(ctx, &resourcemanagerpb.SearchProjectsRequest{Query: "colour:red"}).Next(); err == nil {
			t.Error("a query that is not understood found something")
		}
	}
	for transport, c := range both(w, resourcemanager.NewFoldersClient, resourcemanager.NewFoldersRESTClient) {
		outer := all(w, c.ListFolders(ctx, &resourcemanagerpb.ListFoldersRequest{Parent: hierarchy.Organization}).Next)
		inner := all(w, c.ListFolders(ctx, &resourcemanagerpb.ListFoldersRequest{Parent: "folders/10"}).Next)
		if len(outer) != 1 || len(inner) != 1 || inner[0].GetName() != "folders/20" {
			t.Errorf("%s: %v, %v", transport, outer, inner)
		}
		f, err := c.GetFolder(ctx, &resourcemanagerpb.GetFolderRequest{Name: "folders/20"})
		if err != nil || f.GetDisplayName() != "Inner" {
			t.Errorf("%s: %v, %v", transport, f, err)
		}
		if _, err := c.GetFolder(ctx, &resourcemanagerpb.GetFolderRequest{Name: "folders/99"}); err == nil {
			t.Errorf("%s: there is a folder that is not there", transport)
		}
	}
	for transport, c := range both(w, resourcemanager.NewOrganizationsClient, resourcemanager.NewOrganizationsRESTClient) {
		found := all(w, c.SearchOrganizations(ctx, &resourcemanagerpb.SearchOrganizationsRequest{}).Next)
		o, err := c.GetOrganization(ctx, &resourcemanagerpb.GetOrganizationRequest{Name: hierarchy.Organization})
		if len(found) != 1 || err != nil || o.GetDisplayName() != hierarchy.Domain {
			t.Errorf("%s: %v, %v, %v", transport, found, o, err)
		}
		if _, err := c.GetOrganization(ctx, &resourcemanagerpb.GetOrganizationRequest{Name: "organizations/5"}); err == nil {
			t.Errorf("%s: there is an organisation that is not there", transport)
		}
	}
}

func TestOldResourceManagerListsForGcloud(t *testing.T) {
	w := startOrganization(t, 310)
	c, err := restmanager.NewService(t.Context(), w.overREST()...)
	w.must(err)
	var ids []string
	w.must(c.Projects.List().Filter("lifecycleState:ACTIVE").Pages(t.Context(), func(page *restmanager.ListProjectsResponse) error {
		for _, p := range page.Projects {
			ids = append(ids, p.ProjectId)
		}
		return nil
	}))
	if len(ids) != 311 || !slices.Contains(ids, "acme") || slices.Contains(ids, "dead") {
		t.Errorf("%d projects", len(ids))
	}
	p, err := c.Projects.Get("acme").Do()
	if err != nil || p.Parent.Type != "organization" || p.Parent.Id != "100000000001" {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := c.Projects.List().Filter("name:x").Do(); err == nil {
		t.Error("a filter that is not understood found something")
	}
	found, err := c.Organizations.Search(&restmanager.SearchOrganizationsRequest{}).Do()
	if err != nil || len(found.Organizations) != 1 {
		t.Errorf("%+v, %v", found, err)
	}
	if code, answer := w.call("GET /v2/folders?parent=folders/10", ""); code != 200 || !strings.Contains(fmt.Sprint(answer), "folders/20") {
		t.Errorf("%d %v", code, answer)
	}
	if code, _ := w.call("GET /v2/folders?parent=folders/99", ""); code != 403 {
		t.Errorf("folders of no folder: %d", code)
	}
}

func TestCloudAssetSearchesBelowAScope(t *testing.T) {
	w := startOrganization(t, 250)
	c, err := restasset.NewService(t.Context(), w.overREST()...)
	w.must(err)
	search := func(scope string, types ...string) (names []string) {
		w.must(c.V1.SearchAllResources(scope).AssetTypes(types...).Pages(t.Context(), func(page *restasset.SearchAllResourcesResponse) error {
			for _, r := range page.Results {
				names = append(names, r.Name)
			}
			return nil
		}))
		return names
	}
	const projects = "cloudresourcemanager.googleapis.com/Project"
	if n := len(search("folders/10", projects)); n != 251 {
		t.Errorf("%d projects below the outer folder", n)
	}
	if n := len(search(hierarchy.Organization)); n != 254 {
		t.Errorf("%d projects and folders", n)
	}
	if got := search("projects/acme", projects); len(got) != 1 || got[0] != "//cloudresourcemanager.googleapis.com/projects/acme" {
		t.Errorf("%v", got)
	}
	if _, err := c.V1.SearchAllResources("folders/99").Do(); httpCode(err) != 403 {
		t.Errorf("a search in no folder: %v", err)
	}
	if _, err := c.V1.SearchAllResources("folders/10").Query("x").Do(); err == nil {
		t.Error("a query was answered")
	}
	if _, err := c.V1.SearchAllResources("folders/10").PageToken("x").Do(); err == nil {
		t.Error("a page token that nobody gave was taken")
	}
}

// What has no gRPC form has faults and permissions all the same.
func TestPlainAPIsHaveFaultsAndPermissions(t *testing.T) {
	w := start(t)
	paths := []string{
		"GET /v1/organizations/100000000001:searchAllResources", "GET /storage/v1/projects/acme/hmacKeys",
		"GET /v1/projects/acme/locations/global/oauthClients",
	}
	for _, path := range paths {
		if code, answer := w.call(path, ""); code != 200 {
			t.Errorf("%s: %d %v", path, code, answer)
		}
		if code, _ := w.call(path, "", "Authorization", "Bearer ya29.made-up"); code != 401 {
			t.Errorf("%s with a bad token: %d", path, code)
		}
		if code, _ := w.call(strings.Replace(path, "GET", "PUT", 1), ""); code != 404 {
			t.Errorf("%s by PUT: %d", path, code)
		}
	}
	w.cloud.Faults.Set(func(method string, _ any) fault.Fault {
		return fault.Fault{Before: status.Error(codes.PermissionDenied, "on purpose: "+method)}
	})
	for _, path := range paths {
		if code, answer := w.call(path, ""); code != 403 || !strings.Contains(fmt.Sprint(answer), "on purpose: /google.") {
			t.Errorf("%s: %d %v", path, code, answer)
		}
	}
}
