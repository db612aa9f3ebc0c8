package gcp

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"google.golang.org/api/cloudasset/v1"
	resourcemanager "google.golang.org/api/cloudresourcemanager/v3"
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
const pageSize = 500

// ProjectNamed reads a project by its id or number.
func (c *Cloud) ProjectNamed(ctx context.Context, id string) (Project, error) {
	client, err := c.resourceHierarchy(ctx)
	if err != nil {
		return Project{}, err
	}
	p, err := overREST(ctx, c, getProject, "projects/"+id, func(ctx context.Context) (*resourcemanager.Project, error) {
		return client.Projects.Get("projects/" + id).Context(ctx).Do()
	})
	if err != nil {
		return Project{}, fmt.Errorf("reading project %s: %w", id, err)
	}
	return projectOf(p), nil
}

// ProjectsIn lists the active projects directly below a folder or an organisation.
func (c *Cloud) ProjectsIn(ctx context.Context, parent string) ([]Project, error) {
	client, err := c.resourceHierarchy(ctx)
	if err != nil {
		return nil, err
	}
	var projects []Project
	err = pages(func(token string) (string, error) {
		r, err := overREST(ctx, c, listProjects, parent, func(ctx context.Context) (*resourcemanager.ListProjectsResponse, error) {
			return client.Projects.List().Parent(parent).PageSize(pageSize).PageToken(token).Context(ctx).Do()
		})
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
	client, err := c.resourceHierarchy(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	err = pages(func(token string) (string, error) {
		r, err := overREST(ctx, c, listFolders, parent, func(ctx context.Context) (*resourcemanager.ListFoldersResponse, error) {
			return client.Folders.List().Parent(parent).PageSize(pageSize).PageToken(token).Context(ctx).Do()
		})
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
	client, err := c.cloudAsset(ctx)
	if err != nil {
		return nil, err
	}
	var projects []Project
	err = pages(func(token string) (string, error) {
		r, err := overREST(ctx, c, searchAssets, scope, func(ctx context.Context) (*cloudasset.SearchAllResourcesResponse, error) {
			return client.V1.SearchAllResources(scope).AssetTypes("cloudresourcemanager.googleapis.com/Project").
				PageSize(pageSize).PageToken(token).Context(ctx).Do()
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

func projectOf(p *resourcemanager.Project) Project {
	return Project{ID: p.ProjectId, Number: path.Base(p.Name), Name: p.DisplayName, Parent: p.Parent}
}

// foundProject reads the id where it is sure to be one: the name may have a number.
func foundProject(r *cloudasset.ResourceSearchResult) Project {
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
