package abuse

import (
	"fmt"
	"time"

	"example.com/keyturn/shared/detect"
)

// intruder picks whose credential was stolen before a time: in two of three
// cases a service account's, with its key or just a token of it, and else a
// person's.
func (s *scene) intruder(at time.Time) *Principal {
	stolen := *s.victim([]Role{Workload, Pipeline, Person}[s.attempt%3])
	if c := stolen.credential; c != nil && s.attempt%2 == 0 {
		stolen.Key = c.Keys[c.current(at)].Name
	}
	stolen.Chain = nil
	return &stolen
}

// probe has 500 endpoints refuse the intruder, one after each pause.
func (s *scene) probe(length, shortest, longest time.Duration) {
	at := s.anytime(length)
	p := s.intruder(at)
	ip, agent := s.thief()
	project := pick(s.r, p.Projects)
	for _, e := range s.shuffled(p)[:500] {
		s.emit(at, from(p.refused(e, project, e.resource(project, 0)), ip, agent))
		at = at.Add(between(s.r, shortest, longest))
	}
}

// fastProbe asks 500 endpoints, as Stratus Red Team's enumeration does.
func fastProbe(s *scene) { s.probe(time.Hour, 300*time.Millisecond, 3*time.Second) }

// slowProbe is the same at five an hour.
func slowProbe(s *scene) { s.probe(4*day+6*time.Hour, 6*time.Minute, 18*time.Minute) }

// redactedMinting is refused tokens of thirty and more accounts, and Google does
// not tell to whom.
func redactedMinting(s *scene) {
	ip, agent := s.thief()
	p := s.victim(Person)
	at := s.anytime(2 * time.Hour)
	accounts := s.w.accounts()
	longest := between(s.r, 2*time.Second, 2*time.Minute)
	for _, i := range s.r.Perm(len(accounts))[:30+s.r.IntN(15)] {
		s.emit(at, from(p.denyToken(accounts[i]), ip, agent))
		at = at.Add(between(s.r, time.Second, longest))
	}
}

// denyToken is a refused token of another account.
func (p *Principal) denyToken(account *Principal) detect.Entry {
	e := p.refused(mintToken, account.Projects[0], fmt.Sprintf("projects/-/serviceAccounts/%s", account.Email))
	redact(&e)
	e.Account = account.Email
	return e
}

// accounts are the service accounts of the organisation.
func (w *World) accounts() []*Principal { return append(w.of(Pipeline), w.of(Workload)...) }

// leak picks a credential and a key of it that was superseded after the warm-up.
func (s *scene) leak() (*Credential, Key) {
	for {
		c := pick(s.r, s.w.Credentials)
		if s.w.exposed[c] {
			continue
		}
		for _, k := range c.Keys {
			if k.Superseded.After(Start.Add(warmUp)) && k.Superseded.Before(Start.Add((Days-4)*day)) {
				s.w.exposed[c] = true
				return c, k
			}
		}
	}
}

// misuse is some calls with a stolen key, mostly ones that go through.
func (s *scene) misuse(p *Principal, key string, at time.Time, calls int) {
	ip, agent := s.thief()
	for range calls {
		e := pick(s.r, p.Habits)
		if chance(s.r, 0.1) {
			u := s.w.unfamiliar(s.r, p, 0.8)
			e = p.refused(u, p.Projects[0], u.resource(p.Projects[0], 0))
		}
		e.KeyName = key
		s.emit(at, from(e, ip, agent))
		at = at.Add(between(s.r, time.Second, 5*time.Minute))
	}
}

// stolenOldKey is the old key's use from elsewhere while it still works.
func stolenOldKey(s *scene) {
	c, k := s.leak()
	s.misuse(c.Consumer, k.Name, k.Superseded.Add(between(s.r, 2*time.Hour, 20*time.Hour)), 5+s.r.IntN(30))
}

// retiredKey is the use of a key that was disabled, or deleted, long ago.
func retiredKey(s *scene) {
	c, k := s.leak()
	longest := min(9*day, Start.Add(Days*day-time.Hour).Sub(k.Disabled))
	s.misuse(c.Consumer, k.Name, k.Disabled.Add(between(s.r, 3*time.Hour, longest)), 1+s.r.IntN(10))
}

