package posture

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"example.com/keyturn/shared/inventory"
	"example.com/keyturn/shared/rotation"
)

// Keeps reports whether a secret holds a credential of keyturn's, or one that is
// staged: those are the secrets whose allow policies are looked at.
func Keeps(s inventory.Secret) bool { return s.Credential != nil || s.Staging || s.Broken != "" }

// kept calls look for each secret that keyturn manages.
func (j *judge) kept(p *project, look func(s inventory.Secret)) {
	if j.lacksSecrets(p) {
		return
	}
	for _, s := range p.Secrets {
		if Keeps(s) {
			look(s)
		}
	}
	j.none(p, inventory.Secrets, "secrets that keyturn manages")
}

// lacksSecrets is lacks, for secrets: where their API is disabled nobody reads any.
func (j *judge) lacksSecrets(p *project) bool {
	i := slices.IndexFunc(p.Gaps, func(g inventory.Gap) bool { return g.Part == inventory.Secrets && g.Cause == inventory.APIDisabled })
	if i < 0 {
		return j.lacks(p, inventory.Secrets, "")
	}
	j.add(Result{Status: Pass, Project: p.ID, Resource: p.name(), Reason: "there are no secrets: Secret Manager is disabled", Evidence: p.saw(inventory.Secrets, p.name(), "%s", p.Gaps[i].Detail)})
	return true
}

func onTime(j *judge, p *project) {
	j.kept(p, func(s inventory.Secret) {
		c := s.Credential
		if s.Staging {
			return
		}
		r := Result{Status: Pass, Project: p.ID, Resource: s.Name, Credential: s.Name, Reason: "nothing is late"}
		if c == nil {
			r.Status, r.Reason, r.Evidence = Fail, "its registration cannot be read: "+s.Broken, p.saw(inventory.Secrets, s.Name, "%s", s.Broken)
			r.Fix = inventory.Command("keyturn", "status", s.Name)
			j.add(r)
			return
		}
		r.Evidence = p.saw(inventory.Secrets, s.Name, "the next rotation is due at %s", stamp(rotation.NextDue(c.Policy, c.Journal)))
		var late []string
		for _, concern := range rotation.Concerns(j.now, c.Policy, c.Journal) {
			late = append(late, concern.Reason)
		}
		if len(late) > 0 {
			r.Status, r.Reason = Fail, strings.Join(late, "; ")
			r.Fix = inventory.Command("keyturn", "rotate", s.Name)
		}
		j.add(r)
	})
}

func ownKeys(j *judge, p *project) {
	if !j.config.RequireCMEK || j.lacksSecrets(p) {
		return
	}
	for _, s := range p.Secrets {
		r := Result{Status: Pass, Project: p.ID, Resource: s.Name, Reason: "it is encrypted with " + strings.Join(s.CMEK, " and "), Evidence: p.saw(inventory.Secrets, s.Name, "replication with %s", counted(len(s.CMEK), "Cloud KMS key"))}
		if s.Credential != nil {
			r.Credential = s.Name
		}
		if len(s.CMEK) == 0 {
			r.Status, r.Reason = Fail, "it is encrypted with Google's own key"
			r.Fix = inventory.Command("gcloud", "secrets", "replication", "update", path.Base(s.Name), "--set-kms-key=KEY", "--project="+p.ID)
		}
		j.add(r)
	}
	j.none(p, inventory.Secrets, "secrets")
}

// reader is somebody who may read a secret's versions.
type reader struct {
	member    string
	role      string
	condition string
	byProject bool
	why       string // it is too broad; "" if it is not
}

func (r reader) String() string {
	text := r.member + " by " + r.role
	if r.byProject {
		text += " on the project"
	}
	return text + conditioned(Binding{Condition: r.condition})
}

