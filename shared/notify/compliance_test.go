package notify

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/posture"
)

func complianceReport() posture.Report {
	at := time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)
	return posture.Report{At: at, Scope: "projects/p", Results: []posture.Result{
		{ID: "1", Check: "cis-1.6", Status: posture.Fail, Severity: detect.High, Resource: "projects/p", Subject: "x \x1b[2J", Reason: "it fails\n", Fix: "gcloud x", Failing: at},
		{ID: "2", Check: "too-many-keys", Status: posture.Fail, Severity: detect.Warning, Resource: "projects/p/serviceAccounts/a", Change: posture.StillFailing, Failing: at},
		{ID: "3", Check: "cis-1.4", Status: posture.Unknown, Severity: detect.Warning, Resource: "x", Next: "grant it"},
		{ID: "4", Check: "cis-1.4", Status: posture.Pass, Severity: detect.Warning, Resource: "projects/p/serviceAccounts/c", Change: posture.NewlyPassing},
	}}
}

// demanded are the attributes that version 1.3.0 of the schema requires, and the
// values that it knows of those that it numbers: events/findings/compliance_finding,
// finding and base_event, objects/compliance, finding_info, metadata and product.
var demanded = map[string][]float64{
	"activity_id": {0, 1, 2, 3, 99}, "category_uid": {2}, "class_uid": {2003}, "type_uid": {200300, 200301, 200302, 200303, 200399},
	"severity_id": {0, 1, 2, 3, 4, 5, 6, 99}, "status_id": {0, 1, 2, 3, 4, 99}, "compliance.status_id": {0, 1, 2, 3, 99}, "finding_info.analytic.type_id": {0, 1, 2, 3, 4, 99},
	"time": nil, "metadata.version": nil, "metadata.product.vendor_name": nil, "finding_info.title": nil, "finding_info.uid": nil, "compliance.standards": nil,
}

func TestComplianceFindingsHaveWhatTheSchemaDemands(t *testing.T) {
	data, err := json.Marshal(ComplianceFindings(complianceReport()))
	if err != nil {
		t.Fatal(err)
	}
	var findings []map[string]any
	if err := json.Unmarshal(data, &findings); err != nil || len(findings) != 4 {
		t.Fatalf("%d findings, %v", len(findings), err)
	}
	for i, f := range findings {
		for path, values := range demanded {
			got := any(f)
			for key := range strings.SplitSeq(path, ".") {
				object, _ := got.(map[string]any)
				got = object[key]
			}
			number, _ := got.(float64)
			if got == nil || got == "" || values != nil && !slices.Contains(values, number) {
				t.Errorf("finding %d: %s is %v", i, path, got)
			}
		}
		if f["type_uid"] != 200300+f["activity_id"].(float64) {
			t.Errorf("finding %d: type %v of activity %v", i, f["type_uid"], f["activity_id"])
		}
	}
	if strings.Contains(string(data), `\u001b`) {
		t.Error("an escape sequence is told as it is")
	}
}

func TestComplianceFindings(t *testing.T) {
	for i, want := range []struct {
		activity, status, compliance, severity int
		standard, control, kind, remediation   string
	}{
		{1, 1, 3, 4, cisStandard, "1.6", "projects", "gcloud x"},
		{2, 1, 3, 3, ownStandard, "too-many-keys", "serviceAccounts", ""},
		{1, 1, 2, 1, cisStandard, "1.4", "x", "grant it"},
		{3, 4, 1, 1, cisStandard, "1.4", "serviceAccounts", ""},
	} {
		got := ComplianceFindings(complianceReport())[i]
		remediation := ""
		if got.Remediation != nil {
			remediation = got.Remediation.Desc
		}
		if got.ActivityID != want.activity || got.StatusID != want.status || got.Compliance.StatusID != want.compliance || got.SeverityID != want.severity ||
			got.Compliance.Standards[0] != want.standard || got.Compliance.Control != want.control || got.Resources[0].Type != want.kind || remediation != want.remediation {
			t.Errorf("result %d: %+v", i, got)
		}
	}
}
