package alerting

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func notice(id string, severity Severity, count int) Notice {
	return Notice{
		ID: id, Rule: "finding", Detector: "d", Severity: severity, Subject: "s", Project: "p", Credential: "c", Key: "k", Count: count, Time: noon,
		Summary: "summary", Fields: []Field{{"name", "value"}}, Next: "next", Link: "link",
	}
}

// told are the states of the alerts in an outbox.
func told(o Outbox) (states []State) {
	for _, w := range o {
		states = append(states, w.Alert.State)
	}
	return states
}

func TestTake(t *testing.T) {
	type step struct {
		after    time.Duration // since noon
		severity Severity
		count    int
		want     State // empty: nothing is told
	}
	for name, steps := range map[string][]step{
		"the same within the window is quiet":   {{0, High, 8, Open}, {time.Minute, High, 8, ""}, {59 * time.Minute, High, 15, ""}},
		"twice the count":                       {{0, High, 8, Open}, {time.Minute, High, 16, Update}, {2 * time.Minute, High, 31, ""}, {3 * time.Minute, High, 32, Update}},
		"more severe":                           {{0, Warning, 8, Open}, {time.Minute, High, 8, Update}, {2 * time.Minute, Warning, 8, ""}, {3 * time.Minute, Critical, 8, Update}},
		"nothing to count":                      {{0, Warning, 0, Open}, {time.Minute, Warning, 0, ""}},
		"going on for longer than the window":   {{0, High, 8, Open}, {40 * time.Minute, High, 8, ""}, {80 * time.Minute, High, 8, Update}, {90 * time.Minute, High, 8, ""}},
		"back after a day":                      {{0, Critical, 80, Open}, {24 * time.Hour, Warning, 8, Open}, {24*time.Hour + time.Minute, High, 8, Update}},
		"less severe and twice the count, then": {{0, High, 8, Open}, {time.Minute, Warning, 16, Update}, {2 * time.Minute, High, 16, ""}},
	} {
		c := Config{Channels: []string{"chat"}}
		var in Incident
		for i, s := range steps {
			in.Outbox = nil
			c.Take(&in, []Notice{notice(fmt.Sprint(i), s.severity, s.count)}, noon.Add(s.after))
			var want []State
			if s.want != "" {
				want = []State{s.want}
			}
			if got := told(in.Outbox); !slices.Equal(got, want) {
				t.Errorf("%s: step %d told %q, want %q", name, i, got, want)
			}
		}
	}
}

func TestTakeHonoursThePolicy(t *testing.T) {
	c := Config{Channels: []string{"chat"}, Policy: Policy{Window: time.Minute}}
	var in Incident
	c.Take(&in, []Notice{notice("1", High, 1)}, noon)
	if c.Take(&in, []Notice{notice("2", High, 1)}, noon.Add(time.Minute)); len(in.Outbox) != 2 {
		t.Errorf("%d alerts after a window of a minute, want 2", len(in.Outbox))
	}
}

func TestNoticesCountOnce(t *testing.T) {
	c := Config{Channels: []string{"chat"}}
	var in Incident
	for i := range 3000 {
		n := notice(fmt.Sprint(i), High, 0)
		c.Take(&in, []Notice{n, n}, noon)
		c.Take(&in, []Notice{n}, noon)
	}
	if in.Findings != 3000 || len(in.Outbox) != 1 {
		t.Errorf("counted %d and told %d times, want 3000 and once", in.Findings, len(in.Outbox))
	}
}

func TestTheWorstOfABatchIsTold(t *testing.T) {
	c := Config{Channels: []string{"chat"}}
	var in Incident
	c.Take(&in, []Notice{notice("1", Warning, 9), notice("2", High, 1), notice("3", High, 2), notice("4", Info, 0)}, noon)
	if len(in.Outbox) != 1 || in.Outbox[0].Alert.Notice.ID != "3" || in.Outbox[0].Alert.Findings != 4 {
		t.Errorf("told %+v, want notice 3, of 4", in.Outbox)
	}
}

