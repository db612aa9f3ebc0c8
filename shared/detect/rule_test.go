package detect

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"example.com/keyturn/internal/raced"
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

func (r rules) Rule(name string) *Rule {
	for _, h := range r {
		if h.Rule.Name == name {
			return h.Rule
		}
	}
	return nil
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
	g := New(Config{Rules: rules{"s.googleapis.com": {Rule: &Rule{Name: "all", Severity: Info, Threshold: MaxDistinct, Window: oneDay}}}})
	var found []Finding
	for i := range 3000 {
		e := allowed("s.things.get", time.Duration(i)*10*time.Second)
		e.InsertID = fmt.Sprint(i)
		found = g.Observe(&e, found)
	}
	if len(found) < 1 || found[0].Count != MaxDistinct || found[0].LastSeen.Sub(start) != (MaxDistinct-1)*10*time.Second {
		t.Errorf("%d findings, the first: %+v", len(found), found[0])
	}
}

// busy is what a rule matches of a subject in two days, 5,000 times a day, each
// time another permission, with so many more within a minute of the evening.
func busy(burst int) []Entry {
	var log []Entry
	for i := range 10_000 {
		log = append(log, allowed(fmt.Sprintf("s.background%d.get", i), time.Duration(i)*oneDay/5000))
	}
	for i := range burst {
		log = append(log, allowed(fmt.Sprintf("s.burst%d.get", i), oneDay+20*time.Hour+time.Duration(i)*time.Minute/time.Duration(burst)))
	}
	slices.SortFunc(log, func(a, b Entry) int { return a.Time.Compare(b.Time) })
	return log
}

// TestABurstAmongManyHits takes 60 hits in ten minutes of which 35 are everyday.
func TestABurstAmongManyHits(t *testing.T) {
	raced.SkipPure(t)
	for name, hit := range map[string]Hit{"entries": {}, "items": {Item: "permission"}} {
		hit.Rule = &Rule{Name: "burst", Severity: Warning, Window: 10 * time.Minute, Threshold: 60}
		for burst, want := range map[int]int{0: 0, 10: 0, 40: 1} {
			for _, log := range [][]Entry{busy(burst), shuffled(busy(burst), rand.New(rand.NewPCG(uint64(burst), 7)))} {
				g := New(Config{Rules: rules{"s.googleapis.com": hit}})
				var found []Finding
				for i := range log {
					found = g.Observe(&log[i], found)
				}
				found = of("burst", found)
				if len(found) != want {
					t.Errorf("%s, a burst of %d: %d findings, want %d: %+v", name, burst, len(found), want, found)
				}
				for _, f := range found {
					if f.Count != 60 || f.LastSeen.Sub(start.Add(oneDay+20*time.Hour)).Abs() > 10*time.Minute {
						t.Errorf("%s: finding = %+v", name, f)
					}
				}
			}
		}
	}
}

// TestTheLatestHitsAreKept whichever of two instances saw them.
func TestTheLatestHitsAreKept(t *testing.T) {
	hit := func(i int) sighting {
		e := denied("s.things.get", time.Duration(i)*time.Minute)
		e.InsertID = fmt.Sprint(i)
		at := e.Time.UnixMilli()
		return sightingOf(ruleHit, hitOf(eventHash(&e, at), at, second), &e, at, "", "")
	}
	a, b := &subject{name: thief}, &subject{name: thief}
	const n = 3 * MaxDistinct
	for i := range n {
		[]*subject{a, b}[i%2].sight(hit(i))
	}
	both := union(a, b).of(ruleHit)
	if len(both) != MaxDistinct {
		t.Fatalf("%d hits are kept", len(both))
	}
	for _, s := range both {
		if s.first.at < hit(n-MaxDistinct).first.at {
			t.Errorf("an old one is kept, of %v", instant(s.first.at))
		}
	}
}
