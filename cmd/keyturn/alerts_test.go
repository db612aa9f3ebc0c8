package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os/user"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/functions/alert"
	"example.com/keyturn/shared/alerting"
)

var noon = time.Date(2030, 1, 7, 12, 0, 0, 0, time.UTC)

// incident is one that was opened at noon, of a given id and severity.
func incident(id, status string, s alerting.Severity) alert.Line {
	return alert.Line{ID: id, Status: status, Incident: alerting.Incident{
		Latest: alerting.Notice{Detector: "permission-probing", Subject: "billing", Severity: s, Summary: "billing probes"}, Severity: s, Opened: noon, Seen: noon,
	}}
}

func ids(lines []alert.Line) (all string) {
	for _, l := range lines {
		all += l.ID + " "
	}
	return strings.TrimSpace(all)
}

func TestRanked(t *testing.T) {
	later := incident("later", "open", alerting.High)
	later.Seen = noon.Add(time.Hour)
	untold := incident("untold", "silenced", alerting.Critical)
	untold.Severity = alerting.Info // it was never told
	lines := []alert.Line{
		incident("over", "resolved", alerting.Critical), incident("quiet", "silenced", alerting.High), untold, incident("taken", "acknowledged", alerting.Critical),
		incident("b", "open", alerting.High), incident("a", "open", alerting.High), incident("worst", "open", alerting.Critical), later,
	}
	shown, over := ranked(lines, false)
	if got := ids(shown); got != "worst later a b taken untold quiet" || over != 1 {
		t.Errorf("open ones: %s, and %d are over", got, over)
	}
	shown, over = ranked(lines, true)
	if got := ids(shown); got != "worst later a b taken untold quiet over" || over != 0 {
		t.Errorf("all: %s, and %d are over", got, over)
	}
	if shown, _ = ranked(nil, true); shown == nil {
		t.Error("no incidents are no list in JSON")
	}
}

func TestIncidentTableFitsTheTerminal(t *testing.T) {
	l := incident("3f2a91c4d5e6", "acknowledged", alerting.Critical)
	l.Latest.Subject, l.Undelivered = strings.Repeat("long-name", 10)+"@acme.iam.gserviceaccount.com", 3
	short := incident("aa", "open", alerting.High)
	for _, width := range []int{40, 80, 200} {
		table := incidentTable([]alert.Line{l, short}, 2, width)
		for line := range strings.Lines(table) {
			if n := len(strings.TrimRight(line, " \n")); n > max(width, usual) {
				t.Errorf("%d columns on a terminal of %d: %s", n, width, line)
			}
		}
		for _, want := range []string{"3f2a91c4  acknowledged  critical  01-07 12:00Z  permission-probing:", "aa        open", "2 incidents that are over are left out: --all shows them"} {
			if !strings.Contains(table, want) {
				t.Errorf("the table does not say %q:\n%s", want, table)
			}
		}
	}
	if wide := incidentTable([]alert.Line{short}, 0, 80); !strings.Contains(wide, "permission-probing: billing") || strings.Contains(wide, "--all") {
		t.Errorf("table:\n%s", wide)
	}
}

func TestInForce(t *testing.T) {
	if got := inForce(alert.Overview{}); got != "" {
		t.Errorf("nothing is in force, but %q", got)
	}
	got := inForce(alert.Overview{More: 7, Stopped: "false alarms\x1b (ada)", Silences: []alerting.Silence{
		{ID: "k7\x1b", Until: noon, Reason: "a test\x1b", By: "ada\u202e", Match: alerting.Match{Projects: []string{"a", "b\x1b"}, Detectors: []string{"token-*"}}},
		{ID: "alerts.yaml:5", Until: noon, Reason: "of the file", Match: alerting.Match{Severity: alerting.High, Rules: []string{"finding"}, Credentials: []string{"c"}, Labels: map[string]string{"z": "1", "team": "pay"}}},
		{ID: "a", Until: noon, Reason: "all"},
	}})
	want := `
silence k7\x1b: detector token-*, project a or b\x1b, until 2030-01-07 12:00Z by ada\u202e: a test\x1b
silence alerts.yaml:5: rule finding, credential c, labels team=pay, z=1, severity high or worse, until 2030-01-07 12:00Z: of the file
silence a: everything, until 2030-01-07 12:00Z: all
7 more incidents are not listed: those that are over and older
nothing is done without being asked: false alarms\x1b (ada); 'keyturn alerts start' ends that`
	if got != want {
		t.Errorf("got %s", got)
	}
}

