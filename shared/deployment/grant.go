package deployment

import (
	"slices"

	"example.com/keyturn/shared/event"
)

// Permission is one that somebody needs, and for what.
type Permission struct {
	Name     string
	Why      string
	Optional bool   // it may be held, and nothing breaks without it unless somebody asks for it
	Job      string // short id of the job that alone needs it: it may be held without that; empty is none
	Beyond   string // why the embedded cloud cannot show that it is needed; empty: it can, and a test has it do so
}

// Role is a custom role of the project.
type Role struct {
	ID          string
	Title       string
	Permissions []Permission
}

// Grant is a role that somebody has on something. Its texts may hold the variables
// of Site.Expand.
type Grant struct {
	Member      string       // such as serviceAccount:keyturn-rotate@${PROJECT_ID}.iam.gserviceaccount.com
	Role        string       // such as roles/pubsub.publisher
	On          string       // full name of the resource whose policy says so
	Permissions []Permission // that it is for, of all that the role has
}

// The texts of grants.
const (
	project = "projects/${PROJECT_ID}"
	// Google's own accounts.
	pubsubAgent  = "serviceAccount:service-${PROJECT_NUMBER}@gcp-sa-pubsub.iam.gserviceaccount.com"
	secretsAgent = "serviceAccount:service-${PROJECT_NUMBER}@gcp-sa-secretmanager.iam.gserviceaccount.com"

	rolePublisher  = "roles/pubsub.publisher"
	roleSubscriber = "roles/pubsub.subscriber"
	roleAccessor   = "roles/secretmanager.secretAccessor"
	roleInvoker    = "roles/run.invoker"

	mayPublish = "pubsub.topics.publish"
	mayAccess  = "secretmanager.versions.access"
	mayInvoke  = "run.routes.invoke"

	// posture is the short id of the job that has the audit function judge how
	// credentials are kept, for which it reads more than for anything else.
	posture = "keyturn-posture"
	judges  = "judges how credentials are kept"
)

func topic(id string) string     { return project + "/topics/" + id }
func secret(id string) string    { return project + "/secrets/" + id }
func member(id string) string    { return "serviceAccount:" + email(id) }
func email(id string) string     { return id + "@${PROJECT_ID}.iam.gserviceaccount.com" }
func (r Role) Name() string      { return project + "/roles/" + r.ID }
func service(name string) string { return project + "/locations/${REGION}/services/" + name }

