package alertfile

import (
	"crypto/x509"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/alerting"
	"github.com/google/go-cmp/cmp"
)

var now = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) // a Monday

// documented returns docs/alerts.md, and the example in it.
func documented(t testing.TB) (text, example string) {
	t.Helper()
	data, err := os.ReadFile("../../docs/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), "```yaml\n")
	example, _, found := strings.Cut(rest, "```\n")
	if !found || len(example) < 1000 {
		t.Fatal("docs/alerts.md has no example")
	}
	return string(data), example
}

func TestTheDocumentedExampleLoads(t *testing.T) {
	_, example := documented(t)
	f, err := Parse("alerts.yaml", []byte(example), now)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Warnings) > 0 {
		t.Errorf("warnings %v", f.Warnings)
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	office := &alerting.Schedule{Days: []time.Weekday{1, 2, 3, 4, 5}, From: 9 * time.Hour, To: 17 * time.Hour, Zone: berlin}
	want := alerting.Config{
		Policy: alerting.Policy{Window: time.Hour, Resolve: day},
		Routes: []alerting.Route{
			{Match: alerting.Match{Severity: alerting.Critical}, To: []string{"on-call", "security", "scc", "siem"}, Continue: true},
			{Match: alerting.Match{
				Rules: []string{"finding"}, Detectors: []string{"permission-*", "token-minting"}, Projects: []string{"acme-prod", "acme-shared-*"},
				Severity: alerting.High, Schedule: office,
			}, To: []string{"team-chat", "tickets"}},
			{Match: alerting.Match{Severity: alerting.High, Outside: office}, To: []string{"on-call", "mail"}},
			{Match: alerting.Match{Labels: map[string]string{"team": "payments"}}, To: []string{"cluster"}},
			{Match: alerting.Match{Detectors: []string{"rotation-failed"}}},
			{To: []string{"security", "console"}},
		},
		Silences: []alerting.Silence{{
			ID: "alerts.yaml:95", By: "alerts.yaml", Match: alerting.Match{Projects: []string{"acme-sandbox"}},
			Until: time.Date(2026, 3, 31, 8, 0, 0, 0, time.UTC), Reason: "load test, ask ada@example.com",
		}},
		Escalations: []alerting.Escalation{{
			Match: alerting.Match{Severity: alerting.Critical},
			Steps: []alerting.Step{{After: 15 * time.Minute, To: []string{"on-call", "mail"}}, {After: time.Hour, To: []string{"security"}}},
		}},
		Responses: []alerting.Response{
			{Match: alerting.Match{Detectors: []string{"stolen-old-key"}, Severity: alerting.Critical, Credentials: []string{"projects/acme-prod/secrets/*"}}, Action: alerting.Revoke},
			{Match: alerting.Match{Detectors: []string{"old-key-in-use"}}, Action: alerting.Observe},
		},
		Limits: map[string]alerting.Limit{"security": {PerHour: 30, Burst: 10, Digest: 15 * time.Minute, Always: alerting.Critical}},
		Brake:  alerting.Brake{PerHour: 3, Spare: []string{"break-glass@acme.iam.gserviceaccount.com"}},
	}
	if diff := cmp.Diff(want, f.Config, cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() })); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	roots := x509.NewCertPool()
	if indented := regexp.MustCompile(`(?s)-----BEGIN.*-----\n`).FindString(example); !roots.AppendCertsFromPEM([]byte(strings.ReplaceAll(indented, "      ", ""))) {
		t.Fatal("the example has no certificate")
	}
	if f.Runbooks != "https://git.example.com/acme/keyturn/blob/main/docs/detectors.md" {
		t.Errorf("runbooks at %q", f.Runbooks)
	}
	channels := []Channel{
		{Name: "security", Settings: Slack{secret("slack-security")}, Limit: want.Limits["security"]},
		{Name: "team-chat", Settings: Chat{secret("chat-team")}},
		{Name: "on-call", Settings: PagerDuty{RoutingKey: "projects/acme/secrets/pagerduty-key/versions/3"}},
		{Name: "mail", Settings: Email{
			Host: "smtp.example.com", Port: 587, From: "keyturn <keyturn@example.com>", To: []string{"security@example.com", "audit@example.com"},
			User: "keyturn", Password: secret("smtp-password"),
		}},
		{Name: "cluster", Private: true, Roots: roots, Settings: Alertmanager{URL: "https://10.0.0.9:9093", User: "keyturn", Password: secret("alertmanager")}},
		{Name: "tickets", Settings: Webhook{URL: "https://tickets.example.com/keyturn", Key: secret("tickets-key")}},
		{Name: "scc", Settings: SCC{"organizations/123456789/sources/987654321"}},
		{Name: "siem", Settings: OCSF{URL: "https://siem.example.com/ingest", Token: secret("siem-token")}},
	}
	if diff := cmp.Diff(channels, f.Channels); diff != "" {
		t.Errorf("channels (-want +got):\n%s", diff)
	}
	var kinds []string
	for _, c := range f.Channels {
		kinds = append(kinds, c.Settings.Kind())
	}
	if got := strings.Join(kinds, " "); got != "slack chat pagerduty email alertmanager webhook scc ocsf" {
		t.Errorf("the example has channels of the kinds %s", got)
	}
}

func secret(name string) SecretVersion {
	return SecretVersion("projects/acme/secrets/" + name + "/versions/latest")
}

// The description lists the names that a match may give, and no others.
func TestTheDescriptionListsAllDetectors(t *testing.T) {
	text, _ := documented(t)
	_, list, _ := strings.Cut(text, "\nDetectors of findings: ")
	list, _, _ = strings.Cut(list, "\n## ")
	var listed []string
	for _, m := range regexp.MustCompile("`([a-z-]+)`").FindAllStringSubmatch(list, -1) {
		listed = append(listed, m[1])
	}
	if want := detectors(); !slices.Equal(listed, want) {
		t.Errorf("docs/alerts.md lists %q\nwant %q", listed, want)
	}
}

// Every key that the file may have stands in the example or in the tables, so that
// nobody has to guess one.
func TestTheDescriptionHasEveryKey(t *testing.T) {
	text, _ := documented(t)
	sources, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	keys := 0
	for _, s := range sources {
		source, err := os.ReadFile(s.Name())
		if err != nil && !s.IsDir() {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("`yaml:\"([a-z-]+)\"`").FindAllStringSubmatch(string(source), -1) {
			keys++
			if !regexp.MustCompile(`(?m)(^[-\s]*|[{,.\x60] ?)` + m[1] + `[:\x60.\[]`).MatchString(text) {
				t.Errorf("docs/alerts.md does not tell of %s", m[1])
			}
		}
	}
	if keys < 40 {
		t.Errorf("only %d keys were found in the source", keys)
	}
}
