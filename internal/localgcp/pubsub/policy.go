package pubsub

import (
	"context"
	"path"

	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/iam/policy"
	"example.com/keyturn/internal/localgcp/principal"
)

// policies are the allow policies of topics and subscriptions: google.iam.v1.IAMPolicy.
// Nothing is refused by them yet.
type policies struct {
	iampb.UnimplementedIAMPolicyServer
	*Service
}

// PolicyRules bind the REST paths that Pub/Sub has for policies.
func PolicyRules() []*annotations.HttpRule {
	var rules []*annotations.HttpRule
	for _, resource := range []string{"/v1/{resource=projects/*/topics/*}", "/v1/{resource=projects/*/subscriptions/*}"} {
		rules = append(rules,
			&annotations.HttpRule{Selector: "google.iam.v1.IAMPolicy.GetIamPolicy", Pattern: &annotations.HttpRule_Get{Get: resource + ":getIamPolicy"}},
			&annotations.HttpRule{Selector: "google.iam.v1.IAMPolicy.SetIamPolicy", Pattern: &annotations.HttpRule_Post{Post: resource + ":setIamPolicy"}, Body: "*"},
			&annotations.HttpRule{Selector: "google.iam.v1.IAMPolicy.TestIamPermissions", Pattern: &annotations.HttpRule_Post{Post: resource + ":testIamPermissions"}, Body: "*"},
		)
	}
	return rules
}

func (p policies) find(name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.topics[name] == nil && p.subs[name] == nil {
		return status.Errorf(codes.NotFound, "Resource not found (resource=%s).", name)
	}
	return nil
}

// GetIamPolicy returns the policy of a topic or subscription.
func (p policies) GetIamPolicy(_ context.Context, req *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	if err := p.find(req.GetResource()); err != nil {
		return nil, err
	}
	return p.cfg.Policies.Get(req.GetResource()), nil
}

// SetIamPolicy replaces it; ABORTED when the etag shows that it changed since it
// was read.
func (p policies) SetIamPolicy(_ context.Context, req *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	if err := p.find(req.GetResource()); err != nil {
		return nil, err
	}
	return p.cfg.Policies.Set(req.GetResource(), req.GetPolicy())
}

// TestIamPermissions returns those of the permissions that the caller holds.
func (p policies) TestIamPermissions(ctx context.Context, req *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	if err := p.find(req.GetResource()); err != nil {
		return nil, err
	}
	caller := principal.FromContext(ctx)
	granted, err := policy.Test(req.GetPermissions(), func(permission string) bool {
		return caller.IsOwner() || p.cfg.Policies.Allows(caller.Email, permission, req.GetResource(), path.Dir(path.Dir(req.GetResource())))
	})
	return &iampb.TestIamPermissionsResponse{Permissions: granted}, err
}
