package schedule

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/scheduler/apiv1/schedulerpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const name = "projects/p/locations/l/jobs/keyturn-sweep"

func job() *schedulerpb.Job {
	return &schedulerpb.Job{
		Name: name, Schedule: "* * * * *",
		Target: &schedulerpb.Job_PubsubTarget{PubsubTarget: &schedulerpb.PubsubTarget{TopicName: "projects/p/topics/t", Attributes: map[string]string{"command": "sweep"}}},
	}
}

func caller() *schedulerpb.Job {
	j := job()
	j.Target = &schedulerpb.Job_HttpTarget{HttpTarget: &schedulerpb.HttpTarget{Uri: "https://a.example", Body: []byte("token=hunter2"), Headers: map[string]string{"Authorization": "Bearer hunter2"}}}
	return j
}

// filled is a job as Cloud Scheduler answers with it, to one that says no more than it must.
func filled() *schedulerpb.Job {
	j := job()
	j.State, j.TimeZone, j.UserUpdateTime, j.ScheduleTime, j.LastAttemptTime = schedulerpb.Job_ENABLED, "Etc/UTC", timestamppb.Now(), timestamppb.Now(), timestamppb.Now()
	j.RetryConfig = &schedulerpb.RetryConfig{MinBackoffDuration: durationpb.New(5 * time.Second), MaxBackoffDuration: durationpb.New(time.Hour), MaxDoublings: 5, MaxRetryDuration: durationpb.New(0)}
	j.AttemptDeadline = durationpb.New(3 * time.Minute)
	return j
}

func TestDiff(t *testing.T) {
	for what, tt := range map[string]struct {
		wanted, have *schedulerpb.Job // changed from job and filled
		want         string
	}{
		"nothing":          {job(), filled(), ""},
		"new":              {job(), nil, "create keyturn-sweep: pubsubTarget.attributes.command= to sweep; pubsubTarget.topicName= to projects/p/topics/t; retryConfig.maxBackoffDuration= to 3600s; retryConfig.maxDoublings= to 5; retryConfig.minBackoffDuration= to 5s; schedule= to * * * * *; state= to ENABLED; timeZone= to Etc/UTC"},
		"schedule":         {edited(job(), func(j *schedulerpb.Job) { j.Schedule = "*/5 * * * *" }), filled(), "update keyturn-sweep: schedule=* * * * * to */5 * * * *"},
		"default again":    {job(), edited(filled(), func(j *schedulerpb.Job) { j.RetryConfig.RetryCount = 3 }), "update keyturn-sweep: retryConfig.retryCount=3 to "},
		"attribute gone":   {job(), edited(filled(), func(j *schedulerpb.Job) { j.GetPubsubTarget().Attributes["x"] = "y" }), "update keyturn-sweep: pubsubTarget.attributes.x=y to "},
		"zone, said twice": {edited(job(), func(j *schedulerpb.Job) { j.TimeZone = "utc" }), filled(), ""},
		"paused by hand":   {job(), edited(filled(), func(j *schedulerpb.Job) { j.State = schedulerpb.Job_PAUSED }), "update keyturn-sweep: state=PAUSED to ENABLED"},
		"to be paused":     {edited(job(), func(j *schedulerpb.Job) { j.State = schedulerpb.Job_PAUSED }), filled(), "update keyturn-sweep: state=ENABLED to PAUSED"},
		"update failed":    {job(), edited(filled(), func(j *schedulerpb.Job) { j.State = schedulerpb.Job_UPDATE_FAILED }), "update keyturn-sweep: state=UPDATE_FAILED to ENABLED"},
		"not in the file":  {nil, filled(), "prune keyturn-sweep: "},
		"another's":        {nil, edited(filled(), func(j *schedulerpb.Job) { j.Name = "projects/p/locations/l/jobs/backup" }), ""},
		"calls": {caller(), edited(caller(), func(j *schedulerpb.Job) {
			j.GetHttpTarget().Headers["User-Agent"], j.AttemptDeadline, j.GetHttpTarget().HttpMethod = "Google-Cloud-Scheduler", durationpb.New(3*time.Minute), schedulerpb.HttpMethod_POST
		}), ""},
		"deadline": {edited(caller(), func(j *schedulerpb.Job) { j.AttemptDeadline = durationpb.New(time.Minute) }), caller(), "update keyturn-sweep: attemptDeadline=180s to 60s"},
	} {
		t.Run(what, func(t *testing.T) {
			if got := told(Diff(jobs(tt.wanted), jobs(tt.have))); got != tt.want {
				t.Errorf("differs by %q\n           want %q", got, tt.want)
			}
		})
	}
}

func edited(j *schedulerpb.Job, edit func(*schedulerpb.Job)) *schedulerpb.Job {
	edit(j)
	return j
}

func jobs(all ...*schedulerpb.Job) []*schedulerpb.Job {
	return slices.DeleteFunc(all, func(j *schedulerpb.Job) bool { return j == nil })
}

func told(all []Change) string {
	var out []string
	for _, c := range all {
		var fields []string
		for _, f := range c.Fields {
			fields = append(fields, f.Name+"="+f.From+" to "+f.To)
		}
		out = append(out, string(c.Deed)+" "+filepath.Base(c.Job)+": "+strings.Join(fields, "; "))
	}
	return strings.Join(out, "\n")
}

// TestWhatIsSentIsNotShown: it may be a secret.
func TestWhatIsSentIsNotShown(t *testing.T) {
	changed := edited(caller(), func(j *schedulerpb.Job) {
		j.GetHttpTarget().Body, j.GetHttpTarget().Headers["Authorization"] = []byte("token=hunter3"), "Bearer hunter3"
	})
	got := told(Diff(jobs(changed), jobs(caller())))
	for _, field := range []string{"httpTarget.body=20 characters, SHA-256 ", "httpTarget.headers.Authorization=14 characters, SHA-256 "} {
		if !strings.Contains(got, field) {
			t.Errorf("it does not tell of %s: %s", field, got)
		}
	}
	if strings.Contains(got, "hunter") || strings.Contains(got, "dG9rZW") {
		t.Errorf("it shows what is sent: %s", got)
	}
}

func TestDiffLeavesItsArgumentsAlone(t *testing.T) {
	wanted, have := caller(), filled()
	before, was := proto.CloneOf(wanted), proto.CloneOf(have)
	Diff(jobs(wanted), jobs(have))
	if !proto.Equal(before, wanted) || !proto.Equal(was, have) {
		t.Error("Diff changed a job")
	}
}

func TestFirings(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "scheduler.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := Parse(text, vars)
	if err != nil {
		t.Fatal(err)
	}
	next, err := Firings(all[0], time.Date(2030, 1, 1, 0, 5, 0, 0, time.UTC), 2)
	if err != nil || len(next) != 2 || next[0].Minute() != 10 || next[1].Minute() != 20 {
		t.Errorf("it fires at %v (%v)", next, err)
	}
	if _, err := Firings(&schedulerpb.Job{Schedule: "never"}, time.Now(), 1); err == nil {
		t.Error("what is no schedule fires")
	}
}
