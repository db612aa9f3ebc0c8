package abuse

import (
	"fmt"
	"time"
)

// newProject is an administrator who sets up a project: much that was never done
// before, and all of it granted.
func newProject(s *scene) {
	p := s.victim(Person)
	at := s.atWork(p, 4*time.Hour)
	project := &Project{ID: fmt.Sprintf("new-%d", s.attempt), Number: 200_000_000_001 + s.attempt}
	place := p.place(s.r)
	for n, e := range s.shuffled(p)[:40+s.r.IntN(80)] {
		if n%20 == 5 {
			s.emit(at, s.grant(project, p.Subject))
		}
		if n%8 == 3 {
			s.emit(at, from(s.w.testing(s.r, p, project, 5+s.r.IntN(35)), place, p.Agent))
		}
		s.emit(at, from(p.call(e, project, e.resource(project, n%3)), place, p.Agent))
		at = at.Add(between(s.r, time.Second, 3*time.Minute))
	}
}

// newEmployee begins to work, finds in the first days what is missing, and is
// granted it.
func newEmployee(s *scene) {
	p := s.w.person(s.r, fmt.Sprintf("new%d@example.com", s.attempt))
	p.since, p.episode = s.atWork(p, 4*day), s.id
	s.w.add(p)
	place := p.place(s.r)
	for range 5 + s.r.IntN(10) {
		at := p.since.Add(between(s.r, 0, 3*day))
		for !chance(s.r, p.workHours(at)) {
			at = p.since.Add(between(s.r, 0, 3*day))
		}
		e, project := s.w.unfamiliar(s.r, p, 0.75), pick(s.r, p.Projects)
		for range 1 + s.r.IntN(3) {
			s.emit(at, from(p.refused(e, project, e.resource(project, 0)), place, p.Agent))
			at = at.Add(between(s.r, 10*time.Second, 10*time.Minute))
		}
		if chance(s.r, 0.4) {
			at = at.Add(between(s.r, 10*time.Minute, 3*time.Hour))
			s.emit(at, s.grant(project, p.Subject))
			s.emit(at.Add(5*time.Minute), from(p.call(e, project, e.resource(project, 0)), place, p.Agent))
		}
	}
}

// ownScanner is a posture tool that reads everything every night, and is refused
// the same part of it every night.
func ownScanner(s *scene) {
	security := s.w.projects[9]
	p := &Principal{Role: Scanner, Email: fmt.Sprintf("posture-%d@%s.iam.gserviceaccount.com", s.attempt, security.ID), Agent: "python-requests/2.32.5,gzip(gfe)",
		Projects: s.w.projects, Places: network(s.r), episode: s.id}
	for _, e := range s.w.catalogue {
		if e.Read {
			project := pick(s.r, p.Projects)
			how := p.call
			if chance(s.r, 0.2) {
				how = p.refused
			}
			p.Habits = append(p.Habits, how(e, project, e.resource(project, 0)))
		}
	}
	s.w.add(p)
}

// lateBatch is what a pipeline did, a few refusals among it, told an hour or more late
// and in any order.
func lateBatch(s *scene) {
	p := s.victim(Pipeline)
	first, place := s.anytime(3*time.Hour), p.place(s.r)
	for n := range 200 {
		s.late = between(s.r, 60*time.Minute, 94*time.Minute)
		e := pick(s.r, p.Habits)
		if n%40 == 7 {
			endpoint := s.w.unfamiliar(s.r, p, 0.7)
			e = p.refused(endpoint, p.Projects[0], endpoint.resource(p.Projects[0], 0))
		}
		s.emit(first.Add(between(s.r, 0, 20*time.Minute)), from(e, place, p.Agent))
	}
}

// unmanagedKey is a key of an account that keyturn does not manage, made by
// somebody who may.
func unmanagedKey(s *scene) {
	p := s.victim(Person)
	account := pick(s.r, s.w.of(Pipeline))
	e := p.call(createKey, account.Projects[0], "projects/-/serviceAccounts/"+account.Email)
	e.Account, e.Born = account.Email, Key{Name: keyName(account.Email, keyID(s.r))}.born()
	s.emit(s.atWork(p, time.Hour), from(e, p.place(s.r), p.Agent))
}
