package deployment

import "slices"

// API is one that has to be enabled.
type API struct {
	Name string // such as pubsub.googleapis.com
	Why  string // what does not work without it
}

// The APIs that Diagnose asks other things of.
const (
	apiSecrets   = "secretmanager.googleapis.com"
	apiIAM       = "iam.googleapis.com"
	apiPubSub    = "pubsub.googleapis.com"
	apiFunctions = "cloudfunctions.googleapis.com"
	apiRun       = "run.googleapis.com"
	apiScheduler = "cloudscheduler.googleapis.com"
	apiLogging   = "logging.googleapis.com"
)

// APIs are all of them, in the order in which they are worth enabling.
var APIs = []API{
	{"cloudresourcemanager.googleapis.com", "nobody can be given a permission"},
	{apiIAM, "service-account keys cannot be made, and no account can be asked for"},
	{apiSecrets, "there is nowhere to keep credentials"},
	{apiPubSub, "no function hears of anything"},
	{apiFunctions, "no function can be deployed"},
	{apiRun, "no function runs"},
	{"eventarc.googleapis.com", "no message starts a function"},
	{"cloudbuild.googleapis.com", "no function can be built"},
	{"artifactregistry.googleapis.com", "there is nowhere to put what was built"},
	{apiScheduler, "nothing is done that nobody asked for: no sweep, no escalation"},
	{apiLogging, "no audit log entry is read"},
	{"monitoring.googleapis.com", "whether an old key is still used is unknown, so none is disabled"},
	{"firestore.googleapis.com", "instances of a function do not know what the others know"},
	{"apikeys.googleapis.com", "API keys cannot be rotated"},
}

// AuditLogs are the Data Access logs, off by default, that detectors need.
var AuditLogs = []AuditLog{
	{"secretmanager.googleapis.com", []string{"DATA_READ"}, "who reads secrets is not seen"},
	{"iam.googleapis.com", []string{"ADMIN_READ", "DATA_READ"}, "who makes tokens and signatures in the name of accounts is not seen"},
	{"sts.googleapis.com", []string{"ADMIN_READ", "DATA_READ"}, "who comes in by federation is not seen"},
	{"cloudresourcemanager.googleapis.com", []string{"ADMIN_READ"}, "who tries out what a stolen key may do is not seen"},
}

// AuditLog are the logs of one service.
type AuditLog struct {
	Service string
	Types   []string // of ADMIN_READ, DATA_READ and DATA_WRITE
	Why     string   // what is not seen without them
}

// lacking are the types that configurations, by service, do not have.
func (l AuditLog) lacking(have map[string][]string) []string {
	return slices.DeleteFunc(slices.Clone(l.Types), func(kind string) bool {
		return slices.Contains(have[l.Service], kind) || slices.Contains(have["allServices"], kind)
	})
}
