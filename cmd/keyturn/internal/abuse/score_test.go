package abuse

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"example.com/keyturn/internal/raced"
	"example.com/keyturn/shared/detect"
)

// at is an event of an episode some seconds after the start.
func at(seconds int, episode int, e detect.Entry) *Event {
	e.Audit, e.InsertID, e.Time = true, fmt.Sprintf("id-%d", seconds), Start.Add(time.Duration(seconds)*time.Second)
	return &Event{Entry: e, Arrival: e.Time, Episode: episode}
}

func again(e *Event) *Event {
	e.Again = true
	return e
}

// handMade is a world with nobody in it and these events; episodes 1 and 2 are
// attacks that begin at once, episode 3 is harmless.
func handMade(events ...*Event) *World {
	w := &World{Episodes: []Episode{{Kind: "everyday"}, {Kind: "fast-probe", Attack: true, First: Start}, {Kind: "slow-probe", Attack: true, First: Start}, {Kind: "patch-loop"}}}
	for _, e := range events {
		n := int(e.Arrival.Sub(Start) / day)
		w.scripted[n] = append(w.scripted[n], e)
	}
	return w
}

// scriptedWatcher tells given alerts at given events, by insertId.
type scriptedWatcher struct {
	tells map[string][]Alert
	last  []Alert
}

func (s scriptedWatcher) Observe(e *Event, into []Alert) []Alert {
	return append(into, s.tells[e.Entry.InsertID]...)
}
func (s scriptedWatcher) Flush(into []Alert) []Alert { return append(into, s.last...) }

func TestAlertsAreJudgedByTheirEvidence(t *testing.T) {
	events := []*Event{at(0, 1, detect.Entry{}), at(10, 0, detect.Entry{}), at(20, 3, detect.Entry{}), at(30, 2, detect.Entry{}), at(40, 0, detect.Entry{})}
	for name, c := range map[string]struct {
		tells map[string][]Alert
		last  []Alert
		found map[int]time.Duration
		false map[string]int
		quiet int
	}{
		"nothing told":                  {found: map[int]time.Duration{}, false: map[string]int{}},
		"without evidence":              {tells: map[string][]Alert{"id-0": {{}}}, false: map[string]int{"everyday": 1}},
		"of what fell silent":           {tells: map[string][]Alert{"id-40": {{Subject: "log", Rule: detect.Silence}}}, found: map[int]time.Duration{4: 30 * time.Second}},
		"taken for something else":      {tells: map[string][]Alert{"id-40": {{Subject: "log", Rule: detect.MassSecretRead}}}, false: map[string]int{"silent-log": 1}},
		"told by another's rule":        {tells: map[string][]Alert{"id-40": {{Subject: "log"}}}, found: map[int]time.Duration{4: 30 * time.Second}},
		"something else is silent":      {tells: map[string][]Alert{"id-0": {{Subject: "other", Rule: detect.Silence}}}, false: map[string]int{"everyday": 1}},
		"by evidence":                   {tells: map[string][]Alert{"id-40": {{Evidence: []string{"id-10", "id-0"}}}}, found: map[int]time.Duration{1: 40 * time.Second}},
		"two attacks at once":           {tells: map[string][]Alert{"id-30": {{Evidence: []string{"id-0", "id-30"}}}}, found: map[int]time.Duration{1: 30 * time.Second, 2: 30 * time.Second}},
		"the first alert counts":        {tells: map[string][]Alert{"id-0": {{Evidence: []string{"id-0"}}}, "id-40": {{Evidence: []string{"id-0"}}}}, found: map[int]time.Duration{1: 0}},
		"everyday work":                 {tells: map[string][]Alert{"id-10": {{Evidence: []string{"id-10"}}}}, false: map[string]int{"everyday": 1}},
		"harmless trouble":              {tells: map[string][]Alert{"id-40": {{Evidence: []string{"id-10", "id-20"}}}}, false: map[string]int{"patch-loop": 1}},
		"evidence beats what caused it": {tells: map[string][]Alert{"id-0": {{Evidence: []string{"id-10"}}}}, false: map[string]int{"everyday": 1}},
		"two of them":                   {tells: map[string][]Alert{"id-10": {{}, {}}}, false: map[string]int{"everyday": 2}},
		"severity info":                 {tells: map[string][]Alert{"id-0": {{Quiet: true}}, "id-10": {{Quiet: true}}}, quiet: 2},
		"at the end":                    {last: []Alert{{Evidence: []string{"id-30"}}}, found: map[int]time.Duration{2: Days * day}},
	} {
		w := handMade(events...)
		w.Episodes = append(w.Episodes, Episode{Kind: "silent-log", Attack: true, As: detect.Silence, Silent: "log", First: Start.Add(10 * time.Second)})
		all, entries := Watch(w, []Watcher{scriptedWatcher{c.tells, c.last}}, []int{1})
		o := all[0][0]
		if !maps.Equal(o.Found, c.found) || !maps.Equal(o.False, c.false) || o.Quiet != c.quiet || entries != len(events) {
			t.Errorf("%s: found %v, false %v, quiet %d of %d entries; want %v, %v, %d", name, o.Found, o.False, o.Quiet, entries, c.found, c.false, c.quiet)
		}
		if len(o.Wrong) != o.falseAlerts() {
			t.Errorf("%s: %d false alerts are listed, %d counted", name, len(o.Wrong), o.falseAlerts())
		}
	}
}

