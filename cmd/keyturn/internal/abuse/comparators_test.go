package abuse

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"example.com/keyturn/shared/detect"
)

// denial is a refused call some seconds after the start.
func denial(seconds int, principal, service, method string) *Event {
	return at(seconds, 0, detect.Entry{
		Principal: principal, CallerIP: "192.0.2.1", Service: service, Method: method, Resource: method, Code: 7, Permissions: []detect.Permission{{Name: "p"}},
	})
}

func success(seconds int, principal, method, resource string, permissions ...string) *Event {
	e := at(seconds, 0, detect.Entry{Principal: principal, CallerIP: "192.0.2.1", Service: "iam.googleapis.com", Method: method, Resource: resource})
	for _, p := range permissions {
		e.Entry.Permissions = append(e.Entry.Permissions, detect.Permission{Name: p, Granted: true})
	}
	return e
}

// times makes n events, one each step seconds.
func times(n, step int, make func(i, seconds int) *Event) []*Event {
	var events []*Event
	for i := range n {
		events = append(events, make(i, i*step))
	}
	return events
}

func perimeter(seconds int) *Event {
	e := denial(seconds, "batch@x", "storage.googleapis.com", "google.storage.Write")
	e.Entry.Violation, e.Entry.Permissions = "VPC_SERVICE_CONTROLS", nil
	return e
}

func TestComparators(t *testing.T) {
	denied := func(n, step int, principal string) []*Event {
		return times(n, step, func(i, s int) *Event {
			return denial(s, principal, fmt.Sprint("service", i%3), fmt.Sprint("method", i%7))
		})
	}
	const month = Days * 24 * 3600
	for name, c := range map[string]struct {
		comparator Comparator
		rule       string
		setting    float64
		events     []*Event
		alerts     int
	}{
		"static: a burst":                  {static(), "denials", 10, denied(10, 20, "a"), 1},
		"static: too few":                  {static(), "denials", 10, denied(9, 20, "a"), 0},
		"static: too slow":                 {static(), "denials", 10, denied(50, 60, "a"), 0},
		"static: quiet for an hour":        {static(), "denials", 10, denied(700, 10, "a"), 2},
		"static: two are not one":          {static(), "denials", 10, append(denied(9, 20, "a"), denied(9, 20, "b")...), 0},
		"static: nobody goes by address":   {static(), "denials", 10, denied(10, 20, ""), 1},
		"static: success":                  {static(), "denials", 3, times(50, 1, func(_, s int) *Event { return success(s, "a", "m", "r") }), 0},
		"static: delivered again":          {static(), "denials", 3, []*Event{denial(0, "a", "s", "m"), denial(1, "a", "s", "m"), again(denial(1, "a", "s", "m"))}, 0},
		"Panther: IAM's denials":           {panther(), "IAM_PERMISSION_DENIED", 30, times(30, 9, func(_, s int) *Event { return denial(s, "a", "iam.googleapis.com", "m") }), 1},
		"Panther: another service's":       {panther(), "IAM_PERMISSION_DENIED", 30, times(60, 1, func(_, s int) *Event { return denial(s, "a", "storage.googleapis.com", "m") }), 0},
		"Panther: five an hour":            {panther(), "IAM_PERMISSION_DENIED", 30, times(500, 720, func(_, s int) *Event { return denial(s, "a", "iam.googleapis.com", "m") }), 0},
		"Panther: a perimeter":             {panther(), "VPC", 1, []*Event{perimeter(0), perimeter(10)}, 1},
		"Panther: no perimeter":            {panther(), "VPC", 1, denied(9, 1, "a"), 0},
		"Panther: a key by a person":       {panther(), "created", 1, []*Event{success(0, "a@example.com", "google.iam.admin.v1.CreateServiceAccountKey", "r")}, 1},
		"Panther: a key by an account":     {panther(), "created", 1, []*Event{success(0, "a@p.iam.gserviceaccount.com", "google.iam.admin.v1.CreateServiceAccountKey", "r")}, 0},
		"Panther: a granted permission":    {panther(), "serviceAccountKeys.create granted", 1, []*Event{success(0, "a@p.iam.gserviceaccount.com", "m", "r", "x", "iam.serviceAccountKeys.create")}, 1},
		"Panther: not granted":             {panther(), "serviceAccountKeys.create granted", 1, []*Event{at(0, 0, detect.Entry{Permissions: []detect.Permission{{Name: "iam.serviceAccountKeys.create"}}})}, 0},
		"Chronicle: several methods":       {chronicle(), "denials", 6, denied(6, 600, "a"), 1},
		"Chronicle: five":                  {chronicle(), "denials", 6, denied(5, 600, "a"), 0},
		"Chronicle: one method":            {chronicle(), "denials", 6, times(99, 10, func(i, s int) *Event { return denial(s, "a", fmt.Sprint("s", i), "m") }), 0},
		"Chronicle: one service":           {chronicle(), "denials", 6, times(99, 10, func(i, s int) *Event { return denial(s, "a", "s", fmt.Sprint("m", i)) }), 0},
		"Chronicle: nobody":                {chronicle(), "denials", 6, denied(99, 10, ""), 0},
		"Elastic: both outcomes":           {elastic(), "enumeration", 6, append(denied(20, 5, "a"), success(100, "a", "x", "y")), 1},
		"Elastic: only failures":           {elastic(), "enumeration", 6, denied(20, 5, "a"), 0},
		"Elastic: 75 and more":             {elastic(), "enumeration", 6, append(denied(80, 1, "a"), success(90, "a", "x", "y")), 0},
		"Elastic: few actions":             {elastic(), "enumeration", 6, append(denied(3, 5, "a"), success(100, "a", "x", "y")), 0},
		"Elastic: failures":                {elastic(), "failures", 10, denied(10, 5, "a"), 1},
		"Elastic: slow failures":           {elastic(), "failures", 10, denied(100, 60, "a"), 0},
		"Elastic: secrets":                 {elastic(), "secrets", 3, times(3, 60, func(i, s int) *Event { return success(s, "a", "v1.AccessSecretVersion", fmt.Sprint(i)) }), 1},
		"Elastic: one secret often":        {elastic(), "secrets", 3, times(9, 20, func(_, s int) *Event { return success(s, "a", "v1.AccessSecretVersion", "r") }), 0},
		"Elastic: a key":                   {elastic(), "key created", 1, []*Event{success(0, "a@p.iam.gserviceaccount.com", "google.iam.admin.v1.CreateServiceAccountKey", "r")}, 1},
		"Elastic: a key that was not made": {elastic(), "key created", 1, []*Event{denial(0, "a", "iam.googleapis.com", "google.iam.admin.v1.CreateServiceAccountKey")}, 0},
		"sigma: a loud day":                {sigma(), "sigmas", 3, uneven(8*24*3600, 100), 1},
		"sigma: an ordinary day":           {sigma(), "sigmas", 3, uneven(8*24*3600, 2), 0},
		"sigma: too early":                 {sigma(), "sigmas", 3, uneven(3*24*3600, 100), 0},
		"sigma: nobody":                    {sigma(), "sigmas", 3, times(90, month/90, func(_, s int) *Event { return denial(s, "", "s", "m") }), 0},
	} {
		events := slices.Clone(c.events)
		slices.SortStableFunc(events, func(a, b *Event) int { return a.Arrival.Compare(b.Arrival) })
		alerts := 0
		for _, rule := range c.comparator.Rules {
			if !strings.Contains(rule.Name, c.rule) {
				continue
			}
			for _, a := range watched(rule, events) {
				if rule.Settings[a.Setting] == c.setting {
					alerts++
				}
			}
		}
		if alerts != c.alerts {
			t.Errorf("%s: %d alerts, want %d", name, alerts, c.alerts)
		}
	}
}

