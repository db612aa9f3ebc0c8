package functions

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path"
	"regexp"
	"strings"
	"time"

	"cloud.google.com/go/functions/apiv2/functionspb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"example.com/keyturn/internal/localgcp/buildpack"
	"example.com/keyturn/internal/localgcp/run"
)

var functionID = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)

// CreateFunction builds a function from its source and runs it. The operation ends when
// it serves, or with why it does not.
func (s *Service) CreateFunction(ctx context.Context, req *functionspb.CreateFunctionRequest) (*longrunningpb.Operation, error) {
	if !parentName.MatchString(req.GetParent()) || !functionID.MatchString(req.GetFunctionId()) {
		return nil, status.Errorf(codes.InvalidArgument, "Invalid resource name: %q", req.GetParent()+"/functions/"+req.GetFunctionId())
	}
	f := proto.CloneOf(req.GetFunction())
	f.Name = req.GetParent() + "/functions/" + req.GetFunctionId()
	if s.exists(f.GetName()) {
		return nil, status.Errorf(codes.AlreadyExists, "Could not create Cloud Run function %s. A Cloud Run function with this name already exists", f.GetName())
	}
	return s.change(ctx, f, "create")
}

// UpdateFunction changes what the mask names, all if it names nothing, and builds the
// function again.
func (s *Service) UpdateFunction(ctx context.Context, req *functionspb.UpdateFunctionRequest) (*longrunningpb.Operation, error) {
	f, err := s.GetFunction(ctx, &functionspb.GetFunctionRequest{Name: req.GetFunction().GetName()})
	if err != nil {
		return nil, err
	}
	if !s.wasDeployed(f.GetName()) {
		return nil, status.Errorf(codes.FailedPrecondition, "%s was not deployed: it is served by the program that registered it", f.GetName())
	}
	if err := applyMask(f, req.GetFunction(), req.GetUpdateMask().GetPaths()); err != nil {
		return nil, err
	}
	return s.change(ctx, f, "update")
}

// DeleteFunction ends a function, its service and its trigger.
func (s *Service) DeleteFunction(ctx context.Context, req *functionspb.DeleteFunctionRequest) (*longrunningpb.Operation, error) {
	f, err := s.GetFunction(ctx, &functionspb.GetFunctionRequest{Name: req.GetName()})
	if err != nil {
		return nil, err
	}
	return s.work(f, "delete", func(context.Context) (proto.Message, error) {
		err := s.detrigger(req.GetName())
		s.Remove(req.GetName())
		return &emptypb.Empty{}, err
	})
}

func (s *Service) exists(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.functions[name] != nil
}

func (s *Service) wasDeployed(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, was := s.deployed[name]
	return was
}

// change deploys a function as it is to be.
func (s *Service) change(ctx context.Context, f *functionspb.Function, verb string) (*longrunningpb.Operation, error) {
	if s.cfg.Builder == nil {
		return nil, status.Error(codes.Unimplemented, "this embedded cloud deploys nothing")
	}
	if err := s.complete(ctx, f); err != nil {
		return nil, err
	}
	return s.work(f, verb, func(ctx context.Context) (proto.Message, error) { return s.deploy(ctx, f) })
}

// complete fills in Google's defaults, and refuses what cannot be deployed.
func (s *Service) complete(ctx context.Context, f *functionspb.Function) error {
	if f.BuildConfig == nil || f.GetBuildConfig().GetSource().GetStorageSource() == nil {
		return status.Error(codes.InvalidArgument, "build_config.source.storage_source must be set: the embedded cloud builds what was uploaded")
	}
	if f.ServiceConfig == nil {
		f.ServiceConfig = &functionspb.ServiceConfig{}
	}
	c, name := f.ServiceConfig, f.GetName()
	f.Environment = functionspb.Environment_GEN_2
	c.ServiceAccountEmail = cmp.Or(c.GetServiceAccountEmail(), s.cfg.DefaultAccount(part(name, 1)))
	c.TimeoutSeconds = cmp.Or(c.GetTimeoutSeconds(), 60)
	c.AvailableMemory, c.AvailableCpu = cmp.Or(c.GetAvailableMemory(), "256M"), cmp.Or(c.GetAvailableCpu(), "0.1666")
	c.MaxInstanceCount = cmp.Or(c.GetMaxInstanceCount(), 100) // [mem], as the two before
	c.MaxInstanceRequestConcurrency = cmp.Or(c.GetMaxInstanceRequestConcurrency(), 1)
	c.IngressSettings = cmp.Or(c.GetIngressSettings(), functionspb.ServiceConfig_ALLOW_ALL)
	c.Service = path.Dir(path.Dir(name)) + "/services/" + path.Base(name)
	c.Uri = s.cfg.Run.URL(c.Service)
	f.Url = c.Uri
	accounts := []string{c.GetServiceAccountEmail()}
	if t := f.GetEventTrigger(); t != nil {
		t.ServiceAccountEmail = cmp.Or(t.GetServiceAccountEmail(), c.GetServiceAccountEmail())
		t.TriggerRegion = cmp.Or(t.GetTriggerRegion(), part(name, 3))
		t.Trigger = path.Dir(path.Dir(name)) + "/triggers/" + path.Base(name)
		accounts = append(accounts, t.GetServiceAccountEmail())
	}
	for _, email := range accounts {
		if err := s.cfg.MayActAs(ctx, email); err != nil {
			return err
		}
	}
	return nil
}

