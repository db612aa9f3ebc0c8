package abuse

import (
	"fmt"
	"time"

	"example.com/keyturn/shared/detect"
)

// retriedGrant is a program or person without a permission that tries again for
// two hours, until an administrator grants it, to the caller or to a group, or
// the caller gives up.
func retriedGrant(s *scene) {
	p := s.victim([]Role{Workload, Pipeline, Person}[s.attempt%3])
	project := p.Projects[0]
	at := s.atWork(p, 4*time.Hour)
	until := at.Add(2 * time.Hour)
	place := p.place(s.r)
	var missing []Endpoint
	for range 1 + s.r.IntN(3) {
		missing = append(missing, s.w.unfamiliar(s.r, p, 0.5))
	}
	pause := between(s.r, 15*time.Second, 4*time.Minute)
	for at.Before(until) {
		for _, e := range missing {
			s.emit(at, from(s.signed(p, at, p.refused(e, project, e.resource(project, 1))), place, p.Agent))
		}
		at = at.Add(pause + between(s.r, 0, pause/4))
	}
	if s.attempt%4 == 3 {
		return
	}
	member := "serviceAccount:" + p.Email
	if p.Role == Person {
		member = p.Subject
	}
	if s.attempt%4 == 2 {
		member = "group:team@example.com"
	}
	s.emit(at, s.grant(project, member))
	for _, e := range missing {
		at = at.Add(between(s.r, 30*time.Second, 5*time.Minute))
		s.emit(at, from(s.signed(p, at, p.call(e, project, e.resource(project, 1))), place, p.Agent))
	}
}

// signed adds the key that a workload holds at the time.
func (s *scene) signed(p *Principal, at time.Time, e detect.Entry) detect.Entry {
	if p.credential != nil && e.Principal != "" {
		key, _ := p.credential.inUse(at)
		e.KeyName = key.Name
	}
	return e
}

// grant is an administrator's change of a project's policy.
func (s *scene) grant(project *Project, member string) detect.Entry {
	admin := s.w.Principals[0]
	e := admin.call(setPolicy, project, "projects/"+project.ID)
	e.Grants = []detect.Grant{{Role: "projects/" + project.ID + "/roles/added", Member: member}}
	return from(e, admin.Places[0], admin.Agent)
}

// patchLoop is an operator that may not patch cluster roles and does not take no
// for an answer, as in the public finding with 50 and 70 of them.
func patchLoop(s *scene) {
	p := s.victim(Controller)
	at := s.anytime(2 * time.Hour)
	for n := range 120 {
		e := patchBindings
		if n%12 < 7 {
			e = patchRoles
		}
		s.emit(at, from(p.refused(e, p.Projects[0], e.resource(p.Projects[0], n%5)), p.Places[0], p.Agent))
		at = at.Add(between(s.r, 10*time.Second, 50*time.Second))
	}
}

// deniedServiceAgent is one of Google's own that is refused the same few things
// every day of a week, often on behalf of a product that was switched on half.
func deniedServiceAgent(s *scene) {
	p := s.victim(ServiceAgent)
	missing := []Endpoint{getRole}
	for range s.r.IntN(4) {
		missing = append(missing, s.w.unfamiliar(s.r, p, 0.9))
	}
	first := s.anytime(7 * day)
	for n := range 7 {
		at := first.Add(time.Duration(n)*day + between(s.r, 0, time.Hour))
		for range 2 + s.r.IntN(5) {
			for _, e := range missing {
				project := pick(s.r, p.Projects)
				s.emit(at, from(p.refused(e, project, e.resource(project, 2)), p.Places[0], p.Agent))
				at = at.Add(between(s.r, 0, time.Minute))
			}
		}
	}
}

// narrowedRun is Terraform whose role was narrowed: a run is refused much of
// what every run before it did, and a few new things; it is started again twice,
// and then the role is widened.
func narrowedRun(s *scene) {
	p := s.victim(Pipeline)
	at := s.atWork(p, 3*time.Hour)
	var lost []detect.Entry
	for _, i := range s.r.Perm(len(p.Habits))[:10+s.r.IntN(20)] {
		h := p.Habits[i]
		e := Endpoint{Service: h.Service, Method: h.Method, Permission: h.Permissions[0].Name}
		lost = append(lost, p.refused(e, p.Projects[0], h.Resource))
	}
	for range s.r.IntN(4) {
		e := s.w.unfamiliar(s.r, p, 0.3)
		lost = append(lost, p.refused(e, p.Projects[0], e.resource(p.Projects[0], 3)))
	}
	s.emit(at, s.grant(p.Projects[0], "serviceAccount:other@"+p.Projects[0].ID+".iam.gserviceaccount.com"))
	p.pause.from = at
	for range 3 {
		at = at.Add(between(s.r, 5*time.Minute, 40*time.Minute))
		place := p.place(s.r)
		for _, e := range lost {
			s.emit(at, from(e, place, p.Agent))
			at = at.Add(between(s.r, 0, 3*time.Second))
		}
	}
	p.pause.to = at.Add(between(s.r, time.Minute, 20*time.Minute))
	s.emit(p.pause.to, s.grant(p.Projects[0], "serviceAccount:"+p.Email))
}

