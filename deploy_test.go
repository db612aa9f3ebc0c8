package keyturn

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"example.com/keyturn/shared/deployment"
	"example.com/keyturn/shared/event"
	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/encoding/protojson"
)

func readBuild(t *testing.T) *cloudbuildpb.Build {
	t.Helper()
	text, err := os.ReadFile("cloudbuild.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	build := new(cloudbuildpb.Build)
	if err := protojson.Unmarshal(asJSON, build); err != nil {
		t.Fatalf("cloudbuild.yaml is not a Build: %v", err)
	}
	return build
}

func TestCloudBuildStepsHangTogether(t *testing.T) {
	build := readBuild(t)
	var seen []string
	for _, step := range build.GetSteps() {
		if step.GetId() == "" || slices.Contains(seen, step.GetId()) {
			t.Errorf("step %q has no id of its own", step.GetId())
		}
		for _, earlier := range step.GetWaitFor() {
			if !slices.Contains(seen, earlier) {
				t.Errorf("step %s waits for %q, which is no earlier step", step.GetId(), earlier)
			}
		}
		seen = append(seen, step.GetId())
	}
	text, err := os.ReadFile("cloudbuild.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`\$\{(_[A-Z_]+)\}`).FindAllStringSubmatch(string(text), -1) {
		if _, ok := build.GetSubstitutions()[m[1]]; !ok {
			t.Errorf("%s is used and not declared", m[1])
		}
	}
}

func TestCloudBuildDeploysWhatIsRegistered(t *testing.T) {
	source, err := os.ReadFile("functions.go")
	if err != nil {
		t.Fatal(err)
	}
	var registered []string
	for _, m := range regexp.MustCompile(`functions\.(?:CloudEvent|HTTP)\("(\w+)"`).FindAllStringSubmatch(string(source), -1) {
		registered = append(registered, m[1])
	}
	var deployed []string
	for _, step := range readBuild(t).GetSteps() {
		if !slices.Contains(step.GetArgs(), "deploy") {
			continue
		}
		entry := flag(step.GetArgs(), "--entry-point")
		if !slices.Contains(registered, entry) {
			t.Errorf("step %s deploys %q, which functions.go does not register", step.GetId(), entry)
		}
		deployed = append(deployed, entry)
		if topic := flag(step.GetArgs(), "--trigger-topic"); topic != "" && !slices.Contains(event.Topics, topic) {
			t.Errorf("step %s is triggered by %q, which is no topic of keyturn's", step.GetId(), topic)
		}
		if strings.HasSuffix(entry, "HTTP") == (flag(step.GetArgs(), "--trigger-topic") != "") {
			t.Errorf("step %s gives %s the wrong kind of trigger", step.GetId(), entry)
		}
	}
	for _, name := range registered {
		if !slices.Contains(deployed, name) {
			t.Errorf("%s is registered and not deployed", name)
		}
	}
}

func TestRuntimeMatchesModule(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go (\d+)\.(\d+)`).FindStringSubmatch(string(mod))
	if want := "go" + version[1] + version[2]; readBuild(t).GetSubstitutions()["_RUNTIME"] != want {
		t.Errorf("cloudbuild.yaml deploys %s, go.mod wants %s", readBuild(t).GetSubstitutions()["_RUNTIME"], want)
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

// TestCloudBuildDeploysTheTable compares each step with the one place that says what
// a deployment is.
func TestCloudBuildDeploysTheTable(t *testing.T) {
	steps := map[string][]string{}
	for _, step := range readBuild(t).GetSteps() {
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
			t.Errorf("no step deploys %s", f.Name)
			continue
		}
		variables := map[string]string{}
		for _, v := range strings.Split(expand(args, "--set-env-vars"), ",") {
			name, value, _ := strings.Cut(v, "=")
			variables[name] = value
		}
		for name, value := range f.Environment {
			if variables[name] != here.Expand(value) {
				t.Errorf("%s: %s is %q, want %q", f.Name, name, variables[name], here.Expand(value))
			}
			delete(variables, name)
		}
		if len(variables) > 0 {
			t.Errorf("%s: %v are not in the table", f.Name, variables)
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
				t.Errorf("%s: %s is %q, want %q", f.Name, name, got, want)
			}
		}
		if !slices.Contains(args, "--no-allow-unauthenticated") || (f.Topic != "") != slices.Contains(args, "--retry") {
			t.Errorf("%s: %q lack a flag, or have one too many", f.Name, args)
		}
	}
	for name := range steps {
		t.Errorf("%s is deployed and not in the table", name)
	}
}

// TestHTTPFunctionsAreChecked has whoever believes a token without a signature be
// deployed so that Cloud Run has looked at it.
func TestHTTPFunctionsAreChecked(t *testing.T) {
	for _, step := range readBuild(t).GetSteps() {
		believes := strings.Contains(flag(step.GetArgs(), "--set-env-vars"), deployment.CheckedBy+"=")
		if believes != strings.HasSuffix(flag(step.GetArgs(), "--entry-point"), "HTTP") || believes && !slices.Contains(step.GetArgs(), "--no-allow-unauthenticated") {
			t.Errorf("step %s: %q", step.GetId(), step.GetArgs())
		}
	}
}
