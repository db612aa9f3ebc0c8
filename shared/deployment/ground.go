package deployment

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// What everything else stands on: credentials, project, clock, APIs, accounts.

func (e examination) caller() []Problem {
	c := e.Caller.Value
	switch {
	case c.Unreachable && e.Endpoint != "":
		return []Problem{wrong(Broken, checkNetwork, e.Endpoint, "the embedded Google Cloud does not answer: "+c.Lacks, "nothing can be looked at or done", "keyturn local")}
	case c.Unreachable:
		return []Problem{wrong(Broken, checkNetwork, "network", "Google does not answer this machine: "+c.Lacks,
			"nothing can be looked at or done", "curl -sS -o /dev/null -w '%{http_code}\\n' https://oauth2.googleapis.com/token")}
	case c.Lacks != "":
		return []Problem{wrong(Broken, checkCredentials, "credentials", c.Lacks, "nothing can be looked at or done", "gcloud auth application-default login")}
	}
	return nil
}

// ownKeys finds user-managed keys that keyturn itself goes by: an attached account needs
// none, and nobody can take its copies away.
func (e examination) ownKeys() []Problem {
	const consequence = "whoever copies the key is keyturn until somebody revokes it"
	var all []Problem
	if file := e.Caller.Value.KeyFile; file != "" {
		all = append(all, wrong(Exposed, checkOwnKey, "credentials", "you call Google with the user-managed key in "+file, consequence, "unset GOOGLE_APPLICATION_CREDENTIALS", "gcloud auth application-default login"))
	}
	for _, name := range slices.Sorted(maps.Keys(e.Functions.Value)) {
		for _, variable := range []string{"GOOGLE_APPLICATION_CREDENTIALS", "KEYTURN_ALLOW_KEY_FILE"} {
			if e.Functions.Value[name].Environment[variable] != "" {
				all = append(all, wrong(Exposed, checkOwnKey, name, "function "+path.Base(name)+" has "+variable+" in its environment, and an account attached: it needs no key", consequence, e.build()))
			}
		}
	}
	return all
}

func (e examination) project() []Problem {
	if e.Wanted.Project == "" {
		return []Problem{wrong(Broken, checkProject, "project", "no project is named", "there is nothing to look at", "gcloud projects list", "export KEYTURN_PROJECT=PROJECT_ID")}
	}
	if u := e.Observed.Project.Unread; u != nil && u.API != "" {
		return []Problem{wrong(Broken, checkAPI, u.API, u.Why, "nothing can be looked at, and nobody can be given a permission", e.gcloud("services", "enable", u.API))}
	}
	if e.Observed.Project.Unread != nil {
		return []Problem{e.cannot("the project "+e.Wanted.Project, e.Observed.Project.Unread, "roles/browser")}
	}
	gone := e.Observed.Project.Value.Gone
	if gone == "" {
		return nil
	}
	return []Problem{wrong(Broken, checkProject, e.Resource(), fmt.Sprintf("project %s: %s", e.Wanted.Project, gone),
		"there is nothing to look at; keyturn works on the project of --project or KEYTURN_PROJECT", "gcloud projects list")}
}

// maxSkew is how wrong a clock may be: Google takes what was signed up to some
// minutes ago, and one leaves the network its share.
const maxSkew = time.Minute

func (e examination) clock() []Problem {
	if e.Skew.Value.Abs() <= maxSkew {
		return nil
	}
	direction := "ahead of"
	if e.Skew.Value < 0 {
		direction = "behind"
	}
	return []Problem{wrong(Broken, checkClock, "clock", fmt.Sprintf("this machine's clock is %v %s Google's", e.Skew.Value.Abs().Round(time.Second), direction),
		"Google refuses tokens and certificates that are signed here: logging in, adopting and rotating from this machine fail", "sudo timedatectl set-ntp true")}
}

func (e examination) apis() []Problem {
	var all []Problem
	for _, a := range APIs {
		if enabled, known := e.APIs.Value[a.Name]; known && !enabled {
			all = append(all, wrong(Broken, checkAPI, a.Name, a.Name+" is not enabled", a.Why, e.gcloud("services", "enable", a.Name)).provides(a.Name))
		}
	}
	return all
}

func (e examination) accounts() []Problem {
	if e.Accounts.Unread != nil {
		return nil
	}
	var all []Problem
	for _, a := range Accounts {
		name := e.Email(a.ID)
		disabled, exists := e.Accounts.Value[name]
		consequence := a.Why + ", and cannot"
		switch {
		case !exists && !a.Optional:
			all = append(all, wrong(Broken, checkAccount, name, "service account "+name+" does not exist", consequence,
				e.gcloud("iam", "service-accounts", "create", a.ID)).provides("serviceAccount:"+name, e.Resource()+"/serviceAccounts/"+name).after(apiIAM))
		case disabled:
			all = append(all, wrong(Broken, checkAccount, name, "service account "+name+" is disabled", consequence,
				e.gcloud("iam", "service-accounts", "enable", name)))
		}
	}
	return all
}

// entropy makes a key that seals.
const entropy = "head -c 32 /dev/urandom | "

