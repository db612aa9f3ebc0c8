package abuse

import (
	"math/rand/v2"
	"time"

	"example.com/keyturn/shared/detect"
)

// Episode is one thing that happens beside everyday work.
type Episode struct {
	Kind    string
	Attack  bool      // whether it is to be told: an attack or, where As says so, trouble
	As      string    // the only detector that it is to be told by; "" is any
	Silent  string    // the log or secret of which nothing is heard any more; "" is none
	First   time.Time // of its entries, or of the silence; zero if none is its own
	Entries int       // not counting what a principal's everyday work adds
}

// toldBy reports whether a detector's alert about the episode is right. Other
// people's rules do not say what they take it for: theirs are.
func (e Episode) toldBy(detector string) bool {
	return e.Attack && (e.As == "" || detector == "" || detector == e.As)
}

// kind is one sort of episode. A new one is a function, and a row in kinds.
type kind struct {
	name   string
	attack bool
	times  int // in each world
	play   func(*scene)
	as     string // see Episode
}

var kinds = []kind{
	{"fast-probe", true, 6, fastProbe, ""},
	{"slow-probe", true, 6, slowProbe, ""},
	{"redacted-minting", true, 6, redactedMinting, ""},
	{"stolen-old-key", true, 6, stolenOldKey, ""},
	{"retired-key", true, 6, retiredKey, ""},
	{"foreign-key", true, 6, foreignKey, ""},
	{"failure-success", true, 6, failureThenSuccess, ""},
	{"mass-secret-read", true, 6, massSecretRead, ""},
	{"permission-sweep", true, 6, permissionSweep, ""},

	{"retried-grant", false, 8, retriedGrant, ""},
	{"patch-loop", false, 6, patchLoop, ""},
	{"service-agents", false, 6, deniedServiceAgent, ""},
	{"narrowed-run", false, 6, narrowedRun, ""},
	{"vpcsc-burst", false, 6, perimeterBurst, ""},
	{"code-2-denials", false, 6, deniedPulls, ""},
	{"org-policy", false, 6, organisationPolicy, ""},
	{"old-key-in-use", false, 8, oldKeyInUse, ""},
	{"new-project", false, 5, newProject, ""},
	{"new-employee", false, 3, newEmployee, ""},
	{"own-scanner", false, 2, ownScanner, ""},
	{"late-batch", false, 5, lateBatch, ""},
	{"unmanaged-key", false, 4, unmanagedKey, ""},

	{"denied-exchange", true, 6, deniedExchange, ""},
	{"foreign-version", true, 6, foreignVersion, ""},
	{"foreign-hmac", true, 6, foreignHMAC, ""},
	{"foreign-api-key", true, 6, foreignAPIKey, ""},
	{"broken-rotation", true, 6, brokenRotation, detect.BrokenRotation},
	{"silent-log", true, 4, silentLog, detect.Silence},
	{"silent-key", true, 4, silentKey, detect.Silence},

	{"failed-exchange", false, 5, failedExchange, ""},
	{"unmanaged-api-key", false, 3, unmanagedAPIKey, ""},
	{"late-denial", false, 6, lateDenial, ""},
	{"weekend-job", false, 4, weekendJob, ""},
	{"moved-consumer", false, 4, movedConsumer, ""},
}

// scene is where one episode plays.
type scene struct {
	w       *World
	r       *rand.Rand
	attempt int // which episode of its kind in this world, from 0 on
	id      int // of the episode
	late    time.Duration
}

// stage plays all episodes.
func (w *World) stage() {
	for i, k := range kinds {
		for n := range k.times {
			w.Episodes = append(w.Episodes, Episode{Kind: k.name, Attack: k.attack, As: k.as})
			k.play(&scene{w: w, r: w.rand(uint64(10_000_000 + 1000*i + n)), attempt: n, id: len(w.Episodes) - 1})
		}
	}
}

// emit adds an entry of the episode at a time; what would be after the end of
// the world is left out.
func (s *scene) emit(at time.Time, e detect.Entry) {
	if !at.Before(Start.Add(Days * day)) {
		return
	}
	e.Time = at
	ep := &s.w.Episodes[s.id]
	if ep.First.IsZero() || at.Before(ep.First) {
		ep.First = at
	}
	ep.Entries++
	n := int(at.Sub(Start) / day)
	s.w.scripted[n] = append(s.w.scripted[n], deliver(s.r, e, s.id, s.late)...)
}

// anytime is a moment at which an episode of the given length can begin: an
// attack after the warm-up, anything else from the first day on.
func (s *scene) anytime(length time.Duration) time.Time {
	low := Start
	if s.w.Episodes[s.id].Attack {
		low = low.Add(warmUp)
	}
	return low.Add(between(s.r, 0, Start.Add(Days*day).Sub(low)-length))
}

// atWork is such a moment when p is at work.
func (s *scene) atWork(p *Principal, length time.Duration) time.Time {
	for {
		if at := s.anytime(length); chance(s.r, p.workHours(at)) {
			return at
		}
	}
}

// victim picks a principal of a role, if there is one that no other episode has.
func (s *scene) victim(role Role) *Principal {
	all := s.w.of(role)
	p := all[0]
	for _, i := range s.r.Perm(len(all)) {
		if p = all[i]; !s.w.taken[p] {
			break
		}
	}
	s.w.taken[p] = true
	return p
}

// thief is where an attacker calls from, and with what.
func (s *scene) thief() (address, agent string) {
	return anyAddress(s.r), pick(s.r, []string{
		"google-cloud-sdk gcloud/549.0.0 command/gcloud.invocation,gzip(gfe)", "python-requests/2.32.5,gzip(gfe)",
		"google-api-python-client/2.184.0 (gzip),gzip(gfe)", "Go-http-client/2.0,gzip(gfe)",
	})
}

// from places an entry.
func from(e detect.Entry, address, agent string) detect.Entry {
	e.CallerIP, e.UserAgent = address, agent
	return e
}

// shuffled are all endpoints that p may not use, in any order.
func (s *scene) shuffled(p *Principal) []Endpoint {
	var all []Endpoint
	for _, i := range s.r.Perm(len(s.w.catalogue)) {
		if e := s.w.catalogue[i]; !p.may(e.Permission) {
			all = append(all, e)
		}
	}
	return all
}
