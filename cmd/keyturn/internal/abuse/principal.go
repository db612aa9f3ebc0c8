package abuse

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"example.com/keyturn/shared/detect"
)

// Role is what kind of caller a principal is; it decides when and how it works.
type Role int

// The roles.
const (
	Person       Role = iota
	Pipeline          // continuous integration and Terraform
	Workload          // a service that signs in with a key that keyturn manages
	ServiceAgent      // one of Google's own
	Controller        // of Kubernetes
	Rotator           // keyturn itself
	Scanner           // a posture tool of the organisation
)

// Project is a project of the organisation.
type Project struct {
	ID     string
	Number int // Secret Manager names resources by it
}

// Principal is a caller.
type Principal struct {
	Role     Role
	Email    string
	Subject  string
	Agent    string   // user agent
	Places   []string // addresses that it calls from
	Projects []*Project
	Habits   []detect.Entry // what it does and may do, most often first
	Key      string         // full name of a user-managed key that nobody rotates; "" without one
	Chain    []string       // whom it impersonates others through

	credential *Credential // of a Workload
	offset     time.Duration
	pace       float64        // how busy, around 1
	since      time.Time      // from when on it works; zero from the beginning
	pause      span           // in which it does nothing but what an episode says
	off        []time.Weekday // on which it does not work
	moves      time.Time      // from when on it calls from other addresses; zero is never
	moved      []string       // those
	episode    int            // that its everyday work belongs to, of one that moves from then on; 0 for none
}

// span is a time from and up to; the zero span is none.
type span struct{ from, to time.Time }

func (s span) has(t time.Time) bool { return !t.Before(s.from) && t.Before(s.to) }

// rests reports whether p does not work on the day of t.
func (p *Principal) rests(t time.Time) bool { return slices.Contains(p.off, t.Weekday()) }

// call is the entry of a call of p that went through, but for time, place and id.
func (p *Principal) call(e Endpoint, project *Project, resource string) detect.Entry {
	log := "activity"
	if e.Read {
		log = "data_access"
	}
	return detect.Entry{
		Audit: true, LogName: logName(project, log), Project: project.ID,
		Service: e.Service, Method: e.Method, Resource: resource,
		Principal: p.Email, PrincipalSubject: p.Subject, KeyName: p.Key, Delegation: p.Chain, UserAgent: p.Agent,
		Permissions: []detect.Permission{{Name: e.Permission, Resource: resource, Granted: true}},
	}
}

func logName(p *Project, log string) string {
	return "projects/" + p.ID + "/logs/cloudaudit.googleapis.com%2F" + log
}

// refused is the call as Google denies and logs it: of a denied read by a person
// it does not tell who called.
func (p *Principal) refused(e Endpoint, project *Project, resource string) detect.Entry {
	entry := p.call(e, project, resource)
	entry.Code = 7
	entry.Message = fmt.Sprintf("Permission '%s' denied on resource '%s' (or it may not exist).", e.Permission, resource)
	entry.Permissions = []detect.Permission{{Name: e.Permission, Resource: resource}}
	if e.Read && p.Role == Person {
		redact(&entry)
	}
	return entry
}

func redact(e *detect.Entry) {
	e.Principal, e.PrincipalSubject, e.KeyName, e.Delegation = "", "", "", nil
}

// place picks one of the addresses, the first most often.
func (p *Principal) place(r *rand.Rand) string {
	return p.Places[zipf(r, len(p.Places))]
}

// placeAt picks one of the addresses of a time.
func (p *Principal) placeAt(r *rand.Rand, t time.Time) string {
	if p.moves.IsZero() || t.Before(p.moves) {
		return p.place(r)
	}
	return p.moved[zipf(r, len(p.moved))]
}

// episodeAt is the episode that its everyday work belongs to at a time.
func (p *Principal) episodeAt(t time.Time) int {
	if t.Before(p.moves) {
		return 0
	}
	return p.episode
}

// zipf picks an index below n, small ones more often.
func zipf(r *rand.Rand, n int) int {
	x := r.Float64()
	return min(int(x*x*x*float64(n)), n-1)
}

// chance is true with probability p.
func chance(r *rand.Rand, p float64) bool { return r.Float64() < p }

// pick returns one of the elements.
func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// between is a duration from low to high.
func between(r *rand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(r.Int64N(int64(high-low)+1))
}