// maxDeploy is how long a deployment may take.
const maxDeploy = 10 * time.Minute

// work does something to a function, as one operation. Of two on one function the second
// is refused.
func (s *Service) work(f *functionspb.Function, verb string, do func(context.Context) (proto.Message, error)) (*longrunningpb.Operation, error) {
	name := f.GetName()
	s.mu.Lock()
	busy := s.busy[name]
	s.busy[name] = true
	s.mu.Unlock()
	if busy {
		return nil, status.Errorf(codes.Aborted, "unable to queue the operation: another one on %s is in progress", name) // [mem]
	}
	op, end, err := s.cfg.Operations.Begin(path.Dir(path.Dir(name))+"/operations/operation-"+s.cfg.Random.UUID(), &functionspb.OperationMetadata{
		CreateTime: timestamppb.New(s.cfg.Clock.Now()), Target: name, Verb: verb, ApiVersion: "v2",
	})
	if err != nil {
		return nil, err
	}
	s.workers.Go(func() {
		ctx, cancel := context.WithTimeout(s.ctx, maxDeploy)
		defer cancel()
		answer, err := do(ctx)
		s.mu.Lock()
		delete(s.busy, name)
		s.mu.Unlock()
		end(answer, err)
	})
	return op, nil
}

// deploy builds a function and has a new revision of its service run it, unless the one
// that there is runs just that. So it is here; in the cloud each deployment builds anew
// [mem].
func (s *Service) deploy(ctx context.Context, f *functionspb.Function) (*functionspb.Function, error) {
	program, err := s.build(ctx, f)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	before := s.deployed[f.GetName()]
	s.mu.Unlock()
	now := deployment{print: fingerprint(f, program), count: before.count, revision: before.revision}
	if now.print != before.print {
		now.count++
		now.revision = fmt.Sprintf("%s-%05d-%s", path.Base(f.GetName()), now.count, program.Digest[:3])
		if err := s.cfg.Run.Serve(ctx, run.Revision{Service: f.GetServiceConfig().GetService(), Name: now.revision}, s.program(f, program)); err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "Could not create or update Cloud Run service %s, Container Healthcheck failed. %s", path.Base(f.GetName()), status.Convert(err).Message())
		}
	}
	f.ServiceConfig.Revision = now.revision
	s.mu.Lock()
	s.deployed[f.GetName()] = now
	s.mu.Unlock()
	if err := s.trigger(f); err != nil {
		if !s.exists(f.GetName()) {
			s.forget(f)
		}
		return nil, err
	}
	f.State = functionspb.Function_ACTIVE
	s.Put(f)
	return s.GetFunction(ctx, &functionspb.GetFunctionRequest{Name: f.GetName()})
}

func (s *Service) build(ctx context.Context, f *functionspb.Function) (buildpack.Program, error) {
	b := f.GetBuildConfig()
	dir, err := s.unpack(b.GetSource().GetStorageSource().GetObject())
	if err != nil {
		return buildpack.Program{}, err
	}
	program, err := s.cfg.Builder.Build(ctx, buildpack.Source{Dir: dir, Target: b.GetEntryPoint(), Runtime: b.GetRuntime()})
	if err != nil {
		return program, status.Errorf(codes.InvalidArgument, "Build failed with status: FAILURE and message: %v. For more details see the logs of keyturn.", err)
	}
	return program, nil
}

// deployment is what was made of a function last.
type deployment struct {
	print    string // of all that its revision depends on
	count    int    // of its revisions
	revision string
}

// fingerprint tells revisions apart by what they run, and with what.
func fingerprint(f *functionspb.Function, p buildpack.Program) string {
	c := proto.CloneOf(f.GetServiceConfig())
	c.Revision, c.AllTrafficOnLatestRevision = "", false
	text, _ := proto.MarshalOptions{Deterministic: true}.Marshal(c) // what came over the wire can go back
	return strings.Join([]string{p.Digest, f.GetBuildConfig().GetEntryPoint(), f.GetEventTrigger().GetRetryPolicy().String(), string(text)}, "\x00")
}

// program is what Cloud Run is to run for a function.
func (s *Service) program(f *functionspb.Function, p buildpack.Program) run.Program {
	c := f.GetServiceConfig()
	env := map[string]string{"FUNCTION_TARGET": f.GetBuildConfig().GetEntryPoint(), "FUNCTION_SIGNATURE_TYPE": "http"}
	if f.GetEventTrigger() != nil {
		env["FUNCTION_SIGNATURE_TYPE"] = "cloudevent"
	}
	maps.Copy(env, s.cfg.Env())
	maps.Copy(env, c.GetEnvironmentVariables())
	return run.Program{
		Path: p.Path, Env: env, Account: c.GetServiceAccountEmail(), Concurrency: int(c.GetMaxInstanceRequestConcurrency()),
		Timeout:   time.Duration(c.GetTimeoutSeconds()) * time.Second,
		Forgiving: f.GetEventTrigger() != nil && f.GetEventTrigger().GetRetryPolicy() != functionspb.EventTrigger_RETRY_POLICY_RETRY,
	}
}

func part(name string, n int) string { return strings.Split(name, "/")[n] }
