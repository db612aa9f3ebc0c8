package detect

import (
	"fmt"
	"time"
)

var burst = detector(Detector{
	Name: DenialBurst,
	Rationale: "Some subjects are denied things all the time, at their hours: scanners, batches, the weekly report. A burst is measured by what the same subject was denied at the same hour " +
		"of the last seven days, and of the same day of the weeks before; whoever is not known for a week has no usual, and is judged by its breadth alone. It counts distinct permissions, because a loop of one is no burst, however fast.",
	Technique: "T1087.004",
	Runbook: "1. Ask the subject's owner what was deployed or started at first_seen. 2. If nothing was, treat it as permission-probing: compare address and user agent, revoke. " +
		"3. If it is a new job, have its missing grants given or its calls removed.",
	Severity: Warning,
	Unit:     "distinct permissions within an hour, never granted to the subject",
	Learns:   time.Duration(burstKnown) * time.Millisecond,
})

const (
	burstWidth = hour
	burstNeed  = 8 * weightUnit // beyond twice the usual
	burstKnown = 7 * day        // since when a subject has a usual
)

// burstOut looks for the hour about t in which most was denied.
func burstOut(g *Engine, s *subject, t int64) (verdict, bool) {
	if t-s.born < burstKnown {
		return verdict{}, false
	}
	denials := s.of(deniedPermission)
	unknown := func(d *sighting) int {
		if g.had(s, d, t) {
			return 0
		}
		return weightOf(d.name)
	}
	most, from, to := densest(denials, t, burstWidth, unknown)
	usual := usual(denials, from)
	limit := (burstNeed + 2*float64(usual)) * s.factor()
	v := verdict{by: burst, score: float64(most) / limit}
	if v.score < 1 {
		return v, false
	}
	for _, d := range between(denials, from, to) {
		if unknown(&d) > 0 {
			v.seen = append(v.seen, d)
		}
	}
	v.count = distinct(v.seen)
	v.start, _ = run(denials, from)
	v.last = to
	v.severity = graded(v.seen, v.score)
	v.reason = func() string {
		return fmt.Sprintf("%s was denied %s in %s%s; score %.1f (1 is where a burst begins, and its most at this hour of other days was %.1f)",
			visible(s.shown(), maxSubject), counted(v.count, "distinct permission"), lasting(to-from), s.lastFrom(), v.score, float64(usual)/limit)
	}
	return v, true
}

// usual is the most that was denied on an earlier day within an hour of the same
// time of day: on any of the last seven days, and on the same day of the week in
// the weeks before.
func usual(denials []sighting, at int64) int {
	var weight [retention + 1]int
	for i := range denials {
		d := &denials[i]
		ago := int64(dayOf(at) - d.day)
		if ago < 1 || ago > retention || ago > 7 && ago%7 != 0 {
			continue
		}
		if then := at - ago*day; d.first.at <= then+2*hour && d.last >= then-hour {
			weight[ago] += weightOf(d.name)
		}
	}
	most := 0
	for _, w := range weight {
		most = max(most, w)
	}
	return most
}
