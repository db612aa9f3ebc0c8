package scheduler

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"cloud.google.com/go/scheduler/apiv1/schedulerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"example.com/keyturn/internal/localgcp/clock"
)

func TestPubSubJobFiresOnEveryTick(t *testing.T) {
	w := newWorld(t)
	j := w.create(pubsubJob("sweep", "*/20 * * * *"))
	if got := j.GetScheduleTime().AsTime(); !got.Equal(t0.Add(20 * time.Minute)) {
		t.Errorf("schedule_time %v", got)
	}
	w.clock.Advance(time.Hour)
	if len(w.topics.sent) != 3 {
		t.Fatalf("published %v", w.topics.sent)
	}
	if m := w.topics.sent[0]; m.topic != "projects/local/topics/sweep" || m.data != "{}" || m.attributes["a"] != "b" {
		t.Errorf("published %v", m)
	}
	want := []time.Duration{20 * time.Minute, 40 * time.Minute, time.Hour}
	if got := w.topics.offsets(); !slices.Equal(got, want) {
		t.Errorf("published at %v, want %v", got, want)
	}
	j = w.get(j.GetName())
	if last, next := j.GetLastAttemptTime().AsTime(), j.GetScheduleTime().AsTime(); !last.Equal(t0.Add(time.Hour)) || !next.Equal(t0.Add(80*time.Minute)) {
		t.Errorf("last_attempt_time %v, schedule_time %v", last, next)
	}
	if j.GetStatus() == nil || j.GetStatus().GetCode() != 0 {
		t.Errorf("status %v", j.GetStatus())
	}
}

func TestTimeZone(t *testing.T) {
	w := newWorld(t)
	j := pubsubJob("daily", "0 9 * * *")
	j.TimeZone = "Europe/Berlin"
	w.create(j)
	w.clock.Advance(24 * time.Hour)
	if got := w.topics.offsets(); !slices.Equal(got, []time.Duration{8 * time.Hour}) {
		t.Errorf("published at %v", got)
	}
}

func TestPauseResumeDeleteAndUpdate(t *testing.T) {
	w := newWorld(t)
	name := w.create(pubsubJob("j", "0 * * * *")).GetName()
	j, err := w.client.PauseJob(w.ctx, &schedulerpb.PauseJobRequest{Name: name})
	w.must(err)
	if j.GetState() != schedulerpb.Job_PAUSED {
		t.Errorf("state %v", j.GetState())
	}
	_, err = w.client.PauseJob(w.ctx, &schedulerpb.PauseJobRequest{Name: name})
	w.wantCode(err, codes.FailedPrecondition)
	w.clock.Advance(90 * time.Minute)
	if got := w.topics.offsets(); len(got) > 0 {
		t.Errorf("a paused job fired at %v", got)
	}
	_, err = w.client.ResumeJob(w.ctx, &schedulerpb.ResumeJobRequest{Name: name})
	w.must(err)
	w.clock.Advance(45 * time.Minute) // 2:15
	if got := w.topics.offsets(); !slices.Equal(got, []time.Duration{2 * time.Hour}) {
		t.Errorf("after resuming it fired at %v", got)
	}
	j, err = w.client.UpdateJob(w.ctx, &schedulerpb.UpdateJobRequest{
		Job:        &schedulerpb.Job{Name: name, Schedule: "30 * * * *", Description: "not in the mask"},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"schedule"}},
	})
	w.must(err)
	if j.GetDescription() != "" || j.GetPubsubTarget() == nil {
		t.Errorf("the update changed more than its mask: %v", j)
	}
	w.clock.Advance(30 * time.Minute) // 2:45
	if got := w.topics.offsets(); !slices.Equal(got, []time.Duration{150 * time.Minute}) {
		t.Errorf("after the update it fired at %v", got)
	}
	w.must(w.client.DeleteJob(w.ctx, &schedulerpb.DeleteJobRequest{Name: name}))
	w.clock.Advance(24 * time.Hour)
	if got := w.topics.offsets(); len(got) > 0 {
		t.Errorf("a deleted job fired at %v", got)
	}
}

func TestRunJobRunsNowEvenWhenPaused(t *testing.T) {
	w := newWorld(t)
	name := w.create(pubsubJob("j", "0 0 1 1 *")).GetName()
	_, err := w.client.PauseJob(w.ctx, &schedulerpb.PauseJobRequest{Name: name})
	w.must(err)
	j, err := w.client.RunJob(w.ctx, &schedulerpb.RunJobRequest{Name: name})
	w.must(err)
	if got := w.topics.offsets(); !slices.Equal(got, []time.Duration{0}) {
		t.Errorf("ran at %v", got)
	}
	if j.GetState() != schedulerpb.Job_PAUSED || !j.GetLastAttemptTime().AsTime().Equal(t0) {
		t.Errorf("after running: %v", j)
	}
}

