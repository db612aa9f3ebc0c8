package detect

import (
	"fmt"
	"testing"
	"time"
)

// rules match every entry of their service.
type rules map[string]Hit

func (r rules) Match(e *Entry, into []Hit) []Hit {
	h, ok := r[e.Service]
	if ok && h.Item == "permission" {
		h.Item = e.Permissions[0].Name
	}
	if ok {
		into = append(into, h)
	}
	return into
}

func TestRulesCount(t *testing.T) {
	rule := &Rule{Name: "my-rule", Rationale: "nobody does this", Technique: "T1", Runbook: "look", Severity: High, Window: 10 * time.Minute, Threshold: 5}
	quick := repeated("s.things.get", 5, 0, time.Minute)
	for name, c := range map[string]struct {
		hit  Hit
		log  []Entry
		want int
	}{
		"each entry":                   {Hit{Rule: rule}, quick, 1},
		"too few":                      {Hit{Rule: rule}, quick[:4], 0},
		"the same ones twice":          {Hit{Rule: rule}, append(quick[:4:4], quick[:4]...), 0},
		"too slow":                     {Hit{Rule: rule}, repeated("s.things.get", 50, 0, 5*time.Minute), 0},
		"distinct items":               {Hit{Rule: rule, Item: "permission"}, probe(5, time.Minute), 1},
		"one item":                     {Hit{Rule: rule, Item: "permission"}, quick, 0},
		"two subjects":                 {Hit{Rule: rule}, append(quick[:3:3], by(robot, quick[3:])...), 0},
		"two subjects of one group":    {Hit{Rule: rule, Group: "all"}, append(quick[:3:3], by(robot, quick[3:])...), 1},
		"every one":                    {Hit{Rule: &Rule{Name: "one"}}, quick[:1], 1},
		"more is told by its doubling": {Hit{Rule: rule, Item: "permission"}, probe(11, time.Second), 2},
	} {
		g := New(Config{Rules: rules{"s.googleapis.com": c.hit}})
		var found []Finding
		for i := range c.log {
			found = g.Observe(&c.log[i], found)
		}
		found = of(c.hit.Rule.Name, found)
		if len(found) != c.want {
			t.Errorf("%s: %d findings, want %d: %+v", name, len(found), c.want, found)
		}
		for _, f := range found {
			subject := map[bool]string{true: "all", false: thief}[c.hit.Group == "all"]
			if f.Subject != subject || f.Severity != c.hit.Rule.Severity || f.Runbook != c.hit.Rule.Runbook || len(f.Evidence) == 0 {
				t.Errorf("%s: finding = %+v", name, f)
			}
		}
	}
}

func TestARuleThatMatchesAllIsCounted(t *testing.T) {
	g := New(Config{Rules: rules{"s.googleapis.com": {Rule: &Rule{Name: "all", Severity: Info, Threshold: 1000, Window: oneDay}}}})
	var found []Finding
	for i := range 3000 {
		e := allowed("s.things.get", time.Duration(i)*10*time.Second)
		e.InsertID = fmt.Sprint(i)
		found = g.Observe(&e, found)
	}
	if len(found) < 1 || found[0].Count < 1000 || found[0].LastSeen.Sub(start) < 2*time.Hour || found[0].LastSeen.Sub(start) > 4*time.Hour {
		t.Errorf("%d findings, the first: %+v", len(found), found[0])
	}
}
