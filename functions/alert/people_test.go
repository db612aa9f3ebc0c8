package alert

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/detect"
)

// one asks about one incident.
func (e *env) one(command string) Line {
	e.Helper()
	return e.standing(command).Incident
}

func (e *env) standing(command string) (got Standing) {
	e.Helper()
	code, _, answer := ask(e.T, e.f, http.MethodPost, command)
	if err := json.Unmarshal(answer, &got); err != nil || code != http.StatusOK {
		e.Fatalf("%s: %d %s", command, code, answer)
	}
	return got
}

func states(alerts []alerting.Alert) (all string) {
	for _, a := range alerts {
		all += string(a.State) + " "
	}
	return strings.TrimSpace(all)
}

func TestAPersonTakesAnIncidentUp(t *testing.T) {
	e := newEnv(t)
	must(t, e.deliver(found("f1", detect.High, 8)))
	id := e.mail.got[0].Incident
	if in := e.one(`{"command":"show","incident":"` + id[:6] + `"}`); in.Status != "open" || in.ID != id || in.Latest.Summary != "thief probes" {
		t.Errorf("shown %+v", in)
	}
	if in := e.one(`{"command":"ack","incident":"` + id + `","by":"me"}`); in.Status != "acknowledged" || in.AckedBy != "me" {
		t.Errorf("after ack: %+v", in)
	}
	if in := e.one(`{"command":"resolve","incident":"` + id + `","by":"me","why":"a test of ours"}`); in.Status != "resolved" {
		t.Errorf("after resolve: %+v", in)
	}
	if got := states(e.mail.got); got != "open acknowledged resolved" {
		t.Errorf("told %s", got)
	}
	if a := e.mail.got[2]; a.By != "me" || a.Why != "a test of ours" {
		t.Errorf("resolved by %q because %q", a.By, a.Why)
	}
}

// TestWhatIsSoAlready is not done twice, and whoever asks is told who has done it.
func TestWhatIsSoAlready(t *testing.T) {
	e := newEnv(t)
	must(t, e.deliver(found("f1", detect.High, 8)))
	incident := `"incident":"` + e.mail.got[0].Incident + `"`
	for _, tt := range []struct {
		command   string
		unchanged bool
		by        string
	}{
		{`{"command":"ack",` + incident + `,"by":"ada"}`, false, "ada  "},
		{`{"command":"ack",` + incident + `,"by":"bob"}`, true, "ada  "},
		{`{"command":"resolve",` + incident + `,"by":"cem","why":"a test"}`, false, "ada cem a test"},
		{`{"command":"resolve",` + incident + `,"by":"bob","why":"no"}`, true, "ada cem a test"},
		{`{"command":"ack",` + incident + `,"by":"bob"}`, true, "ada cem a test"},
		{`{"command":"show",` + incident + `}`, false, "ada cem a test"},
	} {
		s := e.standing(tt.command)
		if got := s.Incident.AckedBy + " " + s.Incident.ResolvedBy + " " + s.Incident.ResolvedWhy; s.Unchanged != tt.unchanged || got != tt.by {
			t.Errorf("%s: unchanged %v, %s; want %v, %s", tt.command, s.Unchanged, got, tt.unchanged, tt.by)
		}
	}
	if got := states(e.mail.got); got != "open acknowledged resolved" {
		t.Errorf("told %s", got)
	}
	if !strings.Contains(e.log.String(), "command=resolve by=cem") {
		t.Errorf("logged %s", &e.log)
	}
}

func TestTimesThatHaveNotCome(t *testing.T) {
	e := newEnv(t)
	must(t, e.deliver(found("f1", detect.High, 8)))
	if _, _, answer := ask(t, e.f, http.MethodPost, `{"command":"list"}`); strings.Contains(string(answer), "0001-01-01") {
		t.Errorf("listed %s", answer)
	}
}