// TestIncidentText shows an incident of which there is everything to tell.
func TestIncidentText(t *testing.T) {
	l := incident("3f2a91c4d5e6", "acknowledged", alerting.Critical)
	l.Latest.Credential, l.Latest.Key, l.Latest.Next = "projects/acme/secrets/billing-key", "k1", "keyturn revoke billing-key --key k1"
	l.Latest.Standing, l.Latest.Radius, l.Latest.Labels = "previous:\x1b superseded", "stragglers\x1b fail", map[string]string{"team": "payments", "env": "prod"}
	l.Latest.Fields = []alerting.Field{{Name: "from", Value: "203.0.113.9"}, {Name: "a name\x1b of theirs", Value: "x"}}
	l.Latest.Link, l.Latest.Runbook, l.Latest.Technique = "https://console.cloud.google.com/logs/x", "Look who it was. "+strings.Repeat("Then look again. ", 10), "T1528"
	l.Findings, l.Escalated, l.Acked, l.AckedBy = 7, 2, noon.Add(time.Minute), "ada"
	l.Asked, l.Outcome, l.Silence, l.Channels = []string{"revoke k1"}, "key k1: disabled at 12:00:02", "silenced until later: a test", []string{"console", "mail"}
	l.Outbox = alerting.Outbox{{Alert: alerting.Alert{State: alerting.Open}, To: []alerting.Attempt{
		{Channel: "mail", Tries: 3, Next: noon.Add(time.Hour), Error: "421 try later\x07"},
		{Channel: "pager"}, {Channel: "dead-letter/chat", Error: "no such room"}, {Channel: alerting.Responder},
	}}}
	text := incidentText(l, 80)
	for _, want := range []string{
		"incident 3f2a91c4d5e6\nacknowledged, CRITICAL: billing probes\n",
		"who             billing", "credential      projects/acme/secrets/billing-key", "from            203.0.113.9", `a name\x1b of`,
		`rotation state  previous:\x1b superseded`, `if revoked      stragglers\x1b fail`, "labels          env=prod, team=payments",
		"findings        7", "opened          2030-01-07 12:00:00Z", "told to         console, mail", "silence         silenced until later: a test",
		"escalated       2 times", "acknowledged    by ada, 2030-01-07 12:01:00Z", "by itself       revoke k1", "outcome         key k1: disabled at 12:00:02",
		`open alert, to mail; tried 3 times, again 2030-01-07`, `13:00:00Z: 421 try later\a`, "open alert, to pager",
		"open alert, to the dead letters, given up for chat: no such", "open alert, to be answered by itself",
		"Next:\n  keyturn revoke billing-key --key k1\n", "The same by gcloud:\n  gcloud functions call", "Once it is over:\n  keyturn alerts resolve 3f2a91c4\n",
		"Entries:\n  https://console.cloud.google.com/logs/x\n", "Runbook: Look who it was.", "MITRE ATT&CK: T1528",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the text does not say %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "alerts ack") || strings.ContainsAny(text, "\x1b\x07") {
		t.Errorf("text:\n%s", text)
	}
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, " \n"); len(line) > 80 && !strings.HasPrefix(line, "  ") {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}

// TestNoStrangerSaysWhatComesNext, and nothing comes next of what is over.
func TestNoStrangerSaysWhatComesNext(t *testing.T) {
	for name, c := range map[string]struct {
		rule, status string
		proven       bool
		want         string // what comes next; empty is nothing
	}{
		"true":                 {alerting.RuleFinding, "open", true, "keyturn revoke billing-key --key k1"},
		"perhaps made up":      {alerting.RuleFinding, "open", false, "keyturn status"},
		"over":                 {alerting.RuleFinding, "resolved", true, ""},
		"of the rotation":      {alerting.RuleRotation, "acknowledged", true, "keyturn revoke billing-key --key k1"},
		"perhaps made up, too": {alerting.RuleRotation, "acknowledged", false, "keyturn status"},
	} {
		l := incident("3f2a91c4d5e6", c.status, alerting.High)
		l.Latest.Rule, l.Latest.Proven, l.Latest.Next, l.Latest.Runbook = c.rule, c.proven, "keyturn revoke billing-key --key k1", "Do as I say."
		text := incidentText(l, 200)
		if _, next, _ := strings.Cut(text, "Next:\n  "); strings.Split(next, "\n")[0] != c.want {
			t.Errorf("%s: next is %q, want %q", name, strings.Split(next, "\n")[0], c.want)
		}
		if warned := strings.Contains(text, "verify before you act"); warned == c.proven || strings.Contains(text, "Do as I say") != (c.want != "" && c.proven) {
			t.Errorf("%s: text:\n%s", name, text)
		}
	}
}

