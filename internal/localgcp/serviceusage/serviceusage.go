// Package serviceusage is the Service Usage v1 of the embedded Google Cloud: which
// APIs a project has enabled. At first it is all of them, unlike at Google; those
// that are disabled refuse every call as Google's do. Changes are done at once.
package serviceusage

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"cloud.google.com/go/serviceusage/apiv1/serviceusagepb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/keyturn/internal/localgcp/random"
)

// Config is what a Service needs.
type Config struct {
	ProjectID string                      // whose APIs they are; required
	Number    func(project string) string // a project's number; required
	Random    *random.Source              // of the ids of operations; nil is crypto/rand
}

// Service serves google.api.serviceusage.v1.ServiceUsage for one project. It is
// safe for concurrent use.
type Service struct {
	serviceusagepb.UnimplementedServiceUsageServer
	cfg   Config
	needs map[string]string // API by gRPC service

	mu       sync.Mutex
	disabled map[string]bool // by API
}

// New returns a service in which every API is enabled.
func New(cfg Config) *Service {
	s := &Service{cfg: cfg, needs: map[string]string{}, disabled: map[string]bool{}}
	for name, a := range catalogue {
		for _, served := range a.serves {
			s.needs[served] = name
		}
	}
	return s
}

// Register adds google.api.serviceusage.v1.ServiceUsage.
func (s *Service) Register(r grpc.ServiceRegistrar) {
	serviceusagepb.RegisterServiceUsageServer(r, s)
}

// Unary refuses the calls to APIs that are disabled.
func (s *Service) Unary() grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if err := s.Check(info.FullMethod); err != nil {
			return nil, err
		}
		return next(ctx, req)
	}
}

// Check refuses a method, given by its full name, whose API is disabled.
func (s *Service) Check(method string) error {
	service, _, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	if name := s.needs[service]; name != "" && !s.enabled(name) {
		return s.refusal(name)
	}
	return nil
}

func (s *Service) enabled(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.disabled[name]
}

func (s *Service) refusal(name string) error {
	number := s.cfg.Number(s.cfg.ProjectID)
	st, _ := status.Newf(codes.PermissionDenied,
		"%s has not been used in project %s before or it is disabled. Enable it by visiting https://console.developers.google.com/apis/api/%s/overview?project=%s then retry. If you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry.",
		catalogue[name].title, number, name, number).
		WithDetails(&errdetails.ErrorInfo{
			Reason: "SERVICE_DISABLED", Domain: "googleapis.com", Metadata: map[string]string{"service": name, "consumer": "projects/" + number},
		}) // fails for code OK only
	return st.Err()
}

var serviceName = regexp.MustCompile(`^(projects/[^/]+)/services/([^/]+)$`)

// find splits the name of a service that exists.
func find(full string) (parent, name string, err error) {
	m := serviceName.FindStringSubmatch(full)
	if m == nil {
		return "", "", status.Errorf(codes.InvalidArgument, "Invalid resource name: %q", full)
	}
	if _, ok := catalogue[m[2]]; !ok {
		return "", "", status.Errorf(codes.PermissionDenied, "Not found or permission denied for service(s): %s.", m[2])
	}
	return m[1], m[2], nil
}

// describe names the project by its number, as Google does.
func (s *Service) describe(parent, name string) *serviceusagepb.Service {
	parent = "projects/" + s.cfg.Number(strings.TrimPrefix(parent, "projects/"))
	state := serviceusagepb.State_ENABLED
	if !s.enabled(name) {
		state = serviceusagepb.State_DISABLED
	}
	return &serviceusagepb.Service{
		Name: parent + "/services/" + name, Parent: parent, State: state,
		Config: &serviceusagepb.ServiceConfig{Name: name, Title: catalogue[name].title},
	}
}

// GetService returns projects/P/services/S.
func (s *Service) GetService(_ context.Context, req *serviceusagepb.GetServiceRequest) (*serviceusagepb.Service, error) {
	parent, name, err := find(req.GetName())
	if err != nil {
		return nil, err
	}
	return s.describe(parent, name), nil
}

// maxGet and maxEnable are how many services can be asked for, or enabled, at once.
const maxGet, maxEnable = 30, 20

