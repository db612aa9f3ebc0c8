// Package schedule reads scheduler.yaml.
package schedule

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"cloud.google.com/go/scheduler/apiv1/schedulerpb"
	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/encoding/protojson"
)

// variable is a reference such as ${REGION}; a lone or unclosed $ is an error.
var variable = regexp.MustCompile(`\$\{?[A-Za-z0-9_]*\}?`)

// Parse reads a list of google.cloud.scheduler.v1.Job in REST form under jobs:,
// with the variables expanded. It is strict: an unknown field, an unknown
// variable and a job without a name are errors, all reported together.
func Parse(text []byte, variables map[string]string) ([]*schedulerpb.Job, error) {
	expanded, err := expand(string(text), variables)
	if err != nil {
		return nil, err
	}
	var file struct {
		Jobs []any `yaml:"jobs"`
	}
	if err := yaml.UnmarshalWithOptions([]byte(expanded), &file, yaml.DisallowUnknownField()); err != nil {
		return nil, fmt.Errorf("reading the schedule: %w", err)
	}
	if len(file.Jobs) == 0 {
		return nil, errors.New("reading the schedule: the list jobs is empty")
	}
	var jobs []*schedulerpb.Job
	var problems []error
	for i, raw := range file.Jobs {
		job, err := parseJob(raw)
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
	if job.GetName() == "" || job.GetSchedule() == "" || job.GetTarget() == nil {
		return nil, errors.New("name, schedule and a target are needed")
	}
	return job, nil
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
