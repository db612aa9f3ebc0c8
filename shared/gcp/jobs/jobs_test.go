package jobs

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/scheduler/apiv1/schedulerpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/shared/gcp"
)

const parent = "projects/acme/locations/us-central1"

// desk is a client of an embedded cloud.
type desk struct {
	*testing.T
	local  *localgcp.Cloud
	client *Client
	called []string // methods, in order
	waited int
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	local, err := localgcp.Start(localgcp.Config{Addr: "127.0.0.1:0", ProjectID: "acme", Clock: clock.NewFrozen(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { local.Close() })
	cloud, err := gcp.New(gcp.Config{Project: "acme", Endpoint: local.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cloud.Close() })
	d := &desk{T: t, local: local}
	if d.client, err = New(t.Context(), cloud.Options()...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.client.Close() })
	d.client.pause = func(ctx context.Context, _ time.Duration) error { d.waited++; return ctx.Err() }
	d.fail("", nil)
	return d
}

// fail has the calls of a method fail, and notes all.
func (d *desk) fail(method string, err error) {
	d.called = nil
	d.local.Faults.Set(func(called string, _ any) fault.Fault {
		id := called[strings.LastIndexByte(called, '/')+1:]
		d.called = append(d.called, id)
		if id == method {
			return fault.Fault{Before: err}
		}
		return fault.Fault{}
	})
}

func (d *desk) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

func (d *desk) all() []*schedulerpb.Job {
	d.Helper()
	var all []*schedulerpb.Job
	for j, err := range d.client.All(d.Context(), parent) {
		d.must(err)
		all = append(all, j)
	}
	return all
}

func sweep() *schedulerpb.Job {
	return &schedulerpb.Job{
		Name: parent + "/jobs/keyturn-sweep", Schedule: "*/10 * * * *", TimeZone: "Etc/UTC", Description: "d", RetryConfig: &schedulerpb.RetryConfig{RetryCount: 3},
		Target: &schedulerpb.Job_PubsubTarget{PubsubTarget: &schedulerpb.PubsubTarget{TopicName: "projects/acme/topics/keyturn-rotate", Attributes: map[string]string{"command": "sweep"}}},
	}
}

func call() *schedulerpb.Job {
	j := sweep()
	j.AttemptDeadline = durationpb.New(time.Minute)
	j.Target = &schedulerpb.Job_HttpTarget{HttpTarget: &schedulerpb.HttpTarget{Uri: "https://a.example/"}}
	return j
}

// TestWhateverIsThereBecomesWhatIsWanted by either deed.
func TestWhateverIsThereBecomesWhatIsWanted(t *testing.T) {
	paused := sweep()
	paused.State, paused.Description, paused.RetryConfig = schedulerpb.Job_PAUSED, "", nil
	for what, tt := range map[string]struct {
		before, want *schedulerpb.Job
		update       bool
		called       string
	}{
		"create":                {nil, sweep(), false, "CreateJob"},
		"create paused":         {nil, paused, false, "CreateJob PauseJob"},
		"create what is there":  {paused, sweep(), false, "CreateJob UpdateJob ResumeJob"},
		"update":                {paused, sweep(), true, "UpdateJob ResumeJob"},
		"update to paused":      {sweep(), paused, true, "UpdateJob PauseJob"},
		"update paused":         {paused, paused, true, "UpdateJob"},
		"update what is gone":   {nil, sweep(), true, "UpdateJob CreateJob"},
		"update another target": {sweep(), call(), true, "UpdateJob"},
	} {
		t.Run(what, func(t *testing.T) {
			d := newDesk(t)
			if tt.before != nil {
				d.must(d.client.Create(t.Context(), tt.before))
			}
			d.called = nil
			if tt.update {
				d.must(d.client.Update(t.Context(), tt.want))
			} else {
				d.must(d.client.Create(t.Context(), tt.want))
			}
			if called := strings.Join(d.called, " "); called != tt.called {
				t.Errorf("it calls %s, want %s", called, tt.called)
			}
			got := d.all()
			if len(got) != 1 || got[0].GetDescription() != tt.want.GetDescription() || got[0].GetRetryConfig().GetRetryCount() != tt.want.GetRetryConfig().GetRetryCount() ||
				got[0].GetState() != max(tt.want.GetState(), schedulerpb.Job_ENABLED) || (got[0].GetPubsubTarget() == nil) != (tt.want.GetPubsubTarget() == nil) {
				t.Errorf("it leaves %v", got)
			}
		})
	}
}

func TestAnUpdateThatFailedIsTriedAgain(t *testing.T) {
	d := newDesk(t)
	d.must(d.client.Create(t.Context(), sweep()))
	d.local.Scheduler.FailUpdates(maxUpdates - 1)
	d.must(d.client.Update(t.Context(), sweep()))
	if got := d.all(); d.waited != maxUpdates-1 || got[0].GetState() != schedulerpb.Job_ENABLED {
		t.Errorf("after %d pauses: %v", d.waited, got)
	}
	d.local.Scheduler.FailUpdates(2 * maxUpdates)
	err := d.client.Update(t.Context(), sweep())
	if status.Code(err) != codes.Internal || !strings.Contains(err.Error(), "job keyturn-sweep: ") || d.waited != 2*(maxUpdates-1) {
		t.Errorf("in the end, after %d pauses: %v", d.waited, err)
	}
}

func TestAnInterruptEndsTheTries(t *testing.T) {
	d := newDesk(t)
	d.must(d.client.Create(t.Context(), sweep()))
	d.local.Scheduler.FailUpdates(maxUpdates)
	d.client.pause = func(context.Context, time.Duration) error { return context.Canceled }
	d.called = nil
	if err := d.client.Update(t.Context(), sweep()); err == nil || !slices.Equal(d.called, []string{"UpdateJob", "GetJob"}) {
		t.Errorf("after %v: %v", d.called, err)
	}
}

// TestErrorsAreTold, with the job, and whatever else is not tried again.
func TestErrorsAreTold(t *testing.T) {
	d := newDesk(t)
	d.must(d.client.Create(t.Context(), sweep()))
	refused := status.Error(codes.PermissionDenied, "no")
	paused := sweep()
	paused.State = schedulerpb.Job_PAUSED
	for method, act := range map[string]func() error{
		"CreateJob": func() error { return d.client.Create(t.Context(), sweep()) },
		"UpdateJob": func() error { return d.client.Update(t.Context(), sweep()) },
		"PauseJob":  func() error { return d.client.Update(t.Context(), paused) },
		"DeleteJob": func() error { return d.client.Delete(t.Context(), sweep().GetName()) },
	} {
		d.fail(method, refused)
		if err := act(); status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), "job keyturn-sweep: ") || d.called[len(d.called)-1] != method {
			t.Errorf("%s: %v after %v", method, err, d.called)
		}
	}
	d.fail("ListJobs", refused)
	for _, err := range d.client.All(t.Context(), parent) {
		if status.Code(err) != codes.PermissionDenied {
			t.Errorf("listing: %v", err)
		}
	}
	if _, err := New(t.Context(), option.WithAPIKey("a"), option.WithoutAuthentication()); err == nil {
		t.Error("contradicting options make a client")
	}
}

// TestAJobThatStaysAsItIsIsTold: the caller's next step is another.
func TestAJobThatStaysAsItIsIsTold(t *testing.T) {
	d := newDesk(t)
	disabled := proto.CloneOf(sweep())
	disabled.State = schedulerpb.Job_DISABLED
	err := d.client.settle(t.Context(), sweep(), disabled, nil)
	if err == nil || !strings.Contains(err.Error(), "is DISABLED, not ENABLED, after it was updated") {
		t.Error(err)
	}
}

func TestDeleteTwice(t *testing.T) {
	d := newDesk(t)
	d.must(d.client.Create(t.Context(), sweep()))
	for range 2 {
		d.must(d.client.Delete(t.Context(), sweep().GetName()))
	}
	if left := d.all(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