// watched are a rule's alerts.
func watched(rule Rule, events []*Event) []Alert {
	w := rule.Watch(rule.Settings)
	var alerts []Alert
	for _, e := range events {
		alerts = w.Observe(e, alerts)
	}
	return w.Flush(alerts)
}

// uneven is four or six calls a day, and more from a second on.
func uneven(from, more int) []*Event {
	var events []*Event
	for d := range 12 {
		for n := range 4 + d%2*2 {
			events = append(events, success(d*24*3600+n*600, "a", "m", "r"))
		}
	}
	for n := range more {
		events = append(events, success(from+7200+n, "a", "m", "r"))
	}
	return events
}

func TestAlertsNameTheLatestEntries(t *testing.T) {
	events := times(30, 1, func(_, s int) *Event { return denial(s, "a", "s", "m") })
	alerts := watched(static().Rules[0], events)
	last := alerts[len(alerts)-1].Evidence
	if len(last) != maxEvidence || last[maxEvidence-1] != "id-29" {
		t.Errorf("evidence %v, want the latest %d", last, maxEvidence)
	}
}

func TestSettingsGetStricter(t *testing.T) {
	events := times(600, 7, func(i, s int) *Event { return denial(s, "a", fmt.Sprint("iam.googleapis.com", i%2), fmt.Sprint(i%9)) })
	for _, c := range Comparators() {
		for _, rule := range c.Rules {
			if !slices.IsSorted(rule.Settings) {
				t.Errorf("%s, %s: settings %v", c.Name, rule.Name, rule.Settings)
			}
			count := make([]int, len(rule.Settings))
			for _, a := range watched(rule, events) {
				count[a.Setting]++
			}
			for i := 1; i < len(count); i++ {
				if count[i] > count[i-1] {
					t.Errorf("%s, %s: alerts by setting %v", c.Name, rule.Name, count)
				}
			}
		}
	}
}
