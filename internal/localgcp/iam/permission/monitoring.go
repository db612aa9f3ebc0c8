package permission

import (
	"example.com/keyturn/internal/localgcp/iam/access"
)

var monitoring = service{
	api: "monitoring.googleapis.com", audited: "google.monitoring.v3.MetricService.", resource: named,
	rules: map[string]access.Rule{
		"ListTimeSeries":        read("monitoring.timeSeries.list"),
		"ListMetricDescriptors": read("monitoring.metricDescriptors.list"),
	},
	refuse: func(permission, resource string) error { // details are [mem]
		return access.Refusal(map[string]string{"permission": permission, "resource": resource},
			"Permission %s denied (or the resource may not exist).", permission)
	},
}
