package sarif

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/posture"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

var at1 = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)

// report has a result of each kind.
func report() posture.Report {
	evidence := []posture.Evidence{{Resource: "projects/p", Read: "iam.projects.get", Shows: "x", At: at1}}
	return posture.Report{
		At: at1, Scope: "projects/p",
		Checks: []posture.Summary{{Check: "cis-1.4", CIS: "1.4"}, {Check: "cis-1.6", CIS: "1.6"}},
		Results: []posture.Result{
			{ID: "1", Check: "cis-1.6", Status: posture.Fail, Severity: detect.High, Resource: "projects/p", Reason: "it fails", Fix: "gcloud x", Evidence: evidence, Change: posture.NewlyFailing},
			{ID: "2", Check: "cis-1.4", Status: posture.Fail, Severity: detect.Warning, Resource: "projects/p/serviceAccounts/a", Reason: "it fails", Evidence: evidence, Change: posture.StillFailing},
			{ID: "3", Check: "cis-1.4", Status: posture.Unknown, Severity: detect.Warning, Resource: "projects/p/serviceAccounts/b", Reason: "it is not known", Permission: "iam.x.y"},
			{ID: "4", Check: "cis-1.4", Status: posture.Pass, Severity: detect.Warning, Resource: "projects/p/serviceAccounts/c", Reason: "it passes", Evidence: evidence, Change: posture.NewlyPassing},
		},
		Fixed: []posture.Failure{{ID: "5", Check: "cis-1.4", Resource: "projects/p/serviceAccounts/d"}, {ID: "6", Check: "no-more", Resource: "x"}},
	}
}

// official is the schema as OASIS publishes it.
func official(t *testing.T) *jsonschema.Schema {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile("testdata/sarif-schema-2.1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestLogKeepsToTheSchema(t *testing.T) {
	schema := official(t)
	compared := report()
	compared.Since = at1.Add(-24 * time.Hour)
	for name, r := range map[string]posture.Report{"alone": report(), "compared": compared, "empty": {Scope: "projects/p"}} {
		data, err := json.Marshal(Of(r))
		if err != nil {
			t.Fatal(err)
		}
		log, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(log); err != nil {
			t.Errorf("%s: %v\n%s", name, err, data)
		}
	}
}

func TestSchemaIsEnforced(t *testing.T) {
	log, err := jsonschema.UnmarshalJSON(strings.NewReader(`{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}},"results":[{"message":{"text":"x"},"kind":"unknown"}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if official(t).Validate(log) == nil {
		t.Error("a kind that SARIF does not know passes")
	}
}

func TestResults(t *testing.T) {
	r := report()
	r.Since = at1
	results := Of(r).Runs[0].Results
	want := []struct{ rule, kind, level, baseline string }{
		{"cis-1.6", "fail", "error", "new"}, {"cis-1.4", "fail", "warning", "unchanged"}, {"cis-1.4", "open", "none", "unchanged"},
		{"cis-1.4", "pass", "none", "updated"}, {"cis-1.4", "pass", "none", "absent"},
	}
	if len(results) != len(want) {
		t.Fatalf("%d results", len(results))
	}
	for i, w := range want {
		got := results[i]
		if got.RuleID != w.rule || got.Kind != w.kind || got.Level != w.level || got.Baseline != w.baseline || Of(r).Runs[0].Tool.Driver.Rules[got.RuleIndex].ID != w.rule {
			t.Errorf("result %d is %+v, want %+v", i, got, w)
		}
	}
}
