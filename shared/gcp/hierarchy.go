package gcp

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"
)

// Project is a project as Resource Manager tells of it.
type Project struct {
	ID     string
	Number string
	Name   string // that people gave it
	Parent string // folders/N or organizations/N; empty if there is none
}

// The methods' names are those of the API's gRPC form, by which quotas and retries
// know them.
const (
	listProjects = "/google.cloud.resourcemanager.v3.Projects/ListProjects"
	getProject   = "/google.cloud.resourcemanager.v3.Projects/GetProject"
	listFolders  = "/google.cloud.resourcemanager.v3.Folders/ListFolders"
	searchAssets = "/google.cloud.asset.v1.AssetService/SearchAllResources"
)

// pageSize is how much a page holds: most APIs give less if they want to.
const pageSize = "500"

// ProjectNamed reads a project by its id or number.
func (c *Cloud) ProjectNamed(ctx context.Context, id string) (Project, error) {
	p, err := overREST[listedProject](ctx, c, restCall{method: getProject, resource: "projects/" + id, api: resourceManager, path: "v3/projects/" + id})
	if err != nil {
		return Project{}, fmt.Errorf("reading project %s: %w", id, err)
	}
	return projectOf(p), nil
}

// ProjectsIn lists the active projects directly below a folder or an organisation.
func (c *Cloud) ProjectsIn(ctx context.Context, parent string) ([]Project, error) {
	var projects []Project
	err := pages(func(token string) (string, error) {
		r, err := overREST[struct {
			Projects      []listedProject
			NextPageToken string
		}](ctx, c, restCall{method: listProjects, resource: parent, api: resourceManager, path: "v3/projects", args: []string{"parent", parent, "pageSize", pageSize, "pageToken", token}})
		if err != nil {
			return "", err
		}
		for _, p := range r.Projects {
			projects = append(projects, projectOf(p))
		}
		return r.NextPageToken, nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the projects of %s: %w", parent, err)
	}
	return projects, nil
}

// FoldersIn lists the names (folders/N) of the folders directly below a folder or
// an organisation.
func (c *Cloud) FoldersIn(ctx context.Context, parent string) ([]string, error) {
	var names []string
	err := pages(func(token string) (string, error) {
		r, err := overREST[struct {
			Folders       []struct{ Name string }
			NextPageToken string
		}](ctx, c, restCall{method: listFolders, resource: parent, api: resourceManager, path: "v3/folders", args: []string{"parent", parent, "pageSize", pageSize, "pageToken", token}})
		if err != nil {
			return "", err
		}
		for _, f := range r.Folders {
			names = append(names, f.Name)
		}
		return r.NextPageToken, nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the folders of %s: %w", parent, err)
	}
	return names, nil
}

// ProjectsBelow searches Cloud Asset for the active projects anywhere below a
// folder or an organisation. What it tells is some minutes old, and it takes other
// permissions than ProjectsIn and FoldersIn.
func (c *Cloud) ProjectsBelow(ctx context.Context, scope string) ([]Project, error) {
	var projects []Project
	err := pages(func(token string) (string, error) {
		r, err := overREST[struct {
			Results       []foundResource
			NextPageToken string
		}](ctx, c, restCall{
			method: searchAssets, resource: scope, api: cloudAsset, path: "v1/" + scope + ":searchAllResources",
			args: []string{"assetTypes", "cloudresourcemanager.googleapis.com/Project", "pageSize", pageSize, "pageToken", token},
		})
		if err != nil {
			return "", err
		}
		for _, found := range r.Results {
			if found.State == "" || found.State == "ACTIVE" {
				projects = append(projects, foundProject(found))
			}
		}
		return r.NextPageToken, nil
	})
	if err != nil {
		return nil, fmt.Errorf("searching for the projects below %s: %w", scope, err)
	}
	return projects, nil
}

// listedProject is a project as Resource Manager has it.
type listedProject struct{ ProjectID, Name, DisplayName, Parent string }

func projectOf(p listedProject) Project {
	return Project{ID: p.ProjectID, Number: path.Base(p.Name), Name: p.DisplayName, Parent: p.Parent}
}

// foundResource is what Cloud Asset finds.
type foundResource struct {
	Name, Project, DisplayName, ParentFullResourceName, State string
	AdditionalAttributes                                      json.RawMessage
}

// foundProject reads the id where it is sure to be one: the name may have a number.
func foundProject(r foundResource) Project {
	var more struct {
		ID string `json:"projectId"`
	}
	_ = json.Unmarshal(r.AdditionalAttributes, &more) // without, the name has to do
	if more.ID == "" {
		more.ID = path.Base(r.Name)
	}
	return Project{
		ID: more.ID, Number: strings.TrimPrefix(r.Project, "projects/"), Name: r.DisplayName,
		Parent: strings.TrimPrefix(r.ParentFullResourceName, "//cloudresourcemanager.googleapis.com/"),
	}
}

// pages calls for page after page until there is none.
func pages(call func(token string) (next string, err error)) error {
	for token := ""; ; {
		next, err := call(token)
		if err != nil || next == "" {
			return err
		}
		token = next
	}
}
