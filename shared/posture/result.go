package posture

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/inventory"
)

// Status is what a check came to.
type Status string

// The statuses, worst first.
const (
	Fail    Status = "fail"
	Unknown Status = "unknown" // something could not be read
	Pass    Status = "pass"
)

var statuses = []Status{Fail, Unknown, Pass}

// Result is what a check came to for one resource. Its texts may hold names that
// others chose: print them escaped.
type Result struct {
	ID         string          `json:"id"`    // of check, resource and subject: the same each time
	Check      string          `json:"check"` // id of the check
	CIS        string          `json:"cis,omitempty"`
	Status     Status          `json:"status"`
	Severity   detect.Severity `json:"severity"`             // of a failure
	Project    string          `json:"project,omitempty"`    // empty if it is about the scope as a whole
	Resource   string          `json:"resource"`             // full resource name, without the leading //service/
	Subject    string          `json:"subject,omitempty"`    // which part of the resource, such as a role and a member; empty is all
	Credential string          `json:"credential,omitempty"` // projects/P/secrets/S: keyturn's, where it is about one
	Reason     string          `json:"reason"`
	Evidence   []Evidence      `json:"evidence"`
	Fix        string          `json:"fix,omitempty"`        // of a failure: the command, of which what is in CAPITALS is to be filled in; empty where Next says why there is none
	Permission string          `json:"permission,omitempty"` // of unknown: what reading it takes, if that is what is missing
	Next       string          `json:"next,omitempty"`       // what to do where there is no command: of unknown, so that it is known
	Change     Change          `json:"change,omitempty"`     // since the last time; empty if nothing is known of that
	Failing    time.Time       `json:"failing_since,omitzero"`
}

// Evidence is something that was read.
type Evidence struct {
	Resource string    `json:"resource"`
	Read     string    `json:"read"`  // method of Google's API that told it
	Shows    string    `json:"shows"` // what it told
	At       time.Time `json:"at"`    // when: policy time
}

// identify makes the id of a result.
func identify(check, resource, subject string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", check, resource, subject))
	return hex.EncodeToString(sum[:12])
}

// judge collects the results of one check.
type judge struct {
	check    *Check
	config   Config
	now      time.Time
	results  []Result
	findings int             // results of the project at hand
	gaps     map[string]bool // that are told, by id
	last     State
	idle     map[string]time.Time // as State has it
}

// project is all that was read of one.
type project struct {
	*inventory.Project
	more  Project
	at    time.Time // when its inventory was read
	items []inventory.Item

	registered map[string]*inventory.Credential // by secret, of all projects
	unsure     *inventory.Gap                   // why some of those may be missing; nil if they are not
}

func (p *project) name() string { return "projects/" + p.ID }

// saw is evidence from the inventory.
func (p *project) saw(part inventory.Part, resource, format string, args ...any) []Evidence {
	return []Evidence{{Resource: resource, Read: accesses[part].method, Shows: fmt.Sprintf(format, args...), At: p.at}}
}

// shown is evidence from what is read besides.
func shown(part inventory.Part, resource string, at time.Time, format string, args ...any) []Evidence {
	return []Evidence{{Resource: resource, Read: accesses[part].method, Shows: fmt.Sprintf(format, args...), At: at}}
}

func (j *judge) add(r Result) {
	r.Check, r.CIS, r.Severity = j.check.ID, j.check.CIS, j.check.Severity
	r.ID = identify(r.Check, r.Resource, r.Subject)
	if r.Evidence == nil {
		r.Evidence = []Evidence{}
	}
	j.results = append(j.results, r)
	j.findings++
}

// unknown notes that something could not be read.
func (j *judge) unknown(project string, g inventory.Gap) {
	r := Result{Status: Unknown, Project: project, Resource: g.Of, Subject: string(g.Part), Reason: fmt.Sprintf("%s could not be read: %s", g.Part, g.Detail), Next: g.Next}
	if g.Cause == inventory.NoPermission {
		r.Permission = accesses[g.Part].permission
	}
	if id := identify(j.check.ID, r.Resource, r.Subject); !j.gaps[id] {
		j.gaps[id] = true
		j.add(r)
	}
}

// lacks notes all gaps of a part, or of what is within a resource if one is given,
// and reports whether there are any.
func (j *judge) lacks(p *project, part inventory.Part, of string) bool {
	found := false
	for _, g := range p.Gaps {
		if g.Part == part && (of == "" || g.Of == of || g.Of == p.name()) {
			j.unknown(p.ID, g)
			found = true
		}
	}
	return found
}

// lacksAny notes the gap of something that is read besides, or that it was not
// read at all, and reports whether there is one.
func (j *judge) lacksAny(p *project, part inventory.Part, of string, g *inventory.Gap, at time.Time) bool {
	switch {
	case g != nil:
		j.unknown(p.ID, *g)
	case at.IsZero():
		j.unknown(p.ID, inventory.Gap{Part: part, Of: of, Cause: inventory.Failed, Detail: "it was not asked for"})
	default:
		return false
	}
	return true
}

// none passes a project in which there is nothing to look at.
func (j *judge) none(p *project, part inventory.Part, what string) {
	if j.findings == 0 {
		j.add(Result{Status: Pass, Project: p.ID, Resource: p.name(), Reason: "there are no " + what, Evidence: p.saw(part, p.name(), "no %s", what)})
	}
}
