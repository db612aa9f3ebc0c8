package deployment

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Who may do what, as far as the policies of the project, of what is in it and of what
// is above it say.

// verdict is whether somebody holds a permission.
type verdict int

const (
	no    verdict = iota
	maybe         // by a condition, a group, or what could not be read
	yes
)

// holds looks at the policies of a resource, of the project, and of what is above it.
func (e examination) holds(who, permission, on string) verdict {
	held := no
	for _, resource := range slices.Concat(slices.Compact([]string{on, e.Resource()}), e.Ancestors.Value) {
		held = max(held, e.grantsOn(resource, who, permission))
	}
	if e.Ancestors.Unread != nil {
		held = max(held, maybe)
	}
	if on == e.Resource() && held < yes && ofSecrets(permission) {
		held = max(held, e.holdsOnEach(who, permission))
	}
	return held
}

// grantsOn looks at one policy alone.
func (e examination) grantsOn(resource, who, permission string) verdict {
	policy, held := e.Policies[resource], no
	if policy.Unread != nil {
		held = maybe
	}
	for _, b := range policy.Value.Bindings {
		held = max(held, e.binds(b, who, permission))
	}
	return held
}

// ofSecrets reports whether a permission may as well be granted on each secret that
// there is.
func ofSecrets(permission string) bool {
	single := strings.HasPrefix(permission, "secretmanager.secrets.") || strings.HasPrefix(permission, "secretmanager.versions.")
	return single && permission != "secretmanager.secrets.list" && permission != "secretmanager.secrets.create"
}

// holdsOnEach is what somebody holds on every credential's secret. Without credentials
// that is nothing.
func (e examination) holdsOnEach(who, permission string) verdict {
	if len(e.Credentials.Value) == 0 {
		return no
	}
	held := yes
	for _, c := range e.Credentials.Value {
		if _, looked := e.Policies[c.Secret]; looked {
			held = min(held, e.grantsOn(c.Secret, who, permission))
		}
	}
	return held
}

// Above reports whether a resource is a folder or an organisation.
func Above(resource string) bool {
	return strings.HasPrefix(resource, "folders/") || strings.HasPrefix(resource, "organizations/")
}

// Concerns reports whether a member may be one of the site's accounts, or have one
// among them.
func (s Site) Concerns(m string) bool {
	return strings.HasSuffix(m, "@"+s.Project+".iam.gserviceaccount.com") || strings.Contains(m, ":service-"+s.Number+"@") || everybody(m) || collective(m)
}

// blind is the first above the project whose policy could not be read, and why; nil if
// all were. It is "" where not even that is known.
func (e examination) blind() (above string, why *Unread) {
	if e.Ancestors.Unread != nil {
		return "", e.Ancestors.Unread
	}
	for _, name := range e.Ancestors.Value {
		if u := e.Policies[name].Unread; u != nil {
			return name, u
		}
	}
	return "", nil
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
			case p.Optional || held == yes || !e.scheduled(p.Job):
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

// scheduled reports whether a job is there; no job at all is.
func (e examination) scheduled(job string) bool {
	_, there := e.Observed.Jobs.Value[e.location()+"/jobs/"+job]
	return job == "" || there
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

// inheritance is the key of what depends on what is granted above the project.
const inheritance = "inheritance"

// missing are the permissions that somebody lacks, or may lack. What above the project
// could not be read is told once, and only where something depends on it.
func (e examination) missing() []Problem {
	var all, perhaps []Problem
	above, why := e.blind()
	for _, l := range e.lacks() {
		names, reasons := explain(l.surely)
		p := wrong(Broken, checkPermission, l.On, fmt.Sprintf("%s lacks %s on %s", who(l.Member), some(names), short(l.On)), "it cannot do what that is for: "+some(reasons), e.give(l)...)
		if l.surely == nil {
			if why != nil && !e.mayHere(l) {
				names, _ = explain(l.perhaps)
				p = wrong(Unchecked, checkPermission, l.On, fmt.Sprintf("%s lacks %s on %s, unless it inherits that", who(l.Member), some(names), short(l.On)),
					"it may not be able to do what that is for", e.give(l)...)
				perhaps = append(perhaps, p.after(l.Member, l.On, serviceOf(l.On), inheritance))
				continue
			}
			if e.Policies[l.On].Unread != nil || e.Policies[e.Resource()].Unread != nil || e.Roles[l.Role].Unread != nil {
				continue // which is told by itself
			}
			names, _ = explain(l.perhaps)
			p = e.cannot(fmt.Sprintf("whether %s holds %s on %s", who(l.Member), some(names), short(l.On)), &Unread{Why: "by a condition, or as one of a group, it may"}, "")
		}
		all = append(all, p.after(l.Member, l.On, serviceOf(l.On)))
	}
	if len(perhaps) > 0 {
		all = append(append(all, e.cannotInherit(above, why)), perhaps...)
	}
	return all
}

// mayHere reports whether what somebody may lack is in doubt by what is in the project,
// too.
func (e examination) mayHere(l lack) bool {
	e.Ancestors = Part[[]string]{}
	return slices.ContainsFunc(l.perhaps, func(p Permission) bool { return e.holds(l.Member, p.Name, l.On) == maybe })
}

// cannotInherit is that what is granted above the project is not known.
func (e examination) cannotInherit(above string, why *Unread) Problem {
	if above == "" {
		return e.cannot("what is granted above "+short(e.Resource()), why, "").provides(inheritance)
	}
	p := e.cannot("what "+short(above)+" grants", why, "").provides(inheritance)
	if why.Denied {
		p.Fix = []string{e.bind(e.asker(), "roles/iam.securityReviewer", above)}
	}
	return p
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
		return []string{e.createRole(r)}
	case len(names) > 0:
		return []string{e.gcloud("iam", "roles", "update", r.ID, "--add-permissions="+strings.Join(names, ","))}
	}
	return nil
}

// createRole makes a custom role.
func (s Site) createRole(r Role) string {
	names, _ := explain(r.Permissions)
	return s.gcloud("iam", "roles", "create", r.ID, "--title="+r.Title, "--permissions="+strings.Join(names, ","), "--stage=GA")
}

// bound reports whether a policy has the very binding, without a condition.
func (e examination) bound(g Grant) bool {
	return slices.ContainsFunc(e.Policies[g.On].Value.Bindings, func(b Binding) bool {
		return b.Role == g.Role && b.Condition == "" && slices.Contains(b.Members, g.Member)
	})
}

// eachBinding yields every member of every policy that was read, in order, but for
// those of folders and organisations.
func (e examination) eachBinding(yield func(on string, b Binding, who string)) {
	for _, on := range slices.Sorted(maps.Keys(e.Policies)) {
		if Above(on) {
			continue // who manages many projects has his reasons
		}
		for _, b := range e.Policies[on].Value.Bindings {
			for _, m := range b.Members {
				yield(on, b, m)
			}
		}
	}
}