func (e examination) seals() []Problem {
	var all []Problem
	for _, id := range Seals {
		name := e.Secret(id)
		part, looked := e.Seals[name]
		const consequence = "functions take no message of each other's: revocations, rollbacks and answers to alerts are not carried out"
		switch {
		case !looked || part.Unread != nil:
		case part.Value == nil:
			all = append(all, wrong(Broken, checkSeal, name, "secret "+id+" does not exist", consequence,
				entropy+e.gcloud("secrets", "create", id, "--data-file=-")).provides(name).after(apiSecrets))
		case part.Value.State != "ENABLED":
			state := strings.ToLower(cmp.Or(part.Value.State, "missing"))
			all = append(all, wrong(Broken, checkSeal, name, fmt.Sprintf("the latest version of secret %s is %s", id, state), consequence,
				e.reseal(id)).after(apiSecrets))
		}
	}
	return all
}

func (e examination) topics() []Problem {
	if e.Topics.Unread != nil {
		return nil
	}
	var all []Problem
	for _, t := range Topics {
		if name := e.Topic(t.ID); !e.Topics.Value[name] {
			all = append(all, wrong(Broken, checkTopic, name, "topic "+t.ID+" does not exist", t.Why+" get lost", e.gcloud("pubsub", "topics", "create", t.ID)).
				provides(name).after(apiPubSub))
		}
	}
	return all
}

func (e examination) credentials() []Problem {
	var all []Problem
	for _, c := range e.Credentials.Value {
		id := path.Base(c.Secret)
		switch {
		case c.Broken != "":
			all = append(all, wrong(Broken, checkRegistration, c.Secret, fmt.Sprintf("the registration of credential %s cannot be read: %s", id, c.Broken),
				"keyturn does not touch it, and its keys grow old", e.gcloud("secrets", "describe", id, "--format=yaml(labels,annotations)")))
		case c.Gone:
			all = append(all, wrong(Broken, checkOrphan, c.Secret, fmt.Sprintf("the service account %s of credential %s is gone", path.Base(c.Account), id),
				"its keys authenticate nobody, and no rotation of it can work unless the account is undeleted, which is possible for 30 days; else have keyturn forget the credential",
				e.keyturn("release", id, "--leave")).after(apiIAM))
		}
	}
	return all
}

func (e examination) quotas() []Problem {
	var all []Problem
	for _, name := range e.Exceeded.Value {
		all = append(all, wrong(Broken, checkQuota, name, "calls were refused within the last hour because the quota "+name+" was used up",
			"rotations and sweeps take longer, or end before they are done", e.gcloud("beta", "quotas", "info", "list", "--service="+strings.Split(name, "/")[0])))
	}
	return all
}

// unread tells of everything that could not be looked at.
func (e examination) unread() []Problem {
	parts := []struct {
		what, role string
		why        *Unread
	}{
		{"this machine's clock", "", e.Skew.Unread},
		{"which APIs are enabled", "roles/serviceusage.serviceUsageViewer", e.APIs.Unread},
		{"the service accounts", "roles/iam.serviceAccountViewer", e.Accounts.Unread},
		{"the topics", "roles/pubsub.viewer", e.Topics.Unread},
		{"the functions", "roles/cloudfunctions.viewer", e.Functions.Unread},
		{"the subscriptions", "roles/pubsub.viewer", e.Subscriptions.Unread},
		{"the log sink", "roles/logging.viewer", e.Sink.Unread},
		{"the jobs", "roles/cloudscheduler.viewer", e.Observed.Jobs.Unread},
		{"the credentials", "roles/secretmanager.viewer", e.Credentials.Unread},
		{"quotas", "roles/monitoring.viewer", e.Exceeded.Unread},
	}
	var all []Problem
	for _, p := range parts {
		if p.why != nil {
			all = append(all, e.cannot(p.what, p.why, p.role))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Seals)) {
		if u := e.Seals[name].Unread; u != nil {
			all = append(all, e.cannot(short(name), u, "roles/secretmanager.viewer"))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Policies)) {
		if u := e.Policies[name].Unread; u != nil && !Above(name) {
			all = append(all, e.cannot("who may do what with "+short(name), u, "roles/iam.securityReviewer"))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Roles)) {
		if u := e.Roles[name].Unread; u != nil {
			all = append(all, e.cannot("what "+name+" grants", u, "roles/iam.roleViewer"))
		}
	}
	for _, c := range e.Credentials.Value {
		if c.Unread != "" {
			all = append(all, e.cannot("whether the account of "+path.Base(c.Secret)+" is there", &Unread{Why: c.Unread}, ""))
		}
	}
	return all
}

// cannot is that something could not be looked at; role is one that would let the
// caller.
func (e examination) cannot(what string, why *Unread, role string) Problem {
	p := wrong(Unchecked, checkUnread, what, "could not check "+what+": "+why.Why, "what is wrong there is not told here").after(why.API)
	if why.Denied && role != "" {
		p.Problem = fmt.Sprintf("could not check %s: needs %s: %s", what, role, why.Why)
		p.Fix = []string{e.bind(e.asker(), role, e.Resource())}
	}
	return p
}

// asker is who asks, as a member of policies.
func (e examination) asker() string {
	caller := e.Caller.Value.Name
	if strings.HasSuffix(caller, ".gserviceaccount.com") {
		return "serviceAccount:" + caller
	}
	return "user:" + cmp.Or(caller, "YOU")
}
