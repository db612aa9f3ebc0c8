package abuse

import (
	"fmt"
	"time"

	"example.com/keyturn/shared/detect"
)

// deniedExchange is somebody with a token from outside that Google's token service
// refuses at one pool's provider after the other; every other time one pool lets
// it in, and one account after the other does not.
func deniedExchange(s *scene) {
	at := s.anytime(2 * time.Hour)
	ip, agent := s.thief()
	outsider := &Principal{Role: Pipeline, Subject: identity(pick(s.r, s.w.projects), "ci", "subject/repo:example/stolen")}
	accounts, order := s.w.accounts(), s.r.Perm(len(s.w.projects))
	longest := between(s.r, 2*time.Second, 5*time.Minute)
	if s.attempt%2 == 1 {
		s.emit(at, from(outsider.exchange(s.w.projects[order[0]], "ci", 0), ip, agent))
	}
	for _, n := range order[:6+s.r.IntN(6)] {
		at = at.Add(between(s.r, time.Second, longest))
		if s.attempt%2 == 0 {
			s.emit(at, from(outsider.exchange(s.w.projects[n], "ci", 7), ip, agent))
			continue
		}
		account := accounts[s.r.IntN(len(accounts))]
		e := outsider.denyToken(account)
		e.PrincipalSubject = outsider.Subject
		s.emit(at, from(e, ip, agent))
	}
}

// failedExchange is a build whose token one provider refuses, until somebody
// mends the provider's condition.
func failedExchange(s *scene) {
	p := s.victim(Pipeline)
	at := s.anytime(2 * time.Hour)
	for range 20 + s.r.IntN(40) {
		s.emit(at, from(p.exchange(p.Projects[s.r.IntN(len(p.Projects))], "builds", 7), p.place(s.r), "google-auth/2.40 (gl-node/22)"))
		at = at.Add(between(s.r, 10*time.Second, 3*time.Minute))
	}
}

// exchange is a token of a pool's for one from outside. Who asked for it is told
// only if it was given.
func (p *Principal) exchange(project *Project, pool string, code int32) detect.Entry {
	e := p.call(exchangeToken, project, fmt.Sprintf("projects/%d/locations/global/workloadIdentityPools/%s/providers/oidc", project.Number, pool))
	e.Principal, e.KeyName, e.Delegation = "", "", nil
	if code != 0 {
		redact(&e)
		e.Code, e.Message, e.Permissions[0].Granted = code, "The given credential is rejected by the attribute condition.", false
	}
	return e
}

// identity is how Google names somebody of a pool.
func identity(p *Project, pool, subject string) string {
	return fmt.Sprintf("principal://iam.googleapis.com/projects/%d/locations/global/workloadIdentityPools/%s/%s", p.Number, pool, subject)
}