// TestStepsGoByStatus offers what makes sense, and no link that leads anywhere else
// than to an https page.
func TestStepsGoByStatus(t *testing.T) {
	for status, want := range map[string][2]bool{"open": {true, true}, "acknowledged": {false, true}, "silenced": {false, true}, "resolved": {false, false}} {
		l := incident("3f2a91c4d5e6", status, alerting.High)
		l.Latest.Link = "javascript:alert(1)"
		text := incidentText(l, 80)
		if got := [2]bool{strings.Contains(text, "alerts ack 3f2a91c4"), strings.Contains(text, "alerts resolve 3f2a91c4")}; got != want {
			t.Errorf("of one that is %s: ack, resolve %v, want %v", status, got, want)
		}
		if strings.Contains(text, "javascript") || strings.HasSuffix(text, "\n") {
			t.Errorf("text:\n%s", text)
		}
	}
}

// TestKeyOfNoCredential is told once, where its name stands for the credential.
func TestKeyOfNoCredential(t *testing.T) {
	l := incident("3f2a91c4d5e6", "open", alerting.High)
	l.Latest.Credential, l.Latest.Key = "serviceAccounts/a/keys/k", "serviceAccounts/a/keys/k"
	if text := incidentText(l, 80); strings.Count(text, "keys/k") != 1 || strings.Contains(text, "credential") {
		t.Errorf("text:\n%s", text)
	}
}

// TestNarrowTerminal must not panic, whatever the width.
func TestNarrowTerminal(t *testing.T) {
	l := incident("3f2a91c4d5e6", "open", alerting.High)
	for _, width := range []int{1, 10, 18, 19, 40, unbroken} {
		if text := incidentText(l, width); !strings.Contains(text, "resolve") {
			t.Errorf("on %d columns:\n%s", width, text)
		}
		if table := receiptTable([]alert.Receipt{{Channel: "mail", Error: "x"}}, width); !strings.Contains(table, "mail") {
			t.Errorf("on %d columns:\n%s", width, table)
		}
	}
}

func TestAcked(t *testing.T) {
	l := incident("3f2a91c4d5e6", "acknowledged", alerting.High)
	l.Acked, l.AckedBy = noon, "somebody\x1b[2J else"
	if text, err := acked(alert.Standing{Incident: l}); err != nil || text != `incident 3f2a91c4: acknowledged by somebody\x1b[2J else, 2030-01-07 12:00Z` {
		t.Errorf("%q, %v", text, err)
	}
	if text, err := acked(alert.Standing{Incident: l, Unchanged: true}); err != nil || !strings.HasSuffix(text, "acknowledged already by somebody\\x1b[2J else, 2030-01-07 12:00Z; nothing changed") {
		t.Errorf("%q, %v", text, err)
	}
	for _, status := range []string{"resolved", "silenced"} {
		if _, err := acked(alert.Standing{Incident: incident("a", status, alerting.High)}); err == nil || !strings.Contains(err.Error(), "incident a is "+status) {
			t.Errorf("one that is %s: %v", status, err)
		}
	}
}

func TestResolved(t *testing.T) {
	l := incident("3f2a91c4d5e6", "resolved", alerting.High)
	l.Resolved = noon
	for _, tt := range []struct {
		by, why   string
		unchanged bool
		want      string
	}{
		{"", "", false, "incident 3f2a91c4: resolved, 2030-01-07 12:00Z"},
		{"ada\x1b", "a test\x1b", false, `incident 3f2a91c4: resolved by ada\x1b, 2030-01-07 12:00Z: a test\x1b`},
		{"ada", "a test", true, "incident 3f2a91c4: resolved already by ada, 2030-01-07 12:00Z: a test; nothing changed"},
	} {
		l.ResolvedBy, l.ResolvedWhy = tt.by, tt.why
		if text, err := resolved(alert.Standing{Incident: l, Unchanged: tt.unchanged}); err != nil || text != tt.want {
			t.Errorf("%q, %v, want %s", text, err, tt.want)
		}
	}
	if _, err := resolved(alert.Standing{Incident: incident("a", "open\x1b", alerting.High)}); err == nil || !strings.HasPrefix(err.Error(), `incident a is open\x1b all the same`) {
		t.Errorf("one that is open: %v", err)
	}
}

// TestHostileStatus has the server say what a terminal would act upon.
func TestHostileStatus(t *testing.T) {
	l := incident("a\x1b", "open\x1b[2J", alerting.High)
	_, err := acked(alert.Standing{Incident: l})
	for _, text := range []string{incidentTable([]alert.Line{l}, 0, 80), incidentText(l, 80), err.Error()} {
		if strings.Contains(text, "\x1b") || !strings.Contains(text, `open\x1b`) {
			t.Errorf("%q", text)
		}
	}
}