func TestAlertIDsDiffer(t *testing.T) {
	c := Config{Channels: []string{"chat"}}
	var in Incident
	ids := map[string]bool{}
	for i := range 4 {
		c.Take(&in, []Notice{notice(fmt.Sprint(i), High, 1<<i)}, noon.Add(time.Duration(i)*25*time.Hour))
	}
	for _, w := range in.Outbox {
		ids[w.Alert.ID] = true
	}
	if len(ids) != 4 {
		t.Errorf("%d ids of 4 alerts: receivers would drop some", len(ids))
	}
}

func TestIncidentOf(t *testing.T) {
	base := IncidentOf(notice("1", High, 8))
	if base != IncidentOf(notice("2", Warning, 80)) {
		t.Error("id, severity or count change the incident")
	}
	for _, change := range []func(*Notice){
		func(n *Notice) { n.Rule = "x" }, func(n *Notice) { n.Detector = "x" }, func(n *Notice) { n.Proven = true },
		func(n *Notice) { n.Project = "x" }, func(n *Notice) { n.Subject = "x" },
		func(n *Notice) { n.Project, n.Subject = `p" "s`, "" },
	} {
		n := notice("1", High, 8)
		n.Key = ""
		base := IncidentOf(n)
		if change(&n); IncidentOf(n) == base {
			t.Errorf("%+v belongs to the same incident", n)
		}
	}
	for what, change := range map[string]func(*Notice){
		"of one key":    func(n *Notice) { n.Detector, n.Subject = "x", "x" },
		"of a rotation": func(n *Notice) { n.Detector, n.Key = "x", "x" },
	} {
		n := notice("1", High, 8)
		if what == "of a rotation" {
			n.Rule = RuleRotation
		}
		base := IncidentOf(n)
		if change(&n); IncidentOf(n) != base {
			t.Errorf("what is found %s is more than one incident", what)
		}
	}
}

func TestCausesOfOneIncident(t *testing.T) {
	of := func(id, detector string, severity Severity, count int) Notice {
		n := notice(id, severity, count)
		n.Detector = detector
		return n
	}
	c := Config{Channels: []string{"chat"}, Responses: []Response{{Match{Detectors: []string{"worst"}}, Revoke}}}
	var in Incident
	for i, step := range []struct {
		notices []Notice
		want    []string // detectors of what is told, and "+" where something is to be done
	}{
		{[]Notice{of("1", "a", High, 8), of("2", "a", Warning, 9), of("3", "b", High, 1)}, []string{"a", "b"}},
		{[]Notice{of("4", "c", Warning, 100)}, nil},                  // less severe
		{[]Notice{of("5", "b", Warning, 2)}, []string{"b"}},          // twice as much as before of this cause
		{[]Notice{of("6", "worst", Warning, 1)}, []string{"+"}},      // to be revoked, but nothing to tell
		{[]Notice{of("7", "worst", Critical, 1)}, []string{"worst"}}, // asked for already
	} {
		in.Outbox = nil
		c.Take(&in, step.notices, noon)
		var got []string
		for _, w := range in.Outbox {
			if w.To[0].Channel == Responder {
				got = append(got, "+")
			} else {
				got = append(got, w.Alert.Detector)
			}
		}
		if !slices.Equal(got, step.want) {
			t.Errorf("step %d told %q, want %q", i, got, step.want)
		}
	}
}

func TestCausesAreBounded(t *testing.T) {
	c := Config{Channels: []string{"chat"}}
	var in Incident
	for i := range 3 * maxCauses {
		n := notice(fmt.Sprint(i), High, 1)
		n.Detector = fmt.Sprint(i)
		c.Take(&in, []Notice{n}, noon)
	}
	if len(in.Causes) != maxCauses || in.Alerts != maxCauses {
		t.Errorf("%d causes, told %d times, want %d", len(in.Causes), in.Alerts, maxCauses)
	}
}

