package replay

import (
	"cmp"
	"slices"
	"time"

	"example.com/keyturn/shared/detect"
)

// Group is what one detector found about one subject.
type Group struct {
	Severity  detect.Severity  `json:"severity"` // the highest
	Detector  string           `json:"detector"`
	Subject   string           `json:"subject"`
	Findings  int              `json:"findings"` // updates of incidents included
	FirstSeen time.Time        `json:"first_seen"`
	LastSeen  time.Time        `json:"last_seen"`
	Incidents []detect.Finding `json:"incidents"`         // the most severe first, each as it was told last
	Omitted   int              `json:"omitted,omitempty"` // further incidents

	// Of the first incident.
	Project    string `json:"project,omitempty"`
	Credential string `json:"credential,omitempty"`
	Key        string `json:"key,omitempty"`
	Reason     string `json:"reason"`
	Advice     string `json:"advice"`
	Runbook    string `json:"runbook,omitempty"`
	Link       string `json:"link,omitempty"`
	Entries    int    `json:"entries,omitempty"` // that show it
	Linked     int    `json:"linked,omitempty"`  // of them that Link opens, where those are not all

	// Of all incidents.
	From            []string `json:"from,omitempty"`
	Permissions     []string `json:"permissions,omitempty"`
	Targets         []string `json:"targets,omitempty"`
	MoreFrom        int      `json:"more_from,omitempty"` // that From has not
	MorePermissions int      `json:"more_permissions,omitempty"`
	MoreTargets     int      `json:"more_targets,omitempty"`
}

// Bounds of a Group, whatever the files hold.
const (
	maxIncidents = 100
	maxListed    = 50 // callers, permissions, targets
)

// add takes in a finding: an incident, of which it keeps so many at most, or what
// has become of one.
func (g *Group) add(f detect.Finding, most int) {
	g.Findings++
	if g.FirstSeen.IsZero() || f.FirstSeen.Before(g.FirstSeen) {
		g.FirstSeen = f.FirstSeen
	}
	if f.LastSeen.After(g.LastSeen) {
		g.LastSeen = f.LastSeen
	}
	if f.Severity.Compare(g.Severity) > 0 {
		g.Severity = f.Severity
	}
	switch i := g.told(f); {
	case i >= 0:
		g.Incidents[i] = update(g.Incidents[i], f)
	case len(g.Incidents) < most:
		g.Incidents = append(g.Incidents, f)
	default:
		g.Omitted++
		if i := g.dispensable(f); i >= 0 {
			g.Incidents[i] = f
		}
	}
}

// told is the incident of which f tells more; -1 is that f is another one.
func (g *Group) told(f detect.Finding) int {
	for i := len(g.Incidents) - 1; i >= 0; i-- {
		if in := g.Incidents[i]; in.ID == f.ID || f.Update && sameEpisode(in, f) {
			return i
		}
	}
	return -1
}

// sameEpisode goes by the affected thing, and by what is told of it: an episode
// keeps its beginning, or its entries where an earlier one came late.
func sameEpisode(a, b detect.Finding) bool {
	return a.Credential == b.Credential && a.Key == b.Key &&
		(a.FirstSeen.Equal(b.FirstSeen) || slices.ContainsFunc(a.Evidence, func(id string) bool { return slices.Contains(b.Evidence, id) }))
}

// update is what an incident has become; one that looks less severe by now is
// told as it was.
func update(in, f detect.Finding) detect.Finding {
	if f.Severity.Compare(in.Severity) < 0 {
		in.LastSeen = f.LastSeen
		return in
	}
	return f
}

// dispensable is the incident that makes room for f: one that is less severe, or
// has nothing else done than f or another one has; -1 is none.
func (g *Group) dispensable(f detect.Finding) int {
	done := map[string]bool{f.Advice: true}
	for i, in := range g.Incidents {
		worse := f.Severity.Compare(in.Severity)
		if worse > 0 || worse == 0 && done[in.Advice] {
			return i
		}
		done[in.Advice] = true
	}
	return -1
}

// sum completes the Group by what its incidents say.
func (g *Group) sum() {
	slices.SortStableFunc(g.Incidents, func(a, b detect.Finding) int {
		return cmp.Or(b.Severity.Compare(a.Severity), a.FirstSeen.Compare(b.FirstSeen))
	})
	first := g.Incidents[0]
	g.Project, g.Credential, g.Key = first.Project, first.Credential, first.Key
	g.Reason, g.Advice, g.Runbook = first.Reason, first.Advice, first.Runbook
	g.Link, g.Entries, g.Linked = first.Link, first.Entries, first.Linked
	g.From, g.MoreFrom = g.union(func(f detect.Finding) []string { return f.From })
	g.Permissions, g.MorePermissions = g.union(func(f detect.Finding) []string { return f.Permissions })
	g.Targets, g.MoreTargets = g.union(func(f detect.Finding) []string { return f.Targets })
}

// union is what any of the incidents lists, the most severe ones' first, and how
// much more there is.
func (g *Group) union(list func(detect.Finding) []string) (names []string, more int) {
	seen := make(map[string]bool)
	for _, in := range g.Incidents {
		for _, name := range list(in) {
			if !seen[name] && len(names) < maxListed {
				names = append(names, name)
			}
			seen[name] = true
		}
	}
	return names, len(seen) - len(names)
}
