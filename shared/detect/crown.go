package detect

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

var crown = detector(Detector{
	Name: CrownJewelDenial,
	Rationale: "Some permissions give away everything by a single use: the policy of a project, a new key of an account, a signature in its name, the export of the logs. " +
		"An attempt by a subject that never changed anything in that service is telling, and so are several at once; a job whose grant is missing tries again and again, for long, and is left alone.",
	Technique: "T1098.003",
	Runbook: "1. Ask the subject's owner whether the call was meant. 2. If nobody knows of it, revoke the key: the next attempt may find another way. " +
		"3. Look what the same address did besides.",
	Severity: High,
	Unit:     "attempts",
	Learns:   time.Duration(crownYoung) * time.Millisecond,
})

const (
	crownWidth = 5 * minute // a stretch of time, attempts in which are one
	crownAbout = 11         // stretches before an attempt, and after, in which a job that retries shows
	crownRetry = 4          // stretches with attempts that show it
	crownSpan  = 9          // stretches from the first of them to the last: whoever tries four times and leaves is no job
	crownYoung = day        // until when nobody is known well enough
)

// attemptAt marks attempts at a permission in one stretch of time.
func attemptAt(what uint64, stretch int64) mark {
	return mark{crownAttempt, stir(what ^ uint64(stretch)), dayOf(stretch * crownWidth)}
}

// awaitDecisive notes attempts at crown jewels, to be judged when it is known
// whether they are retried: every stretch of time is a question of its own.
func (g *Engine) awaitDecisive(e *Entry, s *subject, t int64) {
	if e.identity() == "" {
		return
	}
	for i := range e.Permissions {
		if p := &e.Permissions[i]; !p.Granted && crownJewel(p.Name) {
			stretch := t / crownWidth
			s.sight(sighting{mark: attemptAt(hash(p.Name), stretch), first: stamp{at: t, id: e.InsertID}, last: t})
			g.waiting.add(wait{s.name, crown.id, hash(p.Name), int32(stretch)}, t, (stretch+1+crownAbout)*crownWidth+slack)
		}
	}
}

// retried reports whether a permission was tried in so many stretches of time about
// one, and for so long, that it is a job's.
func (s *subject) retried(what uint64, stretch int64) bool {
	tried, first, last := 0, int64(0), int64(0)
	for about := stretch - crownAbout; about <= stretch+crownAbout; about++ {
		if _, ok := place(s.sightings, attemptAt(what, about)); ok {
			tried, first, last = tried+1, cmp.Or(first, about), about
		}
	}
	return tried >= crownRetry && last-first+1 >= crownSpan
}

// judgeDecisive looks at the attempts in a stretch of time.
func (g *Engine) judgeDecisive(s *subject, what uint64, stretch int64, into []Finding) []Finding {
	from, to := stretch*crownWidth, (stretch+1)*crownWidth
	if from < g.born+crownYoung || s.system() || s.retried(what, stretch) {
		return into
	}
	v := verdict{by: crown, what: what, score: 1, severity: High}
	for _, d := range s.of(deniedPermission) {
		if d.what == what && d.first.at < to {
			v.seen = append(v.seen, d)
			v.count += d.events.size()
			v.start, v.last = earliest(v.start, d.first.at), max(v.last, d.last)
		}
	}
	if v.count == 0 || v.start < from-day {
		return into
	}
	name := v.seen[0].name
	if s.hadBy(what, v.start) || s.hadBy(changesOf(name), v.start) {
		return into
	}
	v.reason = func() string {
		return fmt.Sprintf("%s tried %s, which can give away everything, %s and was denied; it was never seen to change anything in %s, and a job with a missing grant would have gone on trying for %s",
			visible(s.shown(), maxSubject), name, counted(v.count, "time"), prefixOf(name), lasting(crownSpan*crownWidth))
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
