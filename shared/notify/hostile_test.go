package notify

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"example.com/keyturn/shared/alerting"
)

// walk calls see with every string of a JSON value, and the name that it stands under.
func walk(v any, name string, see func(name, text string)) {
	switch v := v.(type) {
	case string:
		see(name, v)
	case []any:
		for _, e := range v {
			walk(e, name, see)
		}
	case map[string]any:
		for key, e := range v {
			walk(e, key, see)
		}
	}
}

// posted is what each channel that posts makes of an alert, by its receiver's count.
func posted(t *testing.T, a alerting.Alert) map[string][]byte {
	t.Helper()
	got := map[string][]byte{}
	for _, p := range posters("", nil) {
		if p.Name() == "webhook" || p.Name() == "security-command-center" && !sccID.MatchString(a.Incident) {
			continue // the webhook says what there is, in JSON
		}
		r := &receiver{answer: p.answer}
		if err := at(t, p.Name(), serve(t, r)).Deliver(t.Context(), a); err != nil {
			t.Fatalf("%s: %v", p.Name(), err)
		}
		got[p.Name()] = r.bodies[0]
	}
	return got
}

func TestHostileTextsPrintAndAreBounded(t *testing.T) {
	for name, text := range hostiles {
		t.Run(name, func(t *testing.T) {
			checkMessage(t, compose(hostile(text), deployed))
			for channel, body := range posted(t, hostile(text)) {
				if len(body) > 128<<10 {
					t.Errorf("%s: %d bytes", channel, len(body))
				}
				var v any
				if err := json.Unmarshal(body, &v); err != nil {
					t.Fatalf("%s: %v", channel, err)
				}
				walk(v, "", func(name, text string) {
					if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
						t.Errorf("%s: %s does not print: %q", channel, name, text)
					}
				})
			}
		})
	}
}

// slackSpecial is what Slack reads between < and >; all of it that is wanted are links.
var slackSpecial = regexp.MustCompile(`<[^>]*>`)

func TestSlackHoldsHostileTexts(t *testing.T) {
	for name, text := range hostiles {
		t.Run(name, func(t *testing.T) {
			body := posted(t, hostile(text))["slack"]
			var m struct {
				Text   string
				Parse  string
				Blocks []struct {
					Type   string
					Text   *slackTextGot
					Fields []slackTextGot
				}
			}
			if err := json.Unmarshal(body, &m); err != nil {
				t.Fatal(err)
			}
			if m.Parse != "none" || strings.ContainsAny(m.Text, "<>") || len(m.Text) > slackPreview || len(m.Blocks) > 50 {
				t.Errorf("parse %q, text %.100q, %d blocks", m.Parse, m.Text, len(m.Blocks))
			}
			for _, b := range m.Blocks {
				if b.Text != nil {
					most := slackText
					if b.Type == "header" {
						most = slackHeader
					}
					checkSlackText(t, *b.Text, most)
				}
				if len(b.Fields) > slackFields {
					t.Errorf("%d fields", len(b.Fields))
				}
				for _, f := range b.Fields {
					checkSlackText(t, f, slackField)
				}
			}
		})
	}
}

type slackTextGot struct {
	Type, Text string
	Verbatim   bool
	Emoji      *bool
}

// slackCode is a label, and what no text gets out of.
var slackCode = regexp.MustCompile("^\\*[^*_~`<>:]+\\*\n(`[^`<>]*`|```[^`<>]*```)$")

func checkSlackText(t *testing.T, x slackTextGot, most int) {
	t.Helper()
	if x.Text == "" || utf8.RuneCountInString(x.Text) > most {
		t.Errorf("%d characters in %.100q", utf8.RuneCountInString(x.Text), x.Text)
	}
	if plain := x.Type == "plain_text"; plain && (x.Emoji == nil || *x.Emoji || strings.ContainsAny(x.Text, "<>")) || !plain && (!x.Verbatim || !slackCode.MatchString(x.Text)) {
		t.Errorf("Slack finds markup in %+v", x)
	}
}

func TestSlackLinksLeadWhereTheySay(t *testing.T) {
	a := hostile(hostiles["link"])
	a.Link, a.Technique = "https://console.cloud.google.com/logs|x>&y", "T1078"
	text := slackLinks(compose(a, deployed))
	if got, want := slackSpecial.FindAllString(text, -1), []string{
		"<https://console.cloud.google.com/logs%7Cx%3E&amp;y|Logs Explorer>", "<https://attack.mitre.org/techniques/T1078/|MITRE T1078 Valid Accounts>",
	}; strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("links %q, want %q", got, want)
	}
}

func TestGoogleChatHoldsHostileTexts(t *testing.T) {
	tag := regexp.MustCompile(`<[^>]*>`)
	for name, text := range hostiles {
		t.Run(name, func(t *testing.T) {
			body := posted(t, hostile(text))["google-chat"]
			if len(body) > chatMessage {
				t.Errorf("%d bytes", len(body))
			}
			var v map[string]any
			if err := json.Unmarshal(body, &v); err != nil {
				t.Fatal(err)
			}
			if v["text"] != nil {
				t.Error("there is a text, in which mentions are read")
			}
			walk(v, "", func(name, text string) {
				for _, got := range tag.FindAllString(text, -1) {
					if name != "text" || got != "<b>" && got != "</b>" && got != "<br>" {
						t.Errorf("Chat finds %s in %s: %.100q", got, name, text)
					}
				}
			})
		})
	}
}

// TestGoogleChatLeavesFactsOutRatherThanBeRefused: escaped, one byte becomes five, and
// ten in JSON.
func TestGoogleChatLeavesFactsOutRatherThanBeRefused(t *testing.T) {
	a := hostile(strings.Repeat("&", 5000))
	body, err := json.Marshal(chatFitting(a, compose(a, Deployment{})))
	if err != nil || len(body) > chatMessage {
		t.Fatalf("%d bytes, %v", len(body), err)
	}
}
