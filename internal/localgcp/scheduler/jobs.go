package scheduler

import (
	"context"
	"slices"
	"strings"

	"cloud.google.com/go/scheduler/apiv1/schedulerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// CreateJob creates a job, enabled.
func (s *Service) CreateJob(_ context.Context, req *schedulerpb.CreateJobRequest) (*schedulerpb.Job, error) {
	if req.GetJob() == nil {
		return nil, status.Error(codes.InvalidArgument, "job is required")
	}
	p := proto.CloneOf(req.GetJob())
	if p.Name == "" {
		p.Name = req.GetParent() + "/jobs/" + s.random.Text(26)
	}
	if !strings.HasPrefix(p.Name, req.GetParent()+"/jobs/") {
		return nil, status.Errorf(codes.InvalidArgument, "Job name %s is not under the parent %s", p.Name, req.GetParent())
	}
	p.State, p.Status, p.ScheduleTime, p.LastAttemptTime = schedulerpb.Job_ENABLED, nil, nil, nil
	sched, err := complete(p)
	if err != nil {
		return nil, err
	}
	p.UserUpdateTime = timestamppb.New(s.clock.Now())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.jobs[p.Name] != nil {
		return nil, status.Errorf(codes.AlreadyExists, "Job %s already exists.", p.Name)
	}
	j := &job{proto: p, schedule: sched}
	s.jobs[p.Name] = j
	s.arm(j)
	return j.proto, nil
}

// find needs s.mu.
func (s *Service) find(name string) (*job, error) {
	if j := s.jobs[name]; j != nil {
		return j, nil
	}
	return nil, status.Errorf(codes.NotFound, "Job %s not found.", name)
}

// GetJob returns projects/P/locations/L/jobs/J.
func (s *Service) GetJob(_ context.Context, req *schedulerpb.GetJobRequest) (*schedulerpb.Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j, err := s.find(req.GetName())
	if err != nil {
		return nil, err
	}
	return j.proto, nil
}

// ListJobs lists the jobs of a location by name, 500 to a page at most.
func (s *Service) ListJobs(_ context.Context, req *schedulerpb.ListJobsRequest) (*schedulerpb.ListJobsResponse, error) {
	size := int(req.GetPageSize())
	if size < 0 {
		return nil, status.Errorf(codes.InvalidArgument, "page_size must not be negative: %d", size)
	}
	if size == 0 || size > 500 {
		size = 500
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	resp := &schedulerpb.ListJobsResponse{}
	for name, j := range s.jobs {
		if strings.HasPrefix(name, req.GetParent()+"/jobs/") && name > req.GetPageToken() {
			resp.Jobs = append(resp.Jobs, j.proto)
		}
	}
	slices.SortFunc(resp.Jobs, func(a, b *schedulerpb.Job) int { return strings.Compare(a.GetName(), b.GetName()) })
	if len(resp.Jobs) > size {
		resp.Jobs = resp.Jobs[:size]
		resp.NextPageToken = resp.Jobs[size-1].GetName()
	}
	return resp, nil
}

// FailUpdates has the next n updates fail within Cloud Scheduler, which leaves their
// jobs UPDATE_FAILED.
func (s *Service) FailUpdates(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = n
}

// UpdateJob changes the fields of the mask; without one, all that a user sets.
// An execution that waits for a retry is given up. It recovers a job that is
// UPDATE_FAILED, which does not fire.
func (s *Service) UpdateJob(_ context.Context, req *schedulerpb.UpdateJobRequest) (*schedulerpb.Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j, err := s.find(req.GetJob().GetName())
	if err != nil {
		return nil, err
	}
	p := proto.CloneOf(j.proto)
	if err := applyMask(p, req.GetJob(), req.GetUpdateMask().GetPaths()); err != nil {
		return nil, err
	}
	sched, err := complete(p)
	if err != nil {
		return nil, err
	}
	if s.broken > 0 {
		s.broken--
		j.change(func(p *schedulerpb.Job) { p.State = schedulerpb.Job_UPDATE_FAILED })
		s.restart(j)
		return nil, status.Error(codes.Internal, "Internal error encountered.")
	}
	if p.State == schedulerpb.Job_UPDATE_FAILED {
		p.State = schedulerpb.Job_ENABLED
	}
	p.UserUpdateTime = timestamppb.New(s.clock.Now())
	j.proto, j.schedule = p, sched
	s.restart(j)
	return j.proto, nil
}

// DeleteJob deletes a job. An attempt under way ends as it will.
func (s *Service) DeleteJob(_ context.Context, req *schedulerpb.DeleteJobRequest) (*emptypb.Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j, err := s.find(req.GetName())
	if err != nil {
		return nil, err
	}
	j.disarm()
	delete(s.jobs, req.GetName())
	return &emptypb.Empty{}, nil
}

// PauseJob stops an enabled job from firing.
func (s *Service) PauseJob(_ context.Context, req *schedulerpb.PauseJobRequest) (*schedulerpb.Job, error) {
	return s.switchState(req.GetName(), schedulerpb.Job_ENABLED, schedulerpb.Job_PAUSED)
}

// ResumeJob lets a paused job fire again, from now on.
func (s *Service) ResumeJob(_ context.Context, req *schedulerpb.ResumeJobRequest) (*schedulerpb.Job, error) {
	return s.switchState(req.GetName(), schedulerpb.Job_PAUSED, schedulerpb.Job_ENABLED)
}

func (s *Service) switchState(name string, from, to schedulerpb.Job_State) (*schedulerpb.Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j, err := s.find(name)
	if err != nil {
		return nil, err
	}
	if j.proto.GetState() != from {
		return nil, status.Errorf(codes.FailedPrecondition, "Job %s is %s, and must be %s.", name, j.proto.GetState(), from)
	}
	j.change(func(p *schedulerpb.Job) { p.State = to })
	s.restart(j)
	return j.proto, nil
}

// RunJob makes one attempt now, beside the schedule and whatever the state. A
// message is published before it returns; an HTTP request is sent meanwhile.
func (s *Service) RunJob(_ context.Context, req *schedulerpb.RunJobRequest) (*schedulerpb.Job, error) {
	s.mu.Lock()
	j, err := s.find(req.GetName())
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	p, now := j.proto, s.clock.Now()
	s.mu.Unlock()
	s.inTurn(p, func() {
		err := s.attempt(p, now)
		s.mu.Lock()
		defer s.mu.Unlock()
		j.attempted(now, err)
	})
	return s.GetJob(context.Background(), &schedulerpb.GetJobRequest{Name: req.GetName()})
}