// perimeterBurst is a batch outside of a VPC Service Controls perimeter.
func perimeterBurst(s *scene) {
	p := s.victim(Pipeline)
	at := s.anytime(time.Hour)
	project, place := p.Projects[0], p.place(s.r)
	methods := []Endpoint{
		{"storage.googleapis.com", "google.storage.objects.get", "", "objects", true},
		{"storage.googleapis.com", "google.storage.Write", "", "objects", false},
		{"bigquery.googleapis.com", "google.cloud.bigquery.v2.TableDataService.InsertAll", "", "tables", false},
		{"bigquery.googleapis.com", "bigquery.googleapis.com/bigquery.jobs.create", "", "jobs", false},
	}[:1+s.r.IntN(4)]
	for range 200 + s.r.IntN(400) {
		e := p.refused(pick(s.r, methods), project, fmt.Sprintf("projects/%d", project.Number))
		e.Permissions, e.LogName, e.Violation = nil, logName(project, "policy"), "VPC_SERVICE_CONTROLS"
		e.Message = "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: " + keyID(s.r)
		s.emit(at, from(e, place, p.Agent))
		at = at.Add(between(s.r, 0, 4*time.Second))
	}
}

// deniedPulls are a build farm's pulls that Artifact Registry refuses with code
// 2 and without a principal.
func deniedPulls(s *scene) {
	p := pick(s.r, s.w.of(Pipeline))
	at := s.anytime(2 * time.Hour)
	project := pick(s.r, s.w.projects)
	for range 20 + s.r.IntN(150) {
		e := p.refused(dockerTags, project, fmt.Sprintf("projects/%s/locations/europe/repositories/images-%d", project.ID, s.r.IntN(4)))
		redact(&e)
		e.Code, e.Message = 2, "permission denied by IAM"
		s.emit(at, from(e, p.place(s.r), "docker/28.5.1 go/go1.24.8 kernel/6.1 os/linux arch/amd64"))
		at = at.Add(between(s.r, 0, 40*time.Second))
	}
}

// organisationPolicy is somebody whom a constraint keeps from what IAM grants.
func organisationPolicy(s *scene) {
	p := s.victim(Person)
	at := s.atWork(p, time.Hour)
	project, place := p.Projects[0], p.place(s.r)
	endpoint, constraint, account := createAccount, "constraints/iam.disableServiceAccountCreation", ""
	message := "Service account creation is not allowed on this project."
	if s.attempt%2 == 0 {
		endpoint, constraint, account = createKey, "constraints/iam.disableServiceAccountKeyCreation", s.w.of(Pipeline)[s.attempt].Email
		message = "Key creation is not allowed on this service account."
	}
	for n := range 1 + s.r.IntN(5) {
		e := p.call(endpoint, project, endpoint.resource(project, 0))
		e.Code, e.Message, e.Violation, e.Account = 9, message, constraint, account
		s.emit(at.Add(time.Duration(n)*between(s.r, 5*time.Second, time.Minute)), from(e, place, p.Agent))
	}
}

// oldKeyInUse is a consumer that stays on its old key until an hour before the
// overlap ends.
func oldKeyInUse(s *scene) {
	for {
		c := pick(s.r, s.w.Credentials)
		i := s.r.IntN(len(c.Keys))
		k := c.Keys[i]
		if s.w.exposed[c] || k.Superseded.Before(Start.Add(day)) || k.Disabled.After(Start.Add(Days*day)) {
			continue
		}
		s.w.exposed[c] = true
		c.lazy[i] = laggard{k.Disabled.Add(-time.Hour), s.id}
		s.w.Episodes[s.id].First = k.Superseded
		return
	}
}

// movedConsumer is a workload that is deployed anew in another network, for good,
// and signs in with the key that it is given there.
func movedConsumer(s *scene) {
	for {
		c := pick(s.r, s.w.Credentials)
		at := s.anytime(3 * day)
		if k := c.Keys[c.current(at)]; s.w.exposed[c] || at.Before(k.Promoted.Add(3*day)) {
			continue // an old key from elsewhere looks like nothing harmless
		}
		s.w.exposed[c] = true
		p := c.Consumer
		p.moves, p.moved, p.episode = at, network(s.r), s.id
		return
	}
}
