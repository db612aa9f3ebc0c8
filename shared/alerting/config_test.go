package alerting

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMatch(t *testing.T) {
	n := notice("1", High, 1)
	n.Labels = map[string]string{"team": "a"}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		m    Match
		want bool
	}{
		"anything":         {Match{}, true},
		"severe enough":    {Match{Severity: High}, true},
		"too mild":         {Match{Severity: Critical}, false},
		"rule":             {Match{Rules: []string{"rotation"}}, false},
		"detector":         {Match{Detectors: []string{"x", "d"}}, true},
		"prefix":           {Match{Projects: []string{"p*"}}, true},
		"another prefix":   {Match{Projects: []string{"q*"}}, false},
		"credential":       {Match{Credentials: []string{"other"}}, false},
		"label":            {Match{Labels: map[string]string{"team": "a"}}, true},
		"another label":    {Match{Labels: map[string]string{"team": "b"}}, false},
		"no such label":    {Match{Labels: map[string]string{"tier": ""}}, false},
		"schedule is on":   {Match{Schedule: &Schedule{From: 13 * time.Hour, To: 14 * time.Hour, Zone: berlin}}, true},
		"outside of hours": {Match{Outside: &Schedule{From: 11 * time.Hour, To: 12 * time.Hour}}, true},
		"not outside":      {Match{Outside: &Schedule{From: 13 * time.Hour, To: 14 * time.Hour, Zone: berlin}}, false},
		"schedule is over": {Match{Schedule: &Schedule{From: 11 * time.Hour, To: 12 * time.Hour}}, false},
	} {
		if got := c.m.Matches(n, noon); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestSchedule(t *testing.T) {
	nights := Schedule{Days: []time.Weekday{time.Friday}, From: 22 * time.Hour, To: 6 * time.Hour}
	day := func(at string) time.Time {
		parsed, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	for at, want := range map[string]bool{
		"2026-03-06T21:59:59Z": false, "2026-03-06T22:00:00Z": true, "2026-03-07T05:59:59Z": true,
		"2026-03-07T06:00:00Z": false, "2026-03-07T22:00:00Z": false, "2026-03-06T03:00:00Z": false,
	} {
		if got := nights.Covers(day(at)); got != want {
			t.Errorf("%s: %v", at, got)
		}
	}
	if always := (&Schedule{}); !always.Covers(noon) || !always.Covers(noon.Add(12*time.Hour)) {
		t.Error("a schedule from midnight to midnight is not always on")
	}
}

func TestRoute(t *testing.T) {
	c := Config{Channels: []string{"chat", "pager", "mail"}}
	if got := c.Route(notice("1", Warning, 1), noon); !slices.Equal(got, c.Channels) {
		t.Errorf("without routes told %q", got)
	}
	c.Routes = []Route{
		{Match: Match{Detectors: []string{"d"}}, To: []string{"mail"}, Continue: true},
		{Match: Match{Severity: High}, To: []string{"pager", "mail"}},
		{To: []string{"chat"}},
	}
	for severity, want := range map[Severity][]string{High: {"mail", "pager"}, Warning: {"chat", "mail"}} {
		if got := c.Route(notice("1", severity, 1), noon); !slices.Equal(got, want) {
			t.Errorf("%s: told %q, want %q", severity, got, want)
		}
	}
}

func TestLimit(t *testing.T) {
	l := Limit{PerHour: 60, Burst: 2}
	var m Meter
	alert := func(id, incident string, severity Severity) Alert {
		return Alert{ID: id, Incident: incident, State: Open, Notice: Notice{Severity: severity, Summary: id}}
	}
	var admitted []string
	admit := func(id, incident string, severity Severity, after time.Duration) {
		if m.Admit(l, alert(id, incident, severity), noon.Add(after)) {
			admitted = append(admitted, id)
		}
	}
	admit("1", "a", High, 0)
	admit("2", "a", High, 0)
	admit("3", "a", High, 0)
	admit("3", "a", High, 0) // tried again after a crash
	admit("4", "b", Warning, 0)
	admit("5", "c", Critical, 0)
	admit("6", "b", High, 14*time.Minute) // what is held back is told first
	if want := []string{"1", "2", "5"}; !slices.Equal(admitted, want) {
		t.Errorf("admitted %q, want %q", admitted, want)
	}
	if m.Tend("chat", l, noon.Add(14*time.Minute)); m.Digest != nil {
		t.Fatal("told a digest too early")
	}
	m.Tend("chat", l, noon.Add(15*time.Minute))
	m.Tend("chat", l, noon.Add(16*time.Minute))
	d := m.Digest
	if d == nil || !strings.HasPrefix(d.Summary, "3 alerts of 2 incidents") || d.Severity != High || len(d.Fields) != 2 || !strings.Contains(d.Fields[1].Value, "high, open, 2 alerts: 6") {
		t.Fatalf("digest %+v", d)
	}
	c := Config{Always: []string{"topic"}, Channels: []string{"chat", "mail"}, Limits: map[string]Limit{"chat": l}}
	var in Incident
	c.Take(&in, []Notice{*d}, noon)
	c.Take(&in, []Notice{*d}, noon)
	if len(in.Outbox) != 1 || len(in.Outbox[0].To) != 1 || in.Outbox[0].To[0].Channel != "chat" || in.Status() != "resolved" || !m.Admit(l, in.Outbox[0].Alert, noon.Add(16*time.Minute)) {
		t.Errorf("the digest is an incident that is %s and owes %+v", in.Status(), in.Outbox)
	}
	if admit("7", "a", High, 17*time.Minute); !slices.Contains(admitted, "7") {
		t.Error("held back after the digest")
	}
}

func TestADigestIsBounded(t *testing.T) {
	var m Meter
	for i := range 1000 {
		m.Admit(Limit{PerHour: 1}, Alert{ID: string(rune('a' + i)), Incident: string(rune('a' + i))}, noon)
	}
	m.Tend("chat", Limit{PerHour: 1}, noon.Add(time.Hour))
	d := m.Digest
	if len(d.Fields) != maxHeld+1 || !strings.HasPrefix(d.Summary, "999 alerts of 999 incidents") {
		t.Errorf("%d fields; %s", len(d.Fields), d.Summary)
	}
}

func TestNoLimit(t *testing.T) {
	var m Meter
	for range 1000 {
		if !m.Admit(Limit{}, alertNo("1"), noon) {
			t.Fatal("held back without a limit")
		}
	}
}

func TestALimitAndWhatIsOver(t *testing.T) {
	l := Limit{PerHour: 1}
	var m Meter
	of := func(incident string, state State) Alert {
		return Alert{ID: incident + string(state), Incident: incident, State: state}
	}
	if !m.Admit(l, of("told", Open), noon) || m.Admit(l, of("held", Open), noon) {
		t.Fatal("want the first let through, and the second held back")
	}
	for incident, want := range map[string]bool{"told": true, "held": false} {
		for _, state := range []State{Acknowledged, Resolved} {
			if got := m.Admit(l, of(incident, state), noon); got != want {
				t.Errorf("an incident whose opening was %s: %s let through: %v", incident, state, got)
			}
		}
	}
}

func TestARetryIsNoOtherCall(t *testing.T) {
	l := Limit{PerHour: 2}
	var m Meter
	for range 5 {
		if !m.Admit(l, alertNo("1"), noon) {
			t.Fatal("held back what was let through before")
		}
	}
	if !m.Admit(l, alertNo("2"), noon) {
		t.Error("retries used the limit up")
	}
}

func TestALimitOfAClockThatWasAhead(t *testing.T) {
	l := Limit{PerHour: 2}
	m := Meter{Used: 2, At: noon.Add(24 * time.Hour)}
	admitted := 0
	for i := range 20 {
		if m.Admit(l, alertNo(fmt.Sprint(i)), noon.Add(time.Duration(i)*time.Hour)) {
			admitted++
		}
		m.Held, m.Since = nil, time.Time{}
	}
	if admitted < 19 {
		t.Errorf("%d of 20 alerts admitted, one an hour", admitted)
	}
}