func TestFailuresAreRecordedAndRetriedWithBackoff(t *testing.T) {
	w := newWorld(t)
	w.topics.failWith(status.Error(codes.NotFound, "Resource not found (resource=sweep)."))
	j := pubsubJob("j", "0 * * * *")
	j.RetryConfig = &schedulerpb.RetryConfig{
		RetryCount: 5, MinBackoffDuration: durationpb.New(10 * time.Second), MaxBackoffDuration: durationpb.New(70 * time.Second), MaxDoublings: 2,
	}
	name := w.create(j).GetName()
	w.clock.Advance(time.Hour + 15*time.Second)
	j = w.get(name)
	if j.GetStatus().GetCode() != int32(codes.NotFound) || j.GetStatus().GetMessage() == "" {
		t.Errorf("status %v", j.GetStatus())
	}
	if at := j.GetScheduleTime().AsTime().Sub(t0); at != time.Hour+30*time.Second {
		t.Errorf("schedule_time is %v, not that of the retry", at)
	}
	w.clock.Advance(10 * time.Minute)
	h := time.Hour
	want := []time.Duration{h, h + 10*time.Second, h + 30*time.Second, h + 70*time.Second, h + 140*time.Second, h + 210*time.Second}
	if got := w.topics.offsets(); !slices.Equal(got, want) {
		t.Errorf("attempts at %v, want %v", got, want)
	}
	w.clock.Advance(50 * time.Minute) // 2:00:15
	w.topics.failWith(nil)
	w.clock.Advance(30 * time.Second)
	if got := w.topics.offsets(); len(got) != 3 {
		t.Errorf("attempts at %v, want two failures and a success", got)
	}
	if j = w.get(name); j.GetStatus().GetCode() != 0 || !j.GetScheduleTime().AsTime().Equal(t0.Add(3*h)) {
		t.Errorf("after the success: %v", j)
	}
}

func TestRetriesEndAtTheNextFiring(t *testing.T) {
	w := newWorld(t)
	w.topics.failWith(errors.New("out of order"))
	j := pubsubJob("j", "* * * * *")
	j.RetryConfig = &schedulerpb.RetryConfig{RetryCount: 5, MinBackoffDuration: durationpb.New(25 * time.Second)}
	w.create(j)
	w.clock.Advance(2*time.Minute + 10*time.Second)
	want := []time.Duration{60 * time.Second, 85 * time.Second, 120 * time.Second}
	if got := w.topics.offsets(); !slices.Equal(got, want) {
		t.Errorf("attempts at %v, want %v", got, want)
	}
}

func TestMaxRetryDurationKeepsTrying(t *testing.T) {
	w := newWorld(t)
	w.topics.failWith(errors.New("out of order"))
	j := pubsubJob("j", "0 0 * * *")
	j.RetryConfig = &schedulerpb.RetryConfig{MaxRetryDuration: durationpb.New(time.Minute), MinBackoffDuration: durationpb.New(20 * time.Second), MaxBackoffDuration: durationpb.New(20 * time.Second)}
	name := w.create(j).GetName()
	w.clock.Advance(24*time.Hour + time.Hour)
	if got := w.topics.offsets(); len(got) != 4 {
		t.Errorf("attempts at %v", got)
	}
	w.topics.failWith(nil)
	_, err := w.client.PauseJob(w.ctx, &schedulerpb.PauseJobRequest{Name: name})
	w.must(err)
}

func TestPauseGivesUpARetry(t *testing.T) {
	w := newWorld(t)
	w.topics.failWith(errors.New("out of order"))
	j := pubsubJob("j", "0 * * * *")
	j.RetryConfig = &schedulerpb.RetryConfig{RetryCount: 3}
	name := w.create(j).GetName()
	w.clock.Advance(time.Hour)
	_, err := w.client.PauseJob(w.ctx, &schedulerpb.PauseJobRequest{Name: name})
	w.must(err)
	w.clock.Advance(time.Hour)
	if got := w.topics.offsets(); len(got) != 1 {
		t.Errorf("attempts at %v", got)
	}
}

