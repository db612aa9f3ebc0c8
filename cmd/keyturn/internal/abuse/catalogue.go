package abuse

import (
	"fmt"
	"strings"
)

// Endpoint is one method of one of Google's APIs and the permission that it asks for.
type Endpoint struct {
	Service    string // such as compute.googleapis.com
	Method     string // as audit logs name it
	Permission string
	Collection string // of the resource, such as buckets
	Read       bool   // whether denied calls of people are redacted
}

// services are the APIs of the simulated organisation. In a method, {noun} and
// {verb} are as in the permission, {Call} is such as ListSecrets.
var services = []struct{ prefix, host, method, nouns string }{
	{"compute", "compute.googleapis.com", "v1.compute.{noun}.{verb}", "instances disks images snapshots networks subnetworks firewalls routes routers addresses backendServices urlMaps targetHttpProxies sslCertificates instanceTemplates autoscalers healthChecks vpnTunnels"},
	{"storage", "storage.googleapis.com", "storage.{noun}.{verb}", "buckets objects managedFolders folders"},
	{"iam", "iam.googleapis.com", "google.iam.admin.v1.{Call}", "serviceAccounts roles workloadIdentityPools denypolicies"},
	{"resourcemanager", "cloudresourcemanager.googleapis.com", "google.cloud.resourcemanager.v3.Projects.{Call}", "projects folders tagKeys tagValues"},
	{"secretmanager", "secretmanager.googleapis.com", "google.cloud.secretmanager.v1.SecretManagerService.{Call}", "secrets versions"},
	{"bigquery", "bigquery.googleapis.com", "google.cloud.bigquery.v2.{Call}", "datasets tables jobs routines models reservations"},
	{"pubsub", "pubsub.googleapis.com", "google.pubsub.v1.Publisher.{Call}", "topics subscriptions snapshots schemas"},
	{"container", "container.googleapis.com", "google.container.v1.ClusterManager.{Call}", "clusters operations pods deployments configMaps"},
	{"cloudsql", "cloudsql.googleapis.com", "cloudsql.{noun}.{verb}", "instances databases users backupRuns sslCerts"},
	{"cloudkms", "cloudkms.googleapis.com", "{Call}", "keyRings cryptoKeys cryptoKeyVersions importJobs"},
	{"run", "run.googleapis.com", "google.cloud.run.v2.Services.{Call}", "services jobs revisions executions"},
	{"cloudfunctions", "cloudfunctions.googleapis.com", "google.cloud.functions.v2.FunctionService.{Call}", "functions operations"},
	{"logging", "logging.googleapis.com", "google.logging.v2.ConfigServiceV2.{Call}", "sinks exclusions logMetrics views buckets"},
	{"monitoring", "monitoring.googleapis.com", "google.monitoring.v3.MetricService.{Call}", "timeSeries dashboards alertPolicies notificationChannels"},
	{"dns", "dns.googleapis.com", "dns.{noun}.{verb}", "managedZones changes policies resourceRecordSets"},
	{"spanner", "spanner.googleapis.com", "google.spanner.admin.instance.v1.InstanceAdmin.{Call}", "instances databases backups"},
	{"dataflow", "dataflow.googleapis.com", "dataflow.{noun}.{verb}", "jobs snapshots"},
	{"dataproc", "dataproc.googleapis.com", "google.cloud.dataproc.v1.ClusterController.{Call}", "clusters jobs workflowTemplates"},
	{"aiplatform", "aiplatform.googleapis.com", "google.cloud.aiplatform.v1.{Call}", "endpoints models datasets pipelineJobs"},
	{"artifactregistry", "artifactregistry.googleapis.com", "google.devtools.artifactregistry.v1.ArtifactRegistry.{Call}", "repositories packages tags"},
	{"cloudbuild", "cloudbuild.googleapis.com", "google.devtools.cloudbuild.v1.CloudBuild.{Call}", "builds triggers"},
	{"serviceusage", "serviceusage.googleapis.com", "google.api.serviceusage.v1.ServiceUsage.{Call}", "services quotas"},
	{"apikeys", "apikeys.googleapis.com", "google.api.apikeys.v2.ApiKeys.{Call}", "keys"},
	{"redis", "redis.googleapis.com", "google.cloud.redis.v1.CloudRedis.{Call}", "instances operations"},
	{"bigtable", "bigtableadmin.googleapis.com", "google.bigtable.admin.v2.BigtableInstanceAdmin.{Call}", "instances clusters tables appProfiles"},
	{"datastore", "datastore.googleapis.com", "google.datastore.admin.v1.DatastoreAdmin.{Call}", "databases indexes entities"},
	{"orgpolicy", "orgpolicy.googleapis.com", "google.cloud.orgpolicy.v2.OrgPolicy.{Call}", "policies constraints"},
	{"securitycenter", "securitycenter.googleapis.com", "google.cloud.securitycenter.v1.SecurityCenter.{Call}", "findings sources assets"},
}

var verbs = []string{"get", "list", "create", "update", "delete", "getIamPolicy", "setIamPolicy"}

