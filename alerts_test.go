package keyturn

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/keyturn/functions/alert"
	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/notify"
)

const goodAlerts = `channels:
  on-call:
    slack: {webhook: projects/acme/secrets/slack/versions/latest}
    limit: {per-hour: 30}
  mail:
    webhook: {url: https://mail.example.com/x}
routes:
  - {match: {severity: critical}, to: [on-call]}
`

const badAlerts = `channels:
  on-call:
    slack: {webhook: https://hooks.slack.com/CANARY}
`

// write puts text into a file and returns its absolute path.
func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "alerts.yaml")
	must(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

// readWith returns what an environment says of alerts, and what was logged.
func readWith(t *testing.T, env gcp.Environment) (rules alerting.Config, names []string, log string, err error) {
	t.Helper()
	env.Project = "acme"
	cloud, err := gcp.New(env.Config)
	must(t, err)
	var b strings.Builder
	rules, channels, err := alerts(t.Context(), env, cloud, slog.New(slog.NewTextHandler(&b, nil)))
	for _, c := range channels {
		names = append(names, c.Name())
	}
	return rules, names, b.String(), err
}

func TestAlertsWithoutAFile(t *testing.T) {
	for url, want := range map[string][]string{"": {"console"}, "https://hooks.example/x": {"console", "webhook"}} {
		rules, names, _, err := readWith(t, gcp.Environment{WebhookURL: url})
		if err != nil || !slices.Equal(names, want) || rules.Routes != nil {
			t.Errorf("channels for webhook %q: %v, want %v; rules %+v, %v", url, names, want, rules, err)
		}
	}
}

// TestChannelNamesAreDistinct has a file, and whoever adds a channel besides it, take
// no name that is taken.
func TestChannelNamesAreDistinct(t *testing.T) {
	_, names, _, err := readWith(t, gcp.Environment{WebhookURL: "https://hooks.example/x"})
	must(t, err)
	for _, name := range names {
		file := write(t, "channels: {"+name+": {webhook: {url: 'https://mail.example.com/x'}}}\n")
		if _, _, _, err := readWith(t, gcp.Environment{Alerts: file, WebhookURL: "https://hooks.example/x"}); err == nil || !strings.Contains(err.Error(), name+" is a name of keyturn's own") {
			t.Errorf("a channel %s of a file: %v", name, err)
		}
	}
	if err := distinct([]alert.Channel{&notify.Console{}, &notify.Webhook{ID: "a"}, &notify.Webhook{ID: "a"}}); err == nil || !strings.Contains(err.Error(), "two channels are named a") {
		t.Errorf("two of one name: %v", err)
	}
}

func TestAlertsOfAFile(t *testing.T) {
	name := write(t, goodAlerts)
	rules, names, log, err := readWith(t, gcp.Environment{Alerts: name})
	must(t, err)
	if spared := rules.Brake.Spare; !slices.Contains(spared, "keyturn-rotate@acme.iam.gserviceaccount.com") {
		t.Errorf("spared are %q, want keyturn's own accounts among them", spared)
	}
	if !slices.Equal(names, []string{"console", "on-call", "mail"}) || len(rules.Routes) != 1 || rules.Limits["on-call"].PerHour != 30 {
		t.Errorf("channels %v, rules %+v", names, rules)
	}
	if !strings.Contains(log, name+":5:3: channel mail is not used") || !strings.Contains(log, "level=WARN") {
		t.Errorf("logged %s, want the warning", log)
	}
	if err := delivered(t, name); err == nil || !strings.Contains(err.Error(), "projects/acme/secrets/slack") {
		t.Errorf("delivering without the secret: %v", err)
	}
}

// TestAlertsTellOfTheirDeployment: where its functions are, and its runbooks.
func TestAlertsTellOfTheirDeployment(t *testing.T) {
	env := gcp.Environment{Config: gcp.Config{Project: "acme"}, Region: "us-central1", Alerts: write(t, "runbooks: https://git.example.com/d.md\n")}
	cloud, err := gcp.New(env.Config)
	must(t, err)
	_, channels, err := alerts(t.Context(), env, cloud, slog.New(slog.DiscardHandler))
	must(t, err)
	if got, want := channels[0].(*notify.Console).Deployment, (notify.Deployment{Region: "us-central1", Runbooks: "https://git.example.com/d.md"}); got != want {
		t.Errorf("the console tells of %+v, want %+v", got, want)
	}
}

// delivered is what becomes of an alert to on-call where there is no cloud.
func delivered(t *testing.T, name string) error {
	t.Helper()
	env := gcp.Environment{Config: gcp.Config{Project: "acme", Endpoint: "127.0.0.1:1"}, Alerts: name}
	cloud, err := gcp.New(env.Config)
	must(t, err)
	_, channels, err := alerts(t.Context(), env, cloud, slog.New(slog.DiscardHandler))
	must(t, err)
	i := slices.IndexFunc(channels, func(c alert.Channel) bool { return c.Name() == "on-call" })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return channels[i].Deliver(ctx, alerting.Alert{ID: "1"})
}

func TestAlertsOfASecret(t *testing.T) {
	g, err := localgcp.Start(localgcp.Config{Addr: "127.0.0.1:0", ProjectID: "acme", Clock: clock.New()})
	must(t, err)
	t.Cleanup(func() { must(t, g.Close()) })
	env := gcp.Environment{Config: gcp.Config{Project: "acme", Endpoint: g.Addr()}, Alerts: "projects/acme/secrets/alerts/versions/1"}
	if _, _, _, err := readWith(t, env); err == nil || !strings.Contains(err.Error(), "KEYTURN_ALERTS: reading version 1 of projects/acme/secrets/alerts") {
		t.Errorf("without the secret: %v", err)
	}
	cloud, err := gcp.New(env.Config)
	must(t, err)
	must(t, cloud.EnsureSecret(t.Context(), "projects/acme/secrets/alerts", nil))
	_, _, err = cloud.AddVersion(t.Context(), "projects/acme/secrets/alerts", []byte(goodAlerts))
	must(t, err)
	if _, names, _, err := readWith(t, env); err != nil || len(names) != 3 {
		t.Errorf("channels %v, %v", names, err)
	}
	_, _, err = cloud.AddVersion(t.Context(), "projects/acme/secrets/alerts", []byte(badAlerts))
	must(t, err)
	env.Alerts = "projects/acme/secrets/alerts/versions/latest"
	if _, names, _, err := readWith(t, env); err == nil || names != nil || !strings.Contains(err.Error(), env.Alerts+":3:22: webhook is no reference") {
		t.Errorf("channels %v, %v", names, err)
	}
}

// A file with a mistake is not half used, and says in the log what is wrong.
func TestABrokenFileServesNothingUntilItIsMended(t *testing.T) {
	name := write(t, badAlerts)
	p := serve(t, "KEYTURN_PROJECT=acme", "KEYTURN_ENDPOINT=127.0.0.1:1", "KEYTURN_ALERTS="+name)
	for range 2 {
		if code, answer := p.call("/AlertHTTP", "AlertHTTP"); code != http.StatusInternalServerError || strings.Contains(answer, "webhook") {
			t.Errorf("HTTP %d %s", code, answer)
		}
	}
	for _, e := range p.log() {
		if e["severity"] != "ERROR" || !strings.Contains(e["error"], name+":3:22: webhook is no reference") {
			t.Errorf("logged %v", e)
		}
	}
	if strings.Contains(p.wrote(), "CANARY") {
		t.Error("the log repeats the secret")
	}
	must(t, os.WriteFile(name, []byte(goodAlerts), 0o600))
	if code, answer := p.call("/AlertHTTP", "AlertHTTP"); code != http.StatusBadRequest {
		t.Errorf("HTTP %d %s once it is mended", code, answer)
	}
}

func TestFunctionsListTheFilesChannels(t *testing.T) {
	fresh(t)
	t.Setenv("KEYTURN_PROJECT", "acme")
	t.Setenv("KEYTURN_ENDPOINT", "127.0.0.1:1")
	t.Setenv("KEYTURN_ALERTS", write(t, goodAlerts))
	ask := onRequest(func(s *services) http.HandlerFunc { return s.alert().HandleHTTP })
	w := httptest.NewRecorder()
	ctx, cancel := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader(`{"command":"test"}`))
	r.Header.Set("Content-Type", "application/json")
	cancel()
	ask(w, r)
	for _, want := range []string{`"console"`, `"on-call"`, `"mail"`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("HTTP %d %s, want the channel %s", w.Code, w.Body, want)
		}
	}
}
