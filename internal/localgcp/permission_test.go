package localgcp

import (
	"fmt"
	"strings"
	"testing"

	apikeys "cloud.google.com/go/apikeys/apiv2"
	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	credentials "cloud.google.com/go/iam/credentials/apiv1"
	"cloud.google.com/go/iam/credentials/apiv1/credentialspb"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"cloud.google.com/go/monitoring/apiv3/v2/monitoringpb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/scheduler/apiv1/schedulerpb"
	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/genproto/googleapis/cloud/audit"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// bind makes a role the only one that the policy of a resource grants.
func (w *world) bind(resource, role, email string) {
	w.Helper()
	body := fmt.Sprintf(`{"policy":{"bindings":[{"role":%q,"members":["serviceAccount:%s"]}]}}`, role, email)
	if code, answer := w.call("POST /v1/"+resource+":setIamPolicy", body, "Content-Type", "application/json"); code != 200 {
		w.Fatalf("binding %s on %s: %d %v", role, resource, code, answer)
	}
}

// token is one of the account of that e-mail address.
func (w *world) token(email string) string {
	w.Helper()
	minted, err := open(w, credentials.NewIamCredentialsClient, w.overGRPC()).GenerateAccessToken(w.Context(), &credentialspb.GenerateAccessTokenRequest{
		Name: "projects/-/serviceAccounts/" + email, Scope: []string{"https://www.googleapis.com/auth/cloud-platform"},
	})
	w.must(err)
	return minted.GetAccessToken()
}

// conn carries the token of an account with every call.
func (w *world) conn(email string) *grpc.ClientConn {
	w.Helper()
	conn, err := grpc.NewClient(w.cloud.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithPerRPCCredentials(bearer(w.token(email))))
	w.must(err)
	w.Cleanup(func() { conn.Close() })
	return conn
}

// furnished is a world with one of everything.
func furnished(t *testing.T) *world {
	w := startWith(t, Config{DataAccess: true})
	w.topic("ttt")
	secrets := open(w, secretmanager.NewClient, w.overGRPC())
	_, err := secrets.CreateSecret(t.Context(), &secretmanagerpb.CreateSecretRequest{
		Parent: project, SecretId: "sss", Secret: &secretmanagerpb.Secret{Replication: &secretmanagerpb.Replication{
			Replication: &secretmanagerpb.Replication_Automatic_{Automatic: &secretmanagerpb.Replication_Automatic{}},
		}},
	})
	w.must(err)
	_, err = secrets.AddSecretVersion(t.Context(), &secretmanagerpb.AddSecretVersionRequest{Parent: project + "/secrets/sss", Payload: &secretmanagerpb.SecretPayload{Data: []byte("x")}})
	w.must(err)
	op, err := open(w, apikeys.NewClient, w.overGRPC()).CreateKey(t.Context(), &apikeyspb.CreateKeyRequest{Parent: project + "/locations/global", KeyId: "kkk", Key: &apikeyspb.Key{}})
	w.must(err)
	_, err = op.Wait(t.Context())
	w.must(err)
	return w
}

// TestServiceAccountsMayDoWhatPoliciesLetThem tries a method of each service
// without and with the role for it, in the words that Google refuses with.
func TestServiceAccountsMayDoWhatPoliciesLetThem(t *testing.T) {
	w, ctx := furnished(t), t.Context()
	email := w.account("bot").GetEmail()
	conn := w.conn(email)
	const version = project + "/secrets/sss/versions/1"
	for name, c := range map[string]struct {
		on, role, refusal, permission string
		call                          func() error
	}{
		"access": {project + "/secrets/sss", "roles/secretmanager.secretAccessor", "Permission 'secretmanager.versions.access' denied for resource '" + version + "' (or it may not exist).", "secretmanager.versions.access", func() error {
			return second(secretmanagerpb.NewSecretManagerServiceClient(conn).AccessSecretVersion(ctx, &secretmanagerpb.AccessSecretVersionRequest{Name: version}))
		}},
		"update": {project, "roles/secretmanager.admin", "Permission 'secretmanager.secrets.update' denied for resource 'projects/acme/secrets/sss' (or it may not exist).", "secretmanager.secrets.update", func() error {
			_, err := secretmanagerpb.NewSecretManagerServiceClient(conn).UpdateSecret(ctx, &secretmanagerpb.UpdateSecretRequest{Secret: &secretmanagerpb.Secret{Name: project + "/secrets/sss"}})
			return past(codes.InvalidArgument, err)
		}},
		"key string": {project, "roles/serviceusage.apiKeysAdmin", "Permission 'apikeys.keys.getKeyString' denied on resource '" + project + "/locations/global/keys/kkk' (or it may not exist).", "apikeys.keys.getKeyString", func() error {
			return second(apikeyspb.NewApiKeysClient(conn).GetKeyString(ctx, &apikeyspb.GetKeyStringRequest{Name: project + "/locations/global/keys/kkk"}))
		}},
		"update a key": {project, "roles/serviceusage.apiKeysAdmin", "Permission 'apikeys.keys.update' denied on resource '" + project + "/locations/global/keys/kkk' (or it may not exist).", "apikeys.keys.update", func() error {
			return second(apikeyspb.NewApiKeysClient(conn).UpdateKey(ctx, &apikeyspb.UpdateKeyRequest{Key: &apikeyspb.Key{Name: project + "/locations/global/keys/kkk"}}))
		}},
		"look a key up": {project, "roles/serviceusage.apiKeysViewer", "Permission 'apikeys.keys.lookup' denied on resource 'projects/acme' (or it may not exist).", "apikeys.keys.lookup", func() error {
			_, err := apikeyspb.NewApiKeysClient(conn).LookupKey(ctx, &apikeyspb.LookupKeyRequest{KeyString: "AIza"})
			return past(codes.NotFound, err)
		}},
		"publish": {project + "/topics/ttt", "roles/pubsub.publisher", "User not authorized to perform this action.", "", func() error {
			return second(pubsubpb.NewPublisherClient(conn).Publish(ctx, &pubsubpb.PublishRequest{Topic: project + "/topics/ttt", Messages: []*pubsubpb.PubsubMessage{{Data: []byte("x")}}}))
		}},
		"subscribe": {project, "roles/pubsub.editor", "User not authorized to perform this action.", "", func() error {
			return second(pubsubpb.NewSubscriberClient(conn).CreateSubscription(ctx, &pubsubpb.Subscription{Name: project + "/subscriptions/sub", Topic: project + "/topics/ttt"}))
		}},
		"pull": {project, "roles/pubsub.subscriber", "User not authorized to perform this action.", "", func() error {
			stream, err := pubsubpb.NewSubscriberClient(conn).StreamingPull(ctx)
			w.must(err)
			w.must(stream.Send(&pubsubpb.StreamingPullRequest{Subscription: project + "/subscriptions/none", StreamAckDeadlineSeconds: 10}))
			return past(codes.NotFound, second(stream.Recv()))
		}},
		"read logs": {project, "roles/logging.viewer", "Permission 'logging.logEntries.list' denied on resource (or it may not exist).", "logging.logEntries.list", func() error {
			return second(loggingpb.NewLoggingServiceV2Client(conn).ListLogEntries(ctx, &loggingpb.ListLogEntriesRequest{ResourceNames: []string{project}}))
		}},
		"write logs": {project, "roles/logging.logWriter", "Permission 'logging.logEntries.create' denied on resource (or it may not exist).", "logging.logEntries.create", func() error {
			_, err := loggingpb.NewLoggingServiceV2Client(conn).WriteLogEntries(ctx, &loggingpb.WriteLogEntriesRequest{Entries: []*loggingpb.LogEntry{{LogName: project + "/logs/l"}}})
			return past(codes.InvalidArgument, err)
		}},
		"sinks": {project, "roles/logging.configWriter", "Permission 'logging.sinks.get' denied on resource (or it may not exist).", "logging.sinks.get", func() error {
			_, err := loggingpb.NewConfigServiceV2Client(conn).GetSink(ctx, &loggingpb.GetSinkRequest{SinkName: project + "/sinks/none"})
			return past(codes.NotFound, err)
		}},
		"metrics of logs": {project, "roles/logging.viewer", "Permission 'logging.logMetrics.get' denied on resource (or it may not exist).", "logging.logMetrics.get", func() error {
			_, err := loggingpb.NewMetricsServiceV2Client(conn).GetLogMetric(ctx, &loggingpb.GetLogMetricRequest{MetricName: project + "/metrics/none"})
			return past(codes.NotFound, err)
		}},
		"time series": {project, "roles/monitoring.viewer", "Permission monitoring.timeSeries.list denied (or the resource may not exist).", "monitoring.timeSeries.list", func() error {
			_, err := monitoringpb.NewMetricServiceClient(conn).ListTimeSeries(ctx, &monitoringpb.ListTimeSeriesRequest{Name: project})
			return past(codes.InvalidArgument, err)
		}},
		"run a job": {project, "roles/cloudscheduler.jobRunner", `The principal (user or service account) lacks IAM permission "cloudscheduler.jobs.run" for the resource "` + region + `/jobs/none" (or the resource may not exist).`, "cloudscheduler.jobs.run", func() error {
			_, err := schedulerpb.NewCloudSchedulerClient(conn).RunJob(ctx, &schedulerpb.RunJobRequest{Name: region + "/jobs/none"})
			return past(codes.NotFound, err)
		}},
		"update a job": {project, "roles/cloudscheduler.admin", `The principal (user or service account) lacks IAM permission "cloudscheduler.jobs.update" for the resource "` + region + `/jobs/none" (or the resource may not exist).`, "cloudscheduler.jobs.update", func() error {
			_, err := schedulerpb.NewCloudSchedulerClient(conn).UpdateJob(ctx, &schedulerpb.UpdateJobRequest{Job: &schedulerpb.Job{Name: region + "/jobs/none"}})
			return past(codes.NotFound, err)
		}},
		"the policy of a topic": {project, "roles/pubsub.admin", "User not authorized to perform this action.", "", func() error {
			code, answer := w.call("GET /v1/"+project+"/topics/ttt:getIamPolicy", "", "Authorization", "Bearer "+w.token(email))
			if code != 200 {
				return status.Error(codes.PermissionDenied, message(answer))
			}
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w.bind(project, "roles/browser", email)
			refused := status.Convert(c.call())
			if refused.Code() != codes.PermissionDenied || refused.Message() != c.refusal {
				t.Errorf("without %s: %v", c.role, refused)
			}
			if got := permissionIn(refused); got != c.permission {
				t.Errorf("the details name the permission %q, want %q", got, c.permission)
			}
			w.bind(c.on, c.role, email)
			if err := c.call(); err != nil {
				t.Errorf("with %s on %s: %v", c.role, c.on, err)
			}
		})
	}
}

// past is nil for the error with which a service itself refuses what it was asked.
func past(code codes.Code, err error) error {
	if status.Code(err) == code {
		return nil
	}
	return err
}

func permissionIn(s *status.Status) string {
	for _, d := range s.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info.GetMetadata()["permission"]
		}
	}
	return ""
}

