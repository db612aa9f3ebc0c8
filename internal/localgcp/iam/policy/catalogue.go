package policy

import "slices"

// unnamed are the permissions of the embedded cloud's services that no
// predefined role here grants by name, but some by pattern.
var unnamed = []string{
	"cloudscheduler.jobs.create", "cloudscheduler.jobs.delete", "cloudscheduler.jobs.enable", "cloudscheduler.jobs.pause", "cloudscheduler.jobs.update",
	"logging.buckets.create", "logging.buckets.delete", "logging.buckets.update", "logging.exclusions.create", "logging.exclusions.delete", "logging.exclusions.update",
	"logging.logMetrics.create", "logging.logMetrics.delete", "logging.logMetrics.update", "logging.logs.delete",
	"logging.sinks.create", "logging.sinks.delete", "logging.sinks.update", "logging.views.create", "logging.views.delete", "logging.views.update",
	"monitoring.alertPolicies.create", "monitoring.alertPolicies.delete", "monitoring.alertPolicies.update",
	"monitoring.dashboards.create", "monitoring.dashboards.delete", "monitoring.dashboards.update", "monitoring.metricDescriptors.delete",
	"pubsub.snapshots.create", "pubsub.snapshots.delete", "pubsub.snapshots.getIamPolicy", "pubsub.snapshots.setIamPolicy", "pubsub.snapshots.update",
	"pubsub.subscriptions.create", "pubsub.subscriptions.delete", "pubsub.subscriptions.getIamPolicy", "pubsub.subscriptions.setIamPolicy", "pubsub.subscriptions.update",
	"pubsub.topics.create", "pubsub.topics.delete", "pubsub.topics.detachSubscription", "pubsub.topics.getIamPolicy", "pubsub.topics.setIamPolicy", "pubsub.topics.update",
	"orgpolicy.policies.create", "orgpolicy.policies.delete", "orgpolicy.policies.update", "orgpolicy.policy.set",
	"resourcemanager.projects.update", "run.services.create", "run.services.delete", "run.services.setIamPolicy", "run.services.update",
}

// Permissions lists, in order, those that are of use in the embedded cloud: what
// patterns in roles stand for, and what custom roles can be made of.
func Permissions() []string {
	list := slices.Clone(unnamed)
	for _, patterns := range predefined {
		for _, p := range patterns {
			if ValidPermission(p) {
				list = append(list, p)
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// expand is what patterns grant of all Permissions.
func expand(patterns []string) []string {
	return slices.DeleteFunc(Permissions(), func(p string) bool { return !grants(patterns, p) })
}
