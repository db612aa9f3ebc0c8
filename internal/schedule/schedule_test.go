package schedule

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var vars = map[string]string{"PROJECT_ID": "acme", "REGION": "europe-west1"}

func TestTheProjectsOwnSchedule(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "scheduler.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	jobs, err := Parse(text, vars)
	if err != nil {
		t.Fatal(err)
	}
	if len(jobs) != 5 {
		t.Fatalf("%d jobs, want 5", len(jobs))
	}
	sweep := jobs[0]
	if got, want := sweep.GetName(), "projects/acme/locations/europe-west1/jobs/keyturn-sweep"; got != want {
		t.Errorf("name %q, want %q", got, want)
	}
	if got, want := sweep.GetPubsubTarget().GetTopicName(), "projects/acme/topics/keyturn-rotate"; got != want {
		t.Errorf("topic %q, want %q", got, want)
	}
	if sweep.GetPubsubTarget().GetAttributes()["command"] != "sweep" || sweep.GetRetryConfig().GetRetryCount() != 3 {
		t.Errorf("job was not read whole: %v", sweep)
	}
}

func TestMistakesAreNamed(t *testing.T) {
	const job = "jobs:\n- name: projects/p/locations/l/jobs/j\n  schedule: '* * * * *'\n  pubsubTarget: {topicName: projects/p/topics/t}\n"
	for name, tt := range map[string]struct{ text, want string }{
		"unknown variable":     {strings.Replace(job, "projects/p/topics", "projects/${PROJET}/topics", 1), "${PROJET}"},
		"unclosed variable":    {strings.Replace(job, "projects/p/topics", "projects/${REGION/topics", 1), "line 4"},
		"bare variable":        {strings.Replace(job, "projects/p/topics", "projects/$REGION/topics", 1), "$REGION"},
		"unknown field of job": {job + "  shedule: x\n", "shedule"},
		"unknown field":        {job + "job: x\n", "job"},
		"no schedule":          {strings.Replace(job, "schedule: '* * * * *'", "description: x", 1), "schedule"},
		"no jobs":              {"jobs: []\n", "jobs"},
		"bad duration":         {job + "  attemptDeadline: ten\n", "Duration"},
		"twice":                {job + strings.TrimPrefix(job, "jobs:\n"), "job 2 of the schedule: there is another one named projects/p/locations/l/jobs/j"},
		"name":                 {strings.Replace(job, "locations/l", "location/l", 1), "is not projects/PROJECT/locations/REGION/jobs/JOB"},
		"never fires":          {strings.Replace(job, "'* * * * *'", "'0 0 30 2 *'", 1), "0 0 30 2 *"},
		"no cron":              {strings.Replace(job, "'* * * * *'", "every day", 1), "has 2 fields"},
		"zone":                 {job + "  timeZone: Mars\n", "Mars"},
		"ignored":              {job + "  attemptDeadline: 60s\n", "attemptDeadline is ignored"},
		"output only":          {job + "  scheduleTime: '2030-01-01T00:00:00Z'\n", "leave them out"},
		"state":                {job + "  state: UPDATE_FAILED\n", "want ENABLED or PAUSED"},
		"key twice":            {job + "  schedule: '* * * * *'\n", "already defined"},
		"not YAML":             {"jobs: [\n", "schedule"},
		"empty":                {"", "jobs"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse([]byte(tt.text), vars); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v does not name %q", err, tt.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("jobs:\n- name: a\n  schedule: b\n  pubsubTarget: {topicName: ${REGION}}\n")
	f.Add("jobs: [1, {a: b}]")
	f.Fuzz(func(t *testing.T, text string) {
		jobs, err := Parse([]byte(text), vars)
		if err == nil && len(jobs) == 0 {
			t.Error("no jobs and no error")
		}
	})
}
