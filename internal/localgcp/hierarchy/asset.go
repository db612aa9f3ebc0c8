package hierarchy

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/wire"
)

// maxResults is the largest page of a search, and its usual size.
const (
	maxResults     = 500
	defaultResults = 100
)

const (
	projectType = "cloudresourcemanager.googleapis.com/Project"
	folderType  = "cloudresourcemanager.googleapis.com/Folder"
	fullName    = "//cloudresourcemanager.googleapis.com/"
)

// AssetMethods are what Cloud Asset v1 tells of the hierarchy: the search for its
// projects and folders. Of queries it knows none.
func (t *Tree) AssetMethods() []wire.Method {
	return []wire.Method{{
		Verb: http.MethodGet, Path: regexp.MustCompile(`^/v1/((?:projects|folders|organizations)/[^/:]+):searchAllResources$`),
		Name: "/google.cloud.asset.v1.AssetService/SearchAllResources", Permission: "cloudasset.assets.searchAllResources",
		Run: t.search,
	}}
}

// found is Cloud Asset's ResourceSearchResult.
type found struct {
	Name                   string            `json:"name"`
	AssetType              string            `json:"assetType"`
	Project                string            `json:"project,omitempty"`
	Folders                []string          `json:"folders,omitempty"`
	Organization           string            `json:"organization,omitempty"`
	DisplayName            string            `json:"displayName"`
	Location               string            `json:"location"`
	State                  string            `json:"state"`
	CreateTime             string            `json:"createTime"`
	ParentAssetType        string            `json:"parentAssetType,omitempty"`
	ParentFullResourceName string            `json:"parentFullResourceName,omitempty"`
	AdditionalAttributes   map[string]string `json:"additionalAttributes,omitempty"`
}

func (t *Tree) search(r *wire.Request) (any, error) {
	if r.Query.Get("query") != "" {
		return nil, status.Error(codes.Unimplemented, "The embedded Cloud Asset knows no queries: leave it empty.")
	}
	if !strings.HasPrefix(r.Args[0], "projects/") {
		if err := t.exists(r.Args[0]); err != nil {
			return nil, err
		}
	}
	types := r.Query["assetTypes"]
	wanted := func(assetType string) bool { return len(types) == 0 || slices.Contains(types, assetType) }
	var all []found
	for _, f := range t.Folders(func(f Folder) bool {
		return wanted(folderType) && slices.Contains(t.ancestry(f.Name, f.Parent), r.Args[0])
	}) {
		all = append(all, t.found(f.Name, folderType, f.DisplayName, f.Parent))
	}
	for _, p := range t.Projects(func(Project) bool { return wanted(projectType) }) {
		if !slices.Contains(t.ancestry("projects/"+p.ID, p.Parent), r.Args[0]) && r.Args[0] != "projects/"+p.Number {
			continue
		}
		f := t.found("projects/"+p.ID, projectType, p.Name, p.Parent)
		f.Project, f.AdditionalAttributes = "projects/"+p.Number, map[string]string{"projectId": p.ID}
		if p.Deleted {
			f.State = "DELETE_REQUESTED"
		}
		all = append(all, f)
	}
	size := r.Size("pageSize")
	if size == 0 {
		size = defaultResults
	}
	return wire.List(r, "results", all, size, maxResults)
}

// ancestry is a resource and all above it.
func (t *Tree) ancestry(name, parent string) []string {
	return append([]string{name}, t.Ancestors(parent)...)
}

func (t *Tree) found(name, assetType, display, parent string) found {
	f := found{
		Name: fullName + name, AssetType: assetType, DisplayName: display, Location: "global", State: "ACTIVE", CreateTime: born.Format(time.RFC3339),
	}
	if parent != "" {
		f.ParentFullResourceName, f.ParentAssetType = fullName+parent, folderType
	}
	if parent == Organization {
		f.ParentAssetType = "cloudresourcemanager.googleapis.com/Organization"
	}
	for _, above := range t.Ancestors(parent) {
		if strings.HasPrefix(above, "folders/") {
			f.Folders = append(f.Folders, above)
		} else {
			f.Organization = above
		}
	}
	return f
}
