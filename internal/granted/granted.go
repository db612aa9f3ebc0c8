// Package granted sets the accounts of a deployment up on an embedded Google Cloud,
// with exactly the roles that package deployment gives them, and has programs call as
// them. Whoever granted them did so long ago: no audit log tells of it.
package granted

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/iam/apiv1/iampb"

	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/iam"
	"example.com/keyturn/shared/deployment"
)

// On is a site whose project is one of the embedded cloud's.
func On(project, region string) deployment.Site {
	return deployment.Site{Project: project, Number: iam.ProjectNumber(project), Region: region}
}

// Accounts makes the service accounts of a site.
func Accounts(cloud *localgcp.Cloud, site deployment.Site) error {
	for _, a := range deployment.Accounts {
		if err := cloud.IAM.AddAccount(site.Project, a.ID, a.Why); err != nil {
			return fmt.Errorf("creating service account %s: %w", a.ID, err)
		}
	}
	return nil
}

// Roles makes a site's custom roles, and gives everybody what deployment.Site.Granted
// has him have with that log writer and those subscriptions.
func Roles(cloud *localgcp.Cloud, site deployment.Site, writer string, subscriptions []string) error {
	for _, r := range deployment.Roles {
		role := &adminpb.Role{Title: r.Title, Stage: adminpb.Role_GA}
		for _, p := range r.Permissions {
			role.IncludedPermissions = append(role.IncludedPermissions, p.Name)
		}
		if _, err := cloud.Policies.Roles.Create(site.Resource(), r.ID, role); err != nil {
			return fmt.Errorf("creating role %s: %w", r.ID, err)
		}
	}
	byResource := map[string][]deployment.Grant{}
	for _, g := range site.Granted(writer, subscriptions) {
		byResource[g.On] = append(byResource[g.On], g)
	}
	for _, on := range slices.Sorted(maps.Keys(byResource)) {
		if err := grantOn(cloud, on, byResource[on]); err != nil {
			return fmt.Errorf("granting roles on %s: %w", on, err)
		}
	}
	return nil
}

// grantOn adds to the policy of a resource, which for the project names its owner.
func grantOn(cloud *localgcp.Cloud, on string, grants []deployment.Grant) error {
	if project, email, ok := strings.Cut(on, "/serviceAccounts/"); ok { // whose policy goes by the id that no other account will have
		on = project + "/serviceAccounts/" + cloud.IAM.UniqueID(email)
	}
	p := cloud.Policies.Get(on)
	for _, g := range grants {
		i := slices.IndexFunc(p.GetBindings(), func(b *iampb.Binding) bool { return b.GetRole() == g.Role })
		if i < 0 {
			i = len(p.GetBindings())
			p.Bindings = append(p.Bindings, &iampb.Binding{Role: g.Role})
		}
		p.Bindings[i].Members = append(p.Bindings[i].Members, g.Member)
	}
	_, err := cloud.Policies.Set(on, p)
	return err
}
