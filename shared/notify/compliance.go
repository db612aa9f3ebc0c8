package notify

import (
	"strings"

	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/posture"
)

// ComplianceFinding is class 2003 of the Open Cybersecurity Schema Framework
// (schema.ocsf.io/1.3.0/classes/compliance_finding), as far as keyturn has something
// to say. Times are milliseconds since 1970.
type ComplianceFinding struct {
	ActivityID  int              `json:"activity_id"` // 1 create, 2 update, 3 close
	CategoryUID int              `json:"category_uid"`
	ClassUID    int              `json:"class_uid"`
	TypeUID     int              `json:"type_uid"`
	Time        int64            `json:"time"`
	SeverityID  int              `json:"severity_id"`
	Severity    string           `json:"severity"`
	StatusID    int              `json:"status_id"` // 1 new, 2 in progress, 4 resolved
	Message     string           `json:"message"`
	Metadata    ocsfMetadata     `json:"metadata"`
	Info        ocsfInfo         `json:"finding_info"`
	Compliance  ocsfCompliance   `json:"compliance"`
	Resources   []ocsfResource   `json:"resources"`
	Remediation *ocsfRemediation `json:"remediation,omitempty"`
}

type ocsfCompliance struct {
	Standards []string `json:"standards"`
	Control   string   `json:"control"`
	Status    string   `json:"status"`
	StatusID  int      `json:"status_id"`
	Detail    string   `json:"status_detail,omitempty"`
}

// The standards that keyturn's checks are of.
const (
	cisStandard = "CIS Google Cloud Platform Foundation Benchmark v4.0.0"
	ownStandard = "keyturn"
)

// ComplianceFindings renders the results of a posture.
func ComplianceFindings(r posture.Report) []ComplianceFinding {
	all := []ComplianceFinding{}
	for _, result := range r.Results {
		all = append(all, complianceFindingOf(r, result))
	}
	return all
}

func complianceFindingOf(report posture.Report, r posture.Result) ComplianceFinding {
	check, _ := posture.Find(r.Check)
	severity, name := ocsfSeverity(alerting.Info)
	if r.Status == posture.Fail {
		severity, name = ocsfSeverity(severityOf(r))
	}
	activity, status := complianceActivity(r)
	f := ComplianceFinding{
		ActivityID: activity, CategoryUID: 2, ClassUID: 2003, TypeUID: 2003*100 + activity,
		Time: milliseconds(report.At), SeverityID: severity, Severity: name, StatusID: status,
		Message:  Printable(r.Reason, maxValue),
		Metadata: ocsfMetadata{Version: ocsfVersion, UID: r.ID + "-" + report.At.UTC().Format("20060102T150405Z"), CorrelationUID: r.ID, Product: ocsfProduct{"keyturn", "keyturn"}},
		Info: ocsfInfo{
			UID: r.ID, Title: check.Title, Desc: check.Why, CreatedTime: milliseconds(r.Failing), LastSeenTime: milliseconds(report.At),
			Analytic: ocsfAnalytic{Name: r.Check, Desc: check.How, TypeID: 1},
		},
		Compliance: complianceOf(check, r),
		Resources:  []ocsfResource{{UID: Printable(r.Resource, maxValue), Type: kindOfResource(r.Resource)}},
	}
	if fix := strings.TrimSpace(Printable(r.Fix+r.Next, maxValue)); fix != "" {
		f.Remediation = &ocsfRemediation{Desc: fix}
	}
	return f
}

func severityOf(r posture.Result) alerting.Severity {
	s, _ := alerting.ParseSeverity(string(r.Severity)) // those of checks are severities
	return s
}

// complianceActivity is what a result does to its finding, and where that then stands.
func complianceActivity(r posture.Result) (activity, status int) {
	switch {
	case r.Change == posture.StillFailing:
		return 2, 1
	case r.Status == posture.Pass:
		return 3, 4
	}
	return 1, 1
}

func complianceOf(check posture.Check, r posture.Result) ocsfCompliance {
	c := ocsfCompliance{Standards: []string{ownStandard}, Control: check.ID, Detail: Printable(r.Subject, maxValue)}
	if check.CIS != "" {
		c.Standards, c.Control = []string{cisStandard}, check.CIS
	}
	switch r.Status {
	case posture.Pass:
		c.Status, c.StatusID = "Pass", 1
	case posture.Fail:
		c.Status, c.StatusID = "Fail", 3
	default:
		c.Status, c.StatusID = "Warning", 2 // no result, as information is missing
	}
	return c
}

// kindOfResource is the collection that a resource is of, such as keys.
func kindOfResource(name string) string {
	parts := strings.Split(name, "/")
	return parts[len(parts)-min(2, len(parts))]
}
