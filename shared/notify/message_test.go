package notify

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
)

func TestMessageOfLittle(t *testing.T) {
	m := compose(alerting.Alert{ID: "test-1", Incident: "test", State: alerting.Open, Notice: alerting.Notice{Detector: "test", Summary: "is this thing on?"}}, Deployment{})
	if m.Title != "test" || m.Severity != "info" || m.Next+m.Call+m.Ack+m.Logs+m.Attack+m.Progress != "" || len(m.commands())+len(m.links()) != 0 {
		t.Errorf("message %+v", m)
	}
	if len(m.Facts) != 1 || m.Facts[0] != (fact{"incident", "test"}) {
		t.Errorf("facts %v", m.Facts)
	}
}

func TestTitleStaysForAllAlertsOfAnIncident(t *testing.T) {
	first, later := stolenKey(alerting.Open), stolenKey(alerting.Update)
	later.Severity, later.Summary, later.Count, later.Credential = alerting.High, "more of it", 99, ""
	if a, b := compose(first, deployed).Title, compose(later, deployed).Title; a != b {
		t.Errorf("%q became %q", a, b)
	}
}

func TestProgress(t *testing.T) {
	for state, want := range map[alerting.State]string{
		alerting.Open:         "",
		alerting.Acknowledged: "ann@acme.example has taken it up",
		alerting.Escalated:    "nobody acknowledged it within 15m0s",
		alerting.Resolved:     "resolved by keyturn; nothing more was noticed for 24h0m0s; automatic response: key 9f86d081 was revoked",
	} {
		if got := compose(stolenKey(state), deployed).Progress; got != want {
			t.Errorf("%s: %q, want %q", state, got, want)
		}
	}
}

func TestManyFacts(t *testing.T) {
	a := stolenKey(alerting.Open)
	a.Fields = []alerting.Field{{Name: "key", Value: a.Key}} // told already
	for i := range 12 {
		a.Fields = append(a.Fields, alerting.Field{Name: fmt.Sprint("n", i), Value: "v"})
	}
	if facts := compose(a, deployed).Facts; len(facts) != maxFacts || facts[20] != (fact{"n11", "v"}) {
		t.Errorf("%d facts that just fit: %v", len(facts), facts)
	}
	a.Fields = append(a.Fields, alerting.Field{Name: "n12", Value: "v"}, alerting.Field{Name: "n1", Value: "v"})
	facts := compose(a, deployed).Facts
	if len(facts) != maxFacts || facts[20] != (fact{"and", "3 more, which 'keyturn alerts show' tells"}) || facts[23].Name != "incident" {
		t.Errorf("%d facts: %v", len(facts), facts)
	}
}

func TestLink(t *testing.T) {
	for raw, want := range map[string]string{
		"https://console.cloud.google.com/logs/query;query=a%20%22b%22?project=p": "https://console.cloud.google.com/logs/query;query=a%20%22b%22?project=p",
		"https://h.example/a|b>c<d(e)\"f`é":                                       "https://h.example/a%7Cb%3Ec%3Cd%28e%29%22f%60%C3%A9",
		"http://h.example/":                                                       "",
		"javascript:alert(1)":                                                     "",
		"https:opaque":                                                            "",
		"https://":                                                                "",
		"https://user:pass@h.example/":                                            "",
		"//h.example/":                                                            "",
		"https://h.example/\x00":                                                  "",
		"https://h.example/" + strings.Repeat("x", 2000):                          "",
		"https://h.example/" + strings.Repeat("|", 9000):                          "",
	} {
		if got := link(raw); got != want {
			t.Errorf("link(%.60q) = %.80q, want %q", raw, got, want)
		}
	}
}

