package detect

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// RuleSet is a set of custom rules, compiled. The Engine counts what they match:
// a rule is only asked about one entry at a time and remembers nothing.
type RuleSet interface {
	// Match appends a hit for each rule whose condition holds for e. It neither
	// keeps nor changes e, and appends nothing without allocating nothing.
	Match(e *Entry, into []Hit) []Hit

	// Rule returns the rule of a name; nil if there is none.
	Rule(name string) *Rule
}

// Rule is what the Engine needs to know of one custom rule.
type Rule struct {
	Name      string        // unique; the finding's detector
	Rationale string        // why what it matches is not normal: ends up in the finding's reason
	Technique string        // of MITRE ATT&CK, such as T1078.004; "" is none
	Runbook   string        // what to do about it; "" is the general advice
	Severity  Severity      // of its findings
	Window    time.Duration // within which hits are counted; 0 is one hour
	Threshold int           // hits within Window that make a finding; 0 is 1, and above MaxDistinct there never is one
}

// Hit is one entry that a rule matched.
type Hit struct {
	Rule  *Rule
	Group string // whose hits are counted together; "" is the entry's subject
	Item  string // hits of the same item count once; "" counts every entry. May lie in the entry's buffer
}

// ruleName names the subject whose hits of a rule are counted; no caller's name
// begins like it.
func ruleName(rule, group string) string { return "\x00" + rule + "\x00" + group }

// ruleSubject takes apart what ruleName made.
func ruleSubject(name string) (rule, group string, ok bool) {
	rest, ok := strings.CutPrefix(name, "\x00")
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "\x00")
}

// apply has the custom rules look at an entry.
func (g *Engine) apply(e *Entry, t int64, into []Finding) []Finding {
	g.hits = g.config.Rules.Match(e, g.hits[:0])
	for _, h := range g.hits {
		into = g.hit(h, e, t, into)
	}
	return into
}

// itemBits of what a hit is a sighting of are its item's.
const itemBits = 44

// hitOf is what a hit is a sighting of: when it was, the latest of the day first, so
// that of too many the latest are kept, whoever saw them, and below that its item.
// Within a slot (in milliseconds) hits of the same item are one.
func hitOf(item uint64, t, slot int64) uint64 {
	return uint64((day-1-t%day)/max(slot, second))<<itemBits | item&(1<<itemBits-1)
}

// item is what was sighted, whenever it was.
func (s *sighting) item() uint64 {
	if s.kind == ruleHit {
		return s.what & (1<<itemBits - 1)
	}
	return s.what
}

// fewer reports, at less expense than counting, that not as many as need were
// sighted not further than width from t.
func fewer(list []sighting, need int, t, width int64) bool {
	for i := range list {
		if list[i].within(t-width, t+width) {
			need--
		}
	}
	return need > 0
}

// hit counts a hit among those of its group.
func (g *Engine) hit(h Hit, e *Entry, t int64, into []Finding) []Finding {
	what := hitOf(eventHash(e, t), t, second)
	if h.Item != "" {
		what = hitOf(hash("item", h.Item), t, h.Rule.width())
	}
	s := g.store.get(nameOf(ruleName(h.Rule.Name, cmp.Or(h.Group, e.Subject()))))
	s.meet(t)
	s.describe(e, t)
	if !s.sight(sightingOf(ruleHit, what, e, t, e.Method, e.Resource)) && h.Item == "" {
		return into // the same entry again
	}
	return g.ruled(h.Rule, s, t, into)
}

// width is the window in milliseconds.
func (r *Rule) width() int64 { return cmp.Or(r.Window, time.Hour).Milliseconds() }

// ruled judges the hits of a group about t.
func (g *Engine) ruled(r *Rule, s *subject, t int64, into []Finding) []Finding {
	width, need := r.width(), max(r.Threshold, 1)
	hits := s.of(ruleHit)
	if fewer(hits, need, t, width) {
		return into
	}
	most, from, to := densest(hits, t, width, func(*sighting) int { return 1 })
	if most < need {
		return into
	}
	v := verdict{
		by:    &Detector{Name: r.Name, Technique: r.Technique, Runbook: r.Runbook, id: uint32(hash(r.Name))},
		score: float64(most) / float64(need), severity: r.Severity, count: most, seen: between(hits, from, to), last: to,
		reason: func() string {
			return fmt.Sprintf("%s: %d within %s, and the rule tells from %d on", visible(r.Rationale, maxFrom), most, lasting(width), need)
		},
	}
	v.start, _ = run(hits, from)
	return g.tell(s, v, into)
}

// ruleOf is the rule whose hits the subject stands for; nil if there is none.
func (g *Engine) ruleOf(s *subject) *Rule {
	name, _, ok := ruleSubject(s.name)
	if !ok || g.config.Rules == nil {
		return nil
	}
	return g.config.Rules.Rule(name)
}
