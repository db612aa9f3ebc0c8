package deployment

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"example.com/keyturn/shared/event"
)

// What is granted and ought not to be.

func (e examination) public() []Problem {
	var all []Problem
	e.eachBinding(func(on string, b Binding, who string) {
		if everybody(who) {
			all = append(all, wrong(Exposed, checkPublic, on, fmt.Sprintf("%s has %s on %s", who, b.Role, short(on)), "everybody on the Internet may use it",
				e.unbind(who, b.Role, on, b.Condition)))
		}
	})
	return all
}

// guarded are the resources that only keyturn, and Google for it, may use in some
// way: what a function does follows from what comes by them.
var guarded = map[string]string{
	topic(event.TopicRotate): mayPublish, topic(event.TopicFindings): mayPublish, topic(event.TopicLogs): mayPublish, topic(event.TopicAudit): mayPublish,
	secret(SealCommands): mayAccess, secret(SealFindings): mayAccess,
}

func (e examination) strangers() []Problem {
	permissions := map[string]string{}
	for on, permission := range guarded {
		permissions[e.Expand(on)] = permission
	}
	var all []Problem
	e.eachBinding(func(on string, b Binding, m string) {
		permission := permissions[on]
		if permission == "" || everybody(m) || deleted(m) || e.ours(m) || e.may(m, on) || googles(m) || !e.grantsAny(b.Role, permission) {
			return
		}
		all = append(all, wrong(Exposed, checkStranger, on, fmt.Sprintf("%s has %s on %s", m, b.Role, short(on)), "it may pass for keyturn, which acts upon what comes there",
			e.unbind(m, b.Role, on, b.Condition)))
	})
	return all
}

func (e examination) grantsAny(role, permission string) bool {
	return slices.Contains(e.Roles[role].Value.Permissions, permission)
}

// googles reports whether a member is Google's own for schedules or logs.
func googles(m string) bool {
	return strings.HasSuffix(m, "@gcp-sa-cloudscheduler.iam.gserviceaccount.com") || strings.HasSuffix(m, "@gcp-sa-logging.iam.gserviceaccount.com") ||
		m == "serviceAccount:cloud-logs@system.gserviceaccount.com"
}

func deleted(m string) bool { return strings.HasPrefix(m, "deleted:") }

// ours reports whether a member is one of the table's accounts.
func (e examination) ours(m string) bool {
	return slices.ContainsFunc(Accounts, func(a Account) bool { return m == "serviceAccount:"+e.Email(a.ID) })
}

// may reports whether the table has a member do something with a resource.
func (e examination) may(m, on string) bool {
	return slices.ContainsFunc(e.grants, func(g Grant) bool { return g.Member == m && g.On == on })
}

// keeps reports whether a secret is a credential's: what rotating takes may be granted
// on each instead of on the project.
func (e examination) keeps(on string) bool {
	return slices.ContainsFunc(e.Credentials.Value, func(c Credential) bool { return c.Secret == on })
}

// allowed are the permissions that a member is to have on a resource itself.
func (e examination) allowed(m, on string) map[string]bool {
	names := map[string]bool{}
	for _, g := range e.grants {
		if g.Member == m && (g.On == on || g.On == e.Resource() && e.keeps(on)) {
			for _, p := range g.Permissions {
				names[p.Name] = true
			}
		}
	}
	return names
}

func (e examination) superfluous() []Problem {
	var all []Problem
	e.eachBinding(func(on string, b Binding, m string) {
		if !e.ours(m) || slices.ContainsFunc(e.grants, func(g Grant) bool { return g.Member == m && g.On == on && g.Role == b.Role }) {
			return
		}
		needed := e.allowed(m, on)
		extra := slices.DeleteFunc(slices.Clone(e.Roles[b.Role].Value.Permissions), func(p string) bool { return needed[p] })
		if len(extra) == 0 {
			return
		}
		all = append(all, wrong(Exposed, checkSuperfluous, on, fmt.Sprintf("%s has %s on %s, which is more than it needs by %d permissions: %s", who(m), b.Role, short(on), len(extra), some(extra)),
			"whoever takes the function over may do that, too", append(e.lostWithout(on, b, m), e.unbind(m, b.Role, on, b.Condition))...))
	})
	return all
}

// lostWithout are the commands that give what would be lacking if a binding were gone.
func (e examination) lostWithout(on string, b Binding, m string) []string {
	var before []string
	for _, l := range e.lacks() {
		before = append(before, l.Member+l.Role+l.On)
	}
	policy := e.Policies[on]
	policy.Value.Bindings = slices.Clone(policy.Value.Bindings)
	for i, other := range policy.Value.Bindings {
		if other.Role == b.Role && other.Condition == b.Condition {
			policy.Value.Bindings[i].Members = slices.DeleteFunc(slices.Clone(other.Members), func(o string) bool { return o == m })
		}
	}
	e.Policies = maps.Clone(e.Policies)
	e.Policies[on] = policy
	var fix []string
	for _, l := range e.lacks() {
		if !slices.Contains(before, l.Member+l.Role+l.On) {
			fix = append(fix, e.give(l)...)
		}
	}
	return fix
}

func (e examination) broadRoles() []Problem {
	var all []Problem
	for _, r := range Roles {
		names, _ := explain(r.Permissions)
		extra := slices.DeleteFunc(slices.Clone(e.Roles[e.Expand(r.Name())].Value.Permissions), func(p string) bool { return slices.Contains(names, p) })
		if len(extra) > 0 {
			all = append(all, wrong(Exposed, checkSuperfluous, e.Expand(r.Name()), fmt.Sprintf("role %s holds more than is needed: %s", r.ID, some(extra)),
				"whoever takes the function over may do that, too", e.gcloud("iam", "roles", "update", r.ID, "--remove-permissions="+strings.Join(extra, ","))))
		}
	}
	return all
}

func (e examination) deletedMembers() []Problem {
	var all []Problem
	e.eachBinding(func(on string, b Binding, m string) {
		if deleted(m) {
			all = append(all, wrong(Exposed, checkDeletedMember, on, fmt.Sprintf("%s has %s on %s, and was deleted", path.Base(m), b.Role, short(on)),
				"nobody has the grant unless the account is undeleted; a new account of that name has not", e.unbind(m, b.Role, on, b.Condition)))
		}
	})
	return all
}
