package notify

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"example.com/keyturn/shared/alerting"
)

// OCSF posts alerts as Detection Findings of the Open Cybersecurity Schema
// Framework, one JSON object a request, to the HTTP collector of a SIEM.
type OCSF struct {
	ID     string  // the channel's name; "" is ocsf
	URL    string  // of the collector; required
	Token  string  // sent as a bearer token, a secret; "" sends none
	Client *Client // required
}

// ocsfVersion is the version of the schema that findings go by.
const ocsfVersion = "1.3.0"

// detectionFinding is class 2004 (schema.ocsf.io/1.3.0/classes/detection_finding), as
// far as keyturn has something to say. Times are milliseconds since 1970.
type detectionFinding struct {
	ActivityID  int               `json:"activity_id"` // 1 create, 2 update, 3 close
	CategoryUID int               `json:"category_uid"`
	ClassUID    int               `json:"class_uid"`
	TypeUID     int               `json:"type_uid"`
	Time        int64             `json:"time"`
	SeverityID  int               `json:"severity_id"`
	Severity    string            `json:"severity"`
	StatusID    int               `json:"status_id"` // 1 new, 2 in progress, 4 resolved
	Message     string            `json:"message"`
	Comment     string            `json:"comment,omitempty"`
	Count       int               `json:"count,omitempty"`
	Metadata    ocsfMetadata      `json:"metadata"`
	Info        ocsfInfo          `json:"finding_info"`
	Resources   []ocsfResource    `json:"resources,omitempty"`
	Remediation *ocsfRemediation  `json:"remediation,omitempty"`
	Unmapped    map[string]string `json:"unmapped,omitempty"`
}

type ocsfMetadata struct {
	Version        string      `json:"version"`
	UID            string      `json:"uid"` // of this event: the same in every attempt
	CorrelationUID string      `json:"correlation_uid"`
	Product        ocsfProduct `json:"product"`
}

type ocsfProduct struct {
	Name   string `json:"name"`
	Vendor string `json:"vendor_name"`
}

type ocsfInfo struct {
	UID          string       `json:"uid"` // of the incident
	Title        string       `json:"title"`
	Desc         string       `json:"desc"`
	CreatedTime  int64        `json:"created_time,omitempty"`
	LastSeenTime int64        `json:"last_seen_time,omitempty"`
	SrcURL       string       `json:"src_url,omitempty"`
	Analytic     ocsfAnalytic `json:"analytic"`
	Attacks      []ocsfAttack `json:"attacks,omitempty"`
}

type ocsfAnalytic struct {
	Name   string `json:"name"`
	Desc   string `json:"desc,omitempty"` // why what it looks for is not normal
	TypeID int    `json:"type_id"`        // 1 is a rule
}

type ocsfAttack struct {
	Technique ocsfTechnique `json:"technique"`
}

type ocsfTechnique struct {
	UID    string `json:"uid"`
	Name   string `json:"name,omitempty"`
	SrcURL string `json:"src_url,omitempty"`
}

type ocsfResource struct {
	UID  string `json:"uid"`
	Type string `json:"type"`
}

type ocsfRemediation struct {
	Desc string `json:"desc"`
}

// Name is the channel's name.
func (o *OCSF) Name() string { return cmp.Or(o.ID, "ocsf") }

// Deliver posts an alert, once. Its errors are or wrap a *Failure.
func (o *OCSF) Deliver(ctx context.Context, a alerting.Alert) error {
	header := http.Header{"Idempotency-Key": {a.ID}}
	if o.Token != "" {
		header.Set("Authorization", "Bearer "+o.Token)
	}
	return o.Client.deliver(ctx, o, a, exchange{url: o.URL, header: header, body: detectionFindingOf(a, compose(a, o.Client.from)), secret: o.Token})
}

// detectionFindingOf renders an alert.
func detectionFindingOf(a alerting.Alert, m message) detectionFinding {
	activity, status := activityOf(a.State)
	severity, severityName := ocsfSeverity(a.Severity)
	f := detectionFinding{
		ActivityID: activity, CategoryUID: 2, ClassUID: 2004, TypeUID: 2004*100 + activity,
		Time: milliseconds(a.Time), SeverityID: severity, Severity: severityName,
		StatusID: status, Message: m.Sentence, Comment: m.Progress, Count: a.Findings,
		Metadata: ocsfMetadata{Version: ocsfVersion, UID: a.ID, CorrelationUID: a.Incident, Product: ocsfProduct{"keyturn", "keyturn"}},
		Info: ocsfInfo{
			UID: a.Incident, Title: m.Title, Desc: m.Sentence, SrcURL: m.Logs,
			CreatedTime: milliseconds(a.Opened), LastSeenTime: milliseconds(a.Time),
			Analytic: ocsfAnalytic{Name: Printable(a.Detector, maxValue), Desc: m.Why, TypeID: 1},
		},
		Unmapped: details(m),
	}
	if m.Technique != "" {
		f.Info.Attacks = []ocsfAttack{{ocsfTechnique{UID: a.Technique, Name: techniques[a.Technique], SrcURL: m.Attack}}}
	}
	credential := a.Credential
	if unmanaged(a) {
		credential = ""
	}
	for _, r := range named(fact{"credential", credential}, fact{"key", a.Key}, fact{"account", a.Subject}) {
		f.Resources = append(f.Resources, ocsfResource{UID: Printable(r.Value, maxValue), Type: r.Name})
	}
	if next := m.steps(); next != "" {
		f.Remediation = &ocsfRemediation{Desc: next}
	}
	return f
}

// activityOf is what an alert does to its finding, and where that then stands.
func activityOf(s alerting.State) (activity, status int) {
	switch s {
	case alerting.Open:
		return 1, 1
	case alerting.Resolved:
		return 3, 4
	case alerting.Acknowledged:
		return 2, 2
	}
	return 2, 1
}

// ocsfSeverity is severity_id and its name: 2, Low, is none of keyturn's.
func ocsfSeverity(s alerting.Severity) (id int, name string) {
	switch s {
	case alerting.Info:
		return 1, "Informational"
	case alerting.Warning:
		return 3, "Medium"
	case alerting.High:
		return 4, "High"
	case alerting.Critical:
		return 5, "Critical"
	}
	return 0, "Unknown"
}

func milliseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
