package posture

import (
	"fmt"
	"slices"
	"time"

	"example.com/keyturn/shared/inventory"
	"example.com/keyturn/shared/rotation"
)

func (p *project) account(a inventory.Account) string {
	return p.name() + "/serviceAccounts/" + a.Email
}

// keys calls look for each account whose keys could be read, and notes those whose
// could not.
func (j *judge) keys(p *project, look func(a inventory.Account, name string)) {
	if j.lacks(p, inventory.Accounts, "") {
		return
	}
	for _, a := range p.Accounts {
		if name := p.account(a); !j.lacks(p, inventory.AccountKeys, name) {
			look(a, name)
		}
	}
	j.none(p, inventory.Accounts, "service accounts")
}

func onlyGoogleKeys(j *judge, p *project) {
	j.keys(p, func(a inventory.Account, name string) {
		r := Result{Status: Pass, Project: p.ID, Resource: name, Reason: "it has no user-managed keys", Evidence: p.saw(inventory.AccountKeys, name, "%s", counted(len(a.Keys), "user-managed key"))}
		if keys := p.keysOf(a); len(keys) > 0 {
			r.Status, r.Reason = Fail, "it has "+counted(len(keys), "user-managed key")
			if managed := managedAmong(keys); managed > 0 {
				r.Reason += fmt.Sprintf(", of which keyturn rotates %d", managed)
			}
			r.Fix = p.keyless(first(keys, func(i *inventory.Item) bool { return i.Secret == "" && dispensable(i) }, func(i *inventory.Item) bool { return p.retiring(i) == "" }))
		}
		j.add(r)
	})
}

// first is the first for which the earliest condition holds that does for any; without
// one, the first of all.
func first(all []*inventory.Item, conditions ...func(*inventory.Item) bool) *inventory.Item {
	for _, holds := range conditions {
		if i := slices.IndexFunc(all, holds); i >= 0 {
			return all[i]
		}
	}
	return all[0]
}

// managedAmong counts the keys that keyturn rotates.
func managedAmong(keys []*inventory.Item) (n int) {
	for _, i := range keys {
		if i.Secret != "" {
			n++
		}
	}
	return n
}

func keysRotated(j *judge, p *project) {
	j.keys(p, func(a inventory.Account, account string) {
		for _, k := range a.Keys {
			name := account + "/keys/" + k.ID
			r := j.aged(p, inventory.AccountKeys, name, "validAfterTime", k.Created)
			if k.Disabled {
				r.Reason += "; it is disabled"
			}
			j.add(p.replaced(r))
		}
		if len(a.Keys) == 0 {
			j.add(Result{Status: Pass, Project: p.ID, Resource: account, Reason: "it has no user-managed keys", Evidence: p.saw(inventory.AccountKeys, account, "no user-managed keys")})
		}
	})
}

// aged is the result for something that ought to be of at most 90 days.
func (j *judge) aged(p *project, part inventory.Part, name, field string, made time.Time) Result {
	age := j.now.Sub(made)
	r := Result{Status: Pass, Project: p.ID, Resource: name, Credential: p.credential(name), Evidence: p.saw(part, name, "%s %s", field, stamp(made)), Reason: fmt.Sprintf("it is %s old", aged(age))}
	switch {
	case made.IsZero():
		r.Status, r.Reason, r.Next = Unknown, "Google tells no "+field+" of it", "look at it in the console"
	case age > quarter:
		r.Status, r.Reason = Fail, r.Reason+", which is more than 90"
	}
	return r
}

// credential is the secret in which keyturn rotates a credential; "" if it does not.
func (p *project) credential(name string) string { return p.item(name).Secret }

// replaced adds to the result for a credential, if that fails, what to do about it.
func (p *project) replaced(r Result) Result {
	if r.Status != Fail {
		return r
	}
	i := p.item(r.Resource)
	if by := p.retiring(i); by != "" {
		r.Reason += "; " + by
	}
	r.Fix = p.mend(i)
	return r
}

