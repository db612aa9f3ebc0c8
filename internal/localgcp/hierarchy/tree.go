// Package hierarchy is the resource hierarchy of the embedded Google Cloud:
// Resource Manager v3 (projects, folders and organisations) and what Cloud Asset
// tells of them. An organisation, its folders and its projects are there from the
// start, or are put there by tests: nothing of it can be changed by the APIs.
package hierarchy

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Organization is the one organisation, and Domain how people call it.
const (
	Organization = "organizations/100000000001"
	Domain       = "example.com"
)

// Project is one project.
type Project struct {
	ID, Number string
	Name       string // that people gave it
	Parent     string // folders/N or organizations/N
	Deleted    bool   // for 30 days, in which it can be undeleted
}

// Folder is one folder.
type Folder struct {
	Name        string // folders/N
	DisplayName string
	Parent      string // as of a Project
}

// Tree holds what there is. It is safe for concurrent use.
type Tree struct {
	number func(project string) string

	mu       sync.Mutex
	projects []Project // by number
	folders  []Folder  // by name
}

// born is when everything in the tree was made.
var born = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// New is an organisation with one project. number tells a project's number.
func New(project string, number func(project string) string) *Tree {
	t := &Tree{number: number}
	t.AddProject(Project{ID: project, Name: project, Parent: Organization})
	return t
}

// AddProject adds a project, or replaces the one of that id. Its number is filled in.
func (t *Tree) AddProject(p Project) {
	p.Number = t.number(p.ID)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.projects = slices.DeleteFunc(t.projects, func(q Project) bool { return q.ID == p.ID })
	i, _ := slices.BinarySearchFunc(t.projects, p, func(a, b Project) int { return strings.Compare(a.Number, b.Number) })
	t.projects = slices.Insert(t.projects, i, p)
}

// AddFolder adds a folder.
func (t *Tree) AddFolder(f Folder) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.folders = append(t.folders, f)
	slices.SortFunc(t.folders, func(a, b Folder) int { return cmp.Compare(a.Name, b.Name) })
}

// Projects are those that match.
func (t *Tree) Projects(match func(Project) bool) []Project { return matching(t, &t.projects, match) }

// Folders are those that match.
func (t *Tree) Folders(match func(Folder) bool) []Folder { return matching(t, &t.folders, match) }

func matching[E any](t *Tree, kept *[]E, match func(E) bool) []E {
	t.mu.Lock()
	found := slices.Clone(*kept) // match may ask the tree, too
	t.mu.Unlock()
	return slices.DeleteFunc(found, func(e E) bool { return !match(e) })
}

// Project is that of an id or a number. Any project exists, as everywhere in the
// embedded cloud: one that was not added stands under no parent.
func (t *Tree) Project(name string) Project {
	for _, p := range t.Projects(func(p Project) bool { return p.ID == name || p.Number == name }) {
		return p
	}
	return Project{ID: name, Number: t.number(name), Name: name}
}

// Ancestors are the folders and the organisation above a parent, itself included.
func (t *Tree) Ancestors(parent string) []string {
	var above []string
	for parent != "" && !slices.Contains(above, parent) {
		above = append(above, parent)
		next := ""
		for _, f := range t.Folders(func(f Folder) bool { return f.Name == parent }) {
			next = f.Parent
		}
		parent = next
	}
	return above
}

// exists fails for a parent that is not there: Google does not say whether it is
// or may not be seen.
func (t *Tree) exists(parent string) error {
	if parent == Organization || len(t.Folders(func(f Folder) bool { return f.Name == parent })) > 0 {
		return nil
	}
	return status.Error(codes.PermissionDenied, "The caller does not have permission")
}
