package abuse

import (
	"slices"
	"time"

	"example.com/keyturn/shared/detect"
)

// brokenRotation is a consumer that is denied what it does every day from when it
// has its new key on, until a grant mends that or, every other time, a rollback.
func brokenRotation(s *scene) {
	c, k := s.leak()
	p := c.Consumer
	began := c.nextRead(k.Superseded)
	lost := s.some(p.Habits)
	p.pause = span{began.Add(time.Second), began.Add(between(s.r, 15*time.Minute, 70*time.Minute))}
	for at := p.pause.from; at.Before(p.pause.to); at = at.Add(between(s.r, 5*time.Second, 3*time.Minute)) {
		s.emit(at, s.signed(p, at, from(deny(pick(s.r, lost)), p.place(s.r), p.Agent)))
	}
	if s.attempt%2 == 0 {
		s.emit(p.pause.to, s.grant(p.Projects[0], "serviceAccount:"+p.Email))
	}
}

// lateDenial is a consumer that has had its new key for an hour and longer, and
// is denied something else: what it never did, or once what it does every day.
func lateDenial(s *scene) {
	c, k := s.leak()
	p := c.Consumer
	at := c.nextRead(k.Superseded).Add(between(s.r, 65*time.Minute, 5*time.Hour))
	denied := deny(pick(s.r, p.Habits))
	if s.attempt%2 == 0 {
		e := s.w.unfamiliar(s.r, p, 0.85)
		denied = p.refused(e, p.Projects[0], e.resource(p.Projects[0], 0))
	}
	for range 1 + s.r.IntN(4) {
		s.emit(at, s.signed(p, at, from(denied, p.place(s.r), p.Agent)))
		at = at.Add(between(s.r, time.Second, time.Minute))
	}
}

// deny is a call that went through, refused.
func deny(e detect.Entry) detect.Entry {
	e.Code, e.Message, e.Permissions = 7, "PERMISSION_DENIED", slices.Clone(e.Permissions)
	for i := range e.Permissions {
		e.Permissions[i].Granted = false
	}
	return e
}

// some are one of the calls and more.
func (s *scene) some(calls []detect.Entry) []detect.Entry {
	var chosen []detect.Entry
	for _, i := range s.r.Perm(len(calls))[:1+s.r.IntN(len(calls))] {
		chosen = append(chosen, calls[i])
	}
	return chosen
}

// nextRead is when the consumer reads its secret next after t.
func (c *Credential) nextRead(t time.Time) time.Time { return c.lastRead(t).Add(c.refresh) }
