package scheduler

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	scheduler "cloud.google.com/go/scheduler/apiv1"
	"cloud.google.com/go/scheduler/apiv1/schedulerpb"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// The bodies are gcloud's own.
func TestJobsAsGcloudDoes(t *testing.T) {
	w := newWorld(t)
	const jobs = "/v1/projects/local/locations/us-central1/jobs"
	pubsub := `{"name":"projects/local/locations/us-central1/jobs/j2","pubsubTarget":{"data":"e30=","topicName":"projects/local/topics/t-1"},"retryConfig":{"maxBackoffDuration":"3600s","maxDoublings":5,"minBackoffDuration":"5s","retryCount":0},"schedule":"*/5 * * * *","timeZone":"Etc/UTC"}`
	call := `{"httpTarget":{"body":"e30=","httpMethod":"POST","oidcToken":{"serviceAccountEmail":"a@b.iam.gserviceaccount.com"},"uri":"http://127.0.0.1:8080/"},"name":"projects/local/locations/us-central1/jobs/j3","retryConfig":{"maxBackoffDuration":"3600s","maxDoublings":5,"minBackoffDuration":"5s","retryCount":0},"schedule":"*/5 * * * *","timeZone":"Etc/UTC"}`
	patch := `{"httpTarget":{"httpMethod":"POST"},"name":"projects/local/locations/us-central1/jobs/j3","retryConfig":{"maxBackoffDuration":"3600s","maxDoublings":5,"minBackoffDuration":"5s","retryCount":0},"schedule":"*/6 * * * *","timeZone":"Etc/UTC"}`
	for _, step := range []struct {
		method, path, body string
		code               int
		want               string // in the printed answer
	}{
		{"POST", jobs, pubsub, 200, "state:ENABLED"},
		{"POST", jobs, pubsub, 409, "message:Job projects/local/locations/us-central1/jobs/j2 already exists."},
		{"POST", jobs, call, 200, "audience:http://127.0.0.1:8080/"},
		{"PATCH", jobs + "/j3?updateMask=schedule", patch, 200, "schedule:*/6 * * * *"},
		{"GET", jobs + "/j3", "", 200, "uri:http://127.0.0.1:8080/"},
		{"GET", jobs, "", 200, "jobs/j2"},
		{"POST", jobs + "/j2:pause", "{}", 200, "state:PAUSED"},
		{"POST", jobs + "/j2:pause", "{}", 400, "status:FAILED_PRECONDITION"},
		{"POST", jobs + "/j2:resume", "{}", 200, "state:ENABLED"},
		{"POST", jobs + "/j2:run", "{}", 200, "lastAttemptTime:2030-01-01T00:00:00Z"},
		{"POST", jobs, strings.ReplaceAll(strings.ReplaceAll(pubsub, "*/5", "61"), "j2", "j4"), 400, "message:Schedule or time zone is invalid"},
		{"DELETE", jobs + "/j2", "", 200, "map[]"},
		{"GET", jobs + "/j2", "", 404, "status:NOT_FOUND"},
	} {
		sep := "?"
		if strings.Contains(step.path, "?") {
			sep = "&"
		}
		code, answer := w.rest(step.method, step.path+sep+"alt=json", step.body)
		if code != step.code || !strings.Contains(fmt.Sprint(answer), step.want) {
			t.Errorf("%s %s: %d %v; want %d with %q", step.method, step.path, code, answer, step.code, step.want)
		}
	}
	if got := len(w.topics.offsets()); got != 1 {
		t.Errorf("published %d messages", got)
	}
}

func TestRESTClient(t *testing.T) {
	w := newWorld(t)
	client, err := scheduler.NewCloudSchedulerRESTClient(w.ctx, option.WithEndpoint(w.server.URL()), option.WithoutAuthentication(), option.WithHTTPClient(http.DefaultClient))
	w.must(err)
	defer client.Close()
	j, err := client.CreateJob(w.ctx, &schedulerpb.CreateJobRequest{Parent: parent, Job: pubsubJob("j", "* * * * *")})
	w.must(err)
	j, err = client.UpdateJob(w.ctx, &schedulerpb.UpdateJobRequest{
		Job:        &schedulerpb.Job{Name: j.GetName(), TimeZone: "Asia/Tokyo", RetryConfig: &schedulerpb.RetryConfig{RetryCount: 3}},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"time_zone", "retry_config.retry_count"}},
	})
	w.must(err)
	if j.GetTimeZone() != "Asia/Tokyo" || j.GetRetryConfig().GetRetryCount() != 3 || j.GetRetryConfig().GetMaxDoublings() != 5 {
		t.Errorf("updated to %v", j)
	}
}