func fewReaders(j *judge, p *project) {
	policy := p.more.Policy
	j.kept(p, func(s inventory.Secret) {
		own := p.more.Secrets[s.Name]
		if j.lacksAny(p, SecretPolicy, s.Name, own.Gap, own.At) {
			return
		}
		readers, unread := p.readers(own.Value, false)
		inherited, unreadToo := p.readers(policy.Value, true)
		r := j.readersOf(p, s, append(readers, inherited...))
		r.Evidence = append(shown(SecretPolicy, s.Name, own.At, "read by %s", list(readers)), shown(ProjectPolicy, p.name(), policy.At, "read by %s", list(inherited))...)
		if r.Status == Pass {
			if j.lacksAny(p, ProjectPolicy, p.name(), policy.Gap, policy.At) {
				return
			}
			if gap := firstOf(unread, unreadToo); gap != nil {
				r.Status, r.Reason, r.Next = Unknown, fmt.Sprintf("whether %s lets read it could not be read: %s", gap.Of, gap.Detail), gap.Next
				if gap.Cause == inventory.NoPermission {
					r.Permission = accesses[Roles].permission
				}
			}
		}
		j.add(r)
	})
}

func firstOf(gaps ...*inventory.Gap) *inventory.Gap {
	for _, g := range gaps {
		if g != nil {
			return g
		}
	}
	return nil
}

// readersOf judges who may read a secret.
func (j *judge) readersOf(p *project, s inventory.Secret, all []reader) Result {
	r := Result{Status: Pass, Project: p.ID, Resource: s.Name, Reason: counted(principals(all), "principal") + " may read it"}
	if s.Credential != nil {
		r.Credential = s.Name
	}
	var broad []string
	for _, who := range all {
		if who.why == "" {
			continue
		}
		if broad = append(broad, who.String()+", which is "+who.why); len(broad) == 1 {
			r.Fix = p.revoke(s, who)
		}
	}
	switch most := j.config.maxReaders(); {
	case len(broad) > 0:
		r.Status, r.Reason = Fail, "it is read by "+strings.Join(broad, "; and by ")
	case principals(all) > most:
		r.Status, r.Reason, r.Fix = Fail, fmt.Sprintf("%s may read it, which is more than %d", counted(principals(all), "principal"), most), inventory.Command("gcloud", "secrets", "get-iam-policy", path.Base(s.Name), "--project="+p.ID)
	}
	return r
}

// revoke takes a reader's role away where it is granted.
func (p *project) revoke(s inventory.Secret, r reader) string {
	if r.byProject {
		return inventory.Command("gcloud", "projects", "remove-iam-policy-binding", p.ID, "--member="+r.member, "--role="+r.role, allConditions)
	}
	return inventory.Command("gcloud", "secrets", "remove-iam-policy-binding", path.Base(s.Name), "--member="+r.member, "--role="+r.role, allConditions, "--project="+p.ID)
}

// principals counts the members among the readers.
func principals(all []reader) int {
	members := map[string]bool{}
	for _, r := range all {
		members[r.member] = true
	}
	return len(members)
}

func list(readers []reader) string {
	if len(readers) == 0 {
		return "nobody"
	}
	var texts []string
	for _, r := range readers {
		texts = append(texts, r.String())
	}
	return strings.Join(texts, ", ")
}

// readers are those whom an allow policy lets read versions, and the gap of the
// first role of which that is not known.
func (p *project) readers(policy []Binding, byProject bool) (all []reader, unread *inventory.Gap) {
	for _, b := range policy {
		lets := p.more.Roles[b.Role]
		if lets.Gap != nil && unread == nil {
			unread = lets.Gap
		}
		if !lets.Value {
			continue
		}
		for _, m := range b.Members {
			all = append(all, reader{m, b.Role, b.Condition, byProject, p.broad(m)})
		}
	}
	return all, unread
}

// broad says why a member is more than somebody in particular; "" if it is not.
func (p *project) broad(member string) string {
	kind, id, _ := strings.Cut(member, ":")
	switch kind {
	case "allUsers":
		return "everybody"
	case "allAuthenticatedUsers":
		return "everybody with a Google account"
	case "domain":
		return "everybody of a domain"
	case "projectEditor", "projectViewer":
		return "whoever edits or views the project"
	case "principalSet":
		if strings.HasSuffix(id, "/*") || strings.HasPrefix(id, "//cloudresourcemanager.googleapis.com/") {
			return "everybody of an identity pool or a project"
		}
	case "serviceAccount":
		if strings.HasSuffix(id, "-compute@developer.gserviceaccount.com") || strings.HasSuffix(id, "@appspot.gserviceaccount.com") {
			return "an account that programs run as unless told otherwise"
		}
	}
	return ""
}
