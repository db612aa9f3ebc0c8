package deployment

// Check is one thing that Diagnose looks at.
type Check struct {
	Name string
	Says string // what is wrong when it is found
}

// The checks, by what a Problem calls them.
const (
	checkCredentials   = "credentials"
	checkNetwork       = "network"
	checkOwnKey        = "own-key"
	checkProject       = "project"
	checkClock         = "clock"
	checkAPI           = "api"
	checkPublic        = "public"
	checkAccount       = "account"
	checkSeal          = "seal"
	checkTopic         = "topic"
	checkFunction      = "function"
	checkEnvironment   = "environment"
	checkTrigger       = "trigger"
	checkPermission    = "permission"
	checkSubscription  = "subscription"
	checkDeadLetter    = "dead-letter"
	checkSink          = "sink"
	checkAuditLog      = "audit-log"
	checkJob           = "job"
	checkFiring        = "firing"
	checkRegistration  = "registration"
	checkOrphan        = "orphan"
	checkStranger      = "stranger"
	checkSuperfluous   = "superfluous"
	checkDeletedMember = "deleted-member"
	checkQuota         = "quota"
	checkUnread        = "unread"
)

// Checks are all of them, in the order in which their problems are worth mending.
var Checks = []Check{
	{checkCredentials, "You have no credentials, they have expired, or Google refuses them."},
	{checkNetwork, "Google does not answer this machine."},
	{checkOwnKey, "You call Google with a user-managed key, or a function may."},
	{checkProject, "The project does not exist, may not be seen, or is being deleted."},
	{checkClock, "This machine's clock is wrong, so that Google refuses what it signs."},
	{checkAPI, "An API is not enabled."},
	{checkPublic, "Everybody may call a function, publish to a topic or read a secret."},
	{checkAccount, "A service account does not exist, or is disabled."},
	{checkSeal, "A secret that seals messages does not exist, or its latest version cannot be read."},
	{checkTopic, "A topic does not exist."},
	{checkFunction, "A function is not deployed, not active, or not as cloudbuild.yaml has it."},
	{checkEnvironment, "A function refuses its environment, or its environment is another deployment's."},
	{checkTrigger, "A function is started by another topic, or gives up at its first failure."},
	{checkPermission, "Somebody lacks a permission, by the policies of the project, of what is in it and of what is above it."},
	{checkSubscription, "A subscription does not exist, has another account, too short a deadline, no pause between attempts, or expires."},
	{checkDeadLetter, "What no function takes is not kept, or nobody can look at it."},
	{checkSink, "The log sink does not exist, is disabled, or has another filter or destination."},
	{checkAuditLog, "A Data Access log that detectors need is off."},
	{checkJob, "A job does not exist, differs from scheduler.yaml, or is paused."},
	{checkFiring, "A job does not fire, or its last attempt failed."},
	{checkRegistration, "What a secret's annotations say of its credential cannot be read."},
	{checkOrphan, "The service account of a credential is gone."},
	{checkStranger, "Somebody who is not keyturn may publish what functions act upon, or read what seals it."},
	{checkSuperfluous, "An account or a role of keyturn's holds more than it needs."},
	{checkDeletedMember, "A policy names an account that was deleted."},
	{checkQuota, "Calls were refused within the last hour because a quota was used up."},
	{checkUnread, "Something could not be looked at, and may be right or wrong."},
}
