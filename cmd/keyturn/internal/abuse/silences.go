package abuse

import (
	"fmt"
	"time"
)

// silentLog is a log that is switched off for some days: a project's Data Access
// log, while its Admin Activity log, which cannot be, goes on.
func silentLog(s *scene) {
	project := &Project{ID: fmt.Sprintf("edge-%d", s.attempt), Number: 300_000_000_001 + s.attempt}
	p := s.w.controller(s.r, 100+s.attempt)
	p.Projects, p.Habits, p.pace = []*Project{project}, nil, 4
	for n := range 4 {
		p.Habits = append(p.Habits, p.call(patchStatus, project, patchStatus.resource(project, n)), p.call(getObjects, project, getObjects.resource(project, n)))
	}
	s.w.add(p)
	from := s.anytime(4 * day).Add(day)
	s.silence(logName(project, "data_access"), from)
	s.w.silences = append(s.w.silences, silence{logName(project, "data_access"), span{from, from.Add(3 * day)}})
}

// silence says of what nothing is heard any more from a time on.
func (s *scene) silence(of string, from time.Time) {
	s.w.Episodes[s.id].Silent, s.w.Episodes[s.id].First = of, from
}

// silence is a log of which nothing comes for a while.
type silence struct {
	log string
	span
}

// muted reports whether the event is not logged.
func (w *World) muted(e *Event) bool {
	for _, s := range w.silences {
		if e.Entry.LogName == s.log && s.has(e.Entry.Time) {
			return true
		}
	}
	return false
}

// silentKey is a credential whose consumer, which calls day and night, stops.
func silentKey(s *scene) {
	p := s.w.workload(s.r, 100+s.attempt)
	s.w.add(p)
	c := s.w.keepSecret(s.r, p)
	s.w.exposed[c] = true
	from := s.anytime(4 * day).Add(day)
	p.pause = span{from, Start.Add(Days * day)}
	s.silence(c.Secret, from)
}

// weekendJob is a consumer, alone in its project, that works at weekends only or,
// every other time, never: each week its credential and its project's logs are
// silent for days.
func weekendJob(s *scene) {
	project := &Project{ID: fmt.Sprintf("batch-%d", s.attempt), Number: 400_000_000_001 + s.attempt}
	p := s.w.workloadIn(s.r, 200+s.attempt, project)
	p.off = []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}
	if s.attempt%2 == 0 {
		p.off = []time.Weekday{time.Saturday, time.Sunday}
	}
	p.episode = s.id
	s.w.add(p)
	s.w.exposed[s.w.keepSecret(s.r, p)] = true
}
