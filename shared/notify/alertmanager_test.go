package notify

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/alerting"
)

const alertmanagerVersion = "v0.28.1"

// alertmanagerProgram builds Alertmanager from its module, apart from keyturn's; the
// first time that takes a minute or two.
func alertmanagerProgram(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("building Alertmanager is not short")
	}
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	program := filepath.Join(dir, "alertmanager")
	for _, args := range [][]string{
		{"mod", "init", "example.com/receiver"},
		{"get", "github.com/prometheus/alertmanager/cmd/alertmanager@" + alertmanagerVersion},
		{"build", "-o", program, "github.com/prometheus/alertmanager/cmd/alertmanager"},
	} {
		run := exec.CommandContext(ctx, "go", args...)
		run.Dir, run.Env = dir, append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
		if out, err := run.CombinedOutput(); err != nil {
			t.Skipf("Alertmanager %s cannot be had here: go %s: %v: %.500s", alertmanagerVersion, args[0], err, out)
		}
	}
	return program
}

// fanOut has Alertmanager tell four receivers of every alert at once.
const fanOut = `
global: {resolve_timeout: 5m}
route: {receiver: all, group_by: [incident], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers:
- name: all
  webhook_configs:
  - {url: '%[1]s/webhook'}
  slack_configs:
  - {api_url: '%[1]s/slack', channel: '#security', send_resolved: true, title: '{{ .Status }} {{ .CommonAnnotations.summary }}', text: '{{ .CommonAnnotations.next }}'}
  pagerduty_configs:
  - {url: '%[1]s/pagerduty', routing_key: key, description: '{{ .CommonAnnotations.summary }}'}
  email_configs:
  - {to: ann@acme.example, from: am@acme.example, smarthost: '127.0.0.1:%[2]d', auth_username: keyturn, auth_password: '%[3]s', send_resolved: true, require_tls: true, tls_config: {ca_file: '%[4]s'}, headers: {subject: '{{ .Status }} {{ .CommonAnnotations.summary }}'}}
`

// downstream are receivers shaped as those that Alertmanager knows.
type downstream struct{ got map[string]chan []byte }

func (d *downstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	inner := &receiver{answer: "ok"}
	if r.URL.Path == "/pagerduty" {
		inner.answer = `{"status":"success"}`
		inner.codes = []int{http.StatusAccepted}
	}
	inner.ServeHTTP(w, r)
	d.got[strings.TrimPrefix(r.URL.Path, "/")] <- inner.bodies[0]
}

// next decodes what came to a receiver next.
func (d *downstream) next(t *testing.T, name string, into any) {
	t.Helper()
	select {
	case body := <-d.got[name]:
		if err := json.Unmarshal(body, into); err != nil {
			t.Fatalf("%s: %v in %s", name, err, body)
		}
	case <-time.After(time.Minute):
		t.Fatalf("nothing came to %s", name)
	}
}

// startAlertmanager runs it until the test ends, and returns its URL once it is ready.
func startAlertmanager(t *testing.T, config string) string {
	t.Helper()
	program, dir := alertmanagerProgram(t), t.TempDir()
	file := filepath.Join(dir, "alertmanager.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	ctx, cancel := context.WithCancel(context.Background())
	run := exec.CommandContext(ctx, program, "--config.file="+file, "--storage.path="+dir, "--web.listen-address="+address, "--cluster.listen-address=")
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	run.Stdout, run.Stderr = log, log
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = run.Wait()
		if said, err := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("Alertmanager said: %s, %v", said, err)
		}
	})
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if resp, err := http.Get("http://" + address + "/-/ready"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return "http://" + address
			}
		}
	}
	t.Fatal("Alertmanager was not ready within a minute")
	return ""
}

// TestARealAlertmanagerFansOut: what keyturn tells it of an incident gets to all of
// its receivers, and that it is over, too.
func TestARealAlertmanagerFansOut(t *testing.T) {
	o := office(t, startTLS)
	certified, _ := certified(t)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certified.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &downstream{map[string]chan []byte{"webhook": make(chan []byte, 100), "slack": make(chan []byte, 100), "pagerduty": make(chan []byte, 100)}}
	url := startAlertmanager(t, fmt.Sprintf(fanOut, serve(t, d), o.port, mailPassword, ca))
	m := &Alertmanager{URL: url, Client: neighbours()}

	opened := stolenKey(alerting.Open)
	opened.Severity = alerting.High
	if err := m.Deliver(t.Context(), opened); err != nil {
		t.Fatal(err)
	}
	checkFanOut(t, d, o, "firing", "trigger", opened)
	worse := stolenKey(alerting.Update) // is the same alert to Alertmanager
	if err := m.Deliver(t.Context(), worse); err != nil {
		t.Fatal(err)
	}
	if alerts := alertsOf(t, url); len(alerts) != 1 || alerts[0].Annotations["severity"] != "critical" || alerts[0].Labels["incident"] != incident {
		t.Errorf("Alertmanager knows %v", alerts)
	}
	over := stolenKey(alerting.Resolved)
	if err := m.Deliver(t.Context(), over); err != nil {
		t.Fatal(err)
	}
	checkFanOut(t, d, o, "resolved", "resolve", over)
	if alerts := alertsOf(t, url); len(alerts) != 0 {
		t.Errorf("Alertmanager still knows %v", alerts)
	}
	for name, a := range map[string]alerting.Alert{"hostile": hostile(hostiles["html"] + hostiles["control"]), "little": {Incident: "test", State: alerting.Open, Notice: alerting.Notice{Detector: "test"}}} {
		if err := m.Deliver(t.Context(), a); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type alertGot struct{ Labels, Annotations map[string]string }

// alertsOf are the alerts that Alertmanager holds active.
func alertsOf(t *testing.T, url string) (alerts []alertGot) {
	t.Helper()
	resp, err := http.Get(url + "/api/v2/alerts")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&alerts); err != nil {
		t.Fatal(err)
	}
	return alerts
}

// checkFanOut holds what all four receivers got of an alert.
func checkFanOut(t *testing.T, d *downstream, o *postOffice, status, action string, a alerting.Alert) {
	t.Helper()
	told := compose(a, deployed)
	var hook struct {
		Status string
		Alerts []alertGot
	}
	d.next(t, "webhook", &hook)
	if hook.Status != status || len(hook.Alerts) != 1 || hook.Alerts[0].Annotations["next"] != told.Next || hook.Alerts[0].Annotations["description"] != told.Sentence {
		t.Errorf("webhook got %+v", hook)
	}
	var chat struct {
		Attachments []struct{ Title, Text string }
	}
	d.next(t, "slack", &chat)
	if len(chat.Attachments) != 1 || chat.Attachments[0].Title != status+" "+told.Title || chat.Attachments[0].Text != told.Next {
		t.Errorf("Slack got %+v", chat)
	}
	var page struct {
		Action  string `json:"event_action"`
		Payload struct{ Summary string }
	}
	d.next(t, "pagerduty", &page)
	if page.Action != action || page.Payload.Summary != told.Title {
		t.Errorf("PagerDuty got %+v", page)
	}
	if got := o.next(t).subject(t); got != status+" "+told.Title {
		t.Errorf("mail is about %q", got)
	}
}