func TestHTTPTarget(t *testing.T) {
	w, tg := newWorld(t), newTarget(t)
	name := w.create(httpJob("h", "5 * * * *", tg.url)).GetName()
	w.clock.Advance(6 * time.Minute)
	r := tg.next(t)
	body, _ := io.ReadAll(r.Body)
	if r.Method != http.MethodPost || string(body) != `{"a":1}` {
		t.Errorf("got %s %s", r.Method, body)
	}
	for header, want := range map[string]string{
		"Authorization":                 "Bearer sa@local.iam.gserviceaccount.com for " + tg.url,
		"Content-Type":                  "application/octet-stream",
		"User-Agent":                    "Google-Cloud-Scheduler",
		"X-CloudScheduler":              "true",
		"X-CloudScheduler-JobName":      name,
		"X-CloudScheduler-ScheduleTime": "2030-01-01T00:05:00Z",
		"X-Mine":                        "1",
	} {
		if got := r.Header.Get(header); got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
	tg.answers <- http.StatusNoContent
	j := w.eventually(name, func(j *schedulerpb.Job) bool { return j.GetStatus() != nil })
	if j.GetStatus().GetCode() != 0 || !j.GetScheduleTime().AsTime().Equal(t0.Add(65*time.Minute)) {
		t.Errorf("after the call: %v", j)
	}
}

// While a call is under way the job does not start again; then the last missed firing is made up for.
func TestExecutionsDoNotOverlap(t *testing.T) {
	w, tg := newWorld(t), newTarget(t)
	name := w.create(httpJob("h", "*/5 * * * *", tg.url)).GetName()
	w.clock.Advance(5 * time.Minute)
	tg.next(t)
	w.clock.Advance(23 * time.Minute) // to 0:28
	if len(tg.requests) > 0 {
		t.Fatal("a second execution started while the first was under way")
	}
	tg.answers <- http.StatusOK
	if got := tg.next(t).Header.Get("X-CloudScheduler-ScheduleTime"); got != "2030-01-01T00:25:00Z" {
		t.Errorf("the execution made up for is that of %s", got)
	}
	tg.answers <- http.StatusOK
	w.eventually(name, func(j *schedulerpb.Job) bool { return j.GetScheduleTime().AsTime().Equal(t0.Add(30 * time.Minute)) })
	w.clock.Advance(2 * time.Minute)
	tg.next(t)
	tg.answers <- http.StatusOK
}

func TestUpdateDuringACall(t *testing.T) {
	w, tg := newWorld(t), newTarget(t)
	name := w.create(httpJob("h", "*/5 * * * *", tg.url)).GetName()
	w.clock.Advance(5 * time.Minute)
	tg.next(t)
	for range 2 {
		_, err := w.client.UpdateJob(w.ctx, &schedulerpb.UpdateJobRequest{Job: &schedulerpb.Job{Name: name, Schedule: "0 * * * *"}})
		w.must(err)
	}
	w.clock.Advance(10 * time.Minute)
	tg.answers <- http.StatusInternalServerError
	j := w.eventually(name, func(j *schedulerpb.Job) bool { return j.GetStatus() != nil })
	if !j.GetScheduleTime().AsTime().Equal(t0.Add(time.Hour)) || j.GetStatus().GetCode() != int32(codes.Internal) {
		t.Errorf("after the call: %v", j)
	}
}

func TestHTTPFailures(t *testing.T) {
	w, tg := newWorld(t), newTarget(t)
	run := func(j *schedulerpb.Job) codes.Code {
		t.Helper()
		w.create(j)
		_, err := w.client.RunJob(w.ctx, &schedulerpb.RunJobRequest{Name: j.GetName()})
		w.must(err)
		return codes.Code(w.eventually(j.GetName(), func(j *schedulerpb.Job) bool { return j.GetStatus() != nil }).GetStatus().GetCode())
	}
	for i, tc := range []struct {
		answer int
		want   codes.Code
	}{
		{400, codes.InvalidArgument}, {401, codes.Unauthenticated}, {403, codes.PermissionDenied}, {404, codes.NotFound}, {409, codes.Aborted},
		{418, codes.Unknown}, {429, codes.ResourceExhausted}, {500, codes.Internal}, {502, codes.Internal}, {503, codes.Unavailable}, {504, codes.DeadlineExceeded},
	} {
		tg.answers <- tc.answer
		if got := run(httpJob("a"+string(rune('a'+i)), "0 0 1 1 *", tg.url)); got != tc.want {
			t.Errorf("HTTP %d became %v, want %v", tc.answer, got, tc.want)
		}
	}
	if got := run(httpJob("unreachable", "0 0 1 1 *", "http://127.0.0.1:1/")); got != codes.Unavailable {
		t.Errorf("an unreachable target became %v", got)
	}
	gone := httpJob("gone", "0 0 1 1 *", tg.url)
	gone.GetHttpTarget().GetOidcToken().ServiceAccountEmail = "gone@local.iam.gserviceaccount.com"
	if got := run(gone); got != codes.Unauthenticated {
		t.Errorf("an account without tokens became %v", got)
	}
}

func TestCloseCutsOffACall(t *testing.T) {
	w, tg := newWorld(t), newTarget(t)
	w.create(httpJob("h", "*/5 * * * *", tg.url))
	w.clock.Advance(5 * time.Minute)
	tg.next(t)
	w.must(w.svc.Close())
	w.clock.Advance(time.Hour)
	_, err := w.client.RunJob(w.ctx, &schedulerpb.RunJobRequest{Name: parent + "/jobs/h"})
	w.must(err)
	if len(tg.requests) > 0 {
		t.Error("a closed scheduler called")
	}
}

func TestDeleteDuringACall(t *testing.T) {
	w, tg := newWorld(t), newTarget(t)
	name := w.create(httpJob("h", "*/5 * * * *", tg.url)).GetName()
	w.clock.Advance(5 * time.Minute)
	tg.next(t)
	w.must(w.client.DeleteJob(w.ctx, &schedulerpb.DeleteJobRequest{Name: name}))
	tg.answers <- http.StatusOK
	w.svc.busy.Wait()
	w.clock.Advance(time.Hour)
	if len(tg.requests) > 0 {
		t.Error("a deleted job fired")
	}
}

// A timer may be on its way when it is taken back.
func TestTimerTakenBackTooLate(t *testing.T) {
	w := newWorld(t)
	name := w.create(pubsubJob("j", "* * * * *")).GetName()
	w.svc.mu.Lock()
	w.svc.jobs[name].armed++
	w.svc.mu.Unlock()
	w.clock.Advance(time.Hour)
	if got := w.topics.offsets(); len(got) > 0 {
		t.Errorf("fired at %v", got)
	}
}

func TestAttemptDeadlineAndBrokenURI(t *testing.T) {
	w, tg := newWorld(t), newTarget(t)
	slow := httpJob("h", "* * * * *", tg.url)
	slow.AttemptDeadline = durationpb.New(time.Millisecond)
	if err := w.svc.attempt(slow, t0); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("a slow target: %v", err)
	}
	broken := httpJob("h", "* * * * *", "http://x\x7f/")
	broken.AttemptDeadline = durationpb.New(time.Minute)
	if err := w.svc.attempt(broken, t0); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a broken URI: %v", err)
	}
}