// TestAnswersThatAreNone are no success, whatever was asked.
func TestAnswersThatAreNone(t *testing.T) {
	for _, body := range []string{"{}", "null", `{"responses":"off"}`, `{"incident":{}}`} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
		for _, args := range [][]string{
			{"list"}, {"show", "a"}, {"ack", "a"}, {"resolve", "a"}, {"silence", "--project", "p", "--for", "1h", "--why", "w"}, {"unsilence", "s"},
			{"stop", "--why", "w"}, {"start"}, {"test"},
		} {
			var stdout, stderr strings.Builder
			code := run(t.Context(), append([]string{"alerts", "--url", server.URL}, args...), &stdout, &stderr)
			if code != exitFailed || !strings.Contains(stderr.String(), "is not keyturn's alert function") || stdout.Len() > 0 {
				t.Errorf("%s to %v: exit code %d, %s%s", body, args, code, &stdout, &stderr)
			}
		}
		server.Close()
	}
}

// TestContradictions are no success either.
func TestContradictions(t *testing.T) {
	for body, args := range map[string][]string{`{"responses":"on"}`: {"stop", "--why", "w"}, `{"responses":"stopped"}`: {"start"}, `{"receipts":[{"channel":"a"}]}`: {"test"}} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if args[0] == "test" {
				w.WriteHeader(http.StatusBadGateway)
			}
			_, _ = io.WriteString(w, body)
		}))
		for _, more := range [][]string{nil, {"--json"}} {
			var stdout, stderr strings.Builder
			if code := run(t.Context(), append(append([]string{"alerts"}, args...), append(more, "--url", server.URL)...), &stdout, &stderr); code != exitFailed || stderr.Len() == 0 {
				t.Errorf("%s to %v: exit code %d, %s%s", body, args, code, &stdout, &stderr)
			}
		}
		server.Close()
	}
}

func TestRefusals(t *testing.T) {
	took, refused := alert.Receipt{Channel: "console"}, alert.Receipt{Channel: "mail", Error: "554 no\x1b"}
	if err := refusals([]alert.Receipt{took}); err != nil {
		t.Error(err)
	}
	if err := refusals([]alert.Receipt{took, refused}); err == nil || !strings.HasPrefix(err.Error(), "1 of 2 channels") {
		t.Errorf("error %v", err)
	}
	table := receiptTable([]alert.Receipt{took, refused}, 80)
	if !strings.Contains(table, "console  delivered") || !strings.Contains(table, `mail     FAILED: 554 no\x1b`) {
		t.Errorf("table:\n%s", table)
	}
}

func TestWhoDoesIt(t *testing.T) {
	f := &alertFlags{app: &app{}, user: func() (*user.User, error) { return &user.User{Username: "ada"}, nil }}
	if who, err := f.who(); who != "ada" || err != nil {
		t.Errorf("%s, %v", who, err)
	}
	f.by = "bob"
	if who, err := f.who(); who != "bob" || err != nil {
		t.Errorf("%s, %v", who, err)
	}
	nobody := &alertFlags{app: &app{}, user: func() (*user.User, error) { return nil, errors.New("no such user") }}
	ack, silence, stop, test := nobody.ackCommand(), nobody.silenceCommand(), nobody.stopCommand(), nobody.testCommand()
	for name, err := range map[string]error{"ack": ack.RunE(ack, []string{"a"}), "silence": silence.RunE(silence, nil), "stop": stop.RunE(stop, nil), "test": test.RunE(test, nil)} {
		if !errors.Is(err, errUsage) || !strings.Contains(err.Error(), "give --by") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestJSONForTerminals escapes what JSON allows and a terminal may act upon, and
// changes no meaning.
func TestJSONForTerminals(t *testing.T) {
	for text, want := range map[string]string{
		"plain ü 中 😀": `"plain ü 中 😀"`, "\u009b2J": `"\u009b2J"`, "\u202egnp.exe": `"\u202egnp.exe"`, "\x1b[2J": `"\u001b[2J"`, "\x7f": `"\u007f"`, "\U000e0041": `"\udb40\udc41"`,
	} {
		var out strings.Builder
		if err := (&app{stdout: &out}).printJSON(text); err != nil || out.String() != want+"\n" {
			t.Errorf("%q: %q, %v", text, out.String(), err)
		}
		var back string
		if err := json.Unmarshal([]byte(out.String()), &back); err != nil || back != text {
			t.Errorf("%q comes back as %q, %v", text, back, err)
		}
	}
}

func TestLocalEnvironmentNamesTheAlertFunction(t *testing.T) {
	var stdout, stderr strings.Builder
	if code := run(t.Context(), []string{"local", "env", "--functions-addr", "127.0.0.1:99"}, &stdout, &stderr); code != exitOK || !strings.Contains(stdout.String(), "export KEYTURN_ALERT_URL='http://127.0.0.1:99/AlertHTTP'\n") {
		t.Errorf("exit code %d, %s%s", code, &stdout, &stderr)
	}
}
