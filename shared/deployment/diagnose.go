package deployment

import "slices"

// Wanted is what a deployment at a site ought to be, beyond what is the same for all.
type Wanted struct {
	Site
	Jobs   []Job  // of scheduler.yaml
	Filter string // of the log sink
	// Endpoint is that of the embedded Google Cloud the site is in; empty is Google's own.
	Endpoint string
}

// Kind says what sort of problem it is.
type Kind string

// The kinds.
const (
	Broken    Kind = "broken"    // something does not work, or will not when it is needed
	Exposed   Kind = "exposed"   // somebody may do what he need not, or is not watched
	Unchecked Kind = "unchecked" // something could not be looked at, and may be right or wrong
)

// Problem is one thing that is wrong, and how to mend it.
type Problem struct {
	Check       string    `json:"check"` // one of Checks
	Kind        Kind      `json:"kind"`
	About       string    `json:"about"`             // full name of what it is about, or a word for it
	Problem     string    `json:"problem"`           // what is wrong
	Consequence string    `json:"consequence"`       // what comes of it
	Fix         []string  `json:"fix"`               // commands for a shell, in order
	Follows     []Problem `json:"follows,omitempty"` // what is wrong because of this and may mend itself with it, or has the same fix

	keys  []string // what is missing because of it
	needs []string // what it makes no sense to mend before
}

// Diagnose compares what was observed with what is wanted. What to mend first comes
// first; what follows from another problem stands under that.
func Diagnose(w Wanted, o Observed) []Problem {
	e := examination{Wanted: w, Observed: o}
	for _, stop := range []func() []Problem{e.caller, e.project} {
		if found := stop(); len(found) > 0 {
			return found // nothing else could be looked at
		}
	}
	e.grants = e.wantedGrants()
	var all []Problem
	for _, check := range []func() []Problem{
		e.ownKeys, e.clock, e.apis, e.public, e.accounts, e.seals, e.topics, e.functions, e.missing, e.subscriptions, e.sink, e.auditLogs,
		e.jobs, e.credentials, e.strangers, e.superfluous, e.broadRoles, e.deletedMembers, e.quotas, e.unread,
	} {
		all = append(all, check()...)
	}
	return fold(all)
}

// examination is one run of Diagnose.
type examination struct {
	Wanted
	Observed
	grants []Grant // of the site, expanded
}

// fold puts what follows from a problem under it, and what the same commands mend.
func fold(all []Problem) []Problem {
	var roots []Problem
	cause := map[string]int{} // which root is to blame that something is missing
	for _, p := range all {
		root := slices.IndexFunc(roots, func(r Problem) bool { return len(p.Fix) > 0 && slices.Equal(r.Fix, p.Fix) })
		if at := slices.IndexFunc(p.needs, func(key string) bool { _, ok := cause[key]; return ok }); at >= 0 {
			root = cause[p.needs[at]]
		}
		if root >= 0 {
			roots[root].Follows = append(roots[root].Follows, p)
		} else {
			root = len(roots)
			roots = append(roots, p)
		}
		for _, key := range p.keys {
			if _, known := cause[key]; !known {
				cause[key] = root
			}
		}
	}
	return roots
}

// wantedGrants are the grants of the table and those that go by what was found: of
// Pub/Sub's agent on each subscription, of the sink's writer, and of the alert
// function on the secret that holds alerts.yaml.
func (e examination) wantedGrants() []Grant {
	var writer string
	if sink := e.Sink.Value; sink != nil {
		writer = sink.Writer
	}
	var subscriptions []string
	for _, s := range e.Subscriptions.Value {
		if e.feeds(s) != "" {
			subscriptions = append(subscriptions, s.Name)
		}
	}
	all := append(e.Granted(writer, subscriptions), e.Federated()...)
	if name := e.alertsSecret(); name != "" {
		all = append(all, e.alertsGrant(name))
	}
	return all
}

// wrong is a problem; the rest of it is filled in by those who found it.
func wrong(kind Kind, check, about, problem, consequence string, fix ...string) Problem {
	return Problem{Check: check, Kind: kind, About: about, Problem: problem, Consequence: consequence, Fix: fix}
}

func (p Problem) provides(keys ...string) Problem {
	p.keys = append(p.keys, keys...)
	return p
}

func (p Problem) after(keys ...string) Problem {
	p.needs = append(p.needs, keys...)
	return p
}
