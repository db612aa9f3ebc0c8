package pubsub

import (
	"context"
	"strings"

	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/genproto/googleapis/api/annotations"

	"example.com/keyturn/internal/localgcp/iam/policy"
	"example.com/keyturn/internal/localgcp/principal"
)

// policies is google.iam.v1.IAMPolicy for topics and subscriptions.
type policies struct{ *Service }

// PolicyRules returns the REST bindings of google.iam.v1.IAMPolicy for Pub/Sub's
// resources, whose own annotations are for names of any form.
func PolicyRules() []*annotations.HttpRule {
	var rules []*annotations.HttpRule
	for _, resource := range []string{"{resource=projects/*/topics/*}", "{resource=projects/*/subscriptions/*}"} {
		rules = append(rules,
			&annotations.HttpRule{
				Selector: "google.iam.v1.IAMPolicy.GetIamPolicy",
				Pattern:  &annotations.HttpRule_Get{Get: "/v1/" + resource + ":getIamPolicy"},
			},
			&annotations.HttpRule{
				Selector: "google.iam.v1.IAMPolicy.SetIamPolicy",
				Pattern:  &annotations.HttpRule_Post{Post: "/v1/" + resource + ":setIamPolicy"}, Body: "*",
			},
			&annotations.HttpRule{
				Selector: "google.iam.v1.IAMPolicy.TestIamPermissions",
				Pattern:  &annotations.HttpRule_Post{Post: "/v1/" + resource + ":testIamPermissions"}, Body: "*",
			},
		)
	}
	return rules
}

// has returns NOT_FOUND when there is no such topic or subscription.
func (s *Service) has(resource string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.topics[resource] == nil && s.subs[resource] == nil {
		return notFound(resource)
	}
	return nil
}

// GetIamPolicy returns the policy of a topic or subscription; an empty one when
// none was set.
func (p policies) GetIamPolicy(_ context.Context, req *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	if err := p.has(req.GetResource()); err != nil {
		return nil, err
	}
	return p.cfg.Policies.Get(req.GetResource()), nil
}

// SetIamPolicy replaces the policy of a topic or subscription.
func (p policies) SetIamPolicy(_ context.Context, req *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	if err := p.has(req.GetResource()); err != nil {
		return nil, err
	}
	return p.cfg.Policies.Edit(req)
}

// TestIamPermissions returns those of the permissions that the caller holds by
// the policies of the resource and its project; the owner holds all of
// Pub/Sub's. Of a resource that does not exist nobody holds any.
func (p policies) TestIamPermissions(ctx context.Context, req *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	caller, resource := principal.FromContext(ctx), req.GetResource()
	exists := p.has(resource) == nil
	project, _, _ := strings.Cut(strings.TrimPrefix(resource, "projects/"), "/")
	granted, err := policy.Test(req.GetPermissions(), func(permission string) bool {
		return exists && strings.HasPrefix(permission, "pubsub.") &&
			(caller.IsOwner() || p.cfg.Policies.Holds(caller.Email, permission, resource, "projects/"+project))
	})
	return &iampb.TestIamPermissionsResponse{Permissions: granted}, err
}
