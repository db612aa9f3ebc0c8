package detect

import (
	"cmp"
	"maps"
	"slices"
)

// episode names one that was told, by its subject, and detector, matter and start.
type episode struct {
	subject string
	told
}

func (e episode) order(other episode) int {
	return cmp.Or(cmp.Compare(e.subject, other.subject), e.told.order(other.told))
}

// ending is what there will be to say of an episode when the log is over.
type ending struct {
	verdict // the one that counted most, with marks instead of what it has seen
	marks   []mark
	follows bool // whether it lasts as long as what it has seen

	worst     Severity // that was told
	toldCount int      // that was told last
	toldUntil int64    // likewise
}

// endedLevel marks the update at the end of a log: it is above all doublings.
const endedLevel = 101

// note keeps, for the end of the log, a verdict on an episode that is told now or was
// told before.
func (g *Engine) note(s *subject, v verdict, t told, now bool) {
	if !g.config.Final {
		return
	}
	key := episode{s.name, told{detector: t.detector, what: t.what, start: t.start}}
	e := g.endings[key]
	if e == nil {
		e = new(ending)
		g.endings[key] = e
	}
	last := max(e.last, v.last)
	if v.count >= e.count {
		e.take(v)
	}
	if e.last = last; now {
		e.worst, e.toldCount, e.toldUntil = v.severity, v.count, v.last
	}
}

// take has the verdict be the one that is told at the end. Nothing of v is kept that
// is large.
func (e *ending) take(v verdict) {
	reason, last := v.reason(), int64(0)
	e.marks = make([]mark, len(v.seen))
	for i := range v.seen {
		e.marks[i] = v.seen[i].mark
		last = max(last, v.seen[i].last)
	}
	e.follows = last == v.last
	v.seen, v.reason = nil, func() string { return reason }
	e.verdict = v
}

// conclude appends an update on each episode that has grown since it was told.
func (g *Engine) conclude(into []Finding) []Finding {
	for _, key := range slices.SortedFunc(maps.Keys(g.endings), episode.order) {
		e := g.endings[key]
		s := g.store.find(key.subject)
		if s == nil {
			continue // it was forgotten
		}
		v := e.final(s)
		if v.count <= e.toldCount && v.last <= e.toldUntil {
			continue
		}
		key.level, key.severity = endedLevel, v.severity.rank()
		into = append(into, g.finding(s, v, key.told, true))
	}
	clear(g.endings)
	return into
}

// final is the verdict with all that is known of its evidence by now.
func (e *ending) final(s *subject) verdict {
	v := e.verdict
	if v.severity.Compare(e.worst) < 0 {
		v.severity = e.worst
	}
	for _, m := range e.marks {
		i, ok := place(s.sightings, m)
		if !ok {
			continue
		}
		v.seen = append(v.seen, s.sightings[i])
		if e.follows && m.day != 0 {
			v.last = max(v.last, s.sightings[i].last)
		}
	}
	return v
}
