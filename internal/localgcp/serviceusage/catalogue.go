package serviceusage

// api is one that can be enabled.
type api struct {
	title string
	// serves are the gRPC services that need it; they refuse calls while it is
	// disabled. APIs that the embedded cloud does not have serve none.
	serves []string
}

// catalogue are the APIs, by name.
var catalogue = map[string]api{
	"apikeys.googleapis.com":              {"API Keys API", []string{"google.api.apikeys.v2.ApiKeys"}},
	"artifactregistry.googleapis.com":     {title: "Artifact Registry API"},
	"cloudasset.googleapis.com":           {"Cloud Asset API", []string{"google.cloud.asset.v1.AssetService"}},
	"cloudbuild.googleapis.com":           {title: "Cloud Build API"},
	"cloudfunctions.googleapis.com":       {"Cloud Functions API", []string{"google.cloud.functions.v2.FunctionService"}},
	"cloudresourcemanager.googleapis.com": {"Cloud Resource Manager API", []string{"google.cloud.resourcemanager.v3.Projects", "google.cloud.resourcemanager.v3.Folders", "google.cloud.resourcemanager.v3.Organizations"}},
	"cloudkms.googleapis.com":             {title: "Cloud Key Management Service (KMS) API"},
	"cloudscheduler.googleapis.com":       {"Cloud Scheduler API", []string{"google.cloud.scheduler.v1.CloudScheduler"}},
	"eventarc.googleapis.com":             {title: "Eventarc API"},
	"firestore.googleapis.com":            {"Cloud Firestore API", []string{"google.firestore.admin.v1.FirestoreAdmin"}},
	"generativelanguage.googleapis.com":   {title: "Generative Language API"},
	"iam.googleapis.com":                  {"Identity and Access Management (IAM) API", []string{"google.iam.admin.v1.IAM", "google.iam.v1.OauthClients", "google.iam.v1.WorkloadIdentityPools"}},
	"iamcredentials.googleapis.com":       {"IAM Service Account Credentials API", []string{"google.iam.credentials.v1.IAMCredentials"}},
	"logging.googleapis.com":              {"Cloud Logging API", []string{"google.logging.v2.LoggingServiceV2", "google.logging.v2.ConfigServiceV2", "google.logging.v2.MetricsServiceV2"}},
	"monitoring.googleapis.com":           {"Cloud Monitoring API", []string{"google.monitoring.v3.MetricService"}},
	"orgpolicy.googleapis.com":            {title: "Organization Policy API"},
	"policyanalyzer.googleapis.com":       {"Policy Analyzer API", []string{"google.cloud.policyanalyzer.v1.PolicyAnalyzer"}},
	"pubsub.googleapis.com":               {"Cloud Pub/Sub API", []string{"google.pubsub.v1.Publisher", "google.pubsub.v1.Subscriber"}},
	"run.googleapis.com":                  {"Cloud Run Admin API", []string{"google.cloud.run.v2.Services"}},
	"secretmanager.googleapis.com":        {"Secret Manager API", []string{"google.cloud.secretmanager.v1.SecretManagerService"}},
	"securitycenter.googleapis.com":       {title: "Security Command Center API"},
	"serviceusage.googleapis.com":         {title: "Service Usage API"},
	"storage.googleapis.com":              {"Cloud Storage JSON API", []string{"google.storage.v1.HmacKeys", "google.storage.v1.Buckets"}},
	"sts.googleapis.com":                  {title: "Security Token Service API"},
}
