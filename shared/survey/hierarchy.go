package survey

import (
	"context"
	"slices"
	"strings"

	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/inventory"
)

// list finds the projects of the scope, and adds the one of keyturn's secrets.
func (s *survey) list(ctx context.Context) error {
	found := &projects{cloud: s.Cloud}
	var err error
	if id, ok := strings.CutPrefix(s.Scope, "projects/"); ok {
		err = found.one(ctx, id)
	} else {
		err = found.below(ctx, s.Scope)
	}
	if err != nil {
		return err
	}
	if s.Home != "" && !found.has(s.Home) {
		found.list = append(found.list, inventory.Project{ID: s.Home, Outside: true})
	}
	return s.finished(func() {
		s.state.Snapshot.Projects, s.state.Snapshot.Gaps, s.state.Listed = found.list, found.gaps, true
	})
}

// projects are those found so far.
type projects struct {
	cloud *gcp.Cloud
	list  []inventory.Project
	gaps  []inventory.Gap
}

func (p *projects) has(id string) bool {
	return slices.ContainsFunc(p.list, func(known inventory.Project) bool { return known.ID == id })
}

func (p *projects) add(found []gcp.Project) {
	for _, f := range found {
		if !p.has(f.ID) {
			p.list = append(p.list, inventory.Project{ID: f.ID, Number: f.Number, Name: f.Name, Parent: f.Parent})
		}
	}
}

// one is a project by itself, which may be read though it may not be looked at.
func (p *projects) one(ctx context.Context, id string) error {
	found, err := p.cloud.ProjectNamed(ctx, id)
	switch {
	case stops(ctx, err):
		return err
	case err != nil:
		p.list = append(p.list, inventory.Project{ID: id, Gaps: []inventory.Gap{gcp.GapOf(inventory.Projects, "projects/"+id, err)}})
	default:
		p.add([]gcp.Project{found})
	}
	return nil
}

// below walks down from a folder or an organisation by Resource Manager, which is
// never out of date. Where that is not allowed, Cloud Asset may be.
func (p *projects) below(ctx context.Context, scope string) error {
	for todo := []string{scope}; len(todo) > 0; {
		parent := todo[0]
		todo = todo[1:]
		here, gap, err := read(ctx, parent, inventory.Projects, func() ([]gcp.Project, error) { return p.cloud.ProjectsIn(ctx, parent) })
		if err != nil {
			return err
		}
		p.add(here)
		folders, noFolders, err := read(ctx, parent, inventory.Folders, func() ([]string, error) { return p.cloud.FoldersIn(ctx, parent) })
		if err != nil {
			return err
		}
		todo = append(todo, folders...)
		if gap == nil && noFolders == nil {
			continue
		}
		if err := p.search(ctx, parent, gap, noFolders); err != nil {
			return err
		}
	}
	return nil
}

// search asks Cloud Asset for what Resource Manager did not tell.
func (p *projects) search(ctx context.Context, parent string, gaps ...*inventory.Gap) error {
	found, gap, err := read(ctx, parent, inventory.Projects, func() ([]gcp.Project, error) { return p.cloud.ProjectsBelow(ctx, parent) })
	if err != nil {
		return err
	}
	p.add(found)
	if gap == nil {
		return nil
	}
	for _, g := range gaps {
		if g != nil {
			g.Detail += "; and Cloud Asset: " + gap.Detail
			p.gaps = append(p.gaps, *g)
		}
	}
	return nil
}

// read makes a gap of an error that is about what was asked for.
func read[T any](ctx context.Context, of string, part inventory.Part, call func() ([]T, error)) ([]T, *inventory.Gap, error) {
	list, err := call()
	if stops(ctx, err) {
		return nil, nil, err
	}
	if err != nil {
		gap := gcp.GapOf(part, of, err)
		return nil, &gap, nil
	}
	return list, nil, nil
}
