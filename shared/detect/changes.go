package detect

import (
	"cmp"
	"maps"
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
	on      string // the resource; "" when it is a whole project or more
}

const maxChanges = 8192

// add notes a change. One of a whole project says in its entry whom it added, so
// one that says nothing has added nobody.
func (c changes) add(e *Entry, actor string, t int64) {
	made := change{at: t, actor: visible(actor, maxSubject)}
	resource := e.Resource
	if host, ok := strings.CutPrefix(resource, "//"); ok {
		_, resource, _ = strings.Cut(host, "/")
	}
	switch {
	case strings.HasSuffix(e.Method, "Role"), strings.HasPrefix(resource, "projects/") && strings.Count(resource, "/") == 1:
		made.project = visible(e.Project, maxName)
	case strings.HasPrefix(resource, "organizations/"), strings.HasPrefix(resource, "folders/"):
	default:
		made.project, made.on = visible(e.Project, maxName), visible(resource, maxName)
	}
	if len(e.Grants) == 0 && (made.on != "" || strings.HasSuffix(e.Method, "Role")) {
		c[made] = struct{}{}
	}
	for _, g := range e.Grants {
		made.member = visible(g.Member, maxSubject)
		c[made] = struct{}{}
	}
	c.bound(maxChanges)
}

func (c change) order(other change) int {
	return cmp.Or(cmp.Compare(c.at, other.at), cmp.Compare(c.actor, other.actor), cmp.Compare(c.member, other.member),
		cmp.Compare(c.project, other.project), cmp.Compare(c.on, other.on))
}

// bound forgets the older ones when there are more than most, and keeps half as many.
func (c changes) bound(most int) {
	if len(c) <= most {
		return
	}
	oldest := slices.SortedFunc(maps.Keys(c), change.order)
	for _, made := range oldest[:len(c)-most/2] {
		delete(c, made)
	}
}

// explain looks for changes from a to b by which name may have been granted
// what it got on a target: by somebody else, or, beyond doubt, by itself.
func (c changes) explain(name, project, target string, a, b int64) (other, self bool) {
	for made := range c {
		if made.at < a || made.at > b {
			continue
		}
		named, concerned := made.concerns(name, project, target)
		self = self || named && made.actor == name
		other = other || concerned && made.actor != name
	}
	return other, self
}

// concerns reports whether the change names the subject, and whether the subject
// may be among those whom it concerns: the members of a group or a domain,
// everybody, or the holders of a role that changed.
func (c change) concerns(name, project, target string) (named, concerned bool) {
	kind, member, _ := strings.Cut(c.member, ":")
	switch {
	case kind == "user", kind == "serviceAccount", kind == "deleted":
		named = strings.EqualFold(member, name)
		return named, named
	case kind == "principal":
		return c.member == name, c.member == name
	case c.on != "":
		return false, strings.HasPrefix(target, c.on) || strings.HasPrefix(c.on, target)
	}
	return false, c.project == "" || project == "" || c.project == project
}