func TestTechnique(t *testing.T) {
	for raw, want := range map[string][2]string{
		"T1078":      {"T1078 Valid Accounts", "https://attack.mitre.org/techniques/T1078/"},
		"T1078.004":  {"T1078.004 Valid Accounts: Cloud Accounts", "https://attack.mitre.org/techniques/T1078/004/"},
		"T9999.001":  {"T9999.001", "https://attack.mitre.org/techniques/T9999/001/"},
		"T1078/../x": {}, "": {},
	} {
		m := compose(alerting.Alert{Notice: alerting.Notice{Technique: raw}}, deployed)
		if got := [2]string{m.Technique, m.Attack}; got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}

// TestEveryTechniqueHasAName, of those that detectors have.
func TestEveryTechniqueHasAName(t *testing.T) {
	for _, d := range detect.Detectors() {
		if d.Technique != "" && (techniques[d.Technique] == "" || attackURL(d.Technique) == "") {
			t.Errorf("%s has technique %s, which has no name", d.Name, d.Technique)
		}
	}
}

// TestAKeyThatStandsInForItsCredentialIsToldOnce, in every channel.
func TestAKeyThatStandsInForItsCredentialIsToldOnce(t *testing.T) {
	const key = "//iam.googleapis.com/projects/acme/serviceAccounts/billing@acme.iam.gserviceaccount.com/keys/" + keyID
	a := stolenKey(alerting.Open)
	a.Credential, a.Key, a.Next, a.Summary = key, key, "", "a key was used"
	m := compose(a, deployed)
	var told []string
	for _, f := range m.Facts {
		if f.Value == key {
			told = append(told, f.Name)
		}
	}
	if len(told) != 1 || told[0] != "key (not managed by keyturn)" {
		t.Errorf("told as %q", told)
	}
	if r := detectionFindingOf(a, m).Resources; len(r) != 2 || r[0] != (ocsfResource{key, "key"}) || r[1].Type != "account" {
		t.Errorf("resources %v", r)
	}
}

func TestBounded(t *testing.T) {
	for _, c := range []struct {
		in    string
		limit int
		want  string
	}{
		{"abcdef", 6, "abcdef"}, {"abcdefg", 6, "abc…"}, {"a<b<c", 10, "a&lt;b…"}, {"<<<", 12, "&lt;&lt;&lt;"}, {"", 3, ""}, {"éééé", 7, "éé…"},
	} {
		if got := bounded(c.in, c.limit, entity); got != c.want || len(got) > c.limit {
			t.Errorf("bounded(%q, %d) = %q, want %q", c.in, c.limit, got, c.want)
		}
	}
}

const prefix = "gcloud functions call keyturn-rotate-http --gen2 --project=acme --region=us-central1 --data="

func TestCall(t *testing.T) {
	const secret = "projects/acme/secrets/billing-key"
	for _, c := range []struct{ next, want string }{
		{"keyturn revoke " + secret + " --key " + keyID, prefix + `'{"command":"revoke","secret":"projects/acme/secrets/billing-key","key":"` + keyID + `"}'`},
		{"keyturn revoke " + secret + " --kill-tokens --key " + keyID, prefix + `'{"command":"revoke","secret":"projects/acme/secrets/billing-key","key":"` + keyID + `","killTokens":true}'`},
		{"keyturn rotate billing-key", prefix + `'{"command":"rotate","secret":"projects/acme/secrets/billing-key"}'`},
		{"keyturn rollback " + secret + ", if consumers fail since its rotation", prefix + `'{"command":"rollback","secret":"projects/acme/secrets/billing-key"}'`},
		{"have the consumer read its secret again before the key is disabled: 'keyturn status " + secret + "' shows when", prefix + `'{"command":"status","secret":"projects/acme/secrets/billing-key"}'`},
		{"keyturn rotate " + secret + " && gcloud secrets versions disable 3", prefix + `'{"command":"rotate","secret":"projects/acme/secrets/billing-key"}'`},
		{"keyturn alerts list", `gcloud functions call keyturn-alert-http --gen2 --region=us-central1 --data='{"command":"list"}'`},
		{"keyturn alerts show " + incident, `gcloud functions call keyturn-alert-http --gen2 --region=us-central1 --data='{"command":"show","incident":"` + incident + `"}'`},
		{"keyturn alerts show", ""},
		{"keyturn alerts show ../x", ""},
		{"keyturn revoke " + secret + ", unless its owner knows that a consumer moved", ""},
		{"keyturn revoke " + secret + " --key " + keyID + ", unless its owner knows that a consumer moved", prefix + `'{"command":"revoke","secret":"projects/acme/secrets/billing-key","key":"` + keyID + `"}'`},
		{"keyturn revoke " + secret + " --key projects/acme/locations/global/keys/maps-1, unless its owner knows that a consumer moved", prefix + `'{"command":"revoke","secret":"projects/acme/secrets/billing-key","key":"projects/acme/locations/global/keys/maps-1"}'`},
		{"keyturn revoke " + secret + " --kill-tokens", ""},
		{"keyturn status billing-key, mend what the reason says, then keyturn rotate billing-key", prefix + `'{"command":"status","secret":"projects/acme/secrets/billing-key"}'`},
		{"keyturn revoke SECRET --key " + keyID + "  (SECRET is what 'keyturn status --key " + keyID + "' shows)", ""},
		{"keyturn status, mend what the reason says, then keyturn rotate billing-key", ""},
		{"keyturn status --json", ""},
		{"keyturn revoke " + secret + " --key", ""},
		{"keyturn revoke " + secret + " --key it's", ""},
		{"keyturn rotate projects/UPPER/secrets/x", ""},
		{"keyturn rotate other-key", ""},
		{"mykeyturn rotates keyturn rotations", ""},
		{"open the link", ""},
		{"", ""},
	} {
		if got := Call(alerting.Notice{Next: c.next, Credential: secret}, "us-central1"); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.next, got, c.want)
		}
	}
}