// BatchGetServices returns services in the order of their names.
func (s *Service) BatchGetServices(_ context.Context, req *serviceusagepb.BatchGetServicesRequest) (*serviceusagepb.BatchGetServicesResponse, error) {
	if n := len(req.GetNames()); n == 0 || n > maxGet {
		return nil, status.Errorf(codes.InvalidArgument, "between 1 and %d services can be asked for, not %d", maxGet, n)
	}
	resp := &serviceusagepb.BatchGetServicesResponse{}
	for _, full := range req.GetNames() {
		parent, name, err := find(full)
		if err != nil {
			return nil, err
		}
		if parent != req.GetParent() {
			return nil, status.Errorf(codes.InvalidArgument, "%s is not under the parent %s", full, req.GetParent())
		}
		resp.Services = append(resp.Services, s.describe(parent, name))
	}
	return resp, nil
}

// ListServices lists services by name, 200 to a page at most; the filters are
// state:ENABLED and state:DISABLED.
func (s *Service) ListServices(_ context.Context, req *serviceusagepb.ListServicesRequest) (*serviceusagepb.ListServicesResponse, error) {
	size := int(req.GetPageSize())
	switch {
	case size < 0 || size > 200:
		return nil, status.Errorf(codes.InvalidArgument, "page_size must be between 0 and 200, not %d", size)
	case !slices.Contains([]string{"", "state:ENABLED", "state:DISABLED"}, req.GetFilter()):
		return nil, status.Errorf(codes.InvalidArgument, "Invalid filter: %q", req.GetFilter())
	case size == 0:
		size = 50
	}
	resp := &serviceusagepb.ListServicesResponse{}
	for _, name := range slices.Sorted(maps.Keys(catalogue)) {
		d := s.describe(req.GetParent(), name)
		if name <= req.GetPageToken() || req.GetFilter() != "" && req.GetFilter() != "state:"+d.GetState().String() {
			continue
		}
		if len(resp.GetServices()) == size {
			resp.NextPageToken = resp.GetServices()[size-1].GetConfig().GetName()
			break
		}
		resp.Services = append(resp.Services, d)
	}
	return resp, nil
}

// EnableService enables a service.
func (s *Service) EnableService(_ context.Context, req *serviceusagepb.EnableServiceRequest) (*longrunningpb.Operation, error) {
	d, err := s.set(req.GetName(), false)
	if err != nil {
		return nil, err
	}
	return s.done(&serviceusagepb.EnableServiceResponse{Service: d})
}

// DisableService disables a service. That others depend on it is not looked at.
func (s *Service) DisableService(_ context.Context, req *serviceusagepb.DisableServiceRequest) (*longrunningpb.Operation, error) {
	d, err := s.set(req.GetName(), true)
	if err != nil {
		return nil, err
	}
	return s.done(&serviceusagepb.DisableServiceResponse{Service: d})
}

// BatchEnableServices enables services, all or none.
func (s *Service) BatchEnableServices(_ context.Context, req *serviceusagepb.BatchEnableServicesRequest) (*longrunningpb.Operation, error) {
	if n := len(req.GetServiceIds()); n == 0 || n > maxEnable {
		return nil, status.Errorf(codes.InvalidArgument, "between 1 and %d services can be enabled at once, not %d", maxEnable, n)
	}
	for _, name := range req.GetServiceIds() {
		if _, _, err := find(req.GetParent() + "/services/" + name); err != nil {
			return nil, err
		}
	}
	resp := &serviceusagepb.BatchEnableServicesResponse{}
	for _, name := range req.GetServiceIds() {
		d, err := s.set(req.GetParent()+"/services/"+name, false)
		if err != nil {
			return nil, err
		}
		resp.Services = append(resp.Services, d)
	}
	return s.done(resp)
}

func (s *Service) set(full string, disabled bool) (*serviceusagepb.Service, error) {
	parent, name, err := find(full)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.disabled[name] = disabled
	s.mu.Unlock()
	return s.describe(parent, name), nil
}

// done is an operation that has ended.
func (s *Service) done(response proto.Message) (*longrunningpb.Operation, error) {
	packed, err := anypb.New(response)
	if err != nil {
		return nil, fmt.Errorf("packing the response: %w", err)
	}
	return &longrunningpb.Operation{
		Name: "operations/acat.p2-" + s.cfg.Random.Text(26), Done: true,
		Result: &longrunningpb.Operation_Response{Response: packed},
	}, nil
}