func TestWhichIncident(t *testing.T) {
	e := newEnv(t)
	for i := range 20 {
		must(t, e.take(about(fmt.Sprint(i), detect.High)))
	}
	seen, shared := map[byte]bool{}, "" // of 20 ids in hexadecimal two begin alike
	for _, a := range e.mail.got {
		if seen[a.Incident[0]] {
			shared = a.Incident[:1]
		}
		seen[a.Incident[0]] = true
	}
	for prefix, want := range map[string]string{"zz": "no such incident", "../": "no such incident", shared: "more than one incident"} {
		code, _, answer := ask(t, e.f, http.MethodPost, `{"command":"show","incident":"`+prefix+`"}`)
		if code != http.StatusNotFound || !strings.Contains(string(answer), want) {
			t.Errorf("%q: %d %s, want %q", prefix, code, answer, want)
		}
	}
}

func TestSilenceByAPerson(t *testing.T) {
	e := newEnv(t)
	code, _, answer := ask(t, e.f, http.MethodPost, `{"command":"silence","detector":"`+detect.PermissionProbing+`","for":"1h","by":"me","why":"a pentest"}`)
	if code != http.StatusOK {
		t.Fatalf("%d %s", code, answer)
	}
	must(t, e.deliver(found("f1", detect.High, 8)))
	if got := e.told(); got != [3]int{} {
		t.Errorf("told %v times in silence", got)
	}
	e.clock.Advance(time.Hour)
	must(t, e.deliver(found("f2", detect.High, 8)))
	if got := e.told(); got != [3]int{1, 1, 1} {
		t.Errorf("told %v times after it, want once by each", got)
	}
	_, _, _ = ask(t, e.f, http.MethodPost, `{"command":"silence","project":"p","for":"1h","by":"me","why":"another"}`)
	if s, err := read[orders](t.Context(), e.f, ordersDocument); err != nil || len(s.Silences) != 1 {
		t.Errorf("%+v, %v: the silence that is over is still remembered", s, err)
	}
}

// TestSilenceThatIsEnded tells again, and ends no other silence.
func TestSilenceThatIsEnded(t *testing.T) {
	e := newEnv(t)
	e.f.config.Rules.Silences = []alerting.Silence{{ID: "alerts.yaml:5", Until: start.Add(time.Hour), Match: alerting.Match{Projects: []string{"q"}}}}
	var ids []string
	for _, project := range []string{project, "other"} {
		_, _, answer := ask(t, e.f, http.MethodPost, `{"command":"silence","project":"`+project+`","for":"1h","by":"me","why":"a pentest"}`)
		var s Silenced
		must(t, json.Unmarshal(answer, &s))
		ids = append(ids, s.Silence.ID)
	}
	unsilence := func(id string) (int, string) {
		code, _, answer := ask(t, e.f, http.MethodPost, `{"command":"unsilence","silence":"`+id+`","by":"ada"}`)
		return code, string(answer)
	}
	if code, answer := unsilence(ids[0]); code != http.StatusOK || !strings.Contains(answer, `"id":"`+ids[0]+`"`) || ids[0] == ids[1] {
		t.Errorf("%d %s of %v", code, answer, ids)
	}
	must(t, e.deliver(found("f1", detect.High, 8)))
	if got := e.told(); got != [3]int{1, 1, 1} {
		t.Errorf("told %v times, want once by each", got)
	}
	if s, err := read[orders](t.Context(), e.f, ordersDocument); err != nil || len(s.Silences) != 1 || s.Silences[0].ID != ids[1] {
		t.Errorf("%+v, %v: want the other silence", s, err)
	}
	e.clock.Advance(time.Hour)
	for id, want := range map[string]string{ids[0]: "no such silence", ids[1]: "or it is over", "alerts.yaml:5": "stands in alerts.yaml"} {
		if code, answer := unsilence(id); code != http.StatusNotFound || !strings.Contains(answer, want) {
			t.Errorf("%s: %d %s, want %s", id, code, answer, want)
		}
	}
	if !strings.Contains(e.log.String(), "command=unsilence by=ada") {
		t.Errorf("logged %s", &e.log)
	}
}

