package deployment

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Who may do what, as far as the policies of the project and of what is in it say.
// What folders and organisations grant is not seen.

// verdict is whether somebody holds a permission.
type verdict int

const (
	no    verdict = iota
	maybe         // by a condition, a group, or what could not be read
	yes
)

// holds looks at the policies of a resource and of the project.
func (e examination) holds(who, permission, on string) verdict {
	held := no
	for _, resource := range slices.Compact([]string{on, e.Resource()}) {
		policy := e.Policies[resource]
		if policy.Unread != nil {
			held = max(held, maybe)
		}
		for _, b := range policy.Value.Bindings {
			held = max(held, e.binds(b, who, permission))
		}
	}
	return held
}

func (e examination) binds(b Binding, who, permission string) verdict {
	direct := slices.Contains(b.Members, who) || slices.ContainsFunc(b.Members, everybody)
	if !direct && !slices.ContainsFunc(b.Members, collective) {
		return no
	}
	switch role := e.Roles[b.Role]; {
	case role.Unread != nil:
		return maybe
	case !slices.Contains(role.Value.Permissions, permission):
		return no
	case !direct || b.Condition != "":
		return maybe
	}
	return yes
}

func everybody(m string) bool { return m == "allUsers" || m == "allAuthenticatedUsers" }

// collective reports whether others than who is named may be meant.
func collective(m string) bool {
	return strings.HasPrefix(m, "group:") || strings.HasPrefix(m, "principalSet:")
}

// lack is what a grant's member does not hold.
type lack struct {
	Grant
	surely, perhaps []Permission
}

// lacks are the grants of which something is not held, as far as what they are on,
// and whom they are for, is there or ought to be.
func (e examination) lacks() []lack {
	var all []lack
	for _, g := range e.grants {
		l := lack{Grant: g}
		for _, p := range g.Permissions {
			switch held := e.holds(g.Member, p.Name, g.On); {
			case p.Optional || held == yes:
			case held == maybe:
				l.perhaps = append(l.perhaps, p)
			default:
				l.surely = append(l.surely, p)
			}
		}
		if (l.surely != nil || l.perhaps != nil) && !e.excused(g) && !e.unseen(g.On) {
			all = append(all, l)
		}
	}
	return all
}

// unseen reports whether it is not even known if a resource exists.
func (e examination) unseen(on string) bool {
	switch path.Base(path.Dir(on)) {
	case "topics":
		return e.Topics.Unread != nil
	case "subscriptions":
		return e.Subscriptions.Unread != nil
	case "services":
		return e.Functions.Unread != nil
	case "serviceAccounts":
		return e.Accounts.Unread != nil
	case "secrets":
		return e.Seals[on].Unread != nil
	}
	return false
}

// excused reports whether nobody need have the grant: its account is optional and
// not there.
func (e examination) excused(g Grant) bool {
	for _, a := range Accounts {
		if g.Member == "serviceAccount:"+e.Email(a.ID) {
			_, exists := e.Accounts.Value[e.Email(a.ID)]
			return a.Optional && !exists
		}
	}
	return strings.Contains(g.Member, "service-@") // the project's number is not known
}

func (e examination) missing() []Problem {
	var all []Problem
	for _, l := range e.lacks() {
		names, reasons := explain(l.surely)
		p := wrong(Broken, checkPermission, l.On, fmt.Sprintf("%s lacks %s on %s", who(l.Member), some(names), short(l.On)), "it cannot do what that is for: "+some(reasons), e.give(l)...)
		if l.surely == nil {
			if e.Policies[l.On].Unread != nil || e.Policies[e.Resource()].Unread != nil || e.Roles[l.Role].Unread != nil {
				continue // which is told by itself
			}
			names, _ = explain(l.perhaps)
			p = e.cannot(fmt.Sprintf("whether %s holds %s on %s", who(l.Member), some(names), short(l.On)), &Unread{Why: "by a condition, or as one of a group, it may"}, "")
		}
		all = append(all, p.after(l.Member, l.On, serviceOf(l.On)))
	}
	return all
}

func explain(permissions []Permission) (names, reasons []string) {
	for _, p := range permissions {
		names = append(names, p.Name)
		if !slices.Contains(reasons, p.Why) {
			reasons = append(reasons, p.Why)
		}
	}
	return names, reasons
}

// serviceOf is the API that a resource belongs to.
func serviceOf(on string) string {
	switch {
	case strings.Contains(on, "/topics/"), strings.Contains(on, "/subscriptions/"):
		return apiPubSub
	case strings.Contains(on, "/secrets/"):
		return apiSecrets
	case strings.Contains(on, "/services/"):
		return apiRun
	}
	return apiIAM
}

// give are the commands by which a grant is made whole.
func (e examination) give(l lack) []string {
	var fix []string
	if role, custom := e.custom(l.Role); custom {
		fix = e.mend(role, l.surely)
	}
	if !e.bound(l.Grant) {
		fix = append(fix, e.bind(l.Member, l.Role, l.On))
	}
	return fix
}

// custom is the role of the table of that full name.
func (e examination) custom(name string) (Role, bool) {
	i := slices.IndexFunc(Roles, func(r Role) bool { return e.Expand(r.Name()) == name })
	if i < 0 {
		return Role{}, false
	}
	return Roles[i], true
}

// mend has a custom role hold what it lacks.
func (e examination) mend(r Role, lacking []Permission) []string {
	state := e.Roles[e.Expand(r.Name())]
	names, _ := explain(lacking)
	names = slices.DeleteFunc(names, func(p string) bool { return slices.Contains(state.Value.Permissions, p) })
	switch {
	case state.Value.Deleted:
		return []string{e.gcloud("iam", "roles", "undelete", r.ID)}
	case state.Value.Gone:
		names, _ = explain(r.Permissions)
		return []string{e.gcloud("iam", "roles", "create", r.ID, "--title="+r.Title, "--permissions="+strings.Join(names, ","))}
	case len(names) > 0:
		return []string{e.gcloud("iam", "roles", "update", r.ID, "--add-permissions="+strings.Join(names, ","))}
	}
	return nil
}

// bound reports whether a policy has the very binding, without a condition.
func (e examination) bound(g Grant) bool {
	return slices.ContainsFunc(e.Policies[g.On].Value.Bindings, func(b Binding) bool {
		return b.Role == g.Role && b.Condition == "" && slices.Contains(b.Members, g.Member)
	})
}

// eachBinding yields every member of every policy that was read, in order.
func (e examination) eachBinding(yield func(on string, b Binding, who string)) {
	for _, on := range slices.Sorted(maps.Keys(e.Policies)) {
		for _, b := range e.Policies[on].Value.Bindings {
			for _, m := range b.Members {
				yield(on, b, m)
			}
		}
	}
}
