package detect

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

var probing = detector(Detector{
	Name: PermissionProbing,
	Rationale: "A thief does not know what a stolen credential may do and tries; its owner does know. So permissions count that the subject was never seen to have, each once, " +
		"and the more the more they could do harm. They are forgotten over days, not minutes: a probe of five an hour adds up, while a retry loop, repeating the few it began with, does not.",
	Technique: "T1580",
	Runbook: "1. Open the link: do the calls go through many services in the order of a list? 2. Compare address and user agent with the subject's usual ones. " +
		"3. If nobody owns up, revoke the key or disable the subject, and look what it was allowed to do since first_seen.",
	Severity: Warning,
	Unit:     "distinct permissions, never granted to the subject",
})

const (
	probingNeed     = 10.0        // weights that make a finding of an ordinary subject
	probingHalfLife = 60 * hour   // in which a denial loses half its weight
	late            = 95 * minute // that entries may be late and still count
	systemFactor    = 4           // how much more it takes of Google's own
	addressFactor   = 2           // and of an address, whatever the user agents
	strangeFactor   = 2           // and, of permissions, of a stranger, who may be all of an office
	strangeWeight   = 1.5         // times the weight of what is denied to a key from where it does not belong
	broad           = 4           // a score from which a subject is broadly active
)

// probed weighs the denials up to t or, where t is late, up to the moment after it
// at which they weighed most: whatever the order, the worst is told.
func probed(g *Engine, s *subject, t int64) (verdict, bool) {
	denials := firsts(s.of(deniedPermission))
	v := g.probedUntil(s, denials, g.worstMoment(s, denials, t))
	return v, v.score >= 1
}

// worstMoment is the one from t on, not too late for it, at which the denials
// weighed most.
func (g *Engine) worstMoment(s *subject, denials []*sighting, t int64) (worst int64) {
	if !slices.ContainsFunc(denials, func(d *sighting) bool { return d.first.at > t }) {
		return t
	}
	type step struct {
		at     int64
		weight float64 // that counts from then on, as if it were t
	}
	var steps []step
	more := s.aggravations()
	for _, d := range denials {
		always, until := more.weigh(d)
		decayed := halved(t - s.refusedSince(d))
		steps = append(steps, step{d.first.at, (always + until) * decayed}, step{max(g.excused(s, d), d.first.at), -until * decayed})
	}
	slices.SortFunc(steps, func(a, b step) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.weight, b.weight)) })
	sum, most := 0.0, 0.0
	worst = t
	for _, step := range steps {
		sum += step.weight
		switch now := sum * halved(step.at-t); {
		case step.at > t+late:
			return worst
		case step.at <= t:
			worst, most = t, sum
		case now > most:
			worst, most = step.at, now
		}
	}
	return worst
}

// probedUntil weighs the first denials up to a time.
func (g *Engine) probedUntil(s *subject, denials []*sighting, at int64) verdict {
	var seen []*sighting
	sum := float64(g.store.gone.before(s.name)*weightWrite) / weightUnit
	more := s.aggravations()
	for _, d := range denials {
		if d.first.at > at {
			continue
		}
		weight, until := more.weigh(d)
		if !g.had(s, d, at) {
			weight += until
		}
		if weight == 0 {
			continue
		}
		seen = append(seen, d)
		sum += weight * halved(at-s.refusedSince(d))
	}
	need := probingNeed * s.factor()
	if s.stranger() {
		need *= strangeFactor
	}
	v := verdict{by: probing, score: sum / need, count: len(seen)}
	if v.score < 1 {
		return v
	}
	for _, d := range seen {
		v.seen = append(v.seen, *d)
	}
	v.start, v.last = run(s.of(deniedPermission), at)
	v.severity = graded(v.seen, v.score)
	v.reason = func() string {
		return fmt.Sprintf("%s was denied %s%s in %s%s; score %.1f (1 is where probing begins)",
			visible(s.shown(), maxSubject), counted(v.count, "distinct permission"), s.onMany(v.seen), lasting(v.last-earliestOf(v.seen)), s.lastFrom(), v.score)
	}
	return v
}

// onMany says on how much dangerous permissions were denied, where that makes them
// weigh more.
func (s *subject) onMany(seen []sighting) string {
	most := 0
	for i := range seen {
		if targets := targetsOf(s.of(deniedTarget), seen[i].what); breadthOf(targets) > 0 {
			most = max(most, targets.size())
		}
	}
	if most == 0 {
		return ""
	}
	return fmt.Sprintf(" on up to about %d resources", most)
}

// lastFrom says at which address the subject was last; a place does by its name.
func (s *subject) lastFrom() string {
	if address, _, _ := strings.Cut(s.notes[noteFrom].text, " "); !s.stranger() && address != "" {
		return ", last from " + address
	}
	return ""
}

// halved is what is left of a weight after a time.
func halved(age int64) float64 { return math.Exp2(-float64(age) / float64(probingHalfLife)) }

// aggravations are what makes denials weigh more: what dangerous permissions were
// denied on, and what was denied to a key from where it does not belong.
type aggravations struct{ targets, strange []sighting }

func (s *subject) aggravations() aggravations {
	return aggravations{s.of(deniedTarget), s.of(strangeDenial)}
}

// weigh returns what a denial weighs always, for what it was denied on, and how
// much more until it is excused.
func (a aggravations) weigh(d *sighting) (always, until float64) {
	until = float64(weightOf(d.name)) / weightUnit
	if _, strange := place(a.strange, mark{strangeDenial, d.what, d.day}); strange {
		until *= strangeWeight
	}
	return until * float64(breadth(a.targets, d.what)), until
}

// firsts returns the earliest sighting of each thing, in the order of things: sums
// of fractions depend on it.
func firsts(list []sighting) []*sighting {
	all := make([]*sighting, len(list))
	for i := range list {
		all[i] = &list[i]
	}
	slices.SortFunc(all, func(a, b *sighting) int {
		return cmp.Or(cmp.Compare(a.what, b.what), cmp.Compare(a.first.at, b.first.at))
	})
	return slices.CompactFunc(all, func(a, b *sighting) bool { return a.what == b.what })
}

func earliestOf(list []sighting) (t int64) {
	for i := range list {
		t = earliest(t, list[i].first.at)
	}
	return t
}

// had reports whether the subject was seen to have what it was denied: then its
// grant was taken away, or was missing and has been given since.
func (g *Engine) had(s *subject, d *sighting, t int64) bool { return g.excused(s, d) <= t }

// excused is when it is known that the subject has what it was denied.
func (g *Engine) excused(s *subject, d *sighting) int64 {
	if g.store.gone.had(s.name, d.what) {
		return 0
	}
	return s.knownToHave(d.what)
}

// factor is how much more than of an ordinary subject it takes of this one.
func (s *subject) factor() float64 {
	switch {
	case s.system():
		return systemFactor
	case s.address():
		return addressFactor
	}
	return 1
}

// graded goes by breadth and danger.
func graded(seen []sighting, score float64) Severity {
	danger := slices.ContainsFunc(seen, func(s sighting) bool { return dangerous(s.name) })
	switch {
	case score >= broad && danger:
		return Critical
	case score >= broad || danger:
		return High
	}
	return Warning
}