// TestListTellsWhatIsInForce, of the rules and by people, until it is over.
func TestListTellsWhatIsInForce(t *testing.T) {
	e := newEnv(t)
	e.f.config.Rules.Silences = []alerting.Silence{{Until: e.clock.Now().Add(2 * time.Hour), Reason: "of the file"}}
	list := func() (o Overview, raw string) {
		_, _, answer := ask(t, e.f, http.MethodPost, `{"command":"list"}`)
		must(t, json.Unmarshal(answer, &o))
		return o, string(answer)
	}
	for _, command := range []string{`{"command":"silence","project":"p","for":"1h","by":"me","why":"another"}`, `{"command":"stop","by":"me","why":"false alarms"}`} {
		if code, _, answer := ask(t, e.f, http.MethodPost, command); code != http.StatusOK {
			t.Fatalf("%s: %d %s", command, code, answer)
		}
	}
	if o, raw := list(); len(o.Silences) != 2 || o.Silences[0].Reason != "of the file" || o.Silences[1].Match.Projects[0] != "p" || o.Stopped != "false alarms (me)" {
		t.Errorf("listed %s", raw)
	}
	e.clock.Advance(time.Hour)
	_, _, _ = ask(t, e.f, http.MethodPost, `{"command":"start"}`)
	if o, raw := list(); len(o.Silences) != 1 || o.Stopped != "" {
		t.Errorf("listed %s", raw)
	}
	e.clock.Advance(time.Hour)
	if _, raw := list(); !strings.Contains(raw, `"silences":[]`) {
		t.Errorf("listed %s", raw)
	}
	if len(e.f.config.Rules.Silences) != 1 {
		t.Error("a list has changed the rules")
	}
}

func TestTheFunctionGoesOnAfterARestart(t *testing.T) {
	e := newEnv(t)
	e.mail.cut = true
	must(t, e.deliver(found("f1", detect.High, 8)))
	c := e.f.config
	c.Store = e.f.store
	e.f = New(c)
	e.mail.cut = false
	e.tendAfter(10 * time.Second)
	must(t, e.deliver(found("f1", detect.High, 8)))
	if got := e.told(); got != [3]int{1, 1, 1} {
		t.Errorf("told %v times, want once by each", got)
	}
}

func TestEscalationAndTheEnd(t *testing.T) {
	e := newEnv(t)
	e.f.config.Rules.Routes = []alerting.Route{{To: []string{"chat"}}}
	e.f.config.Rules.Escalations = []alerting.Escalation{{Steps: []alerting.Step{{After: 15 * time.Minute, To: []string{"mail"}}}}}
	must(t, e.deliver(found("f1", detect.High, 8)))
	e.tendAfter(14 * time.Minute)
	if len(e.mail.got) > 0 {
		t.Errorf("told mail %s too early", states(e.mail.got))
	}
	e.tendAfter(time.Minute)
	e.tendAfter(24 * time.Hour)
	if mail, chat := states(e.mail.got), states(e.chat.got); mail != "escalated resolved" || chat != "open resolved" {
		t.Errorf("told mail %s, chat %s", mail, chat)
	}
}

func TestADigestOfWhatIsHeldBack(t *testing.T) {
	e := newEnv(t)
	e.f.config.Rules.Limits = map[string]alerting.Limit{"chat": {PerHour: 2}}
	for i := range 10 {
		must(t, e.take(about(fmt.Sprint(i), detect.High)))
	}
	if len(e.chat.got) != 2 || len(e.mail.got) != 10 {
		t.Fatalf("told chat %d and mail %d, want 2 and 10", len(e.chat.got), len(e.mail.got))
	}
	e.tendAfter(15 * time.Minute)
	e.tendAfter(15 * time.Minute)
	if len(e.chat.got) != 3 || len(e.mail.got) != 10 || !strings.HasPrefix(e.chat.got[2].Summary, "8 alerts of 8 incidents were held back") {
		t.Errorf("told chat %+v, mail %d", e.chat.got[2:], len(e.mail.got))
	}
}

func TestListed(t *testing.T) {
	var lines []Line
	for i := range 6 {
		l := Line{ID: fmt.Sprint(i)}
		l.Seen = start.Add(time.Duration(i) * time.Minute)
		if i != 0 {
			l.Resolved = start
		}
		lines = append(lines, l)
	}
	kept, more := listed(lines, 3)
	var ids string
	for _, l := range kept {
		ids += l.ID
	}
	if ids != "540" || more != 3 {
		t.Errorf("listed %s and %d more, want the open one, the latest two and 3 more", ids, more)
	}
}
