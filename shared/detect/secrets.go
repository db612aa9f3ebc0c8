package detect

import (
	"fmt"
	"strings"
)

var harvest = detector(Detector{
	Name: MassSecretRead,
	Rationale: "A consumer reads its own few secrets, the same ones every day. Who takes all there are reads many that it has never read. " +
		"So secrets count that are new to the reader, against as many as it is known for; a reader that was never seen before is worst.",
	Technique: "T1555.006",
	Runbook: "1. Ask the reader's owner whether these secrets are its business. 2. If not, revoke the reader's key, and then rotate every secret in Targets: keyturn rotate SECRET. " +
		"3. Take away its grant on secrets that it does not need.",
	Severity: High,
	Unit:     "distinct secrets, new to the reader, within a day",
})

const (
	harvestWidth = day
	harvestNeed  = 12 // secrets
	harvestYoung = 3  // times as many, while nothing is known of anybody
)

// read takes in a call that read a secret.
func (g *Engine) read(e *Entry, s *subject, t int64, into []Finding) []Finding {
	secret, _, _ := strings.Cut(e.Resource, "/versions/")
	n := sightingOf(readSecret, hash(secret), e, t, "", secret)
	n.day, n.events, n.targets = 0, crowd{}, crowd{} // only which, since when
	if !s.sight(n) {
		return into
	}
	s.describe(e, t)
	return g.harvested(s, t, into)
}

// harvested judges the secrets that were read in the day before t.
func (g *Engine) harvested(s *subject, t int64, into []Finding) []Finding {
	if g.ledger.rotators[s.name] {
		return into
	}
	v := verdict{by: harvest, severity: High}
	known := 0
	for _, r := range s.of(readSecret) {
		switch {
		case r.first.at < t-harvestWidth:
			known++
		case r.first.at <= t+late:
			v.seen = append(v.seen, r)
			v.start, v.last = earliest(v.start, r.first.at), max(v.last, r.first.at)
		}
	}
	v.count = len(v.seen)
	need := max(harvestNeed, known)
	if t < g.born+harvestWidth {
		need *= harvestYoung
	}
	v.score = float64(v.count) / (float64(need) * s.factor())
	if known == 0 && v.score >= 2 {
		v.severity = Critical
	}
	v.reason = func() string {
		return fmt.Sprintf("%s read %s within a day that it had never read; it is known to read %s, and from %d new ones on it is taken for somebody who takes them all",
			visible(s.shown(), maxSubject), counted(v.count, "secret"), counted(known, "other"), need)
	}
	return g.tell(s, v, into)
}
