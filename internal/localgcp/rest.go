package localgcp

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"example.com/keyturn/internal/localgcp/clock"
	firestoreadmin "example.com/keyturn/internal/localgcp/firestore/admin"
	"example.com/keyturn/internal/localgcp/hierarchy"
	"example.com/keyturn/internal/localgcp/iam"
	"example.com/keyturn/internal/localgcp/iam/access"
	"example.com/keyturn/internal/localgcp/iam/oauthclients"
	"example.com/keyturn/internal/localgcp/iam/workload"
	"example.com/keyturn/internal/localgcp/principal"
	"example.com/keyturn/internal/localgcp/random"
	"example.com/keyturn/internal/localgcp/storage"
	"example.com/keyturn/internal/localgcp/wire"
)

// rest sets up the resource hierarchy and the APIs that have no gRPC form.
func (c *Cloud) rest(policy *clock.Clock, ids *random.Source) {
	c.resources = hierarchy.NewService(hierarchy.Config{Tree: c.Hierarchy, Allows: c.IAM.Allows, Policy: c.Policies.Get})
	buckets := storage.New(storage.Config{Clock: policy, ProjectOf: c.IAM.ProjectOf, Random: ids, Policies: c.Policies})
	databases := firestoreadmin.New(firestoreadmin.Config{Clock: policy, Random: ids})
	pools := workload.New(workload.Config{Random: ids, Number: iam.ProjectNumber})
	clients := oauthclients.New(oauthclients.Config{Clock: policy, Random: ids})
	c.apis = []*wire.API{
		{Methods: c.resources.OldMethods(), Guard: c.guard},
		{Methods: c.Hierarchy.AssetMethods(), Guard: c.guard},
		{Methods: clients.Methods(), Guard: c.guard},
		{Methods: pools.Methods(), Guard: c.guard},
		{Methods: databases.Methods(), Guard: c.guard},
		{Methods: c.Usage.BetaMethods(), Guard: c.guard},
		{Methods: c.Activities.Methods(), Guard: c.guard},
		{Methods: buildMethods(), Guard: c.guard},
		{Methods: slices.Concat(buckets.Methods(), buckets.BucketMethods()), Guard: c.guard, Refuse: storage.Refuse},
	}
}

// guard lets a call to such an API through as the interceptors do with the others.
func (c *Cloud) guard(r *http.Request, m wire.Method, resource string, work func(context.Context) error) error {
	if !strings.Contains(resource, "/") {
		resource = access.ProjectPolicy(resource)
	}
	return c.Faults.Do(r.Context(), m.Name, nil, func() error {
		if err := c.Usage.Check(m.Name); err != nil {
			return err
		}
		caller, err := c.IAM.Caller(r)
		if err != nil {
			return err
		}
		if m.Permission != "" && !caller.IsOwner() && !c.IAM.Allows(caller.Email, m.Permission, withProject(resource)...) {
			return access.Denied(m.Permission)
		}
		return work(principal.NewContext(r.Context(), caller))
	})
}

// withProject is a resource and, if it is in one, the project that it inherits from.
func withProject(resource string) []string {
	if parts := strings.Split(resource, "/"); parts[0] == "projects" && len(parts) > 2 {
		return []string{resource, access.ProjectPolicy(parts[1])}
	}
	return []string{resource}
}
