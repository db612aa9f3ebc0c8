package sim

import (
	"fmt"
	"strings"

	"cloud.google.com/go/monitoring/apiv3/v2/monitoringpb"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
)

// Violation is a broken invariant of design.md's rotation rules.
type Violation struct {
	Invariant int    `json:"invariant"` // 1 to 10; 0: the world did not end promoted and clean
	Text      string `json:"text"`
}

func (v Violation) String() string { return fmt.Sprintf("invariant %d: %s", v.Invariant, v.Text) }

// judge looks at the world after every remote call, every move of the clock
// and every deed of a person, and checks the invariants. It stops at the first
// violation.
type judge struct {
	world      *world
	violation  *Violation
	looks, at  int               // looks so far; at which one the violation was seen
	makers     map[string]maker  // by key id
	identities map[string]string // key id by what tells a payload's key
	known      map[string]bool   // the keys among identities
	twins      map[string]string // id of an earlier key of the same pair, by key id
	held       map[place]string  // key id by version, of payloads seen before
	secrets    []string          // parts of secret material that must not be heard
}

// maker is who made a key.
type maker struct {
	credential *credential // whose key it is; nil of foreign ones
	function   bool        // keyturn made it
	number     int         // of all keys, in the order in which they came up
}

// made notes who made a key.
func (j *judge) made(id string, m maker) {
	m.number = len(j.makers)
	j.makers[id] = m
}

// place is one version of one secret.
type place struct {
	secret string
	number int
}

// cause is what a change that the judge sees comes from.
type cause struct {
	actor  *actor // whose call it was
	call   call
	person bool
	clock  bool
}

// broken notes a violation. Only those of the first look count, and of these the
// one that comes first by its text, so that the same seed says the same.
func (j *judge) broken(invariant int, format string, args ...any) {
	v := Violation{invariant, j.world.trace.plain(fmt.Sprintf(format, args...))}
	switch {
	case j.violation == nil:
		j.violation, j.at = &v, j.looks
		j.world.trace.note("VIOLATION")
	case j.at == j.looks && v.String() < j.violation.String():
		j.violation = &v
	}
}

// maxCalls is more than any turn needs: one that makes more waits for something.
const maxCalls = 150

// after judges a call that was carried out.
func (j *judge) after(a *actor, c call, err error) {
	if a.calls > maxCalls {
		j.broken(10, "%s made %d remote calls for one message", a.name, a.calls)
	}
	if answer, ok := c.reply.(*monitoringpb.ListTimeSeriesResponse); ok && err == nil {
		j.world.credentialOf(a).lookedAt(j.world.clock.Now(), answer)
	}
	if add, ok := c.req.(*secretmanagerpb.AddSecretVersionRequest); ok && err == nil {
		j.learnSecret(string(add.GetPayload().GetData()))
	}
	j.look(cause{actor: a, call: c})
}

// look sees how every credential stands now and judges what has changed.
func (j *judge) look(by cause) {
	j.looks++
	for _, c := range j.world.credentials {
		old := c.sight
		c.sight = j.world.see(c)
		j.provenance(c, by)
		j.handedOut(c)
		j.promised(c)
		if !j.world.calmSince.IsZero() {
			j.broughtBack(c)
		}
		if by.actor != nil {
			j.takenAway(c, old, by)
			j.doneTwice(c, old, by)
			j.whilePaused(c, old, by)
		}
		j.remember(c, old, by)
	}
}

// learn remembers a key by what tells it.
func (j *judge) learn(id string, identity func() string) {
	if j.known[id] {
		return
	}
	if j.identities == nil {
		j.identities, j.known, j.twins = map[string]string{}, map[string]bool{}, map[string]string{}
	}
	same := identity()
	if other, twice := j.identities[same]; twice {
		j.twins[id] = other
	}
	j.identities[same], j.known[id] = id, true
}

// keyIn is the id of the key that a version holds.
func (j *judge) keyIn(c *credential, number int, payload []byte) string {
	if payload == nil {
		return ""
	}
	at := place{c.secret, number}
	if id, ok := j.held[at]; ok {
		return id
	}
	if j.held == nil {
		j.held = map[place]string{}
	}
	id := j.identities[identity(c.kind, payload)]
	j.held[at] = id
	j.learnSecret(string(payload))
	return id
}

// learnSecret remembers the telling part of a payload.
func (j *judge) learnSecret(payload string) {
	secret := payload
	if _, body, ok := strings.Cut(payload, "PRIVATE KEY-----"); ok && len(body) > 400 {
		secret = body[298:328] // within one line, and past the public half
	}
	j.secrets = append(j.secrets, secret)
}

// heard searches what the function let out for secrets.
func (j *judge) heard(where, text string) {
	if strings.Contains(text, "PRIVATE KEY") || strings.Contains(text, "ya29.") {
		j.broken(8, "secret material in a %s", where)
	}
	for _, s := range j.secrets {
		if strings.Contains(text, s) {
			j.broken(8, "secret material in a %s", where)
		}
	}
}

// Write takes a line of the function's log.
func (j *judge) Write(line []byte) (int, error) {
	j.heard("log line", string(line))
	return len(line), nil
}