// TestProjectsAreOneByIDAndNumber reads with a grant by id what is named by number.
func TestProjectsAreOneByIDAndNumber(t *testing.T) {
	w := furnished(t)
	email := w.account("bot").GetEmail()
	w.bind(project, "roles/serviceusage.apiKeysViewer", email)
	c := apikeyspb.NewApiKeysClient(w.conn(email))
	key, err := c.GetKey(t.Context(), &apikeyspb.GetKeyRequest{Name: project + "/locations/global/keys/kkk"})
	w.must(err)
	if strings.HasPrefix(key.GetName(), project) {
		t.Fatalf("%s is not by number", key.GetName())
	}
	_, err = c.GetKey(t.Context(), &apikeyspb.GetKeyRequest{Name: key.GetName()})
	w.must(err)
	w.bind("projects/elsewhere", "roles/serviceusage.apiKeysViewer", email)
	w.bind(project, "roles/browser", email)
	if _, err = c.GetKey(t.Context(), &apikeyspb.GetKeyRequest{Name: key.GetName()}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("with a grant on another project: %v", err)
	}
}

// entries are those of the project's logs that a filter picks, as an account, or
// the owner, sees them.
func (w *world) entries(conn grpc.ClientConnInterface, filter string) []*loggingpb.LogEntry {
	w.Helper()
	resp, err := loggingpb.NewLoggingServiceV2Client(conn).ListLogEntries(w.Context(), &loggingpb.ListLogEntriesRequest{ResourceNames: []string{project}, Filter: filter})
	w.must(err)
	return resp.GetEntries()
}

