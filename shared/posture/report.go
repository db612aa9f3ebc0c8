package posture

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/inventory"
)

// Report is what all checks came to.
type Report struct {
	At      time.Time `json:"at"`    // policy time of the reading
	Scope   string    `json:"scope"` // projects/P, folders/N or organizations/N
	Status  Status    `json:"status"`
	Checks  []Summary `json:"checks"`
	Results []Result  `json:"results"`         // failures first
	Since   time.Time `json:"since,omitzero"`  // of the report that this one is compared with; zero is none
	Fixed   []Failure `json:"fixed,omitempty"` // what failed then, and does not any more
}

// Summary is a check in a report.
type Summary struct {
	Check    string          `json:"check"`
	CIS      string          `json:"cis,omitempty"`
	Title    string          `json:"title"`
	Severity detect.Severity `json:"severity"`
	Status   Status          `json:"status"` // the worst of its results
	Fail     int             `json:"fail"`
	Unknown  int             `json:"unknown"`
	Pass     int             `json:"pass"`
}

// Evaluate judges a snapshot, tells what changed since the report that left last, and
// returns what is to be kept for the next. A check that was not asked for is left out.
// The state of another scope or world, a later one, and the zero State, are compared
// with nothing.
func Evaluate(s Snapshot, c Config, last State) (Report, State) {
	last = last.before(s)
	idle := map[string]time.Time{}
	r := Report{At: s.Inventory.At, Scope: s.Inventory.Scope, Status: Pass, Checks: []Summary{}, Results: []Result{}}
	projects := s.projects()
	for _, check := range Checks() {
		j := judge{check: &check, config: c, now: s.Inventory.At, gaps: map[string]bool{}, last: last, idle: idle}
		for i := range projects {
			j.findings = 0
			check.run(&j, &projects[i])
		}
		if len(j.results) == 0 && !check.asked(c) {
			continue
		}
		for _, g := range s.Inventory.Gaps {
			j.unknown("", g)
		}
		summary := summarise(check, j.results)
		r.Checks = append(r.Checks, summary)
		r.Results = append(r.Results, j.results...)
		r.Status = worse(r.Status, summary.Status)
	}
	slices.SortStableFunc(r.Results, worseFirst)
	next := r.compare(last)
	next.Idle = idle
	return r, next
}

// asked reports whether a check is to be in a report.
func (c Check) asked(config Config) bool { return c.ID != "secret-without-cmek" || config.RequireCMEK }

// projects are those of the scope, with their credentials.
func (s *Snapshot) projects() []project {
	items := map[string][]inventory.Item{}
	for _, i := range inventory.Classify(s.Inventory) {
		items[i.Project] = append(items[i.Project], i)
	}
	registered, unsure := s.registered()
	var all []project
	for i := range s.Inventory.Projects {
		if p := &s.Inventory.Projects[i]; !p.Outside {
			all = append(all, project{Project: p, more: s.Projects[p.ID], at: s.Inventory.At, items: items[p.ID], registered: registered, unsure: unsure})
		}
	}
	return all
}

// registered are keyturn's credentials by their secrets, and why some may be missing.
func (s *Snapshot) registered() (all map[string]*inventory.Credential, unsure *inventory.Gap) {
	all = map[string]*inventory.Credential{}
	for i := range s.Inventory.Projects {
		p := &s.Inventory.Projects[i]
		for _, secret := range p.Secrets {
			if secret.Credential != nil {
				all[secret.Name] = secret.Credential
			}
		}
		for _, g := range p.Gaps {
			if g.Part == inventory.Secrets && g.Cause != inventory.APIDisabled {
				unsure = &g
			}
		}
	}
	return all, unsure
}

func summarise(c Check, results []Result) Summary {
	s := Summary{Check: c.ID, CIS: c.CIS, Title: c.Title, Severity: c.Severity, Status: Pass}
	for _, r := range results {
		switch s.Status = worse(s.Status, r.Status); r.Status {
		case Fail:
			s.Fail++
		case Unknown:
			s.Unknown++
		default:
			s.Pass++
		}
	}
	if len(results) == 0 {
		s.Status = Unknown // there was nothing to look at, not even a project
	}
	return s
}

func worse(a, b Status) Status {
	if slices.Index(statuses, b) < slices.Index(statuses, a) {
		return b
	}
	return a
}

// worseFirst is by status, then the severest check first, each check's results
// together.
func worseFirst(a, b Result) int {
	return cmp.Or(
		cmp.Compare(slices.Index(statuses, a.Status), slices.Index(statuses, b.Status)),
		b.Severity.Compare(a.Severity),
		strings.Compare(a.Check, b.Check),
		strings.Compare(a.Resource, b.Resource),
		strings.Compare(a.Subject, b.Subject),
	)
}
