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
	return slices.Sorted(maps.Keys(all))
}

// policy reads one, by the API that the resource belongs to.
func (l *look) policy(ctx context.Context, on string) (deployment.Policy, error) {
	req := &iampb.GetIamPolicyRequest{Resource: on, Options: &iampb.GetPolicyOptions{RequestedPolicyVersion: 3}}
	var p *iampb.Policy
	var err error
	switch {
	case on == l.site.Resource():
		return l.projectPolicy(ctx)
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
