package detect

import (
	"fmt"
	"strings"
)

var crown = detector(Detector{
	Name: CrownJewelDenial,
	Rationale: "Some permissions give away everything by a single use: the policy of a project, a new key of an account, a signature in its name, the export of the logs. " +
		"One attempt by a subject that never changed anything in that service is telling; a job whose grant is missing tries again and again, and is left alone.",
	Technique: "T1098.003",
	Runbook: "1. Ask the subject's owner whether the call was meant. 2. If nobody knows of it, revoke the key: the next attempt may find another way. " +
		"3. Look what the same address did besides.",
	Severity: High,
	Unit:     "attempts",
})

const (
	crownWait  = hour // in which a job that retries shows
	crownRetry = 4    // attempts that show it
	crownYoung = day  // until when nobody is known well enough
)

// awaitDecisive notes attempts at crown jewels, to be judged when it is known
// whether they are retried.
func (g *Engine) awaitDecisive(e *Entry, s *subject, t int64) {
	for i := range e.Permissions {
		if p := &e.Permissions[i]; !p.Granted && crownJewel(p.Name) && e.identity() != "" {
			g.waiting.add(wait{name: s.name, detector: crown.id, what: hash(p.Name)}, t, t+crownWait)
		}
	}
}

// judgeDecisive looks at an attempt of about t.
func (g *Engine) judgeDecisive(s *subject, what uint64, t int64, into []Finding) []Finding {
	v := verdict{by: crown, what: what, score: 1, severity: High}
	for _, d := range s.of(deniedPermission) {
		if d.what == what && d.first.at <= t+crownWait {
			v.seen = append(v.seen, d)
			v.count += d.events.size()
			v.start, v.last = earliest(v.start, d.first.at), max(v.last, d.last)
		}
	}
	if v.count == 0 || v.count >= crownRetry || v.start < t-day || t < g.born+crownYoung || s.system() {
		return into
	}
	name := v.seen[0].name
	if s.hadBy(what, v.start) || s.hadBy(changesOf(name), v.start) {
		return into
	}
	v.reason = func() string {
		return fmt.Sprintf("%s tried %s, which can give away everything, %s and was denied; it was never seen to change anything in %s, and a job with a missing grant would have tried %d times within %s",
			visible(s.shown(), maxSubject), name, counted(v.count, "time"), prefixOf(name), crownRetry, lasting(crownWait))
	}
	return g.tell(s, v, into)
}

// prefixOf is the service that a permission belongs to.
func prefixOf(permission string) string {
	service, _, _ := strings.Cut(permission, ".")
	return service
}

// changesOf stands for any permission to change something in the service of the
// permission given.
func changesOf(permission string) uint64 { return hash("changes of", prefixOf(permission)) }
