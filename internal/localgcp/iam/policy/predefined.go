package policy

// mint are the permissions to act as a service account, which the basic roles,
// owner included, leave out.
var mint = []string{
	"!iam.serviceAccounts.getAccessToken", "!iam.serviceAccounts.getOpenIdToken", "!iam.serviceAccounts.sign*", "!iam.serviceAccounts.implicitDelegation",
}

// inProject is what most of the roles for one service add, for the console's sake.
var inProject = []string{"resourcemanager.projects.get", "resourcemanager.projects.list"}

func join(lists ...[]string) []string {
	var all []string
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// predefined holds what those of Google's roles grant that matter here, as
// patterns in which * stands for anything and a leading ! takes away. What
// concerns the services of the embedded cloud is as Google documents it
// (docs.cloud.google.com/iam/docs/roles-permissions); the rest is left out.
var predefined = map[string][]string{
	"roles/owner":  join([]string{"*"}, mint),
	"roles/editor": join([]string{"*", "!*.setIamPolicy", "!iam.roles.*", "iam.roles.get", "iam.roles.list", "!secretmanager.versions.access", "!logging.privateLogEntries.list", "!logging.views.access"}, mint),
	"roles/viewer": {"*.get", "*.list", "*.getIamPolicy", "apikeys.keys.getKeyString", "apikeys.keys.lookup", "cloudscheduler.jobs.fullView", "!logging.privateLogEntries.list"},

	"roles/iam.serviceAccountTokenCreator": join(inProject, []string{
		"iam.serviceAccounts.get", "iam.serviceAccounts.list", "iam.serviceAccounts.getAccessToken", "iam.serviceAccounts.getOpenIdToken",
		"iam.serviceAccounts.implicitDelegation", "iam.serviceAccounts.signBlob", "iam.serviceAccounts.signJwt",
	}),
	"roles/iam.serviceAccountOpenIdTokenCreator": {"iam.serviceAccounts.getOpenIdToken"},
	"roles/iam.workloadIdentityUser": {
		"iam.serviceAccounts.get", "iam.serviceAccounts.list", "iam.serviceAccounts.getAccessToken", "iam.serviceAccounts.getOpenIdToken",
	},
	"roles/iam.serviceAccountUser":    join(inProject, []string{"iam.serviceAccounts.actAs", "iam.serviceAccounts.get", "iam.serviceAccounts.list"}),
	"roles/iam.serviceAccountViewer":  join(inProject, []string{"iam.serviceAccountKeys.get", "iam.serviceAccountKeys.list", "iam.serviceAccounts.get", "iam.serviceAccounts.getIamPolicy", "iam.serviceAccounts.list"}),
	"roles/iam.serviceAccountCreator": join(inProject, []string{"iam.serviceAccounts.create", "iam.serviceAccounts.get", "iam.serviceAccounts.list"}),
	"roles/iam.serviceAccountDeleter": join(inProject, []string{"iam.serviceAccounts.delete", "iam.serviceAccounts.get", "iam.serviceAccounts.list"}),
	"roles/iam.serviceAccountAdmin": join(inProject, []string{
		"iam.serviceAccounts.create", "iam.serviceAccounts.delete", "iam.serviceAccounts.disable", "iam.serviceAccounts.enable", "iam.serviceAccounts.get",
		"iam.serviceAccounts.getIamPolicy", "iam.serviceAccounts.list", "iam.serviceAccounts.setIamPolicy", "iam.serviceAccounts.undelete", "iam.serviceAccounts.update",
		"iam.serviceAccountApiKeyBindings.create", "iam.serviceAccountApiKeyBindings.delete", "iam.serviceAccountApiKeyBindings.undelete",
	}),
	"roles/iam.serviceAccountApiKeyBindingAdmin": join(inProject, []string{
		"iam.serviceAccountApiKeyBindings.create", "iam.serviceAccountApiKeyBindings.delete", "iam.serviceAccountApiKeyBindings.undelete", "iam.serviceAccounts.get", "iam.serviceAccounts.list",
	}),
	"roles/iam.serviceAccountKeyAdmin": join(inProject, []string{
		"iam.serviceAccountKeys.create", "iam.serviceAccountKeys.delete", "iam.serviceAccountKeys.disable", "iam.serviceAccountKeys.enable",
		"iam.serviceAccountKeys.get", "iam.serviceAccountKeys.list", "iam.serviceAccounts.get", "iam.serviceAccounts.list",
	}),
	"roles/iam.roleAdmin": {
		"iam.roles.create", "iam.roles.delete", "iam.roles.get", "iam.roles.list", "iam.roles.undelete", "iam.roles.update",
		"resourcemanager.projects.get", "resourcemanager.projects.getIamPolicy",
	},
	"roles/iam.roleViewer":                  {"iam.roles.get", "iam.roles.list", "resourcemanager.projects.get", "resourcemanager.projects.getIamPolicy"},
	"roles/iam.securityAdmin":               {"*.list", "*.getIamPolicy", "*.setIamPolicy", "iam.roles.*"},
	"roles/iam.securityReviewer":            {"*.list", "*.getIamPolicy", "iam.roles.get", "iam.serviceAccounts.get"},
	"roles/resourcemanager.projectIamAdmin": {"resourcemanager.projects.get", "resourcemanager.projects.getIamPolicy", "resourcemanager.projects.setIamPolicy"},
	"roles/browser":                         join(inProject, []string{"resourcemanager.projects.getIamPolicy"}),

	"roles/secretmanager.admin": join(inProject, []string{
		"secretmanager.locations.get", "secretmanager.locations.list", "secretmanager.secrets.create", "secretmanager.secrets.delete", "secretmanager.secrets.get",
		"secretmanager.secrets.getIamPolicy", "secretmanager.secrets.list", "secretmanager.secrets.setIamPolicy", "secretmanager.secrets.update",
		"secretmanager.versions.access", "secretmanager.versions.add", "secretmanager.versions.destroy", "secretmanager.versions.disable",
		"secretmanager.versions.enable", "secretmanager.versions.get", "secretmanager.versions.list",
	}),
	"roles/secretmanager.viewer": join(inProject, []string{
		"secretmanager.locations.get", "secretmanager.locations.list", "secretmanager.secrets.get", "secretmanager.secrets.getIamPolicy", "secretmanager.secrets.list",
		"secretmanager.versions.get", "secretmanager.versions.list",
	}),
	"roles/secretmanager.secretAccessor":     join(inProject, []string{"secretmanager.versions.access"}),
	"roles/secretmanager.secretVersionAdder": join(inProject, []string{"secretmanager.versions.add"}),
	"roles/secretmanager.secretVersionManager": join(inProject, []string{
		"secretmanager.versions.add", "secretmanager.versions.destroy", "secretmanager.versions.disable", "secretmanager.versions.enable",
		"secretmanager.versions.get", "secretmanager.versions.list",
	}),

	"roles/serviceusage.apiKeysAdmin": {
		"apikeys.keys.create", "apikeys.keys.delete", "apikeys.keys.get", "apikeys.keys.getKeyString", "apikeys.keys.list", "apikeys.keys.lookup",
		"apikeys.keys.undelete", "apikeys.keys.update", "orgpolicy.policy.get",
	},
	"roles/serviceusage.apiKeysViewer": {"apikeys.keys.get", "apikeys.keys.list", "apikeys.keys.lookup"},
	"roles/serviceusage.serviceUsageConsumer": {
		"monitoring.timeSeries.list", "serviceusage.operations.get", "serviceusage.operations.list", "serviceusage.quotas.get", "serviceusage.services.get",
		"serviceusage.services.list", "serviceusage.services.use",
	},
	"roles/serviceusage.serviceUsageViewer": {
		"monitoring.timeSeries.list", "serviceusage.operations.get", "serviceusage.operations.list", "serviceusage.quotas.get", "serviceusage.services.get", "serviceusage.services.list",
	},

	"roles/serviceusage.serviceUsageAdmin": {
		"monitoring.timeSeries.list", "serviceusage.operations.get", "serviceusage.operations.list", "serviceusage.quotas.get", "serviceusage.services.disable",
		"serviceusage.services.enable", "serviceusage.services.get", "serviceusage.services.list", "serviceusage.services.use",
	},

	"roles/pubsub.admin": {"pubsub.*", "resourcemanager.projects.get", "serviceusage.services.get", "serviceusage.services.list"},
	"roles/pubsub.editor": {
		"pubsub.*", "!pubsub.*.setIamPolicy", "!pubsub.*.getIamPolicy", "resourcemanager.projects.get", "serviceusage.services.get", "serviceusage.services.list",
	},
	"roles/pubsub.viewer": {
		"pubsub.snapshots.get", "pubsub.snapshots.list", "pubsub.subscriptions.get", "pubsub.subscriptions.list", "pubsub.topics.get", "pubsub.topics.list",
		"resourcemanager.projects.get", "serviceusage.services.get", "serviceusage.services.list",
	},
	"roles/pubsub.publisher":  {"pubsub.topics.publish"},
	"roles/pubsub.subscriber": {"pubsub.snapshots.seek", "pubsub.subscriptions.consume", "pubsub.topics.attachSubscription"},

	"roles/logging.admin":            {"logging.*", "resourcemanager.projects.get", "resourcemanager.projects.list"},
	"roles/logging.viewer":           join(readLogs, []string{"resourcemanager.projects.get"}),
	"roles/logging.privateLogViewer": join(readLogs, []string{"logging.privateLogEntries.list", "logging.views.access", "resourcemanager.projects.get"}),
	"roles/logging.logWriter":        {"logging.logEntries.create"},
	"roles/logging.configWriter": join(inProject, []string{
		"logging.buckets.*", "logging.exclusions.*", "logging.logMetrics.*", "logging.logs.list", "logging.sinks.*", "logging.views.*", "!logging.views.access",
	}),

	"roles/policyanalyzer.activityAnalysisViewer": join(inProject, []string{
		"policyanalyzer.serviceAccountKeyLastAuthenticationActivities.query", "policyanalyzer.serviceAccountLastAuthenticationActivities.query",
	}),

	"roles/monitoring.viewer": join(inProject, []string{
		"monitoring.alertPolicies.get", "monitoring.alertPolicies.list", "monitoring.dashboards.get", "monitoring.dashboards.list", "monitoring.metricDescriptors.get",
		"monitoring.metricDescriptors.list", "monitoring.monitoredResourceDescriptors.get", "monitoring.monitoredResourceDescriptors.list", "monitoring.timeSeries.list",
	}),
	"roles/monitoring.metricWriter": {
		"monitoring.metricDescriptors.create", "monitoring.metricDescriptors.get", "monitoring.metricDescriptors.list", "monitoring.monitoredResourceDescriptors.get",
		"monitoring.monitoredResourceDescriptors.list", "monitoring.timeSeries.create",
	},

	"roles/cloudscheduler.admin": join(inProject, []string{"cloudscheduler.*", "serviceusage.services.get", "serviceusage.services.list"}),
	"roles/cloudscheduler.viewer": join(inProject, []string{
		"cloudscheduler.jobs.fullView", "cloudscheduler.jobs.get", "cloudscheduler.jobs.list", "cloudscheduler.locations.get", "cloudscheduler.locations.list",
		"serviceusage.services.get", "serviceusage.services.list",
	}),
	"roles/cloudscheduler.jobRunner": join(inProject, []string{"cloudscheduler.jobs.fullView", "cloudscheduler.jobs.run", "serviceusage.services.get", "serviceusage.services.list"}),

	"roles/datastore.user": join(inProject, []string{
		"datastore.databases.get", "datastore.entities.allocateIds", "datastore.entities.create", "datastore.entities.delete", "datastore.entities.get",
		"datastore.entities.list", "datastore.entities.update", "datastore.indexes.list",
	}),
	"roles/cloudfunctions.developer": join(inProject, []string{
		"cloudfunctions.functions.call", "cloudfunctions.functions.create", "cloudfunctions.functions.delete", "cloudfunctions.functions.get", "cloudfunctions.functions.list",
		"cloudfunctions.functions.update", "cloudfunctions.operations.get", "cloudfunctions.operations.list",
		"cloudfunctions.functions.sourceCodeGet", "cloudfunctions.functions.sourceCodeSet", "cloudfunctions.runtimes.list", // [mem]
	}),

	"roles/run.invoker":            {"run.routes.invoke"},
	"roles/run.viewer":             join(inProject, []string{"run.routes.get", "run.routes.list", "run.services.get", "run.services.getIamPolicy", "run.services.list"}),
	"roles/run.developer":          join(inProject, []string{"run.operations.get", "run.operations.list", "run.revisions.delete", "run.revisions.get", "run.revisions.list", "run.routes.get", "run.routes.list", "run.services.create", "run.services.delete", "run.services.get", "run.services.getIamPolicy", "run.services.list", "run.services.update"}),
	"roles/run.admin":              join(inProject, []string{"run.*"}),
	"roles/cloudfunctions.invoker": {"cloudfunctions.functions.invoke"},
	"roles/cloudfunctions.viewer": join(inProject, []string{
		"cloudfunctions.functions.get", "cloudfunctions.functions.getIamPolicy", "cloudfunctions.functions.list", "cloudfunctions.runtimes.list",
	}),
	"roles/orgpolicy.policyViewer": {"orgpolicy.constraints.list", "orgpolicy.policies.list", "orgpolicy.policy.get"},
	"roles/orgpolicy.policyAdmin":  {"orgpolicy.*"},
	"roles/aiplatform.user":        {"aiplatform.endpoints.predict", "aiplatform.endpoints.get", "aiplatform.endpoints.list", "aiplatform.models.get", "aiplatform.models.list"},
}

// readLogs is what those who read logs may do, whichever logs they are.
var readLogs = []string{
	"logging.buckets.get", "logging.buckets.list", "logging.exclusions.get", "logging.exclusions.list", "logging.logEntries.list", "logging.logMetrics.get",
	"logging.logMetrics.list", "logging.logs.list", "logging.sinks.get", "logging.sinks.list", "logging.views.get", "logging.views.list",
}