func (w *world) owner() *grpc.ClientConn {
	w.Helper()
	conn, err := grpc.NewClient(w.cloud.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	w.must(err)
	w.Cleanup(func() { conn.Close() })
	return conn
}

// TestRefusalsAreAudited reads what Google writes of refused calls, of each kind.
func TestRefusalsAreAudited(t *testing.T) {
	w, ctx := furnished(t), t.Context()
	email := w.account("bot").GetEmail()
	conn := w.conn(email)
	secrets := secretmanagerpb.NewSecretManagerServiceClient(conn)
	const secret = project + "/secrets/sss"
	_, _ = secrets.AccessSecretVersion(ctx, &secretmanagerpb.AccessSecretVersionRequest{Name: secret + "/versions/latest"})
	_, _ = secrets.DeleteSecret(ctx, &secretmanagerpb.DeleteSecretRequest{Name: secret})
	_, _ = pubsubpb.NewPublisherClient(conn).Publish(ctx, &pubsubpb.PublishRequest{Topic: project + "/topics/ttt"})
	_, _ = loggingpb.NewLoggingServiceV2Client(conn).ListLogEntries(ctx, &loggingpb.ListLogEntriesRequest{ResourceNames: []string{"folders/1"}})
	entries := w.entries(w.owner(), `protoPayload.authenticationInfo.principalEmail="`+email+`"`)
	if len(entries) != 2 {
		t.Fatalf("%d entries: %v", len(entries), entries)
	}
	wanted := map[string]struct{ stream, resource, permission string }{
		"AccessSecretVersion": {"data_access", secret + "/versions/latest", "secretmanager.versions.access"},
		"DeleteSecret":        {"activity", secret, "secretmanager.secrets.delete"},
	}
	for _, e := range entries {
		var payload audit.AuditLog
		w.must(e.GetProtoPayload().UnmarshalTo(&payload))
		method := payload.GetMethodName()
		want, about := wanted[strings.TrimPrefix(method, "google.cloud.secretmanager.v1.SecretManagerService.")], payload.GetAuthorizationInfo()[0]
		if !strings.HasSuffix(e.GetLogName(), "%2F"+want.stream) || payload.GetResourceName() != want.resource {
			t.Errorf("entry %v", e)
		}
		if about.GetGranted() || about.GetPermission() != want.permission || payload.GetStatus().GetCode() != int32(codes.PermissionDenied) {
			t.Errorf("payload %v", &payload)
		}
		if l := e.GetResource().GetLabels(); l["service"] != "secretmanager.googleapis.com" || l["method"] != method || l["project_id"] != "acme" {
			t.Errorf("labels %v", l)
		}
	}
}

// TestPrivateEntriesAreLeftOut shows Data Access entries to those alone who may
// read private ones.
func TestPrivateEntriesAreLeftOut(t *testing.T) {
	w := furnished(t)
	email := w.account("bot").GetEmail()
	conn := w.conn(email)
	filter := `logName:"cloudaudit.googleapis.com"`
	for role, private := range map[string]bool{"roles/logging.viewer": false, "roles/logging.privateLogViewer": true} {
		w.bind(project, role, email)
		found := map[bool]int{}
		for _, e := range w.entries(conn, filter) {
			found[strings.HasSuffix(e.GetLogName(), "data_access")]++
		}
		if found[false] == 0 || (found[true] > 0) != private {
			t.Errorf("%s shows %v", role, found)
		}
	}
}

// TestAnyoneMayAskWhatTheyMayDo asks about a topic, with and without a policy.
func TestAnyoneMayAskWhatTheyMayDo(t *testing.T) {
	w := furnished(t)
	email := w.account("bot").GetEmail()
	topic := project + "/topics/ttt"
	held := func() any {
		_, answer := w.call("POST /v1/"+topic+":testIamPermissions", `{"permissions":["pubsub.topics.publish","pubsub.topics.delete","storage.objects.get"]}`,
			"Authorization", "Bearer "+w.token(email), "Content-Type", "application/json")
		return answer["permissions"]
	}
	if got := held(); got != nil {
		t.Errorf("without a policy it holds %v", got)
	}
	w.bind(topic, "roles/pubsub.publisher", email)
	if got := fmt.Sprint(held()); got != "[pubsub.topics.publish]" {
		t.Errorf("it holds %v", got)
	}
}