func TestListPages(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"b", "a", "c"} {
		w.create(pubsubJob(id, "* * * * *"))
	}
	other := pubsubJob("d", "* * * * *")
	other.Name = "projects/local/locations/europe-west1/jobs/d"
	_, err := w.client.CreateJob(w.ctx, &schedulerpb.CreateJobRequest{Parent: "projects/local/locations/europe-west1", Job: other})
	w.must(err)
	var ids []string
	it := w.client.ListJobs(w.ctx, &schedulerpb.ListJobsRequest{Parent: parent, PageSize: 2})
	for {
		j, err := it.Next()
		if err == iterator.Done {
			break
		}
		w.must(err)
		ids = append(ids, strings.TrimPrefix(j.GetName(), parent+"/jobs/"))
	}
	if got := strings.Join(ids, " "); got != "a b c" {
		t.Errorf("listed %s", got)
	}
	_, err = w.svc.ListJobs(w.ctx, &schedulerpb.ListJobsRequest{Parent: parent, PageSize: -1})
	w.wantCode(err, codes.InvalidArgument)
}

func TestCreateFillsInDefaults(t *testing.T) {
	w := newWorld(t)
	j := httpJob("", "* * * * *", "https://example.com/")
	j.Name = ""
	j.State = schedulerpb.Job_PAUSED // output only
	j.GetHttpTarget().HttpMethod = 0
	got := w.create(j)
	r := got.GetRetryConfig()
	if !jobName.MatchString(got.GetName()) || got.GetTimeZone() != "Etc/UTC" || got.GetState() != schedulerpb.Job_ENABLED ||
		got.GetAttemptDeadline().GetSeconds() != 180 || got.GetHttpTarget().GetHttpMethod() != schedulerpb.HttpMethod_POST ||
		r.GetMinBackoffDuration().GetSeconds() != 5 || r.GetMaxBackoffDuration().GetSeconds() != 3600 || r.GetMaxDoublings() != 5 {
		t.Errorf("created %v", got)
	}
	attributesOnly := pubsubJob("attributes", "* * * * *")
	attributesOnly.GetPubsubTarget().Data = nil
	w.create(attributesOnly)
}

func TestCreateRefuses(t *testing.T) {
	w := newWorld(t)
	pubsub := func(change func(*schedulerpb.Job)) *schedulerpb.Job {
		j := pubsubJob("j", "* * * * *")
		change(j)
		return j
	}
	call := func(change func(*schedulerpb.Job)) *schedulerpb.Job {
		j := httpJob("j", "* * * * *", "https://example.com/")
		change(j)
		return j
	}
	for name, tc := range map[string]struct {
		job  *schedulerpb.Job
		want string
	}{
		"no job":        {nil, "job is required"},
		"other parent":  {pubsub(func(j *schedulerpb.Job) { j.Name = "projects/x/locations/y/jobs/j" }), "not under the parent"},
		"bad name":      {pubsub(func(j *schedulerpb.Job) { j.Name += "!" }), "is invalid: write projects/"},
		"no schedule":   {pubsub(func(j *schedulerpb.Job) { j.Schedule = "" }), "Schedule or time zone is invalid"},
		"unknown zone":  {pubsub(func(j *schedulerpb.Job) { j.TimeZone = "Mars" }), "Schedule or time zone is invalid"},
		"no target":     {pubsub(func(j *schedulerpb.Job) { j.Target = nil }), "no target"},
		"App Engine":    {pubsub(func(j *schedulerpb.Job) { j.Target = &schedulerpb.Job_AppEngineHttpTarget{} }), "App Engine"},
		"bad topic":     {pubsub(func(j *schedulerpb.Job) { j.GetPubsubTarget().TopicName = "t" }), "Topic name"},
		"empty message": {pubsub(func(j *schedulerpb.Job) { j.GetPubsubTarget().Data, j.GetPubsubTarget().Attributes = nil, nil }), "at least one attribute"},
		"many retries":  {pubsub(func(j *schedulerpb.Job) { j.RetryConfig = &schedulerpb.RetryConfig{RetryCount: 6} }), "retry_count 6"},
		"negative":      {pubsub(func(j *schedulerpb.Job) { j.RetryConfig = &schedulerpb.RetryConfig{MaxDoublings: -1} }), "nothing negative"},
		"backoff order": {pubsub(func(j *schedulerpb.Job) {
			j.RetryConfig = &schedulerpb.RetryConfig{MinBackoffDuration: durationpb.New(3601e9)}
		}), "longer than"},
		"bad URI":     {call(func(j *schedulerpb.Job) { j.GetHttpTarget().Uri = "ftp://x" }), "URI"},
		"bad method":  {call(func(j *schedulerpb.Job) { j.GetHttpTarget().HttpMethod = 99 }), "method 99"},
		"body on GET": {call(func(j *schedulerpb.Job) { j.GetHttpTarget().HttpMethod = schedulerpb.HttpMethod_GET }), "A body is allowed only"},
		"no account":  {call(func(j *schedulerpb.Job) { j.GetHttpTarget().GetOidcToken().ServiceAccountEmail = "" }), "serviceAccountEmail"},
		"OAuth": {call(func(j *schedulerpb.Job) {
			j.GetHttpTarget().AuthorizationHeader = &schedulerpb.HttpTarget_OauthToken{OauthToken: &schedulerpb.OAuthToken{}}
		}), "oidcToken"},
		"deadline": {call(func(j *schedulerpb.Job) { j.AttemptDeadline = durationpb.New(1e9) }), "attempt_deadline"},
	} {
		_, err := w.svc.CreateJob(w.ctx, &schedulerpb.CreateJobRequest{Parent: parent, Job: tc.job})
		want := codes.InvalidArgument
		if name == "App Engine" || name == "OAuth" {
			want = codes.Unimplemented
		}
		if status.Code(err) != want || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
	}
}

