package permission

import (
	"cloud.google.com/go/scheduler/apiv1/schedulerpb"

	"example.com/keyturn/internal/localgcp/iam/access"
)

// scheduler does not ask whether those who make jobs may act as the accounts that
// the jobs run as.
var scheduler = service{
	api: "cloudscheduler.googleapis.com", audited: "google.cloud.scheduler.v1.CloudScheduler.",
	rules: map[string]access.Rule{
		"ListJobs":  read("cloudscheduler.jobs.list"),
		"GetJob":    read("cloudscheduler.jobs.get"),
		"CreateJob": write("cloudscheduler.jobs.create"),
		"UpdateJob": write("cloudscheduler.jobs.update"),
		"DeleteJob": write("cloudscheduler.jobs.delete"),
		"PauseJob":  write("cloudscheduler.jobs.pause"),
		"ResumeJob": write("cloudscheduler.jobs.enable"),
		"RunJob":    write("cloudscheduler.jobs.run"),
	},
	resource: func(req any, permission string) string {
		if r, ok := req.(*schedulerpb.UpdateJobRequest); ok {
			return r.GetJob().GetName()
		}
		return named(req, permission)
	},
	refuse: func(permission, resource string) error { // details are [mem]
		return access.Refusal(map[string]string{"permission": permission, "resource": resource},
			"The principal (user or service account) lacks IAM permission %q for the resource %q (or the resource may not exist).", permission, resource)
	},
}
