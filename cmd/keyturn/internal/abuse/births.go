package abuse

import (
	"fmt"
	"strings"

	"example.com/keyturn/shared/detect"
)

// maker is who makes something past the rotator: a person, a pipeline, or
// somebody with keyturn's own account.
func (s *scene) maker() *Principal {
	if s.attempt%3 == 2 {
		return s.w.of(Rotator)[0]
	}
	return s.victim([]Role{Person, Pipeline}[s.attempt%3])
}

// born is the making of something that is named so.
func born(p *Principal, e Endpoint, project *Project, resource, name string) detect.Entry {
	made := p.call(e, project, resource)
	made.Born = name
	return made
}

// foreignVersion is a version of a managed secret that the rotator did not add:
// its consumers will sign in with whatever is in it.
func foreignVersion(s *scene) {
	c := pick(s.r, s.w.Credentials)
	ip, agent := s.thief()
	e := born(s.maker(), addVersion, c.Project, fmt.Sprintf("projects/%d/secrets/%s", c.Project.Number, c.id()), c.versionName(fmt.Sprint(100+s.attempt)))
	s.emit(s.anytime(4*day), from(e, ip, agent))
}

// foreignHMAC is an HMAC key of a managed account, with which Cloud Storage can
// be read from anywhere, whatever becomes of the account's other keys.
func foreignHMAC(s *scene) {
	c := pick(s.r, s.w.Credentials)
	ip, agent := s.thief()
	e := born(s.victim([]Role{Person, Pipeline}[s.attempt%2]), createHMAC, c.Project, "projects/"+c.Project.ID, "GOOG1E"+strings.ToUpper(keyID(s.r)))
	e.Account = c.Consumer.Email
	s.emit(s.anytime(4*day), from(e, ip, agent))
}

// foreignAPIKey is an API key in a project whose API keys the rotator makes.
func foreignAPIKey(s *scene) {
	ip, agent := s.thief()
	project := pick(s.r, s.w.APIKeys).Project
	s.emit(s.anytime(4*day), from(s.apiKey(s.maker(), project), ip, agent))
}

func (s *scene) apiKey(p *Principal, project *Project) detect.Entry {
	return born(p, createAPIKey, project, fmt.Sprintf("projects/%d", project.Number), fmt.Sprintf("projects/%d/locations/global/keys/%s", project.Number, keyID(s.r)))
}

// unmanagedAPIKey is an API key in a project in which keyturn manages none, made
// by somebody who may.
func unmanagedAPIKey(s *scene) {
	p := s.victim(Person)
	project := s.w.projects[len(s.w.APIKeys)+s.r.IntN(len(s.w.projects)-len(s.w.APIKeys))]
	s.emit(s.atWork(p, day), from(s.apiKey(p, project), p.place(s.r), p.Agent))
}
