package detect

import (
	"slices"
	"strings"
)

// changes is a set of policy changes, by which somebody may have been granted
// something.
type changes map[change]struct{}

type change struct {
	at      int64
	actor   string
	member  string // such as user:somebody@example.com; "" when the entry does not say whom
	project string // "" when it is not of one project
}

const maxChanges = 8192

func (c changes) add(e *Entry, actor string, t int64) {
	project := ""
	if !strings.HasPrefix(e.Resource, "organizations/") && !strings.HasPrefix(e.Resource, "folders/") {
		project = visible(e.Project, maxName)
	}
	made := change{at: t, actor: visible(actor, maxSubject), project: project}
	if len(e.Grants) == 0 {
		c[made] = struct{}{}
	}
	for _, g := range e.Grants {
		made.member = visible(g.Member, maxSubject)
		c[made] = struct{}{}
	}
	c.bound()
}

// bound forgets the older half when there are too many.
func (c changes) bound() {
	if len(c) <= maxChanges {
		return
	}
	times := make([]int64, 0, len(c))
	for made := range c {
		times = append(times, made.at)
	}
	slices.Sort(times)
	for made := range c {
		if made.at < times[len(times)/2] {
			delete(c, made)
		}
	}
}

// explain looks for changes from a to b by which name may have been granted
// something in a project: by somebody else, or by itself.
func (c changes) explain(name, project string, a, b int64) (other, self bool) {
	for made := range c {
		if made.at < a || made.at > b || !made.concerns(name, project) {
			continue
		}
		self = self || made.actor == name
		other = other || made.actor != name
	}
	return other, self
}

func (c change) concerns(name, project string) bool {
	kind, member, _ := strings.Cut(c.member, ":")
	switch kind {
	case "user", "serviceAccount", "deleted":
		return strings.EqualFold(member, name)
	case "principal":
		return c.member == name
	}
	// A group, a domain, everybody, a role that changed: the subject may be among them.
	return c.project == "" || project == "" || c.project == project
}
