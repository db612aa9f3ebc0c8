package notify

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/securitycenter/apiv2/securitycenterpb"
	"example.com/keyturn/shared/alerting"
	"golang.org/x/oauth2"
	"google.golang.org/protobuf/encoding/protojson"
)

var states = []alerting.State{alerting.Open, alerting.Update, alerting.Acknowledged, alerting.Escalated, alerting.Resolved}

func TestPagerDutyFollowsAnIncident(t *testing.T) {
	r := &receiver{answer: `{"status":"success"}`}
	p := at(t, "pagerduty", serve(t, r))
	for _, s := range states {
		if err := p.Deliver(t.Context(), stolenKey(s)); err != nil {
			t.Fatal(err)
		}
	}
	var actions []string
	for _, body := range r.bodies {
		var e struct {
			RoutingKey string `json:"routing_key"`
			Action     string `json:"event_action"`
			DedupKey   string `json:"dedup_key"`
			Payload    *struct{ Summary, Source, Severity string }
		}
		if err := json.Unmarshal(body, &e); err != nil {
			t.Fatal(err)
		}
		if e.RoutingKey != routingKey || e.DedupKey != incident || (e.Payload != nil) != (e.Action == "trigger") {
			t.Errorf("event %s", body)
		}
		if e.Payload != nil && (e.Payload.Severity != "critical" || e.Payload.Source != "acme" || len(e.Payload.Summary) > pagerDutySummary) {
			t.Errorf("payload %+v", e.Payload)
		}
		actions = append(actions, e.Action)
	}
	if got := strings.Join(actions, " "); got != "trigger trigger acknowledge trigger resolve" {
		t.Errorf("actions %s", got)
	}
}

func TestPagerDutyBounds(t *testing.T) {
	a := hostile(hostiles["long"])
	e := pagerDutyEvent(a, compose(a, Deployment{}))
	body, err := json.Marshal(e)
	if err != nil || len(e.Payload.Summary) > 1024 || len(e.DedupKey) > 255 || len(body) > 512<<10 {
		t.Errorf("summary %d, key %d, all %d bytes, %v", len(e.Payload.Summary), len(e.DedupKey), len(body), err)
	}
}