// Roles are the custom roles: no predefined one has as little as is needed.
var Roles = []Role{
	{ID: "keyturnRotate", Title: "keyturn: rotate credentials", Permissions: []Permission{
		{Name: "secretmanager.secrets.list", Why: "finds the credentials"},
		{Name: "secretmanager.secrets.get", Why: "reads a credential's policy and journal"},
		{Name: "secretmanager.secrets.update", Why: "writes the journal, and which version is current"},
		{Name: "secretmanager.secrets.create", Why: "makes the secret that a new key waits in until it is verified"},
		{Name: "secretmanager.versions.add", Why: "publishes a new key"},
		{Name: mayAccess, Why: "checks that a key authenticates"},
		{Name: "secretmanager.versions.list", Why: "finds the version of a key"},
		{Name: "secretmanager.versions.get", Why: "tells whether a version is enabled"},
		{Name: "secretmanager.versions.enable", Why: "brings an old key's version back"},
		{Name: "secretmanager.versions.disable", Why: "takes an old key's version away"},
		{Name: "secretmanager.versions.destroy", Why: "erases an old key's version"},
		{Name: "iam.serviceAccountKeys.create", Why: "makes or uploads a new key"},
		{Name: "iam.serviceAccountKeys.list", Why: "sees how many keys there are, and whose"},
		{Name: "iam.serviceAccountKeys.get", Why: "recognises its own keys by their public half"},
		{Name: "iam.serviceAccountKeys.disable", Why: "retires an old key"},
		{Name: "iam.serviceAccountKeys.enable", Why: "brings an old key back"},
		{Name: "iam.serviceAccountKeys.delete", Why: "deletes an old key"},
		{Name: "iam.serviceAccounts.get", Why: "tells whether an account is disabled"},
		{Name: "iam.serviceAccounts.disable", Why: "stops the tokens of a revoked key", Optional: true},
		{Name: "iam.serviceAccounts.enable", Why: "takes that back", Optional: true},
		{Name: "iam.serviceAccountApiKeyBindings.create", Why: "copies API keys that are bound to an account", Optional: true},
		{Name: "apikeys.keys.create", Why: "makes a new API key"},
		{Name: "apikeys.keys.get", Why: "reads what an API key may be used for"},
		{Name: "apikeys.keys.getKeyString", Why: "publishes a new API key"},
		{Name: "apikeys.keys.update", Why: "blocks an old API key, and takes that back"},
		{Name: "apikeys.keys.delete", Why: "deletes an old API key"},
		{Name: "apikeys.keys.undelete", Why: "brings an old API key back"},
		{Name: "monitoring.timeSeries.list", Why: "tells whether an old key is still used"},
		{Name: "logging.logEntries.list", Why: "finds out who still uses an old key"},
		{Name: "logging.privateLogEntries.list", Why: "finds that in Data Access logs", Optional: true},
		{Name: "orgpolicy.policy.get", Why: "foresees that the organisation forbids a new key", Optional: true},
	}},
	{ID: "keyturnAudit", Title: "keyturn: read audit logs", Permissions: []Permission{
		{Name: "secretmanager.secrets.list", Why: "reads from the journals which key is whose"},
		{Name: "logging.logEntries.list", Why: "reads what the log sink missed"},
		{Name: "logging.privateLogEntries.list", Why: "reads that of Data Access logs"},
		{Name: "monitoring.timeSeries.list", Why: "measures calls that no log has"},
		{Name: "apikeys.keys.get", Why: "tells which API key such calls are of"},
		{Name: "resourcemanager.projects.get", Why: judges, Job: posture},
		{Name: "iam.serviceAccounts.list", Why: judges, Job: posture},
		{Name: "iam.serviceAccountKeys.list", Why: judges, Job: posture},
		{Name: "apikeys.keys.list", Why: judges, Job: posture},
		{Name: "storage.hmacKeys.list", Why: judges, Job: posture},
		{Name: "policyanalyzer.serviceAccountKeyLastAuthenticationActivities.query", Why: judges, Job: posture},
		{Name: "resourcemanager.projects.getIamPolicy", Why: judges, Job: posture},
		{Name: "secretmanager.secrets.getIamPolicy", Why: judges, Job: posture},
		{Name: "iam.roles.get", Why: judges, Job: posture},
		{Name: "orgpolicy.policy.get", Why: judges, Job: posture},
	}},
	{ID: "keyturnDeploy", Title: "keyturn: make jobs and roll functions out", Permissions: []Permission{
		{Name: "cloudscheduler.jobs.list", Why: "compares the jobs with scheduler.yaml"},
		{Name: "cloudscheduler.jobs.create", Why: "makes jobs"},
		{Name: "cloudscheduler.jobs.update", Why: "changes them"},
		{Name: "cloudscheduler.jobs.get", Why: "sees whether a change that failed has to be made again"},
		{Name: "cloudscheduler.jobs.pause", Why: "pauses them"},
		{Name: "cloudscheduler.jobs.enable", Why: "resumes them"},
		{Name: "run.services.get", Why: "sees which revision of a function gets its requests"},
		{Name: "run.services.update", Why: "gives a new revision a share of them, and steps back"},
		{Name: mayInvoke, Why: "asks a new revision whether it works"},
	}},
}

// Grants are all that a deployment has, in the order in which they are worth giving.
var Grants = slices.Concat(
	rotateGrants(), auditGrants(), alertGrants(), invokers(),
	[]Grant{
		publisher(secretsAgent, event.TopicRotate, "reminds of a rotation that is due"),
		beyond("forwards without asking", publisher(pubsubAgent, event.TopicDead, "keeps what no function took")),
	},
	deployGrants(),
)

func rotateGrants() []Grant {
	return []Grant{
		{member(Rotate), Roles[0].Name(), project, Roles[0].Permissions},
		publisher(member(Rotate), event.TopicRotate, "has each credential that is due done by itself"),
		publisher(member(Rotate), event.TopicFindings, "tells of rotations"),
		publisher(member(Rotate), event.TopicDead, "keeps what it could not read"),
		accessor(Rotate, SealCommands, "checks who sent a command"),
		accessor(Rotate, SealFindings, "signs what it tells"),
	}
}

func auditGrants() []Grant {
	return []Grant{
		{member(Audit), Roles[1].Name(), project, Roles[1].Permissions},
		publisher(member(Audit), event.TopicFindings, "tells of findings"),
		publisher(member(Audit), event.TopicDead, "keeps what it could not read"),
		accessor(Audit, SealFindings, "signs what it tells"),
		documents(Audit, "shares what it knows among its instances"),
	}
}

