package gcp

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"example.com/keyturn/shared/posture"
)

// withConditions has bindings be read with their conditions.
const withConditions = 3

// ProjectPolicy reads a project's own allow policy, without what its folders and
// its organisation grant.
func (c *Cloud) ProjectPolicy(ctx context.Context, project string) ([]posture.Binding, error) {
	p, err := overREST[struct {
		Bindings []struct {
			Role      string
			Members   []string
			Condition struct{ Expression string }
		}
	}](ctx, c, restCall{
		method: "/google.cloud.resourcemanager.v1.Projects/GetIamPolicy", resource: "projects/" + project,
		api: resourceManager, verb: http.MethodPost, path: "v1/projects/" + project + ":getIamPolicy",
		body: map[string]any{"options": map[string]any{"requestedPolicyVersion": withConditions}},
	})
	if err != nil {
		return nil, fmt.Errorf("reading the allow policy of project %s: %w", project, err)
	}
	bindings := make([]posture.Binding, len(p.Bindings))
	for i, b := range p.Bindings {
		bindings[i] = posture.Binding{Role: b.Role, Members: b.Members, Condition: b.Condition.Expression}
	}
	return bindings, nil
}

// SecretPolicy reads a secret's own allow policy.
func (c *Cloud) SecretPolicy(ctx context.Context, name string) ([]posture.Binding, error) {
	client, err := c.secretManager(ctx)
	if err != nil {
		return nil, err
	}
	p, err := client.GetIamPolicy(ctx, &iampb.GetIamPolicyRequest{Resource: name, Options: &iampb.GetPolicyOptions{RequestedPolicyVersion: withConditions}})
	if err != nil {
		return nil, fmt.Errorf("reading the allow policy of %s: %w", name, err)
	}
	bindings := make([]posture.Binding, len(p.GetBindings()))
	for i, b := range p.GetBindings() {
		bindings[i] = posture.Binding{Role: b.GetRole(), Members: b.GetMembers(), Condition: b.GetCondition().GetExpression()}
	}
	return bindings, nil
}

// RolePermissions lists what a role grants; nothing if it does not exist, or was
// deleted.
func (c *Cloud) RolePermissions(ctx context.Context, name string) ([]string, error) {
	client, err := c.iamAdmin(ctx)
	if err != nil {
		return nil, err
	}
	role, err := client.GetRole(ctx, &adminpb.GetRoleRequest{Name: name})
	switch {
	case IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading role %s: %w", name, err)
	case role.GetDeleted():
		return nil, nil
	}
	return role.GetIncludedPermissions(), nil
}

// EffectivePolicy tells what an organisation policy comes to for a project, such as
// iam.disableServiceAccountKeyCreation.
func (c *Cloud) EffectivePolicy(ctx context.Context, project, constraint string) (posture.Constraint, error) {
	name := "projects/" + project + "/policies/" + constraint
	p, err := overREST[struct{ Spec struct{ Rules []policyRule } }](ctx, c, restCall{
		method: "/google.cloud.orgpolicy.v2.OrgPolicy/GetEffectivePolicy", resource: name, api: orgPolicy, path: "v2/" + name + ":getEffectivePolicy",
	})
	if err != nil {
		return posture.Constraint{}, fmt.Errorf("reading the organisation policy %s of project %s: %w", constraint, project, err)
	}
	return constraintFrom(p.Spec.Rules), nil
}

// policyRule is a rule of an organisation policy.
type policyRule struct {
	Enforce, DenyAll bool
	Values           struct{ AllowedValues []string }
}

// constraintFrom sums rules up. An effective policy has no conditions, and no rules
// where nobody has set any.
func constraintFrom(rules []policyRule) (c posture.Constraint) {
	for _, r := range rules {
		c.Enforced = c.Enforced || r.Enforce
		c.DenyAll = c.DenyAll || r.DenyAll
		for _, v := range r.Values.AllowedValues {
			c.Allowed = append(c.Allowed, strings.TrimPrefix(v, "is:"))
		}
	}
	return c
}
