package alertfile

import (
	"strings"
	"testing"

	"example.com/keyturn/shared/yamlfile/yamltest"
)

// TestProblemsAreTold has one mistake in each file, or several, each told once,
// where it is.
func TestProblemsAreTold(t *testing.T) {
	const ref = "projects/acme/secrets/s/versions/1"
	channel := func(settings string) string { return "channels:\n  a:\n    " + settings + "\n" }
	route := func(match string) string { return "routes:\n  - match: " + match + "\n    to: [console]\n" }
	silence := func(match string) string {
		return "silences:\n  - {match: " + match + ", until: 2026-03-03T00:00:00Z, reason: quiet}\n"
	}
	for _, tt := range []struct {
		name, file string
		want       []string // position and what is said there
	}{
		{"empty", "", []string{"f: the file is empty"}},
		{"comments alone", "# nothing\n", []string{"f: the file is empty"}},
		{"no YAML", "routes: [", []string{"f:1:9: sequence end token"}},
		{"two documents", "policy: {window: 1h}\n---\nbrake: {}\n", []string{"f: 2 YAML documents"}},
		{"a list", "- routes\n", []string{"f:1:1: the file: want keys with values, and this is a list"}},
		{"a text", "hello\n", []string{"f:1:1: the file: want keys with values, and this is one value"}},
		{"nothing under a key", "channels:\nroutes: []\n", []string{"f:1:1: channels has no value"}},
		{"unknown section", "chanels: {}\n", []string{`f:1:1: unknown field "chanels"; did you mean channels?`}},
		{"key twice", "policy: {window: 1h}\npolicy: {window: 2h}\n", []string{`f:2:1: mapping key "policy" already defined`}},
		{"anchor", "policy: &p {window: 1h}\n", []string{"f:1:9: policy: want keys with values, and this is an anchor"}},
		{"alias", "policy: {window: &w 1h, resolve: *w}\n", []string{"f:1:18: window: want one value, and this is an anchor", "f:1:34: resolve: want one value, and this is an anchor, an alias"}},
		{"merge key", "policy: {<<: {window: 1h}}\n", []string{"f:1:10: a key has to be a word"}},
		{"list as a key", "? [a]\n: b\n", []string{"f:2:1: found an invalid key for this map"}},

		{"window", "policy: {window: soon}\n", []string{`f:1:18: window is "soon": want a duration from 1m to 30d`}},
		{"window too short", "policy: {window: 5s}\n", []string{`f:1:18: window is "5s"`}},
		{"resolve too long", "policy: {resolve: 31d}\n", []string{`f:1:19: resolve is "31d"`}},
		{"negative days", "policy: {resolve: -1d}\n", []string{`f:1:19: resolve is "-1d"`}},
		{"window of a list", "policy: {window: [1h]}\n", []string{"f:1:18: window: want one value, and this is a list"}},

		{"channel's name", "channels: {My Channel: {slack: {webhook: " + ref + "}}}\n", []string{"f:1:12: want as the name of a channel"}},
		{"channel of a reserved name", "channels: {console: {slack: {webhook: " + ref + "}}}\n", []string{"f:1:12: console is a name of keyturn's own"}},
		{"channel of the responder's name", "channels: {respond: {slack: {webhook: " + ref + "}}}\n", []string{"f:1:12: respond is a name of keyturn's own"}},
		{"channel of the environment's name", "channels: {webhook: {slack: {webhook: " + ref + "}}}\n", []string{"f:1:12: webhook is a name of keyturn's own"}},
		{"channel without body", "channels:\n  a:\n", []string{"f:2:6: this channel: want keys with values, and this is nothing"}},
		{"channel without kind", channel("limit: {per-hour: 1}"), []string{`f:3:5: channel "a" has no kind`}},
		{"unknown kind", channel("slak: {webhook: " + ref + "}"), []string{`f:3:5: unknown field "slak"; did you mean slack?`}},
		{"two kinds", channel("slack: {webhook: " + ref + "}\n    chat: {webhook: " + ref + "}"), []string{"f:4:12: channel a is a slack already"}},
		{"kind without settings", channel("slack:"), []string{"f:3:5: slack has no value"}},
		{"kind without its setting", channel("slack: {}"), []string{"f:3:12: webhook is missing"}},
		{"setting misspelt", channel("slack: {webhok: " + ref + "}"), []string{`f:3:13: unknown field "webhok"; did you mean webhook?`}},
		{"secret in place of a key", channel("slack: {https://hooks.slack.com/CANARY: x}"), []string{"f:3:13: unknown field; there is only webhook, followed by a colon and a space"}},
		{"secret in place of a key, twice", channel("slack:\n      CANARY7: x\n      CANARY7: y"), []string{"f:5:7: mapping key … already defined"}},
		{"no space after the colon", channel("slack:\n      webhook:https://hooks.slack.com/CANARY"), []string{"f:4:7: slack: want keys with values, and this is one value"}},
		{"setting in place of settings", channel("slack: " + ref), []string{"f:3:12: slack: want keys with values, and this is one value"}},
		{"literal secret", channel("slack: {webhook: https://hooks.slack.com/services/T0/B0/x}"), []string{"f:3:22: webhook is no reference to a secret, and is not repeated here"}},
		{"secret without version", channel("chat: {webhook: projects/acme/secrets/s}"), []string{"f:3:21: webhook names a secret without its version: add /versions/latest"}},
		{"secret with half a version", channel("chat: {webhook: projects/acme/secrets/s/versions}"), []string{"f:3:21: webhook names a secret without its version"}},
		{"literal routing key", channel("pagerduty: {routing-key: 0123456789abcdef0123456789abcdef}"), []string{"f:3:30: routing-key is no reference"}},
		{"mail without host", channel("email: {from: a@example.com, to: b@example.com}"), []string{"f:3:13: host is missing"}},
		{"mail from nobody", channel("email: {host: smtp.example.com, to: b@example.com}"), []string{"f:3:13: from is missing"}},
		{"mail to nobody", channel("email: {host: smtp.example.com, from: a@example.com}"), []string{"f:3:13: to is missing"}},
		{"mail's host", channel("email: {host: 'smtp example', from: a@example.com, to: b@example.com}"), []string{"f:3:19: host is no name of a mail server"}},
		{"mail's port", channel("email: {host: smtp.example.com, port: 70000, from: a@example.com, to: b@example.com}"), []string{`f:3:43: port is "70000"`}},
		{"mail's addresses", channel("email: {host: smtp.example.com, from: a, to: [b@example.com, c]}"), []string{"f:3:43: from is no e-mail address", "f:3:66: to is no e-mail address"}},
		{"user without password", channel("email: {host: smtp.example.com, from: a@example.com, to: b@example.com, user: u}"), []string{"f:3:13: user and password go together"}},
		{"tls", channel("email: {host: smtp.example.com, from: a@example.com, to: b@example.com, tls: none}"), []string{`f:3:82: tls: there is no "none"`}},
		{"region", channel("pagerduty: {routing-key: " + ref + ", region: de}"), []string{`f:3:74: region: there is no "de"; there are us, eu`}},
		{"password in the clear", channel("alertmanager: {url: 'http://alertmanager:9093', user: u, password: " + ref + "}"), []string{"f:3:25: url is not encrypted"}},
		{"this machine", channel("alertmanager: {url: 'http://127.0.0.1:9093'}"), []string{"f:3:25: this leads to a private network or to this machine"}},
		{"private network", channel("ocsf: {url: 'https://10.1.2.3/x'}"), []string{"f:3:17: this leads to a private network"}},
		{"metadata server", channel("webhook: {url: 'https://169.254.169.254/x'}\n    private: false"), []string{"f:3:20: this leads to a private network"}},
		{"private mail server", channel("email: {host: '::1', from: a@example.com, to: b@example.com}"), []string{"f:3:19: this leads to a private network"}},
		{"private", channel("ocsf: {url: 'https://1.2.3.4/x'}\n    private: maybe"), []string{`f:4:14: private is "maybe": want true or false`}},
		{"certificate that is none", channel("ocsf: {url: 'https://1.2.3.4/x'}\n    ca: CANARY7"), []string{"f:4:9: ca is no certificate in PEM, and is not repeated"}},
		{"no certificate", channel("ocsf: {url: 'https://1.2.3.4/x'}\n    ca: ''"), []string{"f:4:9: ca is no certificate in PEM"}},
		{"key for a certificate", channel("ocsf: {url: 'https://1.2.3.4/x'}\n    ca: |\n      -----BEGIN PRIVATE KEY-----\n      AAAA\n      -----END PRIVATE KEY-----"), []string{"f:4:9: ca is no certificate in PEM"}},
		{"broken certificate", channel("ocsf: {url: 'https://1.2.3.4/x'}\n    ca: |\n      -----BEGIN CERTIFICATE-----\n      AAAA\n      -----END CERTIFICATE-----"), []string{"f:4:9: ca: a certificate cannot be read"}},
		{"runbooks by http", "runbooks: http://git.example.com/detectors.md\n", []string{"f:1:11: runbooks is no https URL of a page"}},
		{"runbooks with an anchor", "runbooks: https://git.example.com/detectors.md#x\n", []string{"f:1:11: runbooks is no https URL of a page"}},
		{"runbooks of somebody", "runbooks: https://CANARY@git.example.com/detectors.md\n", []string{"f:1:11: runbooks is no https URL of a page"}},
		{"password and token", channel("alertmanager: {url: 'https://1.2.3.4', user: u, password: " + ref + ", token: " + ref + "}"), []string{"f:3:106: password and token exclude each other"}},
		{"webhook in the clear", channel("webhook: {url: 'http://hooks.example.com/x'}"), []string{"f:3:20: url is not encrypted"}},
		{"webhook with a query", channel("webhook: {url: 'https://hooks.example.com/x?token=CANARY'}"), []string{"f:3:20: url has a user, a query or a fragment"}},
		{"webhook with a user", channel("webhook: {url: 'https://u:CANARY@hooks.example.com/x'}"), []string{"f:3:20: url has a user, a query or a fragment"}},
		{"webhook of another scheme", channel("webhook: {url: 'ftp://CANARY@hooks.example.com'}"), []string{"f:3:20: url is no https URL"}},
		{"webhook of Slack", channel("webhook: {url: 'https://hooks.slack.com/services/T0/B0/CANARY'}"), []string{"f:3:20: url is a secret, as whoever knows its path"}},
		{"webhook of Chat", channel("webhook: {url: 'https://chat.googleapis.com/v1/spaces/A/messages?key=CANARY'}"), []string{"f:3:20: url is a secret"}},
		{"webhook of Teams", channel("ocsf: {url: 'https://ACME.webhook.office.com./webhookb2/CANARY'}"), []string{"f:3:17: url is a secret"}},
		{"webhook of Discord", channel("alertmanager: {url: 'https://discord.com/api/webhooks/1/CANARY'}"), []string{"f:3:25: url is a secret"}},
		{"webhook's reference", channel("webhook: {url: projects/acme/secrets/s/versions/}"), []string{"f:3:20: url is no reference to a secret"}},
		{"webhook's key", channel("webhook: {url: 'https://hooks.example.com/x', key: CANARY}"), []string{"f:3:56: key is no reference"}},
		{"source", channel("scc: {source: organizations/1}"), []string{"f:3:19: source: want one such as"}},
		{"ocsf without url", channel("ocsf: {token: " + ref + "}"), []string{"f:3:12: url is missing"}},
		{"limit without a number", channel("slack: {webhook: " + ref + "}\n    limit: {burst: 3}"), []string{"f:4:13: per-hour is missing"}},
		{"limit of everything", channel("slack: {webhook: " + ref + "}\n    limit: {per-hour: 3, always: info}"), []string{`f:4:34: always: there is no "info"`}},
		{"limit's numbers", channel("slack: {webhook: " + ref + "}\n    limit: {per-hour: 0, burst: many, digest: 2d}"), []string{`f:4:23: per-hour is "0"`, `f:4:33: burst is "many"`, `f:4:47: digest is "2d"`}},

		{"days", "schedules: {s: {days: [mon-fry, montag]}}\n", []string{`f:1:24: days: "mon-fry" is none of`, `f:1:33: days: "montag"`}},
		{"no day", "schedules: {s: {days: []}}\n", []string{"f:1:17: days is an empty list"}},
		{"times of day", "schedules: {s: {from: 9, to: '25:00'}}\n", []string{`f:1:23: from is "9"`, `f:1:30: to is "25:00"`}},
		{"no time between", "schedules: {s: {from: '09:00', to: '09:00'}}\n", []string{"f:1:23: from and to are the same"}},
		{"zone", "schedules: {s: {zone: Berlin}}\n", []string{`f:1:23: zone: there is no "Berlin"`}},
		{"machine's zone", "schedules: {s: {zone: Local}}\n", []string{`f:1:23: zone: there is no "Local"`}},

		{"severity", route("{severity: urgent}"), []string{`f:2:23: severity: there is no "urgent"; there are info, warning`}},
		{"severity misspelt", route("{severity: hihg}"), []string{`f:2:23: severity: there is no "hihg"; did you mean high?`}},
		{"rule", route("{rules: findings}"), []string{`f:2:20: rules: there is no "findings"; did you mean finding?`}},
		{"detector", route("{detectors: [token-mintin]}"), []string{`f:2:25: detectors: there is no "token-mintin"; did you mean token-minting?`}},
		{"detectors", route("{detectors: 'tokens-*'}"), []string{`f:2:24: detectors: no name begins with "tokens-"`}},
		{"wildcard within", route("{detectors: '*-minting'}"), []string{`f:2:24: detectors: "*-minting": a * stands only at the end`}},
		{"wildcards", route("{projects: 'a**'}"), []string{`f:2:23: projects: "a**": a * stands only at the end`}},
		{"nothing to match", route("{credentials: [' a', '']}"), []string{`f:2:27: credentials: " a" is empty`, `f:2:33: credentials: "" is empty`}},
		{"empty list", route("{projects: []}"), []string{"f:2:13: projects is an empty list"}},
		{"no label", route("{labels: {}}"), []string{"f:2:21: labels names none"}},
		{"label's value", route("{labels: {team: [a]}}"), []string{"f:2:28: the label's value: want one value, and this is a list"}},
		{"schedule", "schedules: {office: {days: mon}}\n" + route("{schedule: offices, not-schedule: office}"), []string{`f:3:23: schedule: there is no schedule "offices"; did you mean office?`}},
		{"match misspelt", route("{severty: high}"), []string{`f:2:13: unknown field "severty"; did you mean severity?`}},
		{"match of nothing", route(""), []string{"f:2:5: match has no value"}},

		{"routes are no list", "routes: {to: [console]}\n", []string{"f:1:10: routes: want a list, each element of it after '- '"}},
		{"a route is no mapping", "routes: [console]\n", []string{"f:1:10: route: want keys with values"}},
		{"route to nobody", "routes:\n  - match: {severity: high}\n", []string{"f:2:5: to is missing"}},
		{"route to no channel", "routes:\n  - to: [consoles, console]\n", []string{`f:2:10: to: there is no channel "consoles"; did you mean console?`}},
		{"route twice", "routes:\n  - to: [console, console]\n", []string{"f:2:19: to: console is named twice"}},
		{"continue", "routes:\n  - {to: console, continue: yes}\n", []string{`f:2:29: continue is "yes": want true or false`}},
		{"silence of everything", "silences:\n  - {until: 2099-01-01T00:00:00Z, reason: quiet}\n", []string{"f:2:6: this would silence everything"}},
		{"silence of a severity that all have", silence("{severity: warning}"), []string{"f:2:6: this would silence everything"}},
		{"silence of all rules", silence("{rules: [rotation, finding], detectors: '*'}"), []string{"f:2:6: this would silence everything"}},
		{"silence of all projects", silence("{projects: [acme, '*'], credentials: '*'}"), []string{"f:2:6: this would silence everything"}},
		{"silence of what is misspelt", silence("{severity: hihg}"), []string{`f:2:24: severity: there is no "hihg"`}},
		{"silence without reason", "silences:\n  - {match: {projects: a}, until: 2099-01-01T00:00:00Z}\n", []string{"f:2:6: reason is missing"}},
		{"silence without end", "silences:\n  - {match: {projects: a}, reason: ' '}\n", []string{"f:2:6: until is missing", "f:2:36: reason is empty"}},
		{"silence until no time", "silences:\n  - {match: {projects: a}, until: tomorrow, reason: b}\n", []string{`f:2:35: until is "tomorrow"`}},
		{"no steps", "escalations:\n  - match: {severity: high}\n", []string{"f:2:5: steps is missing"}},
		{"falling steps", "escalations:\n  - steps:\n    - {after: 1h, to: console}\n    - {after: 15m, to: console}\n", []string{"f:4:15: after is 15m, and the step before it comes after 1h"}},
		{"steps at once", "escalations:\n  - steps: [{after: 60m, to: console}, {after: 1h, to: []}]\n", []string{"f:2:41: to is an empty list", "f:2:48: after is 1h, and the step before it comes after 1h"}},
		{"step that tells nobody", "escalations:\n  - steps: [{after: 1h, to: []}, {to: console}]\n", []string{"f:2:14: to is an empty list", "f:2:35: after is missing"}},
		{"action", "responses:\n  - action: revoke+kill-token\n", []string{`f:2:13: action: there is no "revoke+kill-token"; did you mean revoke+kill-tokens?`}},
		{"no action", "responses:\n  - match: {severity: high}\n", []string{"f:2:5: action is missing"}},
		{"brake", "brake: {revocations-per-hour: 0, stop: '', spare: [ada@example.com, nobody]}\n", []string{
			`f:1:31: revocations-per-hour is "0"`, "f:1:40: stop: want the reason", `f:1:52: spare: "ada@example.com" is no e-mail address of a service account`, `f:1:69: spare: "nobody" is no`}},
		{"all at once", "policy: {window: 5}\nchannels:\n  a: {slack: {webhook: x}}\nroutes:\n  - to: [b]\nbrak: {}\n", []string{
			`f:1:18: window is "5"`, "f:3:24: webhook is no reference", `f:5:10: to: there is no channel "b"`, `f:6:1: unknown field "brak"; did you mean brake?`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := Parse("f", []byte(tt.file), now)
			if err == nil || f != nil {
				t.Fatalf("no error, or a file: %+v", f)
			}
			yamltest.Told(t, err, tt.want)
			if strings.Contains(err.Error(), "CANARY") {
				t.Errorf("what may be secret is repeated: %v", err)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	const channels = "channels:\n  a: {slack: {webhook: projects/acme/secrets/s/versions/1}}\n"
	for _, tt := range []struct {
		name, file string
		want       []string
	}{
		{"without routes all are told", channels, nil},
		{"unused channel", channels + "routes:\n  - to: [console]\n", []string{"f:2:3: channel a is not used"}},
		{"used by an escalation", channels + "routes:\n  - to: [console]\nescalations:\n  - steps: [{after: 5m, to: a}]\n", nil},
		{"unused schedule", "schedules:\n  s: {days: sat-sun}\n", []string{"f:2:3: schedule s is not used"}},
		{"silence is over", "silences:\n  - {match: {projects: a}, until: 2026-03-02T12:00:00Z, reason: r}\n", []string{"f:2:35: this silence is over since 2026-03-02T12:00:00Z"}},
		{"silence that is long", "silences:\n  - {match: {projects: a}, until: 2026-06-01T12:00:00Z, reason: r}\n", []string{"f:2:35: this silence lasts for more than 90d"}},
		{"silence that is not long", "silences:\n  - {match: {projects: a}, until: 2026-05-31T12:00:00Z, reason: r}\n", nil},
		{"route after the last", "routes:\n  - to: [console]\n  - {match: {severity: high}, to: []}\n", []string{"f:3:6: this route is never reached: the one on line 2 matches everything"}},
		{"route after one of all projects", "routes:\n  - {match: {projects: '*', severity: warning}, to: [console]}\n  - {match: {severity: high}, to: []}\n", []string{"f:3:6: this route is never reached"}},
		{"route after one that continues", "routes:\n  - {to: [console], continue: true}\n  - {match: {severity: high}, to: []}\n", nil},
		{"all is revoked", "responses:\n  - action: revoke\n", []string{"f:2:13: whatever is noticed of a credential leads to revoke"}},
		{"all is proposed", "responses:\n  - action: propose\n", nil},
	} {
		f, err := Parse("f", []byte(tt.file), now)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if len(f.Warnings) != len(tt.want) {
			t.Errorf("%s: warnings %v, want %q", tt.name, f.Warnings, tt.want)
			continue
		}
		for i, want := range tt.want {
			if !strings.HasPrefix(f.Warnings[i].Error(), want) {
				t.Errorf("%s: warning %v, want %s…", tt.name, f.Warnings[i], want)
			}
		}
	}
}