// foreignKey is a key of a managed account that keyturn did not make: made by a
// person, by another service account, with keyturn's own, or uploaded. It is
// used the same day.
func foreignKey(s *scene) {
	c, _ := s.leak()
	maker := []*Principal{s.victim(Person), s.victim(Pipeline), s.w.of(Rotator)[0]}[s.attempt%3]
	endpoint := createKey
	if s.attempt == 4 {
		endpoint = uploadKey
	}
	at := s.anytime(day)
	e := maker.call(endpoint, c.Project, "projects/-/serviceAccounts/"+c.Consumer.Email)
	name := keyName(c.Consumer.Email, keyID(s.r))
	e.Account, e.Born = c.Consumer.Email, Key{Name: name}.born()
	ip, agent := s.thief()
	s.emit(at, from(e, ip, agent))
	s.misuse(c.Consumer, name, at.Add(between(s.r, 10*time.Minute, 10*time.Hour)), 5+s.r.IntN(20))
}

// failureThenSuccess is one permission that is refused on fifteen things and
// granted on the sixteenth, which nobody had granted meanwhile: secrets, buckets,
// or tokens of accounts.
func failureThenSuccess(s *scene) {
	at := s.anytime(2 * time.Hour)
	p := s.intruder(at)
	ip, agent := s.thief()
	project := pick(s.r, p.Projects)
	accounts := s.w.accounts()
	order := s.r.Perm(len(accounts))
	objects := Endpoint{"storage.googleapis.com", "storage.objects.get", "storage.objects.get", "objects", true}
	try := func(n int, refused bool) detect.Entry {
		how := p.call
		if refused {
			how = p.refused
		}
		switch (s.attempt + s.attempt/3) % 3 {
		case 0:
			return how(accessSecret, project, fmt.Sprintf("projects/%d/secrets/app-%d/versions/latest", project.Number, n))
		case 1:
			return how(objects, project, fmt.Sprintf("projects/_/buckets/%s-backup-%d/objects/dump.sql", project.ID, n))
		}
		account := accounts[order[n]]
		e := how(mintToken, account.Projects[0], "projects/-/serviceAccounts/"+account.Email)
		e.Account = account.Email
		return e
	}
	for n := range 16 {
		s.emit(at, from(try(n, n < 15), ip, agent))
		at = at.Add(between(s.r, 2*time.Second, 3*time.Minute))
	}
}

// massSecretRead lists the secrets of a project and reads all of them, every
// other time from where the victim itself works.
func massSecretRead(s *scene) {
	at := s.anytime(2 * time.Hour)
	p := s.intruder(at)
	ip, agent := s.thief()
	if s.attempt%2 == 0 {
		ip, agent = p.place(s.r), p.Agent
	}
	project := pick(s.r, p.Projects)
	s.emit(at, from(p.call(listSecrets, project, "projects/"+project.ID), ip, agent))
	longest := between(s.r, 2*time.Second, 40*time.Second)
	for n := range 25 + s.r.IntN(35) {
		at = at.Add(between(s.r, 200*time.Millisecond, longest))
		s.emit(at, from(p.call(accessSecret, project, fmt.Sprintf("projects/%d/secrets/app-%d/versions/latest", project.Number, n)), ip, agent))
	}
}

// permissionSweep asks testIamPermissions about everything, a hundred a call.
func permissionSweep(s *scene) {
	at := s.anytime(time.Hour)
	p := s.intruder(at)
	ip, agent := s.thief()
	project := pick(s.r, p.Projects)
	order := s.r.Perm(len(s.w.catalogue))
	for len(order) > 0 {
		e := p.call(testPermission, project, "projects/"+project.ID)
		n := min(len(order), 100)
		for _, i := range order[:n] {
			e.Tested = append(e.Tested, s.w.catalogue[i].Permission)
		}
		order = order[n:]
		s.emit(at, from(e, ip, agent))
		at = at.Add(between(s.r, time.Second, time.Minute))
	}
}
