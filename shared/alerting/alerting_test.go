package alerting

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func notice(id string, severity Severity, count int) Notice {
	return Notice{
		ID: id, Rule: "finding", Detector: "d", Severity: severity, Subject: "s", Project: "p", Credential: "c", Count: count, Time: noon,
		Summary: "summary", Fields: []Field{{"name", "value"}}, Next: "next", Link: "link",
	}
}

func TestDecide(t *testing.T) {
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
		"back after a quiet window":             {{0, Critical, 80, Open}, {time.Hour, Warning, 8, Open}, {61 * time.Minute, High, 8, Update}},
		"less severe and twice the count, then": {{0, High, 8, Open}, {time.Minute, Warning, 16, Update}, {2 * time.Minute, High, 16, ""}},
	} {
		var in Incident
		for i, s := range steps {
			next, alerts := Decide(Policy{}, in, notice("n", s.severity, s.count), noon.Add(s.after))
			var got State
			if len(alerts) > 0 {
				got = alerts[0].State
			}
			if got != s.want || len(alerts) > 1 {
				t.Errorf("%s: step %d told %q, want %q", name, i, got, s.want)
			}
			in = next
		}
	}
}

func TestDecideHonoursThePolicy(t *testing.T) {
	in, _ := Decide(Policy{Window: time.Minute}, Incident{}, notice("1", High, 1), noon)
	if _, alerts := Decide(Policy{Window: time.Minute}, in, notice("2", High, 1), noon.Add(time.Minute)); len(alerts) != 1 {
		t.Errorf("%d alerts after a window of a minute, want 1", len(alerts))
	}
}

func TestAlertIDs(t *testing.T) {
	id := func(n Notice, at time.Time) string {
		_, alerts := Decide(Policy{}, Incident{}, n, at)
		return alerts[0].ID
	}
	first := id(notice("1", High, 8), noon)
	if again := id(notice("1", High, 8), noon.Add(time.Minute)); again != first {
		t.Error("another instance gives the same notice another id: receivers could not tell it is the same")
	}
	ids := []string{first, id(notice("2", High, 8), noon), id(notice("1", High, 8), noon.Add(time.Hour))}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != 3 {
		t.Error("another notice, or the same an hour later, has the same id: receivers would drop it")
	}
}

func TestIncidentOf(t *testing.T) {
	base := IncidentOf(notice("1", High, 8))
	if base != IncidentOf(notice("2", Warning, 80)) {
		t.Error("id, severity or count change the incident")
	}
	for _, change := range []func(*Notice){
		func(n *Notice) { n.Rule = "x" }, func(n *Notice) { n.Detector = "x" },
		func(n *Notice) { n.Project = "x" }, func(n *Notice) { n.Subject = "x" },
		func(n *Notice) { n.Project, n.Subject = `p" "s`, "" },
	} {
		n := notice("1", High, 8)
		if change(&n); IncidentOf(n) == base {
			t.Errorf("%+v belongs to the same incident", n)
		}
	}
}

func TestAlertHoldsItsNotice(t *testing.T) {
	n := notice("1", High, 8)
	_, alerts := Decide(Policy{}, Incident{}, n, noon)
	want := Alert{
		ID: alerts[0].ID, Incident: IncidentOf(n), State: Open, Severity: High, Rule: "finding", Detector: "d", Subject: "s",
		Project: "p", Credential: "c", Count: 8, Time: noon, Summary: "summary", Fields: n.Fields, Next: "next", Link: "link",
	}
	if !reflect.DeepEqual(alerts[0], want) {
		t.Errorf("alert = %+v, want %+v", alerts[0], want)
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
