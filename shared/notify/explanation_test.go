package notify

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/posture"
	"github.com/google/go-cmp/cmp"
)

// TestEveryMilestoneThatAlertsIsExplained, and no other.
func TestEveryMilestoneThatAlertsIsExplained(t *testing.T) {
	alerts := 0
	for _, m := range event.Milestones {
		severity, err := alerting.ParseSeverity(m.SeverityOf())
		if err != nil {
			t.Fatal(err)
		}
		if severity >= alerting.Warning {
			alerts++
			if e := milestones[event.MilestonePrefix+string(m)]; e.Why == "" || e.Runbook == "" {
				t.Errorf("%s is not explained", m)
			}
		}
	}
	if len(milestones) != alerts {
		t.Errorf("%d milestones are explained, and %d alert", len(milestones), alerts)
	}
}

// TestExplanationsAreToldWhole: they are longer than a value of a fact.
func TestExplanationsAreToldWhole(t *testing.T) {
	for _, d := range detect.Detectors() {
		if len(d.Rationale) == 0 || len(d.Rationale) > maxSentence || len(d.Runbook) > maxRunbook {
			t.Errorf("%s: rationale of %d bytes, runbook of %d", d.Name, len(d.Rationale), len(d.Runbook))
		}
	}
	for name, e := range milestones {
		if len(e.Why) > maxSentence || len(e.Runbook) > maxRunbook {
			t.Errorf("%s: rationale of %d bytes, runbook of %d", name, len(e.Why), len(e.Runbook))
		}
	}
}

func TestPage(t *testing.T) {
	for _, c := range []struct{ runbooks, detector, want string }{
		{"https://git.example/docs/detectors.md", "permission-probing", "https://git.example/docs/detectors.md#permission-probing"},
		{"https://git.example/docs/detectors.md?v=1", "rotation-broken", "https://git.example/docs/detectors.md?v=1#rotation-broken"},
		{"https://git.example/docs/detectors.md", "posture-cis-1.4", "https://git.example/docs/detectors.md#posture-cis-14"},
		{"https://git.example/docs/detectors.md", "of-a-rule-file", ""},
		{"https://git.example/docs/detectors.md", "", ""},
		{"http://git.example/", "permission-probing", ""},
		{"", "permission-probing", ""},
	} {
		if got := (Deployment{Runbooks: c.runbooks}).page(c.detector); got != c.want {
			t.Errorf("%s of %q is %q, want %q", c.detector, c.runbooks, got, c.want)
		}
	}
}

// TestTheDocsExplainEveryDetector, under an anchor of its name. After a change: go
// test ./shared/notify -run Docs -update, and read what changed.
func TestTheDocsExplainEveryDetector(t *testing.T) {
	file := filepath.Join("..", "..", "docs", "detectors.md")
	want := described()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(page)); diff != "" {
		t.Errorf("docs/detectors.md (-want +got):\n%s", diff)
	}
}

// described is docs/detectors.md.
func described() string {
	var b strings.Builder
	b.WriteString(`# What alerts mean, and what to do

One section for each detector of the audit function, then one for each check of
[posture](posture.md), and below them one for each milestone of a rotation that alerts. Alerts link to these sections if ` + "`runbooks`" + ` in
[alerts.yaml](alerts.md) says where this page is. It is made from the source, as
` + "`keyturn audit detectors`" + ` is. [Runbooks](runbooks/README.md) have the commands for
a leaked key, a stolen token, a stuck rotation, a broken consumer, an alert storm and a
bad rotation.

`)
	for _, d := range detect.Detectors() {
		fmt.Fprintf(&b, "## %s\n\n%s Its findings count %s.\n\n%s\n\n%s\n", d.Name, usual(string(d.Severity), d.Technique), d.Unit, d.Rationale, steps(d.Runbook))
	}
	for _, c := range posture.Checks() {
		e := Explain(c.Detector())
		fmt.Fprintf(&b, "## %s\n\n%s [posture.md](posture.md#%s) says how it is decided.\n\n%s\n\n%s\n", c.Detector(), usual(string(c.Severity), ""), strings.ReplaceAll(c.ID, ".", ""), e.Why, steps(e.Runbook))
	}
	for _, m := range event.Milestones {
		if e, ok := milestones[event.MilestonePrefix+string(m)]; ok {
			fmt.Fprintf(&b, "## %s%s\n\n%s\n\n%s\n\n%s\n", event.MilestonePrefix, m, usual(m.SeverityOf(), ""), e.Why, steps(e.Runbook))
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func usual(severity, technique string) string {
	if technique == "" {
		return fmt.Sprintf("Severity as a rule: %s.", severity)
	}
	return fmt.Sprintf("Severity as a rule: %s. MITRE ATT&CK: [%s %s](%s).", severity, technique, techniques[technique], attackURL(technique))
}

// steps are a runbook as a list.
func steps(runbook string) string {
	for n := range 9 {
		runbook = strings.Replace(runbook, fmt.Sprintf(" %d. ", n+2), fmt.Sprintf("\n%d. ", n+2), 1)
	}
	return runbook + "\n"
}