func alertGrants() []Grant {
	return []Grant{
		publisher(member(Alert), event.TopicAlerts, "tells of alerts"),
		publisher(member(Alert), event.TopicRotate, "answers an alert by a rotation or a revocation"),
		publisher(member(Alert), event.TopicDead, "keeps what it could not read"),
		accessor(Alert, SealCommands, "signs commands"),
		accessor(Alert, SealFindings, "checks who sent a finding"),
		documents(Alert, "remembers incidents, and what channels are owed"),
	}
}

// invokers let Pub/Sub start the functions that take events.
func invokers() []Grant {
	var all []Grant
	for _, f := range Functions {
		if f.Topic != "" {
			all = append(all, Grant{member(Trigger), roleInvoker, service(f.Name), []Permission{{Name: mayInvoke, Why: "starts the function when there is a message"}}})
		}
	}
	return all
}

// deployGrants are of the account that cloudbuild.yaml runs as.
func deployGrants() []Grant {
	all := []Grant{
		{member(Deploy), "roles/cloudfunctions.developer", project, []Permission{
			{Name: "cloudfunctions.functions.create", Why: "deploys the functions", Beyond: noDeploys}, {Name: "cloudfunctions.functions.update", Why: "deploys them again", Beyond: noDeploys},
		}},
		// Of the project, since a build that deploys a function for the first time looks
		// for its service before it is there, and calls it as soon as it is.
		{member(Deploy), Roles[2].Name(), project, Roles[2].Permissions},
		{member(Deploy), "roles/iam.serviceAccountOpenIdTokenCreator", project + "/serviceAccounts/" + email(Deploy), []Permission{
			{Name: "iam.serviceAccounts.getOpenIdToken", Why: "says who asks a new revision whether it works"},
		}},
		{member(Deploy), "roles/logging.logWriter", project, []Permission{{Name: "logging.logEntries.create", Why: "writes the log of the build", Beyond: noBuilds}}},
	}
	for _, id := range []string{Rotate, Audit, Alert, Trigger} {
		all = append(all, Grant{
			member(Deploy), "roles/iam.serviceAccountUser", project + "/serviceAccounts/" + email(id),
			[]Permission{{Name: "iam.serviceAccounts.actAs", Why: "has a function run as the account", Beyond: noDeploys}},
		})
	}
	return all
}

func publisher(who, id, why string) Grant {
	return Grant{who, rolePublisher, topic(id), []Permission{{Name: mayPublish, Why: why}}}
}

func accessor(account, id, why string) Grant {
	return Grant{member(account), roleAccessor, secret(id), []Permission{{Name: mayAccess, Why: why}}}
}

func documents(account, why string) Grant {
	return beyond("has no Firestore, and Firestore's emulator asks nobody who he is", Grant{member(account), "roles/datastore.user", project, []Permission{
		{Name: "datastore.entities.get", Why: why}, {Name: "datastore.entities.list", Why: why}, {Name: "datastore.entities.create", Why: why},
		{Name: "datastore.entities.update", Why: why}, {Name: "datastore.entities.delete", Why: why},
	}})
}

// What the embedded cloud cannot show.
const (
	noDeploys = "takes no deploys by this account"
	noBuilds  = "builds nothing in the name of an account"
)

// beyond is a grant of which the embedded cloud cannot show why it is needed.
func beyond(why string, g Grant) Grant {
	for i := range g.Permissions {
		g.Permissions[i].Beyond = why
	}
	return g
}

// Granted are the grants of a site whose log sink writes as a member, or as nobody
// that is known, and whose functions are started by subscriptions of those names.
func (s Site) Granted(writer string, subscriptions []string) []Grant {
	var all []Grant
	for _, g := range Grants {
		all = append(all, s.expand(g))
	}
	for _, name := range subscriptions {
		all = append(all, s.consumer(name))
	}
	if writer != "" {
		all = append(all, s.expand(publisher(writer, LogTopic, "sends audit log entries")))
	}
	return all
}

// consumer lets Pub/Sub take messages off a subscription that starts a function.
func (s Site) consumer(subscription string) Grant {
	return Grant{s.Expand(pubsubAgent), roleSubscriber, subscription, []Permission{{Name: "pubsub.subscriptions.consume", Why: "takes a message off that goes to the dead letters", Beyond: "forwards without asking"}}}
}

// expand fills in the variables of a grant.
func (s Site) expand(g Grant) Grant {
	g.Member, g.Role, g.On = s.Expand(g.Member), s.Expand(g.Role), s.Expand(g.On)
	return g
}
