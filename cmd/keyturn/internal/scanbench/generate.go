package scanbench

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"time"
)

// Generate returns at least size bytes of audit log entries, one a line, the same
// whenever it is called: what some hundred principals do within days, a few of
// them denied what they try.
func Generate(size int) []byte {
	g := newGenerator()
	out := make([]byte, 0, size+8<<10)
	for len(out) < size {
		out = append(g.entry(out), '\n')
	}
	return out
}

// Entries yields the entries of Generate, each in memory of its own, without end.
func Entries() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for g := newGenerator(); yield(g.entry(nil)); {
		}
	}
}

func newGenerator() *generator {
	return &generator{random: rand.New(rand.NewPCG(4, 2026)), at: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)}
}

type generator struct {
	random *rand.Rand
	at     time.Time
	n      int
}

// call is what entries of one kind have in common.
type call struct {
	weight                int // of 1000
	log, service, method  string
	permission, kind      string
	labels, request, rest string // JSON members; request and rest end with a comma where they are not empty
	list                  string // an element of the request's list, which makes entries long
}

// calls are the kinds of entries, by the shapes that Google documents and
// publishes.
var calls = []call{
	{380, "data_access", "storage.googleapis.com", "storage.objects.get", "storage.objects.get", "gcs_bucket",
		`"bucket_name":"orders-archive","location":"europe-west1"`, ``, `"resourceLocation":{"currentLocations":["europe-west1"]},`, ``},
	{200, "data_access", "bigquery.googleapis.com", "google.cloud.bigquery.v2.JobService.InsertJob", "bigquery.jobs.create", "bigquery_project",
		`"location":"EU"`, ``, `"metadata":{"@type":"type.googleapis.com/google.cloud.audit.BigQueryAuditMetadata","jobInsertion":{"job":{"jobName":"projects/shop-prod/jobs/bquxjob_5f3a_18e2","jobConfig":{"type":"QUERY","queryConfig":{"query":"SELECT o.id, SUM(l.price) AS total\nFROM shop.orders o JOIN shop.lines l ON l.order_id = o.id\nWHERE o.day = \"2026-03-01\" GROUP BY o.id","destinationTable":"projects/shop-prod/datasets/_tmp/tables/anon8a1c","createDisposition":"CREATE_IF_NEEDED","priority":"QUERY_INTERACTIVE","statementType":"SELECT"}},"jobStatus":{"jobState":"RUNNING"},"jobStats":{"createTime":"2026-03-02T08:11:09.113Z","queryStats":{}}},"reason":"JOB_INSERT_REQUEST"}},`, ``},
	{150, "activity", "monitoring.googleapis.com", "google.monitoring.v3.MetricService.CreateTimeSeries", "monitoring.timeSeries.create", "audited_resource",
		`"service":"monitoring.googleapis.com","method":"google.monitoring.v3.MetricService.CreateTimeSeries"`, `"name":"projects/shop-prod",`, ``,
		`{"metric":{"type":"custom.googleapis.com/queue/depth","labels":{"queue":"orders","shard":"7"}},"resource":{"type":"global","labels":{"project_id":"shop-prod"}},"points":[{"interval":{"endTime":"2026-03-02T08:11:00Z"},"value":{"int64Value":"42"}}]}`},
	{30, "data_access", "secretmanager.googleapis.com", "google.cloud.secretmanager.v1.SecretManagerService.AccessSecretVersion", "secretmanager.versions.access", "audited_resource",
		`"service":"secretmanager.googleapis.com","method":"google.cloud.secretmanager.v1.SecretManagerService.AccessSecretVersion"`, `"name":"projects/shop-prod/secrets/db/versions/latest",`, ``, ``},
	{60, "activity", "compute.googleapis.com", "v1.compute.instances.insert", "compute.instances.create", "gce_instance",
		`"instance_id":"5429453110968806653","zone":"europe-west1-b"`, `"name":"batch-17","machineType":"projects/shop-prod/zones/europe-west1-b/machineTypes/n2-standard-8","canIpForward":false,"deletionProtection":false,"scheduling":{"automaticRestart":true,"onHostMaintenance":"MIGRATE","preemptible":false},`,
		`"response":{"id":"5429453110968806653","name":"operation-1772438400-8a1c","status":"RUNNING","operationType":"insert","targetId":"5429453110968806653","progress":0,"insertTime":"2026-03-02T00:11:09.113-08:00","user":"builder@shop-prod.iam.gserviceaccount.com"},`,
		`{"type":"PERSISTENT","mode":"READ_WRITE","boot":true,"autoDelete":true,"initializeParams":{"sourceImage":"projects/debian-cloud/global/images/family/debian-13","diskSizeGb":"50"}}`},
	{150, "activity", "k8s.io", "io.k8s.core.v1.configmaps.update", "io.k8s.core.v1.configmaps.update", "k8s_cluster",
		`"cluster_name":"shop","location":"europe-west1"`, ``, `"labels":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":"RBAC: allowed by RoleBinding \"leader-election\""},`, ``},
	{26, "data_access", "iamcredentials.googleapis.com", "GenerateAccessToken", "iam.serviceAccounts.getAccessToken", "service_account",
		`"email_id":"deployer@shop-prod.iam.gserviceaccount.com","unique_id":"113928471029384756102"`, `"name":"projects/-/serviceAccounts/deployer@shop-prod.iam.gserviceaccount.com","@type":"type.googleapis.com/google.iam.credentials.v1.GenerateAccessTokenRequest",`,
		`"metadata":{"identityDelegationChain":["projects/-/serviceAccounts/deployer@shop-prod.iam.gserviceaccount.com"]},`, ``},
	{3, "activity", "cloudresourcemanager.googleapis.com", "SetIamPolicy", "resourcemanager.projects.setIamPolicy", "project",
		`"env":"prod"`, `"resource":"shop-prod",`, `"serviceData":{"@type":"type.googleapis.com/google.iam.v1.logging.AuditData","policyDelta":{"bindingDeltas":[{"action":"ADD","role":"roles/bigquery.jobUser","member":"user:ana@example.com"}]}},`,
		`{"role":"roles/bigquery.dataViewer","members":["user:ana@example.com","user:bo@example.com","group:analysts@example.com"]}`},
	{1, "activity", "iam.googleapis.com", "google.iam.admin.v1.CreateServiceAccountKey", "iam.serviceAccountKeys.create", "service_account",
		`"email_id":"orders@shop-prod.iam.gserviceaccount.com","unique_id":"103928471029384756102"`, `"private_key_type":2,"name":"projects/-/serviceAccounts/orders@shop-prod.iam.gserviceaccount.com",`,
		`"response":{"@type":"type.googleapis.com/google.iam.admin.v1.ServiceAccountKey","key_origin":2,"key_type":1,"private_key_type":2,"key_algorithm":2,"valid_after_time":{"seconds":1772438400},"valid_before_time":{"seconds":253402300799},"name":"projects/shop-prod/serviceAccounts/orders@shop-prod.iam.gserviceaccount.com/keys/8a1c"},`, ``},
}