func TestPagerDutyRegions(t *testing.T) {
	for want, p := range map[string]*PagerDuty{
		"https://events.pagerduty.com/v2/enqueue": {}, "https://events.eu.pagerduty.com/v2/enqueue": {Europe: true}, "https://x.example/v2/enqueue": {Europe: true, URL: "https://x.example/"}, ":": {URL: ":"},
	} {
		if got := p.url("v2/enqueue"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestSeverities(t *testing.T) {
	for severity, want := range map[alerting.Severity]string{
		alerting.Info: "info LOW Informational", alerting.Warning: "warning MEDIUM Medium", alerting.High: "error HIGH High", alerting.Critical: "critical CRITICAL Critical",
	} {
		_, name := ocsfSeverity(severity)
		if got := pagerDutySeverity(severity) + " " + sccSeverity(severity) + " " + name; got != want {
			t.Errorf("%s: %s, want %s", severity, got, want)
		}
	}
	if id, name := ocsfSeverity(9); id != 0 || name != "Unknown" {
		t.Errorf("%d %s", id, name)
	}
	colors := map[string]bool{}
	for s := alerting.Info; s <= alerting.Critical; s++ {
		colors[color(message{Severity: s.String()})] = true
	}
	if len(colors) != 4 || color(message{Severity: "critical", State: "resolved"}) != "#2e7d32" {
		t.Errorf("colors %v", colors)
	}
}

// TestGoogleReadsTheFinding: by Google's own types, which know no other field, enum
// or form.
func TestGoogleReadsTheFinding(t *testing.T) {
	r := &receiver{answer: `{"name":"x"}`}
	s := at(t, "security-command-center", serve(t, r))
	texts := map[string]alerting.Alert{"hostile": hostile(hostiles["html"])}
	for _, state := range states {
		texts[string(state)] = stolenKey(state)
	}
	for name, a := range texts {
		if err := s.Deliver(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		req, body := r.requests[len(r.requests)-1], r.bodies[len(r.bodies)-1]
		f := new(securitycenterpb.Finding)
		if err := protojson.Unmarshal(body, f); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := securitycenterpb.Finding_ACTIVE
		if a.State == alerting.Resolved {
			want = securitycenterpb.Finding_INACTIVE
		}
		if f.State != want || f.Severity != securitycenterpb.Finding_CRITICAL || f.FindingClass != securitycenterpb.Finding_THREAT || !f.EventTime.AsTime().Equal(a.Time) {
			t.Errorf("%s: %v", name, f)
		}
		if req.Method != http.MethodPatch || req.URL.RequestURI() != "/v2/organizations/1/sources/2/locations/global/findings/"+incident || "/v2/"+f.Name != req.URL.Path {
			t.Errorf("%s: %s %s of %s", name, req.Method, req.URL, f.Name)
		}
		if req.Header.Get("Authorization") != "Bearer "+secretToken {
			t.Errorf("%s: no token", name)
		}
	}
}

func TestFindingsResource(t *testing.T) {
	s := &SecurityCommandCenter{Source: "organizations/1/sources/2"}
	for want, n := range map[string]alerting.Notice{
		"//secretmanager.googleapis.com/projects/p/secrets/s":   {Project: "q", Credential: "projects/p/secrets/s"},
		"//cloudresourcemanager.googleapis.com/projects/q":      {Project: "q", Credential: "//iam.googleapis.com/projects/p"},
		"//cloudresourcemanager.googleapis.com/organizations/1": {},
	} {
		if got := s.resource(alerting.Alert{Notice: n}); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestFindingsNeedAnID: a test alert, which is no incident, has one that fits, too.
func TestFindingsNeedAnID(t *testing.T) {
	a := stolenKey(alerting.Open)
	for _, id := range []string{"", "a/b", strings.Repeat("a", 33), "a b"} {
		a.Incident = id
		if f := checkError(t, at(t, "security-command-center", "http://127.0.0.1:1").Deliver(t.Context(), a), "is no id of a finding"); !f.Permanent {
			t.Errorf("%q is tried again", id)
		}
	}
	a.Incident = "test"
	r := &receiver{answer: `{"name":"x"}`}
	if err := at(t, "security-command-center", serve(t, r)).Deliver(t.Context(), a); err != nil {
		t.Error(err)
	}
}

// TestWhatPassesDoesNotStay: nobody says that a digest or a test is over.
func TestWhatPassesDoesNotStay(t *testing.T) {
	digest, test := stolenKey(alerting.Open), stolenKey(alerting.Open)
	digest.Only, test.Rule = "pager", "test"
	for _, a := range []alerting.Alert{digest, test} {
		if got := new(Alertmanager).alert(a, compose(a, Deployment{}), noon).EndsAt; !got.Equal(noon.Add(5 * time.Minute)) {
			t.Errorf("Alertmanager holds it until %v", got)
		}
		if got := new(SecurityCommandCenter).finding(a, compose(a, Deployment{})).State; got != "INACTIVE" {
			t.Errorf("the finding is %s", got)
		}
		if got := compose(a, deployed).Ack; got != "" {
			t.Errorf("somebody is asked to take it up: %s", got)
		}
	}
}

// TestADigestPagesNobody: nobody would say that it is over.
func TestADigestPagesNobody(t *testing.T) {
	r := &receiver{answer: `{"status":"success","message":"Change event processed"}`}
	digest := stolenKey(alerting.Open)
	digest.Rule, digest.Detector, digest.Only, digest.Proven = alerting.RuleDigest, "digest", "on-call", false
	if err := at(t, "pagerduty", serve(t, r)).Deliver(t.Context(), digest); err != nil {
		t.Fatal(err)
	}
	var e struct {
		RoutingKey string  `json:"routing_key"`
		Action     *string `json:"event_action"`
		Payload    struct {
			Summary, Source, Timestamp string
			Severity                   *string
			Details                    map[string]string `json:"custom_details"`
		}
		Links []struct{ Href, Text string }
	}
	if err := json.Unmarshal(r.bodies[0], &e); err != nil {
		t.Fatal(err)
	}
	if got := r.requests[0].URL.Path; !strings.HasSuffix(got, "/v2/change/enqueue") {
		t.Errorf("posted to %s", got)
	}
	if e.RoutingKey != routingKey || e.Action != nil || e.Payload.Severity != nil || !strings.Contains(e.Payload.Summary, digest.Summary) || e.Payload.Source != "acme" ||
		e.Payload.Timestamp != "2026-03-01T12:04:00Z" || e.Payload.Details["next"] != digest.Next || e.Links[0].Href == "" {
		t.Errorf("event %s", r.bodies[0])
	}
}

type noTokens struct{}

func (noTokens) Token() (*oauth2.Token, error) { return nil, errors.New("the metadata server is away") }

func TestFindingsNeedAToken(t *testing.T) {
	s := &SecurityCommandCenter{Source: "organizations/1/sources/2", Tokens: noTokens{}, Client: neighbours()}
	if f := checkError(t, s.Deliver(t.Context(), stolenKey(alerting.Open)), "getting a token for it: the metadata server is away"); f.Permanent {
		t.Error("it is a failure for ever")
	}
}

type slowTokens struct{ released chan struct{} }

func (s slowTokens) Token() (*oauth2.Token, error) { <-s.released; return nil, errors.New("late") }

func TestFindingsDoNotWaitForATokenForEver(t *testing.T) {
	tokens := slowTokens{make(chan struct{})}
	defer close(tokens.released)
	s := &SecurityCommandCenter{Source: "organizations/1/sources/2", Tokens: tokens, Client: NewClient(Egress{Timeout: 10 * time.Millisecond})}
	checkError(t, s.Deliver(t.Context(), stolenKey(alerting.Open)), "getting a token for it: context deadline exceeded")
}

// TestOCSFHasWhatIsRequired: of the class Detection Finding and its objects, by
// schema.ocsf.io/1.3.0/classes/detection_finding.
func TestOCSFHasWhatIsRequired(t *testing.T) {
	for state, want := range map[alerting.State][3]float64{ // activity, type, status
		alerting.Open: {1, 200401, 1}, alerting.Update: {2, 200402, 1}, alerting.Escalated: {2, 200402, 1}, alerting.Acknowledged: {2, 200402, 2}, alerting.Resolved: {3, 200403, 4},
	} {
		body, err := json.Marshal(detectionFindingOf(stolenKey(state), compose(stolenKey(state), Deployment{})))
		if err != nil {
			t.Fatal(err)
		}
		var f map[string]any
		if err := json.Unmarshal(body, &f); err != nil {
			t.Fatal(err)
		}
		if got := [3]float64{f["activity_id"].(float64), f["type_uid"].(float64), f["status_id"].(float64)}; got != want {
			t.Errorf("%s: %v, want %v", state, got, want)
		}
		if f["class_uid"] != 2004.0 || f["category_uid"] != 2.0 || f["severity_id"] != 5.0 || f["time"] != float64(noon.Add(4*time.Minute).UnixMilli()) {
			t.Errorf("%s: %s", state, body)
		}
		info, metadata := f["finding_info"].(map[string]any), f["metadata"].(map[string]any)
		product := metadata["product"].(map[string]any)
		if info["uid"] != incident || info["title"] == "" || metadata["version"] != "1.3.0" || product["vendor_name"] != "keyturn" || metadata["uid"] != stolenKey(state).ID {
			t.Errorf("%s: %s", state, body)
		}
	}
}

func TestOCSFOfLittle(t *testing.T) {
	a := alerting.Alert{ID: "test-1", Incident: "test", State: alerting.Open}
	f := detectionFindingOf(a, compose(a, Deployment{}))
	if f.Time != 0 || f.Remediation != nil || f.Resources != nil || f.Info.Attacks != nil {
		t.Errorf("finding %+v", f)
	}
}

func TestTokensAreSent(t *testing.T) {
	for want, d := range map[string]func(url string) deliverer{
		"Bearer " + secretToken: func(url string) deliverer { return &OCSF{URL: url, Token: secretToken, Client: neighbours()} },
		"Basic a2V5dHVybjpw": func(url string) deliverer {
			return &Alertmanager{URL: url, Username: "keyturn", Password: "p", Client: neighbours()}
		},
		"": func(url string) deliverer { return &Alertmanager{URL: url, Client: neighbours()} },
	} {
		r := new(receiver)
		if err := d(serve(t, r)).Deliver(t.Context(), stolenKey(alerting.Open)); err != nil {
			t.Fatal(err)
		}
		if got := r.requests[0].Header.Get("Authorization"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestGoogleChatThreadsAnIncident(t *testing.T) {
	r := &receiver{answer: `{"name":"x"}`}
	g := at(t, "google-chat", serve(t, r))
	a := stolenKey(alerting.Open)
	if err := g.Deliver(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	q := r.requests[0].URL.Query()
	if q.Get("key") != "S3CRET" || q.Get("token") != "T0KEN" || q.Get("messageReplyOption") != "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD" || q.Get("requestId") != a.ID {
		t.Errorf("query %v", q)
	}
}

// TestAlertmanagersLabelsStay: whatever changes while an incident lasts.
func TestAlertmanagersLabelsStay(t *testing.T) {
	m := new(Alertmanager)
	opened := stolenKey(alerting.Open)
	later := stolenKey(alerting.Update)
	later.Severity, later.Summary, later.Count, later.Credential, later.Key, later.Fields = alerting.High, "more", 5, "", "", nil
	a, b := m.alert(opened, compose(opened, Deployment{}), noon.Add(time.Hour)), m.alert(later, compose(later, Deployment{}), noon.Add(2*time.Hour))
	if x, y := indented(t, a.Labels), indented(t, b.Labels); x != y || a.Labels["incident"] != incident || a.Labels["severity"] != "" {
		t.Errorf("labels %s became %s", x, y)
	}
	if !a.StartsAt.Equal(noon) || !a.EndsAt.Equal(noon.Add(7*24*time.Hour+time.Hour)) || b.Annotations["severity"] != "high" {
		t.Errorf("alert %+v", a)
	}
	ahead := m.alert(opened, compose(opened, Deployment{}), noon.Add(-time.Hour)) // policy time is ahead of the machines'
	over := m.alert(stolenKey(alerting.Resolved), compose(stolenKey(alerting.Resolved), Deployment{}), noon.Add(-time.Hour))
	if !ahead.StartsAt.Equal(noon.Add(-time.Hour)) || over.EndsAt.Before(over.StartsAt) || over.EndsAt.After(noon.Add(-time.Hour)) {
		t.Errorf("alerts %+v, %+v", ahead, over)
	}
}