func TestSettingsAreJudgedApart(t *testing.T) {
	w := handMade(at(0, 1, detect.Entry{}), at(10, 0, detect.Entry{}))
	watcher := scriptedWatcher{tells: map[string][]Alert{"id-0": {{Setting: 1, Evidence: []string{"id-0"}}}, "id-10": {{Setting: 0}}}}
	all, _ := Watch(w, []Watcher{watcher}, []int{2})
	if loose, strict := all[0][0], all[0][1]; len(loose.Found) != 0 || loose.falseAlerts() != 1 || len(strict.Found) != 1 || strict.falseAlerts() != 0 {
		t.Errorf("settings came to %+v and %+v", loose, strict)
	}
}

func TestAFindingIsOneAlert(t *testing.T) {
	finding := func(id, subject string, s detect.Severity, update bool) detect.Finding {
		return detect.Finding{ID: id, Detector: "d", Subject: subject, Severity: s, Update: update, Evidence: []string{id}}
	}
	for name, c := range map[string]struct {
		found []detect.Finding
		loud  []string // first evidence of each alert that calls somebody
	}{
		"once":                         {[]detect.Finding{finding("a", "x", detect.High, false)}, []string{"a"}},
		"the same id again":            {[]detect.Finding{finding("a", "x", detect.High, false), finding("a", "x", detect.High, false)}, []string{"a"}},
		"an update":                    {[]detect.Finding{finding("a", "x", detect.Warning, false), finding("b", "x", detect.Critical, true)}, []string{"a"}},
		"info":                         {[]detect.Finding{finding("a", "x", detect.Info, false)}, nil},
		"info that gets worse":         {[]detect.Finding{finding("a", "x", detect.Info, false), finding("b", "x", detect.High, true), finding("c", "x", detect.High, true)}, []string{"b"}},
		"another episode":              {[]detect.Finding{finding("a", "x", detect.High, false), finding("b", "x", detect.High, false)}, []string{"a", "b"}},
		"another subject's is another": {[]detect.Finding{finding("a", "x", detect.High, false), finding("b", "y", detect.High, false)}, []string{"a", "b"}},
	} {
		k := &keyturn{told: make(map[string]bool), called: make(map[string]bool), found: c.found}
		var loud []string
		for _, a := range k.alerts(nil) {
			if !a.Quiet {
				loud = append(loud, a.Evidence[0])
			}
		}
		if !slices.Equal(loud, c.loud) {
			t.Errorf("%s: alerts %v, want %v", name, loud, c.loud)
		}
	}
}

func TestDelays(t *testing.T) {
	delays := []time.Duration{3 * time.Second, 1500 * time.Millisecond, 2 * time.Second}
	if got := secondsAt(delays, 0.3); got == nil || *got != 1.5 {
		t.Errorf("the shortest of %v is not 1.5", delays)
	}
	if got := secondsAt(nil, 0.5); got != nil {
		t.Errorf("quantile of nothing is %g", *got)
	}
}

func TestClassesAndBenign(t *testing.T) {
	worlds := []*World{handMade(), handMade()}
	outcomes := []Outcome{
		{Found: map[int]time.Duration{1: time.Second}, False: map[string]int{"patch-loop": 3, "everyday": 1}, Wrong: []falseAlert{{Alert{Subject: "x"}, "everyday"}}},
		{Found: map[int]time.Duration{1: 3 * time.Second, 2: time.Minute}},
	}
	for _, c := range classes(worlds, outcomes) {
		want := map[string]float64{"fast-probe": 1, "slow-probe": 0.5}[c.Name]
		if c.Recall != want || (c.Median == nil) != (want == 0) {
			t.Errorf("%s: recall %g, median %v, want %g", c.Name, c.Recall, c.Median, want)
		}
	}
	for _, b := range benign(worlds, outcomes, 4) {
		if want := map[string]float64{"everyday": 0.25, "patch-loop": 0.25}[b.Name]; b.PerOne != want {
			t.Errorf("%s: %g alerts per episode, want %g", b.Name, b.PerOne, want)
		}
	}
	missed, wrong := mistakes(worlds, outcomes)
	if len(missed) != 1 || missed[0].Kind != "slow-probe" || len(wrong) != 1 || wrong[0].Subject != "x" {
		t.Errorf("missed %+v, wrong %+v", missed, wrong)
	}
}

