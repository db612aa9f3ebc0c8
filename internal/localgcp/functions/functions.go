// Package functions is the Cloud Functions v2 of the embedded Google Cloud, as far
// as it is asked: which functions there are, where they are served, and by what
// environment and account. It takes deployments: what was uploaded is built by the rules
// of Google's buildpack and run as a revision of a Cloud Run service. Who runs functions
// otherwise registers them.
package functions

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"sync"

	"cloud.google.com/go/functions/apiv2/functionspb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"example.com/keyturn/internal/localgcp/buildpack"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/operation"
	"example.com/keyturn/internal/localgcp/pubsub"
	"example.com/keyturn/internal/localgcp/random"
	"example.com/keyturn/internal/localgcp/run"
)

// Config is what a Service needs.
type Config struct {
	Clock *clock.Clock // of the functions' times
	Run   *run.Service // which serves them

	// What follows is what deployments need.
	Builder        *buildpack.Builder // nil refuses them
	Dir            string             // where uploads are kept
	Operations     *operation.Store
	PubSub         *pubsub.Service
	URL            func() string                                   // of the embedded cloud
	Env            func() map[string]string                        // what every function is told
	DefaultAccount func(project string) string                     // that functions run as which name none
	MayActAs       func(ctx context.Context, account string) error // refuses a caller who may not have anything run as an account
	Random         *random.Source
}

// Service serves google.cloud.functions.v2.FunctionService. It is safe for
// concurrent use.
type Service struct {
	functionspb.UnimplementedFunctionServiceServer
	cfg     Config
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	workers sync.WaitGroup // deployments

	mu        sync.Mutex
	functions map[string]*functionspb.Function // by full name; replaced, never changed
	deployed  map[string]deployment            // of those that were deployed
	triggers  map[string]bound
	busy      map[string]bool
	uploads   map[string]bool // objects, and whether they were uploaded
}

// New returns a service without functions. Close it after use.
func New(c Config) *Service {
	s := &Service{
		cfg: c, functions: map[string]*functionspb.Function{}, deployed: map[string]deployment{},
		triggers: map[string]bound{}, busy: map[string]bool{}, uploads: map[string]bool{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Close ends the deployments that are under way.
func (s *Service) Close() error {
	s.cancel()
	s.workers.Wait()
	return nil
}

// Register adds google.cloud.functions.v2.FunctionService.
func (s *Service) Register(r grpc.ServiceRegistrar) {
	functionspb.RegisterFunctionServiceServer(r, s)
}

// Put registers a function, or replaces the one of its name, and fills in what
// Google says of every function that it did not have to be told. The revision of its
// service, which it names, is served at the function's own URL, unless Cloud Run has
// been told of it before.
func (s *Service) Put(f *functionspb.Function) {
	f = proto.CloneOf(f)
	if c := f.GetServiceConfig(); c.GetService() != "" && !s.cfg.Run.Has(c.GetService(), c.GetRevision()) {
		s.cfg.Run.Deployed(run.Revision{Service: c.GetService(), Name: c.GetRevision(), URL: c.GetUri()})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := timestamppb.New(s.cfg.Clock.Now())
	f.UpdateTime, f.CreateTime = now, now
	if before := s.functions[f.GetName()]; before != nil {
		f.CreateTime = before.GetCreateTime()
	}
	f.Environment = functionspb.Environment_GEN_2
	if f.GetState() == functionspb.Function_STATE_UNSPECIFIED {
		f.State = functionspb.Function_ACTIVE
	}
	if f.GetUrl() == "" {
		f.Url = f.GetServiceConfig().GetUri()
	}
	s.functions[f.GetName()] = f
}

// Remove forgets the function of that full name, and its service.
func (s *Service) Remove(name string) {
	s.mu.Lock()
	f := s.functions[name]
	s.mu.Unlock()
	s.forget(f)
}

func (s *Service) forget(f *functionspb.Function) {
	s.cfg.Run.Remove(f.GetServiceConfig().GetService())
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.functions, f.GetName())
	delete(s.deployed, f.GetName())
}

var (
	functionName = regexp.MustCompile(`^projects/[^/]+/locations/[^/]+/functions/[^/]+$`)
	parentName   = regexp.MustCompile(`^projects/[^/]+/locations/[^/]+$`)
)

// GetFunction returns projects/P/locations/L/functions/F.
func (s *Service) GetFunction(_ context.Context, req *functionspb.GetFunctionRequest) (*functionspb.Function, error) {
	if !functionName.MatchString(req.GetName()) {
		return nil, status.Errorf(codes.InvalidArgument, "Invalid resource name: %q", req.GetName())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.functions[req.GetName()]
	if !ok {
		return nil, status.Errorf(codes.NotFound, "Resource '%s' was not found", req.GetName())
	}
	return s.told(f), nil
}

// told is a function with what Cloud Run says of it.
func (s *Service) told(f *functionspb.Function) *functionspb.Function {
	f = proto.CloneOf(f)
	if c := f.GetServiceConfig(); c != nil {
		c.AllTrafficOnLatestRevision = s.cfg.Run.AllOnLatest(c.GetService())
	}
	return f
}

// maxPage is Google's longest page.
const maxPage = 1000

// ListFunctions lists the functions of a location, or of all for the location "-",
// by name. Orders are refused as INVALID_ARGUMENT, and so are filters but gcloud's, which
// all functions here pass.
func (s *Service) ListFunctions(_ context.Context, req *functionspb.ListFunctionsRequest) (*functionspb.ListFunctionsResponse, error) {
	switch {
	case !parentName.MatchString(req.GetParent()):
		return nil, status.Errorf(codes.InvalidArgument, "Invalid resource name: %q", req.GetParent())
	case req.GetPageSize() < 0:
		return nil, status.Error(codes.InvalidArgument, "page_size must not be negative")
	case req.GetFilter() != "" && req.GetFilter() != `environment="GEN_2"` || req.GetOrderBy() != "":
		return nil, status.Error(codes.InvalidArgument, "filter and order_by are not supported")
	}
	size := int(req.GetPageSize())
	if size == 0 || size > maxPage {
		size = maxPage
	}
	all := s.after(req.GetParent(), req.GetPageToken())
	resp := &functionspb.ListFunctionsResponse{Functions: all}
	if len(all) > size {
		resp.Functions, resp.NextPageToken = all[:size], all[size-1].GetName()
	}
	return resp, nil
}

// after are the functions below a parent whose names come after token, by name.
func (s *Service) after(parent, token string) []*functionspb.Function {
	prefix := parent + "/functions/"
	if project, ok := strings.CutSuffix(parent, "/locations/-"); ok {
		prefix = project + "/locations/"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*functionspb.Function
	for name, f := range s.functions {
		if strings.HasPrefix(name, prefix) && name > token {
			all = append(all, s.told(f))
		}
	}
	slices.SortFunc(all, func(a, b *functionspb.Function) int { return strings.Compare(a.GetName(), b.GetName()) })
	return all
}

// ListRuntimes lists the runtimes that keyturn's functions have had.
func (s *Service) ListRuntimes(context.Context, *functionspb.ListRuntimesRequest) (*functionspb.ListRuntimesResponse, error) {
	resp := &functionspb.ListRuntimesResponse{}
	for _, name := range []string{"go126", "go125"} {
		resp.Runtimes = append(resp.Runtimes, &functionspb.ListRuntimesResponse_Runtime{
			Name: name, Environment: functionspb.Environment_GEN_2, Stage: functionspb.ListRuntimesResponse_GA,
		})
	}
	return resp, nil
}
