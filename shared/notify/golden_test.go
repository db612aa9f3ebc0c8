package notify

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"example.com/keyturn/shared/alerting"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata/*.golden anew")

// rendered is what each channel makes of an alert, by the file that holds it.
func rendered(t *testing.T, a alerting.Alert) map[string]string {
	t.Helper()
	m := compose(a, deployed)
	html, err := mailHTML(m)
	if err != nil {
		t.Fatal(err)
	}
	var console bytes.Buffer
	if err := (&Console{W: &console, Deployment: deployed}).Deliver(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"console":      console.String(),
		"webhook":      indented(t, webhookBodyOf(a, deployed)),
		"slack":        indented(t, slackMessage(m)),
		"googlechat":   indented(t, chatFitting(a, m)),
		"pagerduty":    indented(t, pagerDutyEvent(a, m)),
		"alertmanager": indented(t, new(Alertmanager).alert(a, m, noon.AddDate(0, 0, 1))),
		"ocsf":         indented(t, detectionFindingOf(a, m)),
		"scc":          indented(t, (&SecurityCommandCenter{Source: "organizations/1/sources/2"}).finding(a, m)),
		"mail.txt":     mailText(m),
		"mail.html":    html,
	}
}

func indented(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestGolden holds each channel's message to a file that a person has read. After a
// change: go test ./shared/notify -run Golden -update, and read what changed.
func TestGolden(t *testing.T) {
	alerts := map[string]alerting.Alert{
		"open": stolenKey(alerting.Open), "resolved": stolenKey(alerting.Resolved), "forged": forged(),
		"hostile": hostile(hostiles["mention"] + hostiles["link"] + hostiles["html"] + hostiles["header"] + hostiles["markdown"] + hostiles["direction"]),
	}
	for name, a := range alerts {
		a.Fields = a.Fields[:min(len(a.Fields), 8)]
		for channel, got := range rendered(t, a) {
			t.Run(channel+"."+name, func(t *testing.T) {
				file := filepath.Join("testdata", channel+"."+name+".golden")
				if *update {
					if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), got); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			})
		}
	}
}
