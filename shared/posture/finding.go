package posture

import (
	"cmp"
	"fmt"
	"time"

	"example.com/keyturn/shared/detect"
)

// Findings are the failures of a compared report that are new, as alerts tell them:
// each once, for as long as it lasts. shown makes a text printable, in at most that
// many bytes.
func (r Report) Findings(shown func(text string, limit int) string) []detect.Finding {
	var all []detect.Finding
	for _, result := range r.Results {
		if result.Status == Fail && result.Change != StillFailing {
			all = append(all, result.finding(r, shown))
		}
	}
	return all
}

// Bounds of a finding's texts, in bytes.
const (
	maxName   = 256
	maxReason = 1000
)

// finding has the same id for all of the day on which it began to fail, so that
// reports of which one did not get to keep its state tell it once.
func (r Result) finding(report Report, shown func(string, int) string) detect.Finding {
	check, _ := Find(r.Check)
	f := detect.Finding{
		ID: identify(r.ID, report.Scope, r.Failing.UTC().Format(time.DateOnly)), Time: report.At, Detector: check.Detector(), Severity: r.Severity, Score: 1,
		Subject: shown(r.Resource, maxName), Project: shown(r.Project, maxName), Credential: shown(r.Credential, maxName), Count: 1,
		FirstSeen: r.Failing, LastSeen: report.At, Runbook: check.Runbook(), Evidence: []string{},
		Reason: shown(check.Title+": "+r.Reason, maxReason), Advice: shown(cmp.Or(r.Fix, r.Next), maxReason),
		Link: "https://console.cloud.google.com/iam-admin/serviceaccounts?project=" + r.Project,
	}
	return f
}

// Runbook is what to do about a finding of the check, step by step.
func (c Check) Runbook() string {
	return fmt.Sprintf("1. Look at the resource that the finding names, and ask its owner. 2. %s 3. 'keyturn posture' shows whether it passes.", c.Fix)
}
