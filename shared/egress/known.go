package egress

// Known is a host that deployed code connects to by itself.
type Known struct {
	Name string
	Why  string
	Who  string // functions, or who configures it
}

// Everyone are all the functions.
const Everyone = "all"

// KnownHosts are all that keyturn connects to, besides what its policies' probe URLs and
// its channels name. A test compares them with the clients that are linked.
var KnownHosts = []Known{
	{"metadata.google.internal", "tokens of the attached account", Everyone},
	{"oauth2.googleapis.com", "tries new service-account keys", "Rotate"},
	{"openidconnect.googleapis.com", "asks whose a new key is", "Rotate"},
	{"generativelanguage.googleapis.com", "tries new API keys", "Rotate"},
	{"www.googleapis.com", "keys that callers' identity tokens are signed with", "the three by HTTP"},
	{"secretmanager.googleapis.com", "secrets, seals, alerts.yaml", Everyone},
	{"pubsub.googleapis.com", "publishes commands, findings, alerts and dead letters", Everyone},
	{"iam.googleapis.com", "service-account keys, and what Google holds of them", "Rotate, Audit"},
	{"apikeys.googleapis.com", "API keys", "Rotate, Audit"},
	{"monitoring.googleapis.com", "whether an old key is used; what detectors measure", "Rotate, Audit"},
	{"logging.googleapis.com", "audit log entries", "Rotate, Audit"},
	{"firestore.googleapis.com", "what instances share", "Audit, Alert"},
	{"cloudresourcemanager.googleapis.com", "policies and hierarchy, for posture", "Audit"},
	{"cloudasset.googleapis.com", "policies of everything, for posture", "Audit"},
	{"orgpolicy.googleapis.com", "organisation policies", "Rotate, Audit"},
	{"policyanalyzer.googleapis.com", "the last use of keys, for posture", "Audit"},
	{"storage.googleapis.com", "HMAC keys, for posture", "Audit"},
	{"securitycenter.googleapis.com", "channels of kind scc", "alerts.yaml"},
	{"chat.googleapis.com", "channels of kind chat", "alerts.yaml"},
	{"events.pagerduty.com", "channels of kind pagerduty", "alerts.yaml"},
	{"events.eu.pagerduty.com", "channels of kind pagerduty, in Europe", "alerts.yaml"},
}