func fewKeys(j *judge, p *project) {
	j.keys(p, func(a inventory.Account, name string) {
		keys, most := p.keysOf(a), j.config.maxKeys()
		r := Result{Status: Pass, Project: p.ID, Resource: name, Reason: "it has " + counted(len(keys), "user-managed key"), Evidence: p.saw(inventory.AccountKeys, name, "%s", counted(len(keys), "user-managed key"))}
		staying := slices.DeleteFunc(slices.Clone(keys), func(i *inventory.Item) bool { return p.retiring(i) != "" })
		if gone := len(keys) - len(staying); gone > 0 {
			r.Reason += fmt.Sprintf(", of which keyturn takes %d away by itself", gone)
		}
		if len(staying) > most {
			foreign := func(i *inventory.Item) bool { return i.Secret == "" }
			oldest := first(staying, dispensable, foreign)
			r.Status, r.Reason = Fail, r.Reason+fmt.Sprintf(", which is more than %d; the oldest is of %s", most, stamp(staying[0].Created))
			if r.Fix = p.advice(); foreign(oldest) {
				r.Fix = p.mend(oldest)
			}
		}
		j.add(r)
	})
}

func expires(j *judge, p *project) {
	j.keys(p, func(a inventory.Account, account string) {
		for _, k := range a.Keys {
			name := account + "/keys/" + k.ID
			r := Result{Status: Pass, Project: p.ID, Resource: name, Credential: p.credential(name)}
			switch {
			case k.Disabled:
				r.Reason, r.Evidence = "it is disabled", p.saw(inventory.AccountKeys, name, "disabled")
			case k.Expires.IsZero():
				r.Status, r.Reason, r.Evidence = Fail, "it never expires", p.saw(inventory.AccountKeys, name, "no validBeforeTime but the one that stands for never")
			default:
				r.Reason, r.Evidence = "it expires at "+stamp(k.Expires), p.saw(inventory.AccountKeys, name, "validBeforeTime %s", stamp(k.Expires))
			}
			r = p.replaced(r)
			if i := p.item(name); r.Status == Fail && p.retiring(i) == "" && p.modeOf(i) == rotation.Create {
				r.Fix = keyturn("adopt", i.Secret, "--service-account="+a.Email, "--key-mode="+string(rotation.Upload)) + " && " + r.Fix
			}
			j.add(r)
		}
	})
	if j.findings == 0 {
		j.none(p, inventory.AccountKeys, "user-managed keys")
	}
}

// modeOf is who makes the keys of the credential that a key is of; "" if keyturn does
// not rotate it.
func (p *project) modeOf(i *inventory.Item) rotation.KeyMode {
	if c := p.registered[i.Secret]; c != nil {
		return c.Policy.Mode()
	}
	return ""
}

// impersonation are the roles that make all service accounts of a project one's own.
var impersonation = []string{"roles/iam.serviceAccountUser", "roles/iam.serviceAccountTokenCreator"}

func noImpersonationOfAll(j *judge, p *project) {
	policy := p.more.Policy
	if j.lacksAny(p, ProjectPolicy, p.name(), policy.Gap, policy.At) {
		return
	}
	for _, b := range policy.Value {
		if !slices.Contains(impersonation, b.Role) {
			continue
		}
		for _, m := range b.Members {
			j.add(Result{
				Status: Fail, Project: p.ID, Resource: p.name(), Subject: b.Role + " " + m + conditioned(b), Reason: fmt.Sprintf("%s has %s on the whole project%s", m, b.Role, conditioned(b)),
				Evidence: shown(ProjectPolicy, p.name(), policy.At, "%s is bound to %s%s", m, b.Role, conditioned(b)),
				Fix:      inventory.Command("gcloud", "projects", "remove-iam-policy-binding", p.ID, "--member="+m, "--role="+b.Role, allConditions),
			})
		}
	}
	if j.findings == 0 {
		j.add(Result{Status: Pass, Project: p.ID, Resource: p.name(), Reason: "nobody has either role on it", Evidence: shown(ProjectPolicy, p.name(), policy.At, "no binding of %s or %s", impersonation[0], impersonation[1])})
	}
}

// allConditions has gcloud take every binding of a role away from a member, rather
// than ask which.
const allConditions = "--all"

// conditioned adds the condition of a binding, if it has one.
func conditioned(b Binding) string {
	if b.Condition == "" {
		return ""
	}
	return " if " + b.Condition
}
