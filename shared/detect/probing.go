package detect

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
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
	probingNeed     = 10.0           // weights that make a finding of an ordinary subject
	probingHalfLife = 60 * time.Hour // in which a denial loses half its weight
	late            = 95 * minute    // that entries may be late and still count
	systemFactor    = 4              // how much more it takes of Google's own
	strangeFactor   = 2              // and of a stranger, who may be all of an office
	broad           = 4              // a score from which a subject is broadly active
)

// probed weighs the denials up to t, or up to the latest where t is only late.
func probed(g *Engine, s *subject, t int64) (verdict, bool) {
	denials := s.of(deniedPermission)
	at := latest(denials, t)
	seen := make([]*sighting, 0, len(denials))
	sum := float64(g.store.gone.before(s.name)*weightWrite) / weightUnit
	for _, d := range firsts(denials) {
		if d.first.at > at || g.had(s, d, at) {
			continue
		}
		seen = append(seen, d)
		age := float64(at-s.refusedSince(d)) / float64(probingHalfLife.Milliseconds())
		sum += float64(weightOf(d.name)) / weightUnit * math.Exp2(-age)
	}
	need := probingNeed * s.factor()
	if s.stranger() {
		need *= strangeFactor
	}
	v := verdict{by: probing, score: sum / need, count: len(seen)}
	if v.score < 1 {
		return v, false
	}
	for _, d := range seen {
		v.seen = append(v.seen, *d)
	}
	v.start, v.last = run(denials, t)
	v.severity = graded(v.seen, v.score)
	v.reason = func() string {
		return fmt.Sprintf("%s was denied %d distinct permissions that it was never seen to have, since %s; weighted by danger, and halved every %s, they come to %.1f, and %.3g is taken for probing, because a retry loop repeats the same few",
			visible(s.shown(), maxSubject), v.count, instant(earliestOf(v.seen)).Format(time.DateTime), short(probingHalfLife), sum, need)
	}
	return v, true
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

// latest is the time of the last sighting that t is not too late for, or t.
func latest(list []sighting, t int64) int64 {
	at := t
	for i := range list {
		if list[i].last <= t+late {
			at = max(at, list[i].last)
		}
	}
	return at
}

func earliestOf(list []sighting) (t int64) {
	for i := range list {
		t = earliest(t, list[i].first.at)
	}
	return t
}

// had reports whether the subject was seen to have what it was denied: then its
// grant was taken away, or was missing and has been given since.
func (g *Engine) had(s *subject, d *sighting, t int64) bool {
	return s.had(d.what, t) || g.store.gone.had(s.name, d.what)
}

// factor is how much more than of an ordinary subject it takes of this one.
func (s *subject) factor() float64 {
	if s.system() {
		return systemFactor
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
