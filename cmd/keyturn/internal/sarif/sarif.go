// Package sarif writes a posture as a log in the Static Analysis Results Interchange
// Format, version 2.1.0, which is OASIS's:
// https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html.
package sarif

import (
	"time"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/posture"
)

// Log is a log file with one run. Its results are of resources in the cloud, so that
// they have logical locations and no files.
type Log struct {
	Schema  string `json:"$schema"`
	Version string `json:"version"`
	Runs    []run  `json:"runs"`
}

type run struct {
	Tool        tool         `json:"tool"`
	Invocations []invocation `json:"invocations"`
	Automation  automation   `json:"automationDetails"`
	Results     []result     `json:"results"`
}

type tool struct {
	Driver driver `json:"driver"`
}

type driver struct {
	Name         string `json:"name"`
	Organization string `json:"organization"`
	Rules        []rule `json:"rules"`
}

type rule struct {
	ID            string         `json:"id"`
	Name          string         `json:"name"`
	Short         message        `json:"shortDescription"`
	Full          message        `json:"fullDescription"`
	Help          message        `json:"help"`
	Configuration configuration  `json:"defaultConfiguration"`
	Properties    ruleProperties `json:"properties"`
}

type message struct {
	Text string `json:"text"`
}

type configuration struct {
	Level string `json:"level"`
}

type ruleProperties struct {
	Tags     []string `json:"tags"`
	Severity string   `json:"security-severity"` // 0.0 to 10.0, as GitHub sorts by it
}

type invocation struct {
	Successful bool   `json:"executionSuccessful"`
	End        string `json:"endTimeUtc"`
}

type automation struct {
	ID string `json:"id"`
}

type result struct {
	RuleID       string            `json:"ruleId"`
	RuleIndex    int               `json:"ruleIndex"`
	Kind         string            `json:"kind"`
	Level        string            `json:"level"`
	Message      message           `json:"message"`
	Locations    []location        `json:"locations"`
	Fingerprints map[string]string `json:"partialFingerprints"`
	Baseline     string            `json:"baselineState,omitempty"` // of all results or of none
	Properties   *resultProperties `json:"properties,omitempty"`
}

type location struct {
	Logical []logicalLocation `json:"logicalLocations"`
}

type logicalLocation struct {
	Name string `json:"fullyQualifiedName"`
	Kind string `json:"kind"`
}

type resultProperties struct {
	Fix        string             `json:"fix,omitempty"`
	Permission string             `json:"permission,omitempty"`
	Evidence   []posture.Evidence `json:"evidence,omitempty"`
}

// fingerprint is the name of the one that results have: its number changes if what
// it goes by does.
const fingerprint = "keyturnPosture/v1"

// Of is the log of a report. Compared with an earlier one, its results say whether
// they are new; what is gone since is absent.
func Of(r posture.Report) Log {
	index := map[string]int{}
	d := driver{Name: "keyturn", Organization: "keyturn", Rules: []rule{}}
	for i, s := range r.Checks {
		c, _ := posture.Find(s.Check)
		index[s.Check] = i
		d.Rules = append(d.Rules, ruleOf(c))
	}
	one := run{
		Tool: tool{d}, Automation: automation{"keyturn/posture/" + r.Scope + "/"}, Results: []result{},
		Invocations: []invocation{{Successful: true, End: r.At.UTC().Format(time.RFC3339)}},
	}
	for _, found := range r.Results {
		one.Results = append(one.Results, resultOf(found, index, !r.Since.IsZero()))
	}
	for _, f := range r.Fixed {
		if i, ok := index[f.Check]; ok {
			one.Results = append(one.Results, gone(f, i))
		}
	}
	return Log{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []run{one}}
}

func ruleOf(c posture.Check) rule {
	tags := []string{"security", "keyturn"}
	if c.CIS != "" {
		tags = append(tags, "CIS Google Cloud Platform Foundation Benchmark 4.0.0/"+c.CIS)
	}
	return rule{
		ID: c.ID, Name: c.ID, Short: message{c.Title + "."}, Full: message{c.Why}, Help: message{c.How + " " + c.Fix},
		Configuration: configuration{level(c.Severity)}, Properties: ruleProperties{Tags: tags, Severity: score[c.Severity]},
	}
}

func level(s detect.Severity) string {
	if s.Compare(detect.High) >= 0 {
		return "error"
	}
	return "warning"
}

var score = map[detect.Severity]string{detect.Info: "1.0", detect.Warning: "5.0", detect.High: "8.0", detect.Critical: "9.5"}

// kinds are SARIF's words: open is that there was not enough to go by.
var kinds = map[posture.Status]string{posture.Fail: "fail", posture.Unknown: "open", posture.Pass: "pass"}

func resultOf(r posture.Result, index map[string]int, compared bool) result {
	out := result{
		RuleID: r.Check, RuleIndex: index[r.Check], Kind: kinds[r.Status], Level: "none", Message: message{r.Reason},
		Locations: at(r.Resource), Fingerprints: map[string]string{fingerprint: r.ID},
		Properties: &resultProperties{Fix: r.Fix, Permission: r.Permission, Evidence: r.Evidence},
	}
	if r.Status == posture.Fail {
		out.Level = level(r.Severity)
	}
	if compared {
		out.Baseline = baseline(r.Change)
	}
	return out
}

func baseline(c posture.Change) string {
	switch c {
	case posture.NewlyFailing:
		return "new"
	case posture.NewlyPassing:
		return "updated"
	}
	return "unchanged"
}

func gone(f posture.Failure, index int) result {
	return result{
		RuleID: f.Check, RuleIndex: index, Kind: "pass", Level: "none", Message: message{"it does not fail any more, or is gone"},
		Locations: at(f.Resource), Fingerprints: map[string]string{fingerprint: f.ID}, Baseline: "absent",
	}
}

func at(resource string) []location {
	return []location{{[]logicalLocation{{Name: resource, Kind: "resource"}}}}
}