// Catalogue returns one endpoint for each noun and verb of the services.
func Catalogue() []Endpoint {
	var all []Endpoint
	for _, s := range services {
		for noun := range strings.FieldsSeq(s.nouns) {
			for _, verb := range verbs {
				method := strings.NewReplacer("{noun}", noun, "{verb}", verb, "{Call}", rpc(verb, noun)).Replace(s.method)
				all = append(all, Endpoint{
					Service: s.host, Method: method, Permission: s.prefix + "." + noun + "." + verb,
					Collection: noun, Read: verb == "get" || verb == "list" || verb == "getIamPolicy",
				})
			}
		}
	}
	return all
}

// rpc is the name of the call that does verb to noun: ListSecrets, GetSecret.
func rpc(verb, noun string) string {
	title := func(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
	switch {
	case strings.HasSuffix(verb, "IamPolicy"):
		return title(verb)
	case verb == "list":
		return "List" + title(noun)
	case strings.HasSuffix(noun, "ies"):
		noun = strings.TrimSuffix(noun, "ies") + "y"
	default:
		noun = strings.TrimSuffix(noun, "s")
	}
	return title(verb) + title(noun)
}

// Endpoints that the simulation uses by name.
var (
	accessSecret   = Endpoint{"secretmanager.googleapis.com", "google.cloud.secretmanager.v1.SecretManagerService.AccessSecretVersion", "secretmanager.versions.access", "secrets", true}
	addVersion     = Endpoint{"secretmanager.googleapis.com", "google.cloud.secretmanager.v1.SecretManagerService.AddSecretVersion", "secretmanager.versions.add", "secrets", false}
	listSecrets    = Endpoint{"secretmanager.googleapis.com", "google.cloud.secretmanager.v1.SecretManagerService.ListSecrets", "secretmanager.secrets.list", "secrets", true}
	createKey      = Endpoint{"iam.googleapis.com", "google.iam.admin.v1.CreateServiceAccountKey", "iam.serviceAccountKeys.create", "serviceAccounts", false}
	uploadKey      = Endpoint{"iam.googleapis.com", "google.iam.admin.v1.UploadServiceAccountKey", "iam.serviceAccountKeys.create", "serviceAccounts", false}
	createHMAC     = Endpoint{"storage.googleapis.com", "storage.hmacKeys.create", "storage.hmacKeys.create", "hmacKeys", false}
	createAPIKey   = Endpoint{"apikeys.googleapis.com", "google.api.apikeys.v2.ApiKeys.CreateKey", "serviceusage.apiKeys.create", "keys", false}
	exchangeToken  = Endpoint{"sts.googleapis.com", "google.identity.sts.v1.SecurityTokenService.ExchangeToken", "sts.identityProviders.checkLogging", "workloadIdentityPools", true}
	disableKey     = Endpoint{"iam.googleapis.com", "google.iam.admin.v1.DisableServiceAccountKey", "iam.serviceAccountKeys.disable", "serviceAccounts", false}
	deleteKey      = Endpoint{"iam.googleapis.com", "google.iam.admin.v1.DeleteServiceAccountKey", "iam.serviceAccountKeys.delete", "serviceAccounts", false}
	createAccount  = Endpoint{"iam.googleapis.com", "google.iam.admin.v1.CreateServiceAccount", "iam.serviceAccounts.create", "projects", false}
	getRole        = Endpoint{"iam.googleapis.com", "google.iam.admin.v1.GetRole", "iam.roles.get", "roles", true}
	mintToken      = Endpoint{"iamcredentials.googleapis.com", "GenerateAccessToken", "iam.serviceAccounts.getAccessToken", "serviceAccounts", true}
	setPolicy      = Endpoint{"cloudresourcemanager.googleapis.com", "SetIamPolicy", "resourcemanager.projects.setIamPolicy", "projects", false}
	testPermission = Endpoint{"cloudresourcemanager.googleapis.com", "TestIamPermissions", "resourcemanager.projects.get", "projects", true}
	dockerTags     = Endpoint{"artifactregistry.googleapis.com", "Docker-GetTags", "artifactregistry.tags.list", "repositories", true}
	patchRoles     = Endpoint{"k8s.io", "io.k8s.authorization.rbac.v1.clusterroles.patch", "io.k8s.authorization.rbac.v1.clusterroles.patch", "clusterroles", false}
	patchBindings  = Endpoint{"k8s.io", "io.k8s.authorization.rbac.v1.clusterrolebindings.patch", "io.k8s.authorization.rbac.v1.clusterrolebindings.patch", "clusterrolebindings", false}
	patchStatus    = Endpoint{"k8s.io", "io.k8s.apps.v1.deployments.patch", "io.k8s.apps.v1.deployments.patch", "deployments", false}
	getObjects     = Endpoint{"k8s.io", "io.k8s.core.v1.configmaps.get", "io.k8s.core.v1.configmaps.get", "configmaps", true}
)

// resource names the nth thing of the endpoint's collection in project.
func (e Endpoint) resource(p *Project, n int) string {
	switch {
	case e.Collection == "projects":
		return "projects/" + p.ID
	case e.Service == "storage.googleapis.com":
		return fmt.Sprintf("projects/_/buckets/%s-data-%d", p.ID, n)
	case e.Service == "k8s.io":
		return fmt.Sprintf("%s/app-%d", e.Collection, n)
	case strings.HasSuffix(e.Permission, ".list"):
		return "projects/" + p.ID
	}
	return fmt.Sprintf("projects/%s/%s/%s-%d", p.ID, e.Collection, strings.TrimSuffix(e.Collection, "s"), n)
}