func TestMet(t *testing.T) {
	good := Result{Classes: []Class{{Recall: 0.95}}, Recall: 0.95, FalseAlerts: Budget, Comparators: []ComparatorResult{{Equal: Figures{Recall: 0.9}}}}
	if !good.Met() {
		t.Error("a good result falls short")
	}
	for name, spoil := range map[string]func(*Result){
		"recall":       func(r *Result) { r.Classes = []Class{{Recall: 1}, {Recall: 0.94}} },
		"false alerts": func(r *Result) { r.FalseAlerts = 0.0101 },
		"comparator":   func(r *Result) { r.Comparators = []ComparatorResult{{Equal: Figures{Recall: 0.95}}} },
	} {
		bad := good
		if spoil(&bad); bad.Met() {
			t.Errorf("%s: a bad result does not fall short", name)
		}
	}
}

func TestBestChoiceOfSettings(t *testing.T) {
	r := newRoster([]*World{handMade(), handMade()}) // four attacks
	rule := func(tallies ...tally) []tally { return tallies }
	told := func(sum int, attacks ...int) tally {
		found := r.empty()
		for _, i := range attacks {
			found[0] |= 1 << i
		}
		return tally{found: found, sum: sum}
	}
	loose, strict := told(10, 0, 1), told(2, 0)
	for name, c := range map[string]struct {
		rules [][]tally
		limit int
		want  []int
	}{
		"loose when it may be":        {[][]tally{rule(loose, strict)}, 10, []int{0}},
		"strict when it must be":      {[][]tally{rule(loose, strict)}, 9, []int{1}},
		"off when nothing will do":    {[][]tally{rule(loose, strict)}, 1, []int{off}},
		"two share the limit":         {[][]tally{rule(loose, strict), rule(told(8, 2, 3))}, 10, []int{1, 0}},
		"what adds nothing stays off": {[][]tally{rule(strict), rule(told(1, 0)), rule(told(0))}, 10, []int{off, 0, off}},
	} {
		if got := r.best(c.rules, c.limit); !slices.Equal(got, c.want) {
			t.Errorf("%s: settings %v, want %v", name, got, c.want)
		}
	}
}

func TestFigures(t *testing.T) {
	r := newRoster([]*World{handMade(), handMade()})
	sum := tally{found: r.empty(), false: make(map[string]int)}
	r.add(&sum, 1, Outcome{Found: map[int]time.Duration{2: time.Second}, False: map[string]int{"patch-loop": 2}})
	c := Comparator{Rules: []Rule{{Name: "denials", Settings: []float64{5}}, {Name: "unused"}}}
	f := r.figures(c, [][]tally{{sum}, nil}, []int{0, off}, 8)
	if f.Recall != 0.25 || f.FalseAlerts != 0.25 || f.Classes["slow-probe"] != 0.5 || f.Classes["fast-probe"] != 0 || f.Benign["patch-loop"] != 2 || !slices.Equal(f.Settings, []string{"denials ≥ 5"}) {
		t.Errorf("figures %+v", f)
	}
}

func TestRunStopsWhenItIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []Config{{Tuning: []uint64{1}}, {Seeds: []uint64{1}}} {
		if _, err := Run(ctx, c); !errors.Is(err, context.Canceled) {
			t.Errorf("%+v: error %v", c, err)
		}
	}
}

// tally is told how far a measurement is.
type steps []string

func (s *steps) Stage(name string, total int) { *s = append(*s, fmt.Sprint(name, " ", total)) }
func (s *steps) Advance(done int)             { *s = append(*s, fmt.Sprint(done)) }

func TestRun(t *testing.T) {
	if raced.Detector {
		t.Skip("a simulated month takes minutes under the race detector, which its parts are tested with")
	}
	var told steps
	r, err := Run(t.Context(), Config{Seeds: []uint64{1}, Progress: &told})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Classes) != 16 || len(r.Comparators) != 5 || r.Entries < 400_000 || math.Abs(r.PrincipalWeeks-4*float64(r.Principals)) > 1e-6 {
		t.Errorf("%d classes, %d comparators, %d entries, %d principals", len(r.Classes), len(r.Comparators), r.Entries, r.Principals)
	}
	if want := (steps{"tuning worlds 0", "worlds 1", "1"}); !slices.Equal(told, want) {
		t.Errorf("progress %q, want %q", told, want)
	}
	for _, c := range r.Comparators {
		if c.Equal.FalseAlerts > r.FalseAlerts || c.Budget.FalseAlerts > Budget || c.Source == "" {
			t.Errorf("%s: %g false alerts at keyturn's %g, %g within the budget", c.Name, c.Equal.FalseAlerts, r.FalseAlerts, c.Budget.FalseAlerts)
		}
	}
}