// TestCallWithoutARegion leaves a place for it: gcloud does not call without one.
func TestCallWithoutARegion(t *testing.T) {
	want := `gcloud functions call keyturn-alert-http --gen2 --region="$REGION" --data='{"command":"list"}'`
	if got := Call(alerting.Notice{Next: "keyturn alerts list"}, ""); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestCalledFunctionsAreDeployed under the names that Call gives them.
func TestCalledFunctionsAreDeployed(t *testing.T) {
	steps, err := os.ReadFile(filepath.Join("..", "..", "cloudbuild.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, next := range []string{"keyturn alerts list", "keyturn status projects/p/secrets/s"} {
		name := strings.Fields(Call(alerting.Notice{Next: next}, ""))[3]
		if !regexp.MustCompile(`(?m)^ +- ` + name + `$`).Match(steps) {
			t.Errorf("cloudbuild.yaml deploys no %s", name)
		}
	}
}

// FuzzCall: whatever comes next, the call is nothing or a command that the function
// accepts, in quotes that nothing in it ends.
func FuzzCall(f *testing.F) {
	f.Add("keyturn revoke projects/p/secrets/s --key abc --kill-tokens", "projects/p/secrets/s")
	f.Add("keyturn rotate s", "projects/p/secrets/s")
	f.Add("keyturn rotate s'", "x'; reboot #/secrets/s")
	f.Fuzz(func(t *testing.T, next, credential string) {
		got := Call(alerting.Notice{Next: next, Credential: credential}, "us-central1")
		_, data, ok := strings.Cut(got, " --data=")
		if !ok {
			if got != "" {
				t.Fatalf("%q", got)
			}
			return
		}
		data = strings.Trim(data, "'")
		if strings.Count(got, "'") != 2 || !json.Valid([]byte(data)) || strings.ContainsAny(got, "\n\r;&|$`\\<>()") {
			t.Fatalf("%q", got)
		}
		if strings.Contains(got, "keyturn-rotate-http") {
			if _, err := event.DecodeCommandJSON(strings.NewReader(data)); err != nil {
				t.Fatalf("%s: %v", data, err)
			}
		}
	})
}

// FuzzMessage: whatever an alert holds, a message prints, is UTF-8, and is of bounded length.
func FuzzMessage(f *testing.F) {
	for _, text := range hostiles {
		f.Add(text[:min(len(text), 5000)])
	}
	f.Fuzz(func(t *testing.T, text string) { checkMessage(t, compose(hostile(text), deployed)) })
}

func checkMessage(t *testing.T, m message) {
	t.Helper()
	texts := []string{m.Title, m.State, m.Sentence, m.Progress, m.Next, m.Call, m.Ack, m.Logs, m.Why, m.Runbook, m.Page, m.Technique, m.Attack}
	total := 0
	for _, f := range m.Facts {
		texts = append(texts, f.Name, f.Value)
	}
	for _, text := range texts {
		total += len(text)
		if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("does not print: %q", text)
		}
	}
	if most := maxTitle + 2*maxSentence + 3*maxStep + 2*maxRunbook + 3*maxURL + maxFacts*(maxName+maxValue); total > most {
		t.Errorf("%d bytes, more than %d", total, most)
	}
}
