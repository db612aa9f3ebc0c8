package gcp

import (
	"errors"
	"strings"

	"example.com/keyturn/shared/rotation"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// refusedError is a PERMISSION_DENIED with what was asked for.
type refusedError struct {
	error
	method   string // full gRPC method
	resource string // what the call was about
}

func (e *refusedError) Unwrap() error { return e.error }

// GRPCStatus keeps the status in reach of those who ask with errors.As.
func (e *refusedError) GRPCStatus() *status.Status { return status.Convert(e.error) }

// refusal remembers what a refused call was about, unless that is known already.
func refusal(err error, method, resource string) error {
	var known *refusedError
	if status.Code(err) != codes.PermissionDenied || errors.As(err, &known) {
		return err
	}
	return &refusedError{error: err, method: method, resource: resource}
}

// Denial is what a caller lacked.
type Denial struct {
	Permission string // such as secretmanager.versions.access
	Resource   string // what it is needed on, such as projects/P/secrets/S/versions/1
	Role       string // the least of Google's roles that grants it; empty if none is known
}

// DenialOf tells what the caller of a refused call lacked. It is false for other
// errors, and where Google refuses for another reason than want of a permission.
func DenialOf(err error) (Denial, bool) {
	if status.Code(err) != codes.PermissionDenied {
		return Denial{}, false
	}
	var d Denial
	var asked *refusedError
	if errors.As(err, &asked) {
		d.Permission, d.Resource = permissions[asked.method], asked.resource
	}
	for _, detail := range status.Convert(err).Details() {
		info, ok := detail.(*errdetails.ErrorInfo)
		if ok && info.GetReason() != "IAM_PERMISSION_DENIED" {
			return Denial{}, false
		}
		if named := info.GetMetadata()["permission"]; ok && named != "" {
			d.Permission = named
		}
		if d.Resource == "" {
			d.Resource = info.GetMetadata()["resource"]
		}
	}
	d.Role = roles[d.Permission]
	return d, d.Permission != "" && d.Resource != ""
}

// Grant is the gcloud command that gives a member, such as
// serviceAccount:EMAIL, the role that is missing, on no more than the resource if
// that can have a policy: staging secrets come and go, and their project's counts.
// It is empty if no role is known.
func (d Denial) Grant(member string) string {
	if d.Role == "" {
		return ""
	}
	project := ProjectOf(d.Resource)
	on := "gcloud projects add-iam-policy-binding " + project
	part := strings.Split(d.Resource, "/")
	if len(part) >= 4 && project != "" {
		switch {
		case strings.HasPrefix(d.Permission, "secretmanager.") && part[2] == "secrets" && !strings.HasSuffix(part[3], rotation.StagingSuffix):
			on = "gcloud secrets add-iam-policy-binding " + part[3] + " --project=" + project
		case part[2] == "topics":
			on = "gcloud pubsub topics add-iam-policy-binding " + part[3] + " --project=" + project
		case part[2] == "serviceAccounts":
			on = "gcloud iam service-accounts add-iam-policy-binding " + part[3]
			if project != "-" {
				on += " --project=" + project
			}
		}
	}
	return on + " --member=" + member + " --role=" + d.Role
}

// permissions that the methods take which these adapters call, for the services
// that do not say it when they refuse.
var permissions = map[string]string{
	"/google.pubsub.v1.Publisher/Publish": "pubsub.topics.publish",
	mintMethod:                            "iam.serviceAccounts.getAccessToken",
}

// roles are the least of Google's roles that grant a permission which keyturn needs
// (docs.cloud.google.com/iam/docs/roles-permissions).
var roles = map[string]string{
	"secretmanager.secrets.create":       "roles/secretmanager.admin",
	"secretmanager.secrets.update":       "roles/secretmanager.admin",
	"secretmanager.secrets.delete":       "roles/secretmanager.admin",
	"secretmanager.secrets.get":          "roles/secretmanager.viewer",
	"secretmanager.secrets.list":         "roles/secretmanager.viewer",
	"secretmanager.versions.get":         "roles/secretmanager.viewer",
	"secretmanager.versions.list":        "roles/secretmanager.viewer",
	"secretmanager.versions.access":      "roles/secretmanager.secretAccessor",
	"secretmanager.versions.add":         "roles/secretmanager.secretVersionAdder",
	"secretmanager.versions.enable":      "roles/secretmanager.secretVersionManager",
	"secretmanager.versions.disable":     "roles/secretmanager.secretVersionManager",
	"secretmanager.versions.destroy":     "roles/secretmanager.secretVersionManager",
	"iam.serviceAccounts.get":            "roles/iam.serviceAccountViewer",
	"iam.serviceAccounts.list":           "roles/iam.serviceAccountViewer",
	"iam.serviceAccountKeys.get":         "roles/iam.serviceAccountViewer",
	"iam.serviceAccountKeys.list":        "roles/iam.serviceAccountViewer",
	"iam.serviceAccountKeys.create":      "roles/iam.serviceAccountKeyAdmin",
	"iam.serviceAccountKeys.disable":     "roles/iam.serviceAccountKeyAdmin",
	"iam.serviceAccountKeys.enable":      "roles/iam.serviceAccountKeyAdmin",
	"iam.serviceAccountKeys.delete":      "roles/iam.serviceAccountKeyAdmin",
	"iam.serviceAccounts.disable":        "roles/iam.serviceAccountAdmin",
	"iam.serviceAccounts.enable":         "roles/iam.serviceAccountAdmin",
	"iam.serviceAccounts.getIamPolicy":   "roles/iam.securityReviewer",
	"iam.serviceAccounts.getAccessToken": "roles/iam.serviceAccountTokenCreator",
	"apikeys.keys.get":                   "roles/serviceusage.apiKeysViewer",
	"apikeys.keys.list":                  "roles/serviceusage.apiKeysViewer",
	"apikeys.keys.lookup":                "roles/serviceusage.apiKeysViewer",
	"apikeys.keys.getKeyString":          "roles/serviceusage.apiKeysAdmin",
	"apikeys.keys.create":                "roles/serviceusage.apiKeysAdmin",
	"apikeys.keys.update":                "roles/serviceusage.apiKeysAdmin",
	"apikeys.keys.delete":                "roles/serviceusage.apiKeysAdmin",
	"apikeys.keys.undelete":              "roles/serviceusage.apiKeysAdmin",
	"pubsub.topics.publish":              "roles/pubsub.publisher",
	"cloudscheduler.jobs.get":            "roles/cloudscheduler.viewer",
	"cloudscheduler.jobs.list":           "roles/cloudscheduler.viewer",
	"cloudscheduler.jobs.create":         "roles/cloudscheduler.admin",
	"cloudscheduler.jobs.update":         "roles/cloudscheduler.admin",
	"cloudscheduler.jobs.delete":         "roles/cloudscheduler.admin",
	"cloudscheduler.jobs.pause":          "roles/cloudscheduler.admin",
	"cloudscheduler.jobs.enable":         "roles/cloudscheduler.admin",
	"logging.logEntries.list":            "roles/logging.viewer",
	"monitoring.timeSeries.list":         "roles/monitoring.viewer",
	"policyanalyzer.serviceAccountKeyLastAuthenticationActivities.query": "roles/policyanalyzer.activityAnalysisViewer",
}