// pick chooses a call by weight.
func (g *generator) pick() call {
	n := g.random.IntN(1000)
	for _, c := range calls {
		if n -= c.weight; n < 0 {
			return c
		}
	}
	return calls[0]
}

var agents = []string{
	"google-cloud-sdk gcloud/548.0.0 command/gcloud.storage.cp invocation-id/8a1c environment/None interactive/False python/3.12.8 term/xterm-256color (Linux 6.12.0),gzip(gfe)",
	"gl-go/1.26.1 gccl/1.24.0 gapic/1.24.0 gax/2.27.0 grpc/1.85.0,gzip(gfe)",
	"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/145.0.0.0 Safari/537.36,gzip(gfe)",
	"Terraform/1.14.2 (+https://www.terraform.io) Terraform-Plugin-SDK/2.38.1 terraform-provider-google/7.11.0,gzip(gfe)",
}

// deniedPercent of the calls are denied: most often the same calls of the same callers.
const deniedPercent = 1

// entry appends one entry.
func (g *generator) entry(out []byte) []byte {
	g.n++
	g.at = g.at.Add(time.Duration(g.random.IntN(4000)) * time.Millisecond)
	c, who, object := g.pick(), g.random.IntN(300), g.random.IntN(5000)
	denied := who%10 == 0 && g.random.IntN(100) < 10*deniedPercent
	out = append(out, `{"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog",`...)
	out = g.status(out, c, denied)
	out = g.caller(out, who)
	out = fmt.Appendf(out, `"serviceName":%q,"methodName":%q,"authorizationInfo":[{"resource":"projects/_/buckets/orders-archive/objects/%05d","permission":%q,%s"resourceAttributes":{}}],`,
		c.service, c.method, object, c.permission, granted(denied))
	out = fmt.Appendf(out, `"resourceName":"projects/_/buckets/orders-archive/objects/%05d",`, object)
	out = g.request(out, c)
	out = append(out, c.rest...)
	out = fmt.Appendf(out, `"numResponseItems":"%d"},`, g.random.IntN(9))
	at := g.at.Format("2006-01-02T15:04:05.000000000Z")
	received := g.at.Add(time.Duration(g.random.IntN(900)) * time.Millisecond).Format("2006-01-02T15:04:05.000000000Z")
	return fmt.Appendf(out, `"insertId":"%xd%06x","resource":{"type":%q,"labels":{"project_id":"shop-prod",%s}},"timestamp":%q,"severity":"%s","logName":"projects/shop-prod/logs/cloudaudit.googleapis.com%%2F%s","receiveTimestamp":%q}`,
		g.n, g.random.IntN(1<<24), c.kind, c.labels, at, severity(denied), c.log, received)
}

