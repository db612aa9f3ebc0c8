// Package run is as much of Cloud Run as functions need: the allow policies of its
// services, by the API's versions 1 (gcloud) and 2, where their traffic goes to, and the
// programs of the revisions that were built here, each of which runs as one process.
package run

import (
	"context"
	"regexp"
	"strings"
	"sync"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/iam/policy"
	"example.com/keyturn/internal/localgcp/principal"
)

// Config is what a Service needs.
type Config struct {
	Policies *policy.Store // holds the services' allow policies, by full name; required
	Programs Programs      // what programs need; the zero Programs runs none
}

// Service serves google.cloud.run.v2.Services, as far as that. It is safe for
// concurrent use.
type Service struct {
	runpb.UnimplementedServicesServer
	cfg Config

	mu       sync.Mutex
	services map[string]*service // by full name
}

// New returns a service over the policies.
func New(c Config) *Service {
	return &Service{cfg: c, services: map[string]*service{}}
}

// Register adds google.cloud.run.v2.Services.
func (s *Service) Register(r grpc.ServiceRegistrar) { runpb.RegisterServicesServer(r, s) }

// Rules bind the REST paths of the API's version 1, which gcloud goes by.
func Rules() []*annotations.HttpRule {
	const resource = "/v1/{resource=projects/*/locations/*/services/*}"
	return []*annotations.HttpRule{
		{Selector: "google.cloud.run.v2.Services.GetIamPolicy", Pattern: &annotations.HttpRule_Get{Get: resource + ":getIamPolicy"}},
		{Selector: "google.cloud.run.v2.Services.SetIamPolicy", Pattern: &annotations.HttpRule_Post{Post: resource + ":setIamPolicy"}, Body: "*"},
		{Selector: "google.cloud.run.v2.Services.TestIamPermissions", Pattern: &annotations.HttpRule_Post{Post: resource + ":testIamPermissions"}, Body: "*"},
	}
}

var serviceName = regexp.MustCompile(`^projects/[^/]+/locations/[^/]+/services/[^/]+$`)

func (s *Service) find(name string) error {
	switch {
	case !serviceName.MatchString(name):
		return status.Errorf(codes.InvalidArgument, "Invalid resource name: %q", name)
	case !s.exists(name):
		return status.Errorf(codes.NotFound, "Resource '%s' of kind 'SERVICE' in region '%s' in project '%s' does not exist.", part(name, 5), part(name, 3), part(name, 1))
	}
	return nil
}

func (s *Service) exists(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.services[name] != nil
}

func part(name string, n int) string { return strings.Split(name, "/")[n] }

// GetIamPolicy returns who may do what with a service.
func (s *Service) GetIamPolicy(_ context.Context, req *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	if err := s.find(req.GetResource()); err != nil {
		return nil, err
	}
	return s.cfg.Policies.Get(req.GetResource()), nil
}

// SetIamPolicy replaces that; ABORTED when the etag shows that it changed since it
// was read.
func (s *Service) SetIamPolicy(_ context.Context, req *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	if err := s.find(req.GetResource()); err != nil {
		return nil, err
	}
	return s.cfg.Policies.Set(req.GetResource(), req.GetPolicy())
}

// TestIamPermissions returns those of the permissions that the caller holds.
func (s *Service) TestIamPermissions(ctx context.Context, req *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	if err := s.find(req.GetResource()); err != nil {
		return nil, err
	}
	caller, project := principal.FromContext(ctx), "projects/"+part(req.GetResource(), 1)
	granted, err := policy.Test(req.GetPermissions(), func(permission string) bool {
		return caller.IsOwner() || s.cfg.Policies.Holds(caller.Email, permission, req.GetResource(), project)
	})
	return &iampb.TestIamPermissionsResponse{Permissions: granted}, err
}
