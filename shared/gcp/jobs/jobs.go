// Package jobs keeps the jobs of Cloud Scheduler. No function needs it: it is apart
// so that none carries its client.
package jobs

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"path"
	"time"

	scheduler "cloud.google.com/go/scheduler/apiv1"
	"cloud.google.com/go/scheduler/apiv1/schedulerpb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/api/option"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"example.com/keyturn/shared/gcp"
)

// Client is Google's, for jobs. Close closes it. It is safe for concurrent use.
type Client struct {
	google *scheduler.CloudSchedulerClient
	pause  func(context.Context, time.Duration) error
}

// New makes a client, which connects when it is used. The options are those of a
// gcp.Cloud, which makes calls again where that may help.
func New(ctx context.Context, opts ...option.ClientOption) (*Client, error) {
	c, err := scheduler.NewCloudSchedulerClient(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("making the client of Cloud Scheduler: %w", err)
	}
	c.CallOptions = &scheduler.CloudSchedulerCallOptions{}
	return &Client{google: c, pause: gax.Sleep}, nil
}

// Close closes the connection.
func (c *Client) Close() error { return c.google.Close() }

// All are the jobs of projects/PROJECT/locations/REGION, by name. The first error ends them.
func (c *Client) All(ctx context.Context, parent string) iter.Seq2[*schedulerpb.Job, error] {
	return c.google.ListJobs(ctx, &schedulerpb.ListJobsRequest{Parent: parent}).All()
}

// Create makes a job, or updates the one that somebody has made meanwhile. Its state
// is what the job's says: PAUSED, or ENABLED for anything else.
func (c *Client) Create(ctx context.Context, want *schedulerpb.Job) error {
	got, err := c.create(ctx, want)
	if gcp.IsAlreadyExists(err) {
		got, err = c.update(ctx, want)
	}
	return c.settle(ctx, want, got, err)
}

// Update makes a job as wanted in every part, its state included, or creates the one
// that somebody has deleted meanwhile.
func (c *Client) Update(ctx context.Context, want *schedulerpb.Job) error {
	got, err := c.update(ctx, want)
	if gcp.IsNotFound(err) {
		got, err = c.create(ctx, want)
	}
	return c.settle(ctx, want, got, err)
}

// Delete deletes a job, by its full name. None is there afterwards, whoever deleted it.
func (c *Client) Delete(ctx context.Context, name string) error {
	err := c.google.DeleteJob(ctx, &schedulerpb.DeleteJobRequest{Name: name})
	if err != nil && !gcp.IsNotFound(err) {
		return fmt.Errorf("deleting job %s: %w", path.Base(name), err)
	}
	return nil
}

func (c *Client) create(ctx context.Context, want *schedulerpb.Job) (*schedulerpb.Job, error) {
	parent := path.Dir(path.Dir(want.GetName()))
	return c.google.CreateJob(ctx, &schedulerpb.CreateJobRequest{Parent: parent, Job: want})
}

// maxUpdates is how often one update is tried.
const maxUpdates = 5

// update tries again what left the job UPDATE_FAILED: that is how a job is
// recovered (google.cloud.scheduler.v1.Job.State).
func (c *Client) update(ctx context.Context, want *schedulerpb.Job) (*schedulerpb.Job, error) {
	wait := gax.Backoff{Initial: time.Second, Max: 10 * time.Second}
	for n := 1; ; n++ {
		got, err := c.google.UpdateJob(ctx, &schedulerpb.UpdateJobRequest{Job: want, UpdateMask: mask(want)})
		if n == maxUpdates || !c.updateFailed(ctx, want.GetName(), got, err) || c.pause(ctx, wait.Pause()) != nil {
			return got, err
		}
	}
}

func (c *Client) updateFailed(ctx context.Context, name string, got *schedulerpb.Job, err error) bool {
	if err != nil {
		if gcp.IsNotFound(err) || gcp.IsPermissionDenied(err) || gcp.IsUnavailable(err) {
			return false
		}
		got, err = c.google.GetJob(ctx, &schedulerpb.GetJobRequest{Name: name})
	}
	return err == nil && got.GetState() == schedulerpb.Job_UPDATE_FAILED
}

// mask is of all that a user sets, so that a part which is not wanted any more goes.
func mask(want *schedulerpb.Job) *fieldmaskpb.FieldMask {
	paths := []string{"description", "schedule", "time_zone", "retry_config"}
	switch {
	case want.GetPubsubTarget() != nil:
		paths = append(paths, "pubsub_target")
	case want.GetHttpTarget() != nil:
		paths = append(paths, "http_target", "attempt_deadline")
	case want.GetAppEngineHttpTarget() != nil:
		paths = append(paths, "app_engine_http_target", "attempt_deadline")
	}
	return &fieldmaskpb.FieldMask{Paths: paths}
}

// settle pauses or resumes a job as is wanted: its state is not to be updated.
func (c *Client) settle(ctx context.Context, want, got *schedulerpb.Job, err error) error {
	const paused, enabled = schedulerpb.Job_PAUSED, schedulerpb.Job_ENABLED
	to := cmp.Or(want.GetState(), enabled)
	if err == nil && to == paused && got.GetState() == enabled {
		got, err = c.google.PauseJob(ctx, &schedulerpb.PauseJobRequest{Name: want.GetName()})
	} else if err == nil && to == enabled && got.GetState() == paused {
		got, err = c.google.ResumeJob(ctx, &schedulerpb.ResumeJobRequest{Name: want.GetName()})
	}
	id := path.Base(want.GetName())
	switch {
	case err != nil:
		return fmt.Errorf("job %s: %w", id, err)
	case got.GetState() != to:
		return fmt.Errorf("job %s is %v, not %v, after it was updated: delete it and run this again", id, got.GetState(), to)
	}
	return nil
}
