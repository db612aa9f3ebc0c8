package localgcp

import (
	"errors"
	"slices"
	"strings"
	"testing"

	apikeys "cloud.google.com/go/apikeys/apiv2"
	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	iam "cloud.google.com/go/iam/admin/apiv1"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	credentials "cloud.google.com/go/iam/credentials/apiv1"
	"cloud.google.com/go/iam/credentials/apiv1/credentialspb"
	logging "cloud.google.com/go/logging/apiv2"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	monitoring "cloud.google.com/go/monitoring/apiv3/v2"
	"cloud.google.com/go/monitoring/apiv3/v2/monitoringpb"
	orgpolicy "cloud.google.com/go/orgpolicy/apiv2"
	"cloud.google.com/go/orgpolicy/apiv2/orgpolicypb"
	pubsub "cloud.google.com/go/pubsub/v2/apiv1"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	scheduler "cloud.google.com/go/scheduler/apiv1"
	"cloud.google.com/go/scheduler/apiv1/schedulerpb"
	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	cloudresourcemanager "google.golang.org/api/cloudresourcemanager/v1"
	restiam "google.golang.org/api/iam/v1"
	"google.golang.org/api/iterator"
	restmonitoring "google.golang.org/api/monitoring/v3"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	"google.golang.org/genproto/googleapis/cloud/location"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// answered checks what a service answered over a transport; a list may be empty.
func (w *world) answered(service, transport string, err error) {
	w.Helper()
	if err != nil && !errors.Is(err, iterator.Done) {
		w.Errorf("%s over %s: %v", service, transport, err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestServicesWithClientsForBothTransports(t *testing.T) {
	w, ctx := start(t), t.Context()
	topic := w.topic("ttt")
	for transport, c := range both(w, secretmanager.NewClient, secretmanager.NewRESTClient) {
		_, err := c.ListSecrets(ctx, &secretmanagerpb.ListSecretsRequest{Parent: project}).Next()
		w.answered("Secret Manager", transport, err)
	}
	for transport, c := range both(w, apikeys.NewClient, apikeys.NewRESTClient) {
		op, err := c.CreateKey(ctx, &apikeyspb.CreateKeyRequest{Parent: project + "/locations/global", KeyId: "key-" + strings.ToLower(transport), Key: &apikeyspb.Key{}})
		w.must(err)
		w.answered("API Keys", transport, second(op.Wait(ctx)))
	}
	for transport, c := range both(w, pubsub.NewTopicAdminClient, pubsub.NewTopicAdminRESTClient) {
		w.answered("Publisher", transport, second(c.GetTopic(ctx, &pubsubpb.GetTopicRequest{Topic: topic})))
	}
	for transport, c := range both(w, pubsub.NewSubscriptionAdminClient, pubsub.NewSubscriptionAdminRESTClient) {
		_, err := c.ListSubscriptions(ctx, &pubsubpb.ListSubscriptionsRequest{Project: project}).Next()
		w.answered("Subscriber", transport, err)
	}
	for transport, c := range both(w, logging.NewConfigClient, logging.NewConfigRESTClient) {
		_, err := c.ListSinks(ctx, &loggingpb.ListSinksRequest{Parent: project}).Next()
		w.answered("Logging's configuration", transport, err)
	}
	for transport, c := range both(w, logging.NewMetricsClient, logging.NewMetricsRESTClient) {
		_, err := c.ListLogMetrics(ctx, &loggingpb.ListLogMetricsRequest{Parent: project}).Next()
		w.answered("Logging's metrics", transport, err)
	}
	for transport, c := range both(w, orgpolicy.NewClient, orgpolicy.NewRESTClient) {
		_, err := c.GetEffectivePolicy(ctx, &orgpolicypb.GetEffectivePolicyRequest{Name: project + "/policies/iam.disableServiceAccountKeyCreation"})
		w.answered("Organization Policy", transport, err)
	}
	for transport, c := range both(w, scheduler.NewCloudSchedulerClient, scheduler.NewCloudSchedulerRESTClient) {
		_, err := c.ListJobs(ctx, &schedulerpb.ListJobsRequest{Parent: region}).Next()
		w.answered("Scheduler", transport, err)
		l, err := c.ListLocations(ctx, &location.ListLocationsRequest{Name: project}).Next()
		if err != nil || l.GetLocationId() != "global" {
			t.Errorf("locations over %s: %v, %v", transport, l, err)
		}
	}
}

// REST clients of these are of an older make.
func TestServicesWithOtherClientsForREST(t *testing.T) {
	w, ctx := start(t), t.Context()
	account := w.account("billing")
	got, err := open(w, iam.NewIamClient, w.overGRPC()).GetServiceAccount(ctx, &adminpb.GetServiceAccountRequest{Name: account.GetName()})
	if err != nil || got.GetEmail() != account.GetEmail() {
		t.Errorf("IAM over gRPC: %v, %v", got, err)
	}
	overREST, err := restiam.NewService(ctx, w.overREST()...)
	w.must(err)
	same, err := overREST.Projects.ServiceAccounts.Get(account.GetName()).Do()
	if err != nil || same.Email != account.GetEmail() {
		t.Errorf("IAM over REST: %v, %v", same, err)
	}
	filter := `metric.type="iam.googleapis.com/service_account/key/authn_events_count"`
	_, err = open(w, monitoring.NewMetricClient, w.overGRPC()).ListTimeSeries(ctx, &monitoringpb.ListTimeSeriesRequest{
		Name: project, Filter: filter, Interval: &monitoringpb.TimeInterval{StartTime: timestamppb.New(t0), EndTime: timestamppb.New(t0.AddDate(0, 0, 1))},
	}).Next()
	w.answered("Monitoring", "gRPC", err)
	metrics, err := restmonitoring.NewService(ctx, w.overREST()...)
	w.must(err)
	_, err = metrics.Projects.TimeSeries.List(project).Filter(filter).IntervalStartTime("2030-01-01T00:00:00Z").IntervalEndTime("2030-01-02T00:00:00Z").Do()
	w.answered("Monitoring", "REST", err)
	projects, err := cloudresourcemanager.NewService(ctx, w.overREST()...)
	w.must(err)
	policy, err := projects.Projects.GetIamPolicy("acme", &cloudresourcemanager.GetIamPolicyRequest{}).Do()
	if err != nil || len(policy.Bindings) == 0 {
		t.Errorf("Resource Manager over REST: %+v, %v", policy, err)
	}
}

// Logging's REST stands behind a middleware of its own.
func TestLogEntriesOverBothTransports(t *testing.T) {
	w, ctx := start(t), t.Context()
	clients := both(w, logging.NewClient, logging.NewRESTClient)
	for transport, c := range clients {
		_, err := c.WriteLogEntries(ctx, &loggingpb.WriteLogEntriesRequest{
			LogName: project + "/logs/a%2Fb", Resource: &monitoredres.MonitoredResource{Type: "global"},
			Entries: []*loggingpb.LogEntry{{InsertId: transport, Payload: &loggingpb.LogEntry_TextPayload{TextPayload: "x"}}},
		})
		w.answered("writing entries", transport, err)
	}
	code, answer := w.call("POST /v2/entries:write", `{"entries":[{"insertId":"of a type that is not linked","logName":"projects/acme/logs/a%2Fb","resource":{"type":"global"},`+
		`"protoPayload":{"@type":"type.googleapis.com/google.nothing.v1.Unknown","x":{"y":1}}}]}`)
	if code != 200 {
		t.Errorf("%d %v", code, answer)
	}
	code, answer = w.call("POST /v2/entries:list", `{"resourceNames":["projects/acme"]}`)
	if entries, _ := answer["entries"].([]any); code != 200 || len(entries) != 3 {
		t.Errorf("%d %v", code, answer)
	}
	if code, answer := w.call("DELETE /v2/projects/acme/logs/a%2Fb", ""); code != 200 {
		t.Errorf("deleting a log with a slash: %d %v", code, answer)
	}
	for transport, c := range clients {
		if _, err := c.ListLogEntries(ctx, &loggingpb.ListLogEntriesRequest{ResourceNames: []string{project}}).Next(); err != iterator.Done {
			t.Errorf("listing over %s after all is deleted: %v", transport, err)
		}
	}
}

func TestCredentialsHavePathsAmongThoseOfIAM(t *testing.T) {
	w, ctx := start(t), t.Context()
	account := w.account("billing")
	name := "projects/-/serviceAccounts/" + account.GetEmail()
	for transport, c := range both(w, credentials.NewIamCredentialsClient, credentials.NewIamCredentialsRESTClient) {
		token, err := c.GenerateAccessToken(ctx, &credentialspb.GenerateAccessTokenRequest{
			Name: name, Scope: []string{"https://www.googleapis.com/auth/cloud-platform"}, Lifetime: durationpb.New(60e9),
		})
		if err != nil || token.GetAccessToken() == "" {
			t.Errorf("access token over %s: %v", transport, err)
		}
		signed, err := c.SignBlob(ctx, &credentialspb.SignBlobRequest{Name: name, Payload: []byte("x")})
		if err != nil || len(signed.GetSignedBlob()) == 0 {
			t.Errorf("signing over %s: %v", transport, err)
		}
	}
	code, answer := w.call("POST /v1/"+account.GetName()+":testIamPermissions", `{"permissions":["iam.serviceAccounts.get"]}`)
	if code != 200 || answer["permissions"] == nil {
		t.Errorf("IAM's own method beside them: %d %v", code, answer)
	}
}

func TestReflectionListsTheServices(t *testing.T) {
	w := start(t)
	conn, err := grpc.NewClient(w.cloud.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	w.must(err)
	defer conn.Close()
	stream, err := grpc_reflection_v1.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	w.must(err)
	w.must(stream.Send(&grpc_reflection_v1.ServerReflectionRequest{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{}}))
	resp, err := stream.Recv()
	w.must(err)
	var names []string
	for _, s := range resp.GetListServicesResponse().GetService() {
		names = append(names, s.GetName())
	}
	for _, want := range []string{
		"google.api.apikeys.v2.ApiKeys", "google.cloud.location.Locations", "google.cloud.scheduler.v1.CloudScheduler",
		"google.cloud.secretmanager.v1.SecretManagerService", "google.iam.admin.v1.IAM", "google.logging.v2.ConfigServiceV2",
		"google.logging.v2.LoggingServiceV2", "google.logging.v2.MetricsServiceV2", "google.longrunning.Operations",
		"google.monitoring.v3.MetricService", "google.pubsub.v1.Publisher", "google.pubsub.v1.Subscriber",
	} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is missing of %v", want, names)
		}
	}
}

func TestUnknownPaths(t *testing.T) {
	w := start(t)
	for _, line := range []string{"GET /", "GET /v1/nothing", "POST /v1/projects/acme/secrets/s:nothing", "POST /v1/projects/acme:nothing", "GET /v1beta/nothing", "PUT " + clockPath} {
		code, answer := w.call(line, "")
		if code != 404 || message(answer) == "" {
			t.Errorf("%s: %d %v", line, code, answer)
		}
	}
	code, answer := w.call("POST /v2/entries:list", `{"filter":7}`)
	if code != 400 || !strings.HasPrefix(message(answer), "Invalid JSON payload received. ") {
		t.Errorf("%d %v", code, answer)
	}
}

// Both kinds of gRPC call are authenticated.
func TestForgedTokens(t *testing.T) {
	w := start(t)
	forged := grpc.WithPerRPCCredentials(bearer("eyJhbGciOiJSUzI1NiJ9.e30.AAAA"))
	conn, err := grpc.NewClient(w.cloud.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()), forged)
	w.must(err)
	defer conn.Close()
	_, err = pubsubpb.NewPublisherClient(conn).GetTopic(t.Context(), &pubsubpb.GetTopicRequest{Topic: project + "/topics/ttt"})
	if status.Code(err) != codes.Unauthenticated {
		t.Errorf("unary: %v", err)
	}
	stream, err := pubsubpb.NewSubscriberClient(conn).StreamingPull(t.Context())
	w.must(err)
	if _, err := stream.Recv(); status.Code(err) != codes.Unauthenticated {
		t.Errorf("stream: %v", err)
	}
}