func TestMissingJobs(t *testing.T) {
	w := newWorld(t)
	const name = parent + "/jobs/absent"
	for method, call := range map[string]func() error{
		"get":    func() error { _, err := w.client.GetJob(w.ctx, &schedulerpb.GetJobRequest{Name: name}); return err },
		"delete": func() error { return w.client.DeleteJob(w.ctx, &schedulerpb.DeleteJobRequest{Name: name}) },
		"pause":  func() error { _, err := w.client.PauseJob(w.ctx, &schedulerpb.PauseJobRequest{Name: name}); return err },
		"run":    func() error { _, err := w.client.RunJob(w.ctx, &schedulerpb.RunJobRequest{Name: name}); return err },
		"update": func() error {
			_, err := w.client.UpdateJob(w.ctx, &schedulerpb.UpdateJobRequest{Job: &schedulerpb.Job{Name: name}})
			return err
		},
	} {
		if err := call(); status.Code(err) != codes.NotFound {
			t.Errorf("%s: got %v, want NotFound", method, err)
		}
	}
}

func TestUpdateRefuses(t *testing.T) {
	w := newWorld(t)
	name := w.create(pubsubJob("j", "0 * * * *")).GetName()
	for _, tc := range []struct {
		paths []string
		job   *schedulerpb.Job
	}{
		{[]string{"state"}, &schedulerpb.Job{}},
		{[]string{"retry_config.nonsense"}, &schedulerpb.Job{}},
		{[]string{"schedule.x"}, &schedulerpb.Job{}},
		{[]string{"schedule"}, &schedulerpb.Job{Schedule: "never"}},
		{[]string{"pubsub_target"}, &schedulerpb.Job{}},
	} {
		tc.job.Name = name
		_, err := w.client.UpdateJob(w.ctx, &schedulerpb.UpdateJobRequest{Job: tc.job, UpdateMask: &fieldmaskpb.FieldMask{Paths: tc.paths}})
		w.wantCode(err, codes.InvalidArgument)
	}
	if j := w.get(name); j.GetSchedule() != "0 * * * *" || j.GetPubsubTarget() == nil {
		t.Errorf("a refused update changed the job to %v", j)
	}
	j, err := w.client.UpdateJob(w.ctx, &schedulerpb.UpdateJobRequest{
		Job: &schedulerpb.Job{Name: name, Description: "d"}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"name", "description"}},
	})
	w.must(err)
	if j.GetDescription() != "d" {
		t.Errorf("updated to %v", j)
	}
}

func TestAnUpdateThatFailsIsRecoveredByAnother(t *testing.T) {
	w := newWorld(t)
	j := w.create(pubsubJob("j", "* * * * *"))
	w.svc.FailUpdates(1)
	update := func() error {
		_, err := w.client.UpdateJob(w.ctx, &schedulerpb.UpdateJobRequest{Job: &schedulerpb.Job{Name: j.GetName(), Description: "new"}})
		return err
	}
	w.wantCode(update(), codes.Internal)
	got, err := w.client.GetJob(w.ctx, &schedulerpb.GetJobRequest{Name: j.GetName()})
	w.must(err)
	if got.GetState() != schedulerpb.Job_UPDATE_FAILED || got.GetDescription() != "" || got.GetScheduleTime() != nil {
		t.Errorf("an update that failed leaves %v", got)
	}
	w.must(update())
	got, err = w.client.GetJob(w.ctx, &schedulerpb.GetJobRequest{Name: j.GetName()})
	w.must(err)
	if got.GetState() != schedulerpb.Job_ENABLED || got.GetDescription() != "new" || got.GetScheduleTime() == nil {
		t.Errorf("the next one leaves %v", got)
	}
}
