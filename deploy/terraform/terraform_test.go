// Package terraform has nothing but the tests of the Terraform module beside it. They
// work out what it would make, without Terraform and without Google's provider.
package terraform

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/internal/schedule"
	"example.com/keyturn/shared/deployment"
	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
)

// sources are the files of the module, by name.
func sources(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("*.tf")
	if err != nil || len(names) == 0 {
		t.Fatalf("no files: %v", err)
	}
	files := map[string]string{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	return files
}

// check finds what is wrong with a module.
type check struct {
	*module
	problems []string
}

func (c *check) wrong(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// checked are the problems of files once the functions are deployed.
func checked(files map[string]string) []string {
	m, err := read(files, map[string]cty.Value{"project": cty.StringVal("acme"), "functions_deployed": cty.True})
	if err != nil {
		return []string{err.Error()}
	}
	c := &check{module: m}
	c.schema()
	if c.variablesUsed(); len(c.problems) > 0 {
		return c.problems
	}
	for _, part := range []func(){c.contents, c.grants, c.logs, c.documents, c.jobs} {
		part()
	}
	return c.problems
}

func TestModuleMakesTheDeployment(t *testing.T) {
	for _, problem := range checked(sources(t)) {
		t.Error(problem)
	}
}

// TestServicesAreLeftUntilTheyAreThere: a grant on what is not there would fail.
func TestServicesAreLeftUntilTheyAreThere(t *testing.T) {
	m, err := read(sources(t), map[string]cty.Value{"project": cty.StringVal("acme"), "schedule": cty.False, "kms_key": cty.StringVal("projects/acme/locations/us/keyRings/r/cryptoKeys/k")})
	if err != nil {
		t.Fatal(err)
	}
	c := &check{module: m}
	if grants, jobs := c.of("google_cloud_run_v2_service_iam_member"), c.of("google_cloud_scheduler_job"); len(grants)+len(jobs) > 0 {
		t.Errorf("it makes %v and %v", grants, jobs)
	}
	if c.schema(); len(c.problems) > 0 {
		t.Error(c.problems)
	}
	if got := fmt.Sprintf("%#v", c.of("google_secret_manager_secret")[0].values["replication"]); !strings.Contains(got, "cryptoKeys/k") {
		t.Errorf("the secrets are encrypted by %s", got)
	}
}

// of are the instances of one kind.
func (c *check) of(kind string) []instance {
	return slices.DeleteFunc(slices.Clone(c.instances), func(i instance) bool { return i.kind != kind })
}

// schema wants nothing but what the provider takes, and all that it needs.
func (c *check) schema() {
	for _, i := range c.instances {
		c.fits(i.kind, i.kind, i.values)
	}
}

func (c *check) fits(kind, at string, values map[string]cty.Value) {
	schema, known := schemas[at]
	if !known {
		c.wrong("%s is not expected", at)
		return
	}
	arguments := strings.Fields(schema)
	for name, v := range values {
		switch {
		case !slices.Contains(arguments, name) && !slices.Contains(arguments, name+"!"):
			c.wrong("%s takes no %s", at, name)
		case v.Type().IsTupleType() && !(kind == "google_project_iam_custom_role" && name == "permissions"):
			for _, nested := range v.AsValueSlice() {
				c.fits(kind, at+"/"+name, nested.AsValueMap())
			}
		}
	}
	for _, name := range arguments {
		if needed, ok := strings.CutSuffix(name, "!"); ok && values[needed] == cty.NilVal {
			c.wrong("%s lacks %s", at, needed)
		}
	}
}

func (c *check) variablesUsed() {
	for name := range c.variables {
		if !c.used[name] {
			c.wrong("variable %s is not used", name)
		}
	}
}

// same wants texts to be those.
func (c *check) same(what string, have, want []string) {
	slices.Sort(have)
	slices.Sort(want)
	if diff := cmp.Diff(want, have); diff != "" {
		c.wrong("%s (-want +made):\n%s", what, diff)
	}
}

func (c *check) each(kind, argument string) (all []string) {
	for _, i := range c.of(kind) {
		all = append(all, i.text(argument))
	}
	return all
}

// contents are compared with shared/deployment by their names.
func (c *check) contents() {
	want := wanted()
	c.same("APIs", c.each("google_project_service", "service"), want.APIs)
	c.same("Google's accounts", c.each("google_project_service_identity", "service"), want.Agents)
	c.same("secrets", c.each("google_secret_manager_secret", "secret_id"), slices.Clone(want.Seals))
	c.same("dead letters", c.each("google_pubsub_subscription", "topic"), []string{"projects/acme/topics/" + want.DeadLetters.Topic})
	var accounts, topics, roles, made []string
	for _, a := range deployment.Accounts {
		accounts = append(accounts, a.ID)
	}
	for _, t := range deployment.Topics {
		topics = append(topics, t.ID)
	}
	for _, r := range want.Roles {
		roles = append(roles, r.ID+" "+strings.Join(r.Permissions, " "))
	}
	for _, i := range c.of("google_project_iam_custom_role") {
		line := i.text("role_id")
		for _, p := range i.values["permissions"].AsValueSlice() {
			line += " " + p.AsString()
		}
		made = append(made, line)
	}
	c.same("accounts", c.each("google_service_account", "account_id"), accounts)
	c.same("topics", c.each("google_pubsub_topic", "name"), topics)
	c.same("roles", made, roles)
	file, err := os.ReadFile("../../cloudbuild.yaml")
	bucket := regexp.MustCompile(`_ARTIFACTS: gs://(\S+)`).FindSubmatch(file)
	if err != nil || bucket == nil {
		c.wrong("cloudbuild.yaml does not say where its artifacts go: %v", err)
		return
	}
	c.same("bucket", c.each("google_storage_bucket", "name"), []string{strings.ReplaceAll(string(bucket[1]), "${PROJECT_ID}", "acme")})
}

// on is the full name of what a grant is on, by its kind.
var on = map[string]func(instance) string{
	"google_project_iam_member":               func(i instance) string { return "projects/" + i.text("project") },
	"google_pubsub_topic_iam_member":          func(i instance) string { return "projects/acme/topics/" + i.text("topic") },
	"google_secret_manager_secret_iam_member": func(i instance) string { return "projects/acme/secrets/" + i.text("secret_id") },
	"google_service_account_iam_member":       func(i instance) string { return i.text("service_account_id") },
	"google_cloud_run_v2_service_iam_member": func(i instance) string {
		return "projects/acme/locations/" + i.text("location") + "/services/" + i.text("name")
	},
	"google_storage_bucket_iam_member": func(i instance) string { return i.text("bucket") },
}

func (c *check) grants() {
	var made, want []string
	for _, i := range c.instances {
		if name := on[i.kind]; name != nil {
			made = append(made, i.text("member")+" "+i.text("role")+" "+name(i))
		}
	}
	site := deployment.Site{Project: "acme", Number: "1234", Region: "us-central1"}
	for _, g := range site.Granted("serviceAccount:the-sink", nil) {
		want = append(want, g.Member+" "+g.Role+" "+g.On)
	}
	want = append(want, "serviceAccount:"+site.Email(deployment.Deploy)+" roles/storage.objectUser acme-keyturn-builds")
	c.same("grants", made, want)
}

func (c *check) logs() {
	want := wanted()
	var made, types []string
	for _, i := range c.of("google_logging_project_sink") {
		made = append(made, i.text("name")+" "+i.text("destination")+" "+i.text("filter"))
	}
	c.same("sinks", made, []string{want.Sink.Name + " pubsub.googleapis.com/projects/acme/topics/" + want.Sink.Topic + " " + want.Sink.Filter})
	made = nil
	for _, l := range want.AuditLogs {
		types = append(types, l.Service+" "+strings.Join(l.Types, " "))
	}
	for _, i := range c.of("google_project_iam_audit_config") {
		line := i.text("service")
		for _, l := range i.values["audit_log_config"].AsValueSlice() {
			line += " " + l.GetAttr("log_type").AsString()
		}
		made = append(made, line)
	}
	c.same("audit logs", made, types)
}

func (c *check) documents() {
	var made, want []string
	for _, i := range c.of("google_firestore_field") {
		line := i.text("collection") + " " + i.text("field")
		made = append(made, line+" "+strings.Join(slices.DeleteFunc(slices.Sorted(maps.Keys(i.values)), func(name string) bool { return !strings.HasSuffix(name, "_config") }), " "))
	}
	for _, l := range deployment.Collections {
		want = append(want, l.ID+" "+l.Expires+" ttl_config", l.ID+" "+l.Unindexed+" index_config")
	}
	c.same("fields", made, want)
	c.same("databases", c.each("google_firestore_database", "name"), []string{"(default)"})
}

func (c *check) jobs() {
	text, err := os.ReadFile("../../scheduler.yaml")
	if err != nil {
		c.wrong("%v", err)
		return
	}
	jobs, err := schedule.Parse(text, map[string]string{"PROJECT_ID": "acme", "REGION": "us-central1"})
	if err != nil {
		c.wrong("%v", err)
		return
	}
	var made, want []string
	for _, j := range jobs {
		r := j.GetRetryConfig()
		want = append(want, fmt.Sprint(path.Base(j.GetName()), j.GetSchedule(), j.GetTimeZone(), j.GetDescription(), j.GetPubsubTarget().GetTopicName(), j.GetPubsubTarget().GetAttributes(),
			r.GetRetryCount(), r.GetMaxDoublings(), r.GetMinBackoffDuration().AsDuration(), r.GetMaxBackoffDuration().AsDuration()))
	}
	for _, i := range c.of("google_cloud_scheduler_job") {
		target, r := i.values["pubsub_target"].AsValueSlice()[0], i.values["retry_config"].AsValueSlice()[0].AsValueMap()
		attributes := map[string]string{}
		for name, v := range target.GetAttr("attributes").AsValueMap() {
			attributes[name] = v.AsString()
		}
		made = append(made, fmt.Sprint(i.text("name"), i.text("schedule"), i.text("time_zone"), i.text("description"), target.GetAttr("topic_name").AsString(), attributes,
			r["retry_count"].AsBigFloat(), r["max_doublings"].AsBigFloat(), duration(r["min_backoff_duration"]), duration(r["max_backoff_duration"])))
		if !i.values["paused"].False() {
			c.wrong("job %s is paused", i.key)
		}
	}
	c.same("jobs", made, want)
}

func duration(v cty.Value) time.Duration {
	d, _ := time.ParseDuration(v.AsString()) // zero differs
	return d
}

// TestTerraformAgrees has Terraform itself look, as far as it is there, and its providers
// can be had.
func TestTerraformAgrees(t *testing.T) {
	terraform, err := exec.LookPath("terraform")
	if err != nil {
		t.Skipf("there is no terraform: %v", err)
	}
	here := filepath.Join(t.TempDir(), "deploy", "terraform")
	if err := os.MkdirAll(here, 0o700); err != nil {
		t.Fatal(err)
	}
	files := sources(t)
	for _, name := range []string{"deployment.json", "../../scheduler.yaml"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(here, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), terraform, args...)
		cmd.Dir, cmd.Env = here, append(os.Environ(), "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run("fmt", "-check", "-diff", "-no-color"); err != nil {
		t.Errorf("it is not as terraform fmt writes it: %v\n%s", err, out)
	}
	if out, err := run("init", "-backend=false", "-input=false", "-no-color"); err != nil {
		t.Skipf("terraform validate was not run, for the providers cannot be had: %s", strings.Join(strings.Fields(out), " "))
	}
	if out, err := run("validate", "-no-color"); err != nil {
		t.Errorf("terraform validate: %v\n%s", err, out)
	}
}
