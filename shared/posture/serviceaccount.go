package posture

import (
	"fmt"
	"slices"
	"time"

	"example.com/keyturn/shared/inventory"
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
		n := len(a.Keys)
		r := Result{Status: Pass, Project: p.ID, Resource: name, Reason: "it has no user-managed keys", Evidence: p.saw(inventory.AccountKeys, name, "%s", counted(n, "user-managed key"))}
		if n > 0 {
			r.Status, r.Reason = Fail, "it has "+counted(n, "user-managed key")
			if managed := p.managed(a); managed > 0 {
				r.Reason += fmt.Sprintf(", of which keyturn rotates %d", managed)
			}
			r.Fix = inventory.Command("gcloud", "iam", "service-accounts", "keys", "delete", a.Keys[0].ID, "--iam-account="+a.Email, "--project="+p.ID)
		}
		j.add(r)
	})
}

// managed counts the keys of an account that keyturn rotates.
func (p *project) managed(a inventory.Account) (n int) {
	for _, i := range p.items {
		if i.Kind == inventory.AccountKeyKind && i.Account == a.Email && i.State == inventory.Managed {
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
			r.Fix = p.replaced(r, name, "gcloud", "iam", "service-accounts", "keys", "delete", k.ID, "--iam-account="+a.Email, "--project="+p.ID)
			j.add(r)
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

// item is what the inventory says of a credential; nil if it does not know it.
func (p *project) item(name string) *inventory.Item {
	i := slices.IndexFunc(p.items, func(i inventory.Item) bool { return i.Name == name })
	if i < 0 {
		return nil
	}
	return &p.items[i]
}

// credential is the secret in which keyturn rotates a credential; "" if it does not.
func (p *project) credential(name string) string {
	if i := p.item(name); i != nil {
		return i.Secret
	}
	return ""
}

// replaced is what to do about a credential that failed: have keyturn rotate it, if
// it is keyturn's, and else a command.
func (p *project) replaced(r Result, name string, otherwise ...string) string {
	switch secret := p.credential(name); {
	case r.Status != Fail:
		return ""
	case secret != "":
		return inventory.Command("keyturn", "rotate", secret)
	}
	return inventory.Command(otherwise...)
}

func fewKeys(j *judge, p *project) {
	j.keys(p, func(a inventory.Account, name string) {
		n, most := len(a.Keys), j.config.maxKeys()
		r := Result{Status: Pass, Project: p.ID, Resource: name, Reason: "it has " + counted(n, "user-managed key"), Evidence: p.saw(inventory.AccountKeys, name, "%s", counted(n, "user-managed key"))}
		if n > most {
			oldest := slices.MinFunc(a.Keys, func(a, b inventory.AccountKey) int { return a.Created.Compare(b.Created) })
			r.Status, r.Reason = Fail, r.Reason+fmt.Sprintf(", which is more than %d; the oldest is of %s", most, stamp(oldest.Created))
			r.Fix = inventory.Command("gcloud", "iam", "service-accounts", "keys", "disable", oldest.ID, "--iam-account="+a.Email, "--project="+p.ID)
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
			r.Fix = p.replaced(r, name, "gcloud", "iam", "service-accounts", "keys", "delete", k.ID, "--iam-account="+a.Email, "--project="+p.ID)
			j.add(r)
		}
	})
	if j.findings == 0 {
		j.none(p, inventory.AccountKeys, "user-managed keys")
	}
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