func TestAnIncidentStandsForTheLatestOfTheWorst(t *testing.T) {
	c := Config{Channels: []string{"chat"}}
	var in Incident
	at := func(id string, s Severity, count int, after time.Duration, detector string) Notice {
		n := notice(id, s, count)
		n.Time, n.Detector = noon.Add(after), detector
		return n
	}
	for _, step := range []struct {
		n    Notice
		want string
	}{
		{at("1", High, 8, 0, "d"), "1"},
		{at("2", High, 9, time.Minute, "d"), "2"},       // not told, but known
		{at("3", High, 5, 2*time.Minute, "d"), "3"},     // begins again
		{at("late", High, 5, time.Minute, "d"), "3"},    // of before
		{at("4", Warning, 99, 3*time.Minute, "e"), "3"}, // less severe
		{at("5", Critical, 1, 4*time.Minute, "e"), "5"}, // worse
		{at("6", Critical, 1<<62, 5*time.Minute, "e"), "6"},
	} {
		c.Take(&in, []Notice{step.n}, noon.Add(5*time.Minute))
		if in.Latest.ID != step.want {
			t.Errorf("after %s it stands for %s, want %s", step.n.ID, in.Latest.ID, step.want)
		}
	}
	before := len(in.Outbox)
	for i := range 10 {
		c.Take(&in, []Notice{at(fmt.Sprint("x", i), Critical, 1<<62, 0, "e")}, noon.Add(5*time.Minute))
	}
	if len(in.Outbox) != before {
		t.Errorf("told %d times of a count as great as before", len(in.Outbox)-before)
	}
}

func TestADigestIsNotSilenced(t *testing.T) {
	c := Config{Silences: []Silence{{Until: noon.Add(time.Hour), Reason: "all"}}}
	n := notice("1", High, 1)
	n.Only = "chat"
	var in Incident
	if c.Take(&in, []Notice{n}, noon); len(in.Outbox) != 1 {
		t.Errorf("owed %+v", in.Outbox)
	}
}

func TestTheWorstOfWhatIsSilencedIsKept(t *testing.T) {
	c := Config{Channels: []string{"chat"}, Silences: []Silence{{Until: noon.Add(time.Hour), Reason: "maintenance"}}}
	var in Incident
	low := notice("2", Warning, 1)
	low.Detector = "other"
	c.Take(&in, []Notice{low, notice("1", High, 1)}, noon)
	if in.Latest.ID != "1" || in.Status() != "silenced" {
		t.Errorf("%s stands for what is %s", in.Latest.ID, in.Status())
	}
}

func TestAlertHoldsItsNotice(t *testing.T) {
	c := Config{Channels: []string{"chat"}}
	n := notice("1", High, 8)
	var in Incident
	c.Take(&in, []Notice{n}, noon)
	got := in.Outbox[0].Alert
	want := Alert{Notice: n, ID: got.ID, Incident: IncidentOf(n), State: Open, Opened: noon, Decided: noon, Findings: 1}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("alert = %+v, want %+v", got, want)
	}
}

func TestAcknowledgeAndResolve(t *testing.T) {
	c := Config{Channels: []string{"chat", "pager"}, Escalations: []Escalation{{Steps: []Step{{15 * time.Minute, []string{"boss"}}}}}}
	var in Incident
	in.Acknowledge("me", noon)
	in.Resolve("me", "", noon)
	if len(in.Outbox) > 0 {
		t.Fatalf("told %q of what never was", told(in.Outbox))
	}
	c.Take(&in, []Notice{notice("1", High, 1)}, noon)
	in.Acknowledge("me", noon.Add(time.Minute))
	in.Acknowledge("you", noon.Add(2*time.Minute))
	c.Tend(&in, noon.Add(time.Hour))
	in.Resolve("me", "mended", noon.Add(2*time.Hour))
	in.Resolve("you", "mended", noon.Add(2*time.Hour))
	c.Tend(&in, noon.Add(100*time.Hour))
	if got := told(in.Outbox); !slices.Equal(got, []State{Open, Acknowledged, Resolved}) {
		t.Errorf("told %q", got)
	}
	if a := in.Outbox[2].Alert; a.By != "me" || a.Why != "mended" || len(in.Outbox[2].To) != 2 {
		t.Errorf("resolved by %q because %q, told %v", a.By, a.Why, in.Outbox[2].To)
	}
	c.Take(&in, []Notice{notice("2", Warning, 1)}, noon.Add(3*time.Hour))
	if in.Status() != "open" || in.Findings != 1 || in.Severity != Warning {
		t.Errorf("what came back is %s with %d findings of severity %s", in.Status(), in.Findings, in.Severity)
	}
}

