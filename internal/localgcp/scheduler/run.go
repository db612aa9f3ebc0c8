package scheduler

import (
	"time"

	"cloud.google.com/go/scheduler/apiv1/schedulerpb"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// change replaces the job's proto by a changed copy; Service.mu is held.
func (j *job) change(f func(*schedulerpb.Job)) {
	p := proto.CloneOf(j.proto)
	f(p)
	j.proto = p
}

// attempted notes the outcome of an attempt; Service.mu is held.
func (j *job) attempted(at time.Time, err error) {
	j.change(func(p *schedulerpb.Job) {
		p.LastAttemptTime = timestamppb.New(at)
		p.Status = &rpcstatus.Status{}
		if err != nil {
			p.Status = status.Convert(err).Proto()
		}
	})
}

// restart gives up an execution that waits for a retry, and arms the job by
// its schedule. While an attempt is under way, its end does that. It needs s.mu.
func (s *Service) restart(j *job) {
	j.disarm()
	if j.run != nil && j.run.attempt {
		j.run = &execution{attempt: true} // the end of the attempt finds that it is not its own any more
		return
	}
	j.run = nil
	s.arm(j)
}

// arm sets the timer of an idle job to its next firing after now. It needs s.mu.
func (s *Service) arm(j *job) {
	next, err := j.schedule.Next(s.clock.Now())
	if err != nil || !j.enabled() || s.closed {
		j.change(func(p *schedulerpb.Job) { p.ScheduleTime = nil })
		return
	}
	s.armAt(j, next, func() *execution { return &execution{scheduled: next} })
}

// armAt sets the timer. start makes, with s.mu held, the execution whose attempt is due then.
func (s *Service) armAt(j *job, at time.Time, start func() *execution) {
	j.disarm()
	timer := j.armed
	j.change(func(p *schedulerpb.Job) { p.ScheduleTime = timestamppb.New(at) })
	j.cancel = s.clock.At(at, func() {
		s.mu.Lock()
		if j.armed != timer || s.closed {
			s.mu.Unlock()
			return
		}
		j.cancel = nil
		run := s.begin(j, start())
		s.mu.Unlock()
		s.inTurn(run.job, func() { s.carryOut(j, run) })
	})
}

// begin marks the next attempt of an execution as under way. It needs s.mu.
func (s *Service) begin(j *job, run *execution) *execution {
	run.attempt, run.job = true, j.proto
	if run.failures == 0 {
		run.started = s.clock.Now()
	}
	j.run = run
	return run
}

// inTurn does the work of an attempt: to publish, at once; to call out over
// HTTP, in a goroutine, because the clock waits for its timers.
func (s *Service) inTurn(p *schedulerpb.Job, work func()) {
	if p.GetHttpTarget() == nil {
		work()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.busy.Go(work)
}

// carryOut makes the attempt that was begun, and any execution that fell due meanwhile.
func (s *Service) carryOut(j *job, run *execution) {
	for run != nil {
		at := s.clock.Now()
		err := s.attempt(run.job, run.scheduled)
		run = s.settle(j, run, at, err)
	}
}

// settle notes the outcome of an attempt and decides what follows: a retry,
// the next firing, or, where that is past, an execution to carry out now.
func (s *Service) settle(j *job, run *execution, at time.Time, err error) (overdue *execution) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j.attempted(at, err)
	if s.jobs[j.proto.GetName()] != j || s.closed {
		return nil
	}
	if j.run != run { // updated, paused or resumed meanwhile
		j.run = nil
		s.arm(j)
		return nil
	}
	j.run, run.attempt = nil, false
	now := s.clock.Now()
	if due, missed := j.schedule.Missed(run.scheduled, now); missed {
		return s.begin(j, &execution{scheduled: due})
	}
	if err == nil || !s.retry(j, run, now) {
		s.arm(j)
	}
	return nil
}

// retry arms another attempt of the execution if the job's retry configuration
// and its next firing leave room for one. It needs s.mu.
func (s *Service) retry(j *job, run *execution, now time.Time) bool {
	run.failures++
	at, ok := retryTime(j.proto.GetRetryConfig(), run, now)
	if !ok {
		return false
	}
	if next, err := j.schedule.Next(now); err == nil && !at.Before(next) {
		return false
	}
	j.run = run
	s.armAt(j, at, func() *execution { return run })
	return true
}

// retryTime is when to try again after run.failures failures, the last of which is now.
func retryTime(r *schedulerpb.RetryConfig, run *execution, now time.Time) (time.Time, bool) {
	limit := r.GetMaxRetryDuration().AsDuration()
	if run.failures > int(r.GetRetryCount()) && now.Sub(run.started) >= limit {
		return time.Time{}, false
	}
	return now.Add(backoff(r, run.failures)), true
}

// backoff doubles max_doublings times from min_backoff_duration, then grows
// linearly, up to max_backoff_duration.
func backoff(r *schedulerpb.RetryConfig, failures int) time.Duration {
	wait, longest := r.GetMinBackoffDuration().AsDuration(), r.GetMaxBackoffDuration().AsDuration()
	doublings := min(failures-1, int(r.GetMaxDoublings()))
	for range doublings {
		if wait >= longest {
			return longest
		}
		wait *= 2
	}
	if linear := failures - doublings; wait < longest/time.Duration(linear) {
		return wait * time.Duration(linear)
	}
	return longest
}