func TestWithoutPublisherAndTokens(t *testing.T) {
	s := New(Config{Clock: clock.NewFrozen(t0)})
	defer s.Close()
	if err := s.attempt(pubsubJob("j", "* * * * *"), t0); status.Code(err) != codes.Unavailable {
		t.Errorf("got %v", err)
	}
	if err := s.attempt(httpJob("h", "* * * * *", "http://127.0.0.1:1/"), t0); status.Code(err) != codes.Unauthenticated {
		t.Errorf("got %v", err)
	}
}

func TestFlowingClockFires(t *testing.T) {
	c := clock.New()
	p := &topics{clock: c}
	s := New(Config{Clock: c, Publisher: p})
	defer s.Close()
	_, err := s.CreateJob(t.Context(), &schedulerpb.CreateJobRequest{Parent: parent, Job: pubsubJob("j", "* * * * *")})
	if err != nil {
		t.Fatal(err)
	}
	c.Advance(10 * time.Minute)
	if got := p.offsets(); len(got) < 9 || len(got) > 11 {
		t.Errorf("fired %d times in ten minutes", len(got))
	}
}

// The example of Google's documentation of max_doublings.
func TestBackoff(t *testing.T) {
	r := &schedulerpb.RetryConfig{MinBackoffDuration: durationpb.New(10 * time.Second), MaxBackoffDuration: durationpb.New(300 * time.Second), MaxDoublings: 3}
	var got []time.Duration
	for failures := 1; failures <= 8; failures++ {
		got = append(got, backoff(r, failures)/time.Second)
	}
	if want := []time.Duration{10, 20, 40, 80, 160, 240, 300, 300}; !slices.Equal(got, want) {
		t.Errorf("backs off %v, want %v", got, want)
	}
	r.MaxDoublings = 1 << 30
	if got := backoff(r, 1<<30); got != 300*time.Second {
		t.Errorf("after very many failures it backs off %v", got)
	}
}
