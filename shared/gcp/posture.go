package gcp

import (
	"context"
	"slices"
	"sync"
	"time"

	"example.com/keyturn/shared/inventory"
	"example.com/keyturn/shared/posture"
	"golang.org/x/sync/errgroup"
)

// readers are how many calls of a posture are under way at once.
const readers = 8

// Posture reads what package posture judges besides the credentials: allow policies,
// the roles in them, and organisation policies. What cannot be read is noted there,
// with the reason; the error is ctx's. now tells policy time.
func (c *Cloud) Posture(ctx context.Context, credentials inventory.Snapshot, now func() time.Time) (posture.Snapshot, error) {
	s := posture.Snapshot{Inventory: credentials, Projects: map[string]posture.Project{}, World: c.Endpoint()}
	for i := range credentials.Projects {
		if p := &credentials.Projects[i]; !p.Outside {
			s.Projects[p.ID] = c.postureOf(ctx, p, now)
		}
	}
	return s, ctx.Err()
}

func (c *Cloud) postureOf(ctx context.Context, p *inventory.Project, now func() time.Time) posture.Project {
	r := postureReader{ctx: ctx, now: now}
	r.SetLimit(readers)
	got := posture.Project{Secrets: map[string]posture.Read[[]posture.Binding]{}, Roles: map[string]posture.Read[bool]{}, Constraints: map[string]posture.Read[posture.Constraint]{}}
	r.Go(func() error {
		got.Policy = readPart(&r, posture.ProjectPolicy, "projects/"+p.ID, func() ([]posture.Binding, error) { return c.ProjectPolicy(ctx, p.ID) })
		return nil
	})
	for _, s := range p.Secrets {
		if posture.Keeps(s) {
			into(&r, got.Secrets, s.Name, posture.SecretPolicy, s.Name, func() ([]posture.Binding, error) { return c.SecretPolicy(ctx, s.Name) })
		}
	}
	for _, constraint := range posture.Constraints() {
		into(&r, got.Constraints, constraint, posture.OrgPolicies, "projects/"+p.ID+"/policies/"+constraint, func() (posture.Constraint, error) { return c.EffectivePolicy(ctx, p.ID, constraint) })
	}
	_ = r.Wait() // what went wrong is in what was read
	for _, role := range rolesIn(got) {
		into(&r, got.Roles, role, posture.Roles, role, func() (bool, error) {
			permissions, err := c.RolePermissions(ctx, role)
			return slices.Contains(permissions, posture.AccessPermission), err
		})
	}
	_ = r.Wait()
	return got
}

// rolesIn are the roles that decide who reads the secrets that were looked at.
func rolesIn(p posture.Project) (roles []string) {
	if len(p.Secrets) == 0 {
		return nil
	}
	policies := [][]posture.Binding{p.Policy.Value}
	for _, s := range p.Secrets {
		policies = append(policies, s.Value)
	}
	for _, policy := range policies {
		for _, b := range policy {
			roles = append(roles, b.Role)
		}
	}
	slices.Sort(roles)
	return slices.Compact(roles)
}

// postureReader reads several parts at once.
type postureReader struct {
	errgroup.Group
	ctx context.Context
	now func() time.Time
	mu  sync.Mutex
}

// into reads a part into a map, under a name.
func into[T any](r *postureReader, all map[string]posture.Read[T], name string, part inventory.Part, of string, read func() (T, error)) {
	r.Go(func() error {
		v := readPart(r, part, of, read)
		r.mu.Lock()
		defer r.mu.Unlock()
		all[name] = v
		return nil
	})
}

func readPart[T any](r *postureReader, part inventory.Part, of string, read func() (T, error)) posture.Read[T] {
	v, err := read()
	if err != nil {
		gap := GapOf(part, of, err)
		return posture.Read[T]{At: r.now(), Gap: &gap}
	}
	return posture.Read[T]{Value: v, At: r.now()}
}

// GapOf says why a part could not be read.
func GapOf(part inventory.Part, of string, err error) inventory.Gap {
	d := Diagnose(err)
	g := inventory.Gap{Part: part, Of: of, Cause: inventory.Failed, Detail: d.Means, Next: d.Next}
	switch {
	case IsAPIDisabled(err):
		g.Cause = inventory.APIDisabled
	case IsPermissionDenied(err):
		g.Cause = inventory.NoPermission
	}
	return g
}
