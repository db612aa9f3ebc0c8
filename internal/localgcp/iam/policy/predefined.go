package policy

// predefined holds what those of Google's roles grant that matter here, as
// patterns in which * stands for anything and a leading ! takes away. The basic
// roles, owner included, do not let anyone mint a service account's tokens.
var predefined = map[string][]string{
	"roles/owner":  {"*", "!iam.serviceAccounts.getAccessToken", "!iam.serviceAccounts.getOpenIdToken", "!iam.serviceAccounts.sign*", "!iam.serviceAccounts.implicitDelegation"},
	"roles/editor": {"*", "!*.setIamPolicy", "!iam.roles.*", "!secretmanager.versions.access", "!iam.serviceAccounts.getAccessToken", "!iam.serviceAccounts.getOpenIdToken", "!iam.serviceAccounts.sign*", "!iam.serviceAccounts.implicitDelegation"},
	"roles/viewer": {"*.get", "*.list", "*.getIamPolicy"},

	"roles/iam.serviceAccountTokenCreator": {
		"iam.serviceAccounts.get", "iam.serviceAccounts.list", "iam.serviceAccounts.getAccessToken", "iam.serviceAccounts.getOpenIdToken",
		"iam.serviceAccounts.implicitDelegation", "iam.serviceAccounts.signBlob", "iam.serviceAccounts.signJwt",
	},
	"roles/iam.serviceAccountOpenIdTokenCreator": {"iam.serviceAccounts.getOpenIdToken"},
	"roles/iam.workloadIdentityUser": {
		"iam.serviceAccounts.get", "iam.serviceAccounts.list", "iam.serviceAccounts.getAccessToken", "iam.serviceAccounts.getOpenIdToken",
	},
	"roles/iam.serviceAccountUser":    {"iam.serviceAccounts.actAs", "iam.serviceAccounts.get", "iam.serviceAccounts.list"},
	"roles/iam.serviceAccountViewer":  {"iam.serviceAccountKeys.get", "iam.serviceAccountKeys.list", "iam.serviceAccounts.get", "iam.serviceAccounts.getIamPolicy", "iam.serviceAccounts.list"},
	"roles/iam.serviceAccountCreator": {"iam.serviceAccounts.create", "iam.serviceAccounts.get", "iam.serviceAccounts.list"},
	"roles/iam.serviceAccountAdmin": {
		"iam.serviceAccounts.create", "iam.serviceAccounts.delete", "iam.serviceAccounts.disable", "iam.serviceAccounts.enable", "iam.serviceAccounts.get",
		"iam.serviceAccounts.getIamPolicy", "iam.serviceAccounts.list", "iam.serviceAccounts.setIamPolicy", "iam.serviceAccounts.update",
	},
	"roles/iam.serviceAccountKeyAdmin": {
		"iam.serviceAccountKeys.create", "iam.serviceAccountKeys.delete", "iam.serviceAccountKeys.disable", "iam.serviceAccountKeys.enable",
		"iam.serviceAccountKeys.get", "iam.serviceAccountKeys.list", "iam.serviceAccounts.get", "iam.serviceAccounts.list",
	},
	"roles/iam.roleAdmin":        {"iam.roles.*"},
	"roles/iam.roleViewer":       {"iam.roles.get", "iam.roles.list"},
	"roles/iam.securityAdmin":    {"*.getIamPolicy", "*.setIamPolicy", "iam.roles.get", "iam.roles.list"},
	"roles/iam.securityReviewer": {"*.getIamPolicy", "*.list"},

	"roles/secretmanager.admin":                {"secretmanager.*"},
	"roles/secretmanager.viewer":               {"secretmanager.secrets.get", "secretmanager.secrets.list", "secretmanager.secrets.getIamPolicy", "secretmanager.versions.get", "secretmanager.versions.list"},
	"roles/secretmanager.secretAccessor":       {"secretmanager.versions.access"},
	"roles/secretmanager.secretVersionAdder":   {"secretmanager.versions.add"},
	"roles/secretmanager.secretVersionManager": {"secretmanager.versions.add", "secretmanager.versions.destroy", "secretmanager.versions.disable", "secretmanager.versions.enable", "secretmanager.versions.get", "secretmanager.versions.list"},

	"roles/serviceusage.apiKeysAdmin":  {"apikeys.*", "serviceusage.apiKeys.*"},
	"roles/serviceusage.apiKeysViewer": {"apikeys.keys.get", "apikeys.keys.getKeyString", "apikeys.keys.list", "apikeys.keys.lookup"},

	"roles/pubsub.admin":      {"pubsub.*"},
	"roles/pubsub.publisher":  {"pubsub.topics.publish"},
	"roles/pubsub.subscriber": {"pubsub.subscriptions.consume", "pubsub.snapshots.seek", "pubsub.topics.attachSubscription"},

	"roles/logging.admin":            {"logging.*"},
	"roles/logging.viewer":           {"logging.logEntries.list", "logging.logs.list", "logging.sinks.get", "logging.sinks.list"},
	"roles/logging.privateLogViewer": {"logging.logEntries.list", "logging.logs.list", "logging.privateLogEntries.list", "logging.sinks.get", "logging.sinks.list"},
	"roles/logging.logWriter":        {"logging.logEntries.create"},
	"roles/monitoring.viewer":        {"monitoring.timeSeries.list", "monitoring.metricDescriptors.get", "monitoring.metricDescriptors.list"},
	"roles/monitoring.metricWriter":  {"monitoring.timeSeries.create", "monitoring.metricDescriptors.create"},
	"roles/cloudscheduler.admin":     {"cloudscheduler.*"},
	"roles/run.invoker":              {"run.routes.invoke"},
	"roles/cloudfunctions.invoker":   {"cloudfunctions.functions.invoke"},
	"roles/aiplatform.user":          {"aiplatform.endpoints.predict", "aiplatform.endpoints.get", "aiplatform.endpoints.list", "aiplatform.models.get", "aiplatform.models.list"},
	"roles/browser":                  {"resourcemanager.projects.get", "resourcemanager.projects.getIamPolicy"},
}
