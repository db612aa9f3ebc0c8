package keyturn

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"cloud.google.com/go/scheduler/apiv1/schedulerpb"
	"example.com/keyturn/internal/schedule"
	"example.com/keyturn/shared/deployment"
	"example.com/keyturn/shared/event"
	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/encoding/protojson"
)

// deployFiles are what a deployment is made from, as text.
type deployFiles struct{ cloudbuild, scheduler, mod, functions string }

func readDeployFiles(t *testing.T) deployFiles {
	t.Helper()
	read := func(name string) string {
		text, err := os.ReadFile(name)
		must(t, err)
		return string(text)
	}
	return deployFiles{read("cloudbuild.yaml"), read("scheduler.yaml"), read("go.mod"), read("functions.go")}
}

// deployCheck finds what is wrong with them.
type deployCheck struct {
	deployFiles
	build    *cloudbuildpb.Build
	jobs     []*schedulerpb.Job
	problems []string
}

func (c *deployCheck) wrong(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// checked reads the files into the APIs' own types, and goes on if they can be read.
func (f deployFiles) checked() *deployCheck {
	c := &deployCheck{deployFiles: f, build: new(cloudbuildpb.Build)}
	if err := c.parseBuild(); err != nil {
		c.wrong("cloudbuild.yaml is not a Build: %v", err)
	}
	var err error
	if c.jobs, err = schedule.Parse([]byte(f.scheduler), map[string]string{"PROJECT_ID": "acme", "REGION": "us-central1"}); err != nil {
		c.wrong("scheduler.yaml is no list of jobs: %v", err)
	}
	if len(c.problems) > 0 {
		return c
	}
	for _, part := range []func(){c.steps, c.substitutions, c.security, c.names, c.entries, c.runtime, c.table, c.order, c.rollouts, c.doors, c.schedules} {
		part()
	}
	return c
}

func (c *deployCheck) parseBuild() error {
	var tree any
	if err := yaml.Unmarshal([]byte(c.cloudbuild), &tree); err != nil {
		return err
	}
	asJSON, err := json.Marshal(tree)
	if err != nil {
		return err
	}
	return protojson.Unmarshal(asJSON, c.build)
}

// TestDeployFilesAreRight also says when each job fires, for a person to look at.
func TestDeployFilesAreRight(t *testing.T) {
	c := readDeployFiles(t).checked()
	for _, problem := range c.problems {
		t.Error(problem)
	}
	now := time.Now().UTC()
	for _, j := range c.jobs {
		next, err := schedule.Firings(j, now, 5)
		must(t, err)
		t.Logf("%s %q (%s) fires at", path.Base(j.GetName()), j.GetSchedule(), j.GetTimeZone())
		for _, at := range next {
			t.Logf("    %s", at.Format("Mon 2006-01-02 15:04 MST"))
		}
	}
}

func flag(args []string, name string) string {
	for _, a := range args {
		if v, ok := strings.CutPrefix(a, name+"="); ok {
			return v
		}
	}
	return ""
}

// substitutions wants each that is declared to be used, and the other way round:
// Cloud Build refuses anything else (MUST_MATCH).
func (c *deployCheck) substitutions() {
	used := map[string]bool{}
	for line := range strings.Lines(c.cloudbuild) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		for _, m := range regexp.MustCompile(`\$\{?(_[A-Z0-9_]+)`).FindAllStringSubmatch(line, -1) {
			used[m[1]] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(used)) {
		if _, declared := c.build.GetSubstitutions()[name]; !declared {
			c.wrong("%s is used and not declared", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.build.GetSubstitutions())) {
		if !used[name] {
			c.wrong("%s is declared and not used", name)
		}
	}
}

// security holds what a build by an account of its own needs, and what it promises.
func (c *deployCheck) security() {
	o := c.build.GetOptions()
	if o.GetLogging() != cloudbuildpb.BuildOptions_CLOUD_LOGGING_ONLY {
		c.wrong("logging is %v: with an account of its own a build logs to CLOUD_LOGGING_ONLY", o.GetLogging())
	}
	if o.GetRequestedVerifyOption() != cloudbuildpb.BuildOptions_VERIFIED {
		c.wrong("no provenance is asked for")
	}
	if want := "/serviceAccounts/" + deployment.Deploy + "@${PROJECT_ID}.iam.gserviceaccount.com"; !strings.HasSuffix(c.build.GetServiceAccount(), want) {
		c.wrong("it is built as %q, not as %s", c.build.GetServiceAccount(), deployment.Deploy)
	}
	for _, step := range c.build.GetSteps() {
		if module := slices.IndexFunc(step.GetArgs(), func(a string) bool {
			return strings.Contains(a, ".") && strings.Contains(a, "/cmd/") && !strings.HasPrefix(a, "./")
		}); module >= 0 &&
			!regexp.MustCompile(`@v\d+\.\d+\.\d+$`).MatchString(step.GetArgs()[module]) {
			c.wrong("step %s runs %s, which is of no version", step.GetId(), step.GetArgs()[module])
		}
	}
}

// names wants every account, secret and topic to be one of the deployment's.
func (c *deployCheck) names() {
	known := func(what, text, pattern string, ids []string) {
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			if !slices.Contains(ids, m[1]) {
				c.wrong("%s %q is none of keyturn's", what, m[1])
			}
		}
	}
	var accounts []string
	for _, a := range deployment.Accounts {
		accounts = append(accounts, a.ID)
	}
	known("account", c.cloudbuild, `([a-z0-9-]+)@\$\{PROJECT_ID\}\.iam`, accounts)
	known("secret", c.cloudbuild, `/secrets/([^/\s]+)/`, deployment.Seals)
	known("topic", c.scheduler, `topicName: projects/\$\{PROJECT_ID\}/topics/(\S+)`, event.Topics)
}

// schedules wants each kind of work to have its job, which tries again.
func (c *deployCheck) schedules() {
	orders := map[string]bool{
		event.TopicRotate + " sweep": true, event.TopicRotate + " inspect": true, event.TopicFindings + " tend": true, event.TopicAudit + " sweep": true, event.TopicAudit + " posture": true,
	}
	for _, j := range c.jobs {
		id, t := path.Base(j.GetName()), j.GetPubsubTarget()
		order := path.Base(t.GetTopicName()) + " " + t.GetAttributes()["command"]
		if !orders[order] {
			c.wrong("job %s orders %q, which no function takes, or another job orders, too", id, order)
		}
		delete(orders, order)
		if r := j.GetRetryConfig(); r.GetRetryCount() < 1 || r.GetMinBackoffDuration() == nil || r.GetMaxBackoffDuration() == nil {
			c.wrong("job %s has no retryConfig that tries again", id)
		}
		if j.GetTimeZone() == "" {
			c.wrong("job %s does not say its timeZone", id)
		}
		if t == nil && j.AttemptDeadline == nil {
			c.wrong("job %s calls a URL and has no attemptDeadline", id)
		}
		if !strings.HasPrefix(id, schedule.Prefix) {
			c.wrong("job %s would never be pruned: its name does not begin with %s", id, schedule.Prefix)
		}
	}
	for order := range orders {
		c.wrong("no job orders %q", order)
	}
}

func (c *deployCheck) steps() {
	var seen []string
	for _, step := range c.build.GetSteps() {
		if step.GetId() == "" || slices.Contains(seen, step.GetId()) {
			c.wrong("step %q has no id of its own", step.GetId())
		}
		for _, earlier := range step.GetWaitFor() {
			if earlier != "-" && !slices.Contains(seen, earlier) {
				c.wrong("step %s waits for %q, which is no earlier step", step.GetId(), earlier)
			}
		}
		seen = append(seen, step.GetId())
	}
}

func (c *deployCheck) entries() {
	var registered []string
	for _, m := range regexp.MustCompile(`functions\.(?:CloudEvent|HTTP)\("(\w+)"`).FindAllStringSubmatch(c.functions, -1) {
		registered = append(registered, m[1])
	}
	var deployed []string
	for _, step := range c.build.GetSteps() {
		if !slices.Contains(step.GetArgs(), "deploy") {
			continue
		}
		entry := flag(step.GetArgs(), "--entry-point")
		if !slices.Contains(registered, entry) {
			c.wrong("step %s deploys %q, which functions.go does not register", step.GetId(), entry)
		}
		deployed = append(deployed, entry)
		if topic := flag(step.GetArgs(), "--trigger-topic"); topic != "" && !slices.Contains(event.Topics, topic) {
			c.wrong("step %s is triggered by %q, which is no topic of keyturn's", step.GetId(), topic)
		}
		if strings.HasSuffix(entry, "HTTP") == (flag(step.GetArgs(), "--trigger-topic") != "") {
			c.wrong("step %s gives %s the wrong kind of trigger", step.GetId(), entry)
		}
	}
	for _, name := range registered {
		if !slices.Contains(deployed, name) {
			c.wrong("%s is registered and not deployed", name)
		}
	}
}

func (c *deployCheck) runtime() {
	version := regexp.MustCompile(`(?m)^go (\d+)\.(\d+)`).FindStringSubmatch(c.mod)
	if want := "go" + version[1] + version[2]; c.build.GetSubstitutions()["_RUNTIME"] != want {
		c.wrong("cloudbuild.yaml deploys %s, go.mod wants %s", c.build.GetSubstitutions()["_RUNTIME"], want)
	}
}

// table compares each step with the one place that says what
// a deployment is.
func (c *deployCheck) table() {
	steps := map[string][]string{}
	for _, step := range c.build.GetSteps() {
		if args := step.GetArgs(); slices.Contains(args, "deploy") {
			steps[args[2]] = args
		}
	}
	here := deployment.Site{Project: "acme", Number: "1234", Region: "us-central1"}
	expand := func(args []string, name string) string {
		return strings.NewReplacer("${PROJECT_ID}", "acme", "${PROJECT_NUMBER}", "1234", "${_REGION}", "us-central1", "${_ALERTS}", "${ALERTS}", "${_CALLERS}", "${CALLERS}", "${_AUDIENCES}", "${AUDIENCES}").Replace(flag(args, name))
	}
	for _, f := range deployment.Functions {
		args, ok := steps[f.Name]
		delete(steps, f.Name)
		if !ok {
			c.wrong("no step deploys %s", f.Name)
			continue
		}
		variables := map[string]string{}
		for _, v := range strings.Split(expand(args, "--set-env-vars"), ",") {
			name, value, _ := strings.Cut(v, "=")
			variables[name] = value
		}
		for name, value := range f.Environment {
			if variables[name] != here.Expand(value) {
				c.wrong("%s: %s is %q, want %q", f.Name, name, variables[name], here.Expand(value))
			}
			delete(variables, name)
		}
		if len(variables) > 0 {
			c.wrong("%s: %v are not in the table", f.Name, variables)
		}
		trigger := ""
		if f.Topic != "" {
			trigger = here.Email(deployment.Trigger)
		}
		timeout := strconv.Itoa(int(f.TimeLimit().Seconds())) + "s"
		for name, want := range map[string]string{
			"--entry-point": f.Entry, "--trigger-topic": f.Topic, "--run-service-account": here.Email(f.Account), "--trigger-service-account": trigger,
			"--timeout": timeout, "--region": here.Region,
		} {
			if got := expand(args, name); got != want && !(name == "--timeout" && got == "" && f.Timeout == 0) {
				c.wrong("%s: %s is %q, want %q", f.Name, name, got, want)
			}
		}
		if !slices.Contains(args, "--no-allow-unauthenticated") || (f.Topic != "") != slices.Contains(args, "--retry") {
			c.wrong("%s: %q lack a flag, or have one too many", f.Name, args)
		}
	}
	for name := range steps {
		c.wrong("%s is deployed and not in the table", name)
	}
}

// doors wants whoever believes a token without a signature
// to be deployed so that Cloud Run has looked at it.
func (c *deployCheck) doors() {
	for _, step := range c.build.GetSteps() {
		believes := strings.Contains(flag(step.GetArgs(), "--set-env-vars"), deployment.CheckedBy+"=")
		if believes != strings.HasSuffix(flag(step.GetArgs(), "--entry-point"), "HTTP") || believes && !slices.Contains(step.GetArgs(), "--no-allow-unauthenticated") {
			c.wrong("step %s: %q", step.GetId(), step.GetArgs())
		}
	}
}