func TestTimeEscalatesAndResolves(t *testing.T) {
	c := Config{Always: []string{"topic"}, Channels: []string{"chat"}, Escalations: []Escalation{
		{Match: Match{Severity: Critical}, Steps: []Step{{time.Minute, []string{"everybody"}}}},
		{Steps: []Step{{15 * time.Minute, []string{"boss"}}, {30 * time.Minute, []string{"owner"}}}},
	}}
	var in Incident
	c.Tend(&in, noon)
	c.Take(&in, []Notice{notice("1", High, 1)}, noon)
	for _, at := range []time.Duration{14, 15, 16, 31, 32} {
		c.Tend(&in, noon.Add(at*time.Minute))
	}
	c.Tend(&in, noon.Add(23*time.Hour+59*time.Minute))
	if got := told(in.Outbox); !slices.Equal(got, []State{Open, Escalated, Escalated}) {
		t.Fatalf("told %q", got)
	}
	for i, want := range []string{"boss", "owner"} {
		if to := in.Outbox[1+i].To; len(to) != 2 || to[0].Channel != "topic" || to[1].Channel != want {
			t.Errorf("escalated to %v, want to the topic and %s", to, want)
		}
	}
	c.Tend(&in, noon.Add(24*time.Hour))
	if last := in.Outbox[3]; last.Alert.State != Resolved || len(last.To) != 4 {
		t.Errorf("after a quiet day told %s to %v", last.Alert.State, last.To)
	}
}

func TestSilence(t *testing.T) {
	c := Config{Channels: []string{"chat"}, Silences: []Silence{{Match: Match{Detectors: []string{"d"}}, Until: noon.Add(time.Hour), Reason: "maintenance"}}}
	var in Incident
	c.Take(&in, []Notice{notice("1", High, 1)}, noon)
	if in.Status() != "silenced" || len(in.Outbox) > 0 || !strings.Contains(in.Silence, "maintenance") {
		t.Errorf("%s, told %d times, because %q", in.Status(), len(in.Outbox), in.Silence)
	}
	c.Take(&in, []Notice{notice("2", High, 1)}, noon.Add(time.Hour))
	if got := told(in.Outbox); !slices.Equal(got, []State{Open}) || in.Outbox[0].Alert.Findings != 2 || in.Silence != "" {
		t.Errorf("told %q once the silence is over", got)
	}
	var never Incident
	c.Take(&never, []Notice{notice("1", High, 1)}, noon)
	if never.Resolve("me", "", noon); len(never.Outbox) > 0 || never.Status() != "resolved" {
		t.Error("told of the end of what nobody was told of")
	}
}

func TestIncidentSurvivesJSON(t *testing.T) {
	c := Config{Channels: []string{"chat"}}
	var in, back Incident
	c.Take(&in, []Notice{notice("1", High, 8)}, noon)
	data, err := json.Marshal(in)
	if err != nil || json.Unmarshal(data, &back) != nil || !reflect.DeepEqual(in, back) {
		t.Errorf("came back from %s as %+v, %v", data, back, err)
	}
}

func TestSeverityText(t *testing.T) {
	for s := Info; s <= Critical; s++ {
		text, err := json.Marshal(s)
		var back Severity
		if err != nil || json.Unmarshal(text, &back) != nil || back != s {
			t.Errorf("%v came back from %s as %v, %v", s, text, back, err)
		}
	}
	if _, err := ParseSeverity("urgent"); err == nil {
		t.Error("ParseSeverity took urgent")
	}
	if got := Severity(9).String(); got != "Severity(9)" {
		t.Errorf("String of an unknown severity = %q", got)
	}
}