func (g *generator) status(out []byte, c call, denied bool) []byte {
	switch {
	case denied:
		return fmt.Appendf(out, `"status":{"code":7,"message":"Permission '%s' denied on resource (or it may not exist)."},`, c.permission)
	case g.random.IntN(3) > 0:
		return append(out, `"status":{},`...)
	}
	return out
}

// caller is a service account, some of them by a key or on behalf of another, or a person.
func (g *generator) caller(out []byte, who int) []byte {
	switch {
	case who%3 == 0:
		out = fmt.Appendf(out, `"authenticationInfo":{"principalEmail":"person-%03d@example.com","principalSubject":"user:person-%03d@example.com"},`, who, who)
	case who%3 == 1:
		out = fmt.Appendf(out, `"authenticationInfo":{"principalEmail":"worker-%03d@shop-prod.iam.gserviceaccount.com","serviceAccountKeyName":"//iam.googleapis.com/projects/shop-prod/serviceAccounts/worker-%03d@shop-prod.iam.gserviceaccount.com/keys/%040x","principalSubject":"serviceAccount:worker-%03d@shop-prod.iam.gserviceaccount.com"},`, who, who, who, who)
	default:
		out = fmt.Appendf(out, `"authenticationInfo":{"principalEmail":"job-%03d@shop-prod.iam.gserviceaccount.com","serviceAccountDelegationInfo":[{"firstPartyPrincipal":{"principalEmail":"service-1029384756@container-engine-robot.iam.gserviceaccount.com"}}],"principalSubject":"serviceAccount:job-%03d@shop-prod.iam.gserviceaccount.com"},`, who, who)
	}
	return fmt.Appendf(out, `"requestMetadata":{"callerIp":"198.51.%d.%d","callerSuppliedUserAgent":%q,"requestAttributes":{"time":%q,"auth":{}},"destinationAttributes":{}},`,
		who%100, who%250, agents[who%len(agents)], g.at.Format("2006-01-02T15:04:05.000000000Z"))
}

// request has a list of up to ten elements where the call has one.
func (g *generator) request(out []byte, c call) []byte {
	if c.request == "" {
		return out
	}
	out = append(out, `"request":{`...)
	out = append(out, c.request...)
	out = append(out, `"items":[`...)
	for i := range g.random.IntN(10) {
		if c.list == "" {
			break
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, c.list...)
	}
	return append(out, `],"@type":"type.googleapis.com/google.protobuf.Struct"},`...)
}

// granted is left out where it is false, as Google leaves it out.
func granted(denied bool) string {
	if denied {
		return ""
	}
	return `"granted":true,`
}

func severity(denied bool) string {
	if denied {
		return "ERROR"
	}
	return "NOTICE"
}
