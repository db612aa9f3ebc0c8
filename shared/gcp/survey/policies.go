package survey

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/api/cloudresourcemanager/v1"
	resourcemanager "google.golang.org/api/cloudresourcemanager/v3"

	"example.com/keyturn/shared/deployment"
	"example.com/keyturn/shared/gcp"
)

// policies reads the policies of the project and of what there is of the deployment.
func (l *look) policies(ctx context.Context) {
	var mu sync.Mutex
	l.o.Policies = map[string]deployment.Part[deployment.Policy]{}
	together(l.resources(), func(on string) {
		p, err := l.policy(ctx, on)
		if on != l.site.Resource() && gcp.IsNotFound(err) {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		l.o.Policies[on] = known(p, err)
	})
}

// resources are those whose policies matter.
func (l *look) resources() []string {
	all := map[string]bool{l.site.Resource(): true}
	for _, t := range deployment.Topics {
		if name := l.site.Topic(t.ID); l.o.Topics.Value[name] {
			all[name] = true
		}
	}
	for name, seal := range l.o.Seals {
		if seal.Value != nil {
			all[name] = true
		}
	}
	for _, s := range l.o.Subscriptions.Value {
		if l.o.Topics.Value[s.Topic] && s.Endpoint != "" && slices.ContainsFunc(deployment.Topics, func(t deployment.Topic) bool { return s.Topic == l.site.Topic(t.ID) }) {
			all[s.Name] = true
		}
	}
	for _, f := range deployment.Functions {
		d, deployed := l.o.Functions.Value[l.site.Function(f.Name)]
		if deployed {
			all[l.site.Service(f.Name)] = true
		}
		if secret, _, ok := strings.Cut(d.Environment["KEYTURN_ALERTS"], "/versions/"); ok {
			all[secret] = true
		}
	}
	for email := range l.o.Accounts.Value {
		all[l.site.Resource()+"/serviceAccounts/"+email] = true
	}
	for _, name := range l.o.Ancestors.Value {
		all[name] = true
	}
	for _, c := range l.o.Credentials.Value[:min(len(l.o.Credentials.Value), maxSecrets)] {
		all[c.Secret] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// maxSecrets is of how many credentials' secrets the policies are read, which count
// where the project's does not grant what rotating takes. It is a quarter of what may
// be read in a minute.
const maxSecrets = 150

// ancestors are what is above the project.
func (l *look) ancestors(ctx context.Context) {
	a, err := l.projects.Projects.GetAncestry(l.Cloud.Project(), &cloudresourcemanager.GetAncestryRequest{}).Context(ctx).Do()
	if err != nil {
		l.o.Ancestors.Unread = unread(gcp.RESTError(err))
		return
	}
	for _, one := range a.Ancestor {
		if id := one.ResourceId; id != nil && id.Type != "project" {
			l.o.Ancestors.Value = append(l.o.Ancestors.Value, id.Type+"s/"+id.Id)
		}
	}
}

// inherited reads the policy of a folder or an organisation: what it says of accounts
// of this project, and of those that may be among many.
func (l *look) inherited(ctx context.Context, on string) (deployment.Policy, error) {
	req := &resourcemanager.GetIamPolicyRequest{Options: &resourcemanager.GetPolicyOptions{RequestedPolicyVersion: 3}}
	var p *resourcemanager.Policy
	var err error
	if strings.HasPrefix(on, "folders/") {
		p, err = l.above.Folders.GetIamPolicy(on, req).Context(ctx).Do()
	} else {
		p, err = l.above.Organizations.GetIamPolicy(on, req).Context(ctx).Do()
	}
	if err != nil {
		return deployment.Policy{}, gcp.RESTError(err)
	}
	var out deployment.Policy
	for _, b := range p.Bindings {
		binding := deployment.Binding{Role: b.Role, Members: slices.DeleteFunc(b.Members, func(m string) bool { return !l.site.Concerns(m) })}
		if b.Condition != nil {
			binding.Condition = cmp.Or(b.Condition.Title, b.Condition.Expression, "a condition")
		}
		if len(binding.Members) > 0 {
			out.Bindings = append(out.Bindings, binding)
		}
	}
	return out, nil
}

// policy reads one, by the API that the resource belongs to.
func (l *look) policy(ctx context.Context, on string) (deployment.Policy, error) {
	req := &iampb.GetIamPolicyRequest{Resource: on, Options: &iampb.GetPolicyOptions{RequestedPolicyVersion: 3}}
	var p *iampb.Policy
	var err error
	switch {
	case on == l.site.Resource():
		return l.projectPolicy(ctx)
	case deployment.Above(on):
		return l.inherited(ctx, on)
	case strings.Contains(on, "/topics/"):
		p, err = l.clients.topics.GetIamPolicy(ctx, req)
	case strings.Contains(on, "/subscriptions/"):
		p, err = l.clients.subscriptions.GetIamPolicy(ctx, req)
	case strings.Contains(on, "/services/"):
		p, err = l.services.GetIamPolicy(ctx, req)
	case strings.Contains(on, "/secrets/"):
		p, err = l.secrets.GetIamPolicy(ctx, req)
	default:
		policy, failed := l.iam.GetIamPolicy(ctx, req)
		if failed != nil {
			return deployment.Policy{}, failed
		}
		p = policy.InternalProto
	}
	return policyOf(p), err
}

func policyOf(p *iampb.Policy) deployment.Policy {
	var out deployment.Policy
	for _, b := range p.GetBindings() {
		c := b.GetCondition()
		out.Bindings = append(out.Bindings, deployment.Binding{Role: b.GetRole(), Members: b.GetMembers(), Condition: cmp.Or(c.GetTitle(), c.GetExpression())})
	}
	return out
}

// projectPolicy also tells which Data Access logs are on.
func (l *look) projectPolicy(ctx context.Context) (deployment.Policy, error) {
	p, err := l.projects.Projects.GetIamPolicy(l.Cloud.Project(), &cloudresourcemanager.GetIamPolicyRequest{
		Options: &cloudresourcemanager.GetPolicyOptions{RequestedPolicyVersion: 3},
	}).Context(ctx).Do()
	if err != nil {
		return deployment.Policy{}, gcp.RESTError(err)
	}
	var out deployment.Policy
	for _, b := range p.Bindings {
		binding := deployment.Binding{Role: b.Role, Members: b.Members}
		if b.Condition != nil {
			binding.Condition = cmp.Or(b.Condition.Title, b.Condition.Expression, "a condition")
		}
		out.Bindings = append(out.Bindings, binding)
	}
	logs := map[string][]string{}
	for _, c := range p.AuditConfigs {
		for _, one := range c.AuditLogConfigs {
			logs[c.Service] = append(logs[c.Service], one.LogType)
		}
	}
	l.o.Project.Value.AuditLogs = logs
	return out, nil
}

// roles reads what the roles of the policies hold, and keyturn's own.
func (l *look) roles(ctx context.Context) {
	names := map[string]bool{}
	for _, r := range deployment.Roles {
		names[l.site.Expand(r.Name())] = true
	}
	for _, p := range l.o.Policies {
		for _, b := range p.Value.Bindings {
			names[b.Role] = true
		}
	}
	var mu sync.Mutex
	l.o.Roles = map[string]deployment.Part[deployment.RoleState]{}
	together(slices.Sorted(maps.Keys(names)), func(name string) {
		state, err := l.role(ctx, name)
		mu.Lock()
		defer mu.Unlock()
		l.o.Roles[name] = known(state, err)
	})
}

func (l *look) role(ctx context.Context, name string) (deployment.RoleState, error) {
	r, err := l.iam.GetRole(ctx, &adminpb.GetRoleRequest{Name: name})
	if gcp.IsNotFound(err) {
		return deployment.RoleState{Gone: true}, nil
	}
	if r.GetDeleted() {
		return deployment.RoleState{Gone: true, Deleted: true}, err
	}
	return deployment.RoleState{Permissions: r.GetIncludedPermissions()}, err
}
