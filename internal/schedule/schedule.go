// Package schedule reads scheduler.yaml, and tells how Cloud Scheduler differs from it.
package schedule

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"cloud.google.com/go/scheduler/apiv1/schedulerpb"
	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/encoding/protojson"

	"example.com/keyturn/internal/localgcp/scheduler/cron"
)

// Longest is how long a file may be, in bytes.
const Longest = 1 << 20

var (
	// variable is a reference such as ${REGION}; a lone or unclosed $ is an error.
	variable = regexp.MustCompile(`\$\{?[A-Za-z0-9_]*\}?`)
	jobName  = regexp.MustCompile(`^projects/[A-Za-z0-9:.-]+/locations/[a-z0-9-]+/jobs/[A-Za-z0-9_-]{1,500}$`)
)

// Parse reads a list of google.cloud.scheduler.v1.Job in REST form under jobs:,
// with the variables expanded. It is strict: an unknown field, an unknown variable,
// a name that is there twice, a schedule that never fires and what Cloud Scheduler
// would ignore are errors, all reported together. The state may be ENABLED, which
// is meant where there is none, or PAUSED.
func Parse(text []byte, variables map[string]string) ([]*schedulerpb.Job, error) {
	expanded, err := expand(string(text), variables)
	if err != nil {
		return nil, err
	}
	var file struct {
		Jobs []any `yaml:"jobs"`
	}
	if err := yaml.UnmarshalWithOptions([]byte(expanded), &file, yaml.DisallowUnknownField()); err != nil {
		return nil, fmt.Errorf("reading the schedule: %s", strings.TrimSpace(yaml.FormatError(err, false, false)))
	}
	if len(file.Jobs) == 0 {
		return nil, errors.New("reading the schedule: the list jobs is empty")
	}
	var jobs []*schedulerpb.Job
	var problems []error
	seen := map[string]bool{}
	for i, raw := range file.Jobs {
		job, err := parseJob(raw)
		if name := job.GetName(); err == nil && seen[name] {
			err = fmt.Errorf("there is another one named %s", name)
		}
		seen[job.GetName()] = true
		if err != nil {
			problems = append(problems, fmt.Errorf("job %d of the schedule: %w", i+1, err))
			continue
		}
		jobs = append(jobs, job)
	}
	return jobs, errors.Join(problems...)
}

// parseJob goes through JSON, because protojson knows the API's own form.
func parseJob(raw any) (*schedulerpb.Job, error) {
	b, err := json.Marshal(raw)
	if err != nil {
		return nil, err
	}
	job := new(schedulerpb.Job)
	if err := protojson.Unmarshal(b, job); err != nil {
		return nil, err
	}
	return job, check(job)
}

// check finds what Cloud Scheduler would refuse, or would not do.
func check(j *schedulerpb.Job) error {
	if j.GetName() == "" || j.GetSchedule() == "" || j.GetTarget() == nil {
		return errors.New("name, schedule and a target are needed")
	}
	var problems []error
	wrong := func(found bool, format string, args ...any) {
		if found {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	wrong(!jobName.MatchString(j.GetName()), "the name %q is not projects/PROJECT/locations/REGION/jobs/JOB", j.GetName())
	if _, err := cron.Parse(j.GetSchedule(), j.GetTimeZone()); err != nil {
		problems = append(problems, err)
	}
	wrong(j.GetPubsubTarget() != nil && j.AttemptDeadline != nil, "attemptDeadline is ignored where the target is a topic: leave it out")
	wrong(j.GetUserUpdateTime() != nil || j.GetStatus() != nil || j.GetScheduleTime() != nil || j.GetLastAttemptTime() != nil, "userUpdateTime, status, scheduleTime and lastAttemptTime are Cloud Scheduler's own: leave them out")
	wrong(j.GetState() > schedulerpb.Job_PAUSED, "the state %v is not one to ask for: want ENABLED or PAUSED", j.GetState())
	return errors.Join(problems...)
}

// Firings are the next n times at which a job that Parse has read fires after now.
func Firings(j *schedulerpb.Job, now time.Time, n int) ([]time.Time, error) {
	s, err := cron.Parse(j.GetSchedule(), j.GetTimeZone())
	var all []time.Time
	for at := now; err == nil && len(all) < n; {
		if at, err = s.Next(at); err == nil {
			all = append(all, at)
		}
	}
	return all, err
}

func expand(text string, variables map[string]string) (string, error) {
	var problems []error
	var out []string
	for n, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			out = append(out, line)
			continue
		}
		out = append(out, variable.ReplaceAllStringFunc(line, func(ref string) string {
			name := strings.Trim(ref, "${}")
			value, known := variables[name]
			if !known || ref != "${"+name+"}" {
				problems = append(problems, fmt.Errorf("line %d of the schedule: %q is no variable that is known here", n+1, ref))
			}
			return value
		}))
	}
	return strings.Join(out, "\n"), errors.Join(problems...)
}
