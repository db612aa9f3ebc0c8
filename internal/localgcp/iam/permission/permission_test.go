package permission

import (
	"slices"
	"testing"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"cloud.google.com/go/firestore/apiv1/firestorepb"
	"cloud.google.com/go/functions/apiv2/functionspb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"cloud.google.com/go/monitoring/apiv3/v2/monitoringpb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/run/apiv2/runpb"
	"cloud.google.com/go/scheduler/apiv1/schedulerpb"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"cloud.google.com/go/serviceusage/apiv1/serviceusagepb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/iam/policy"
)

// open are the methods that anyone may call, or that nobody can, as the embedded
// cloud does not implement them.
var open = map[string][]string{
	"google.cloud.secretmanager.v1.SecretManagerService": {"TestIamPermissions", "EnableManagedRotation", "RotateSecret", "DisableManagedRotation"},
	"google.iam.v1.IAMPolicy":                            {"TestIamPermissions"},
	"google.logging.v2.LoggingServiceV2":                 {"ListMonitoredResourceDescriptors", "TailLogEntries"},
	"google.logging.v2.ConfigServiceV2": {
		"GetBucket", "CreateBucketAsync", "UpdateBucketAsync", "CreateBucket", "UpdateBucket", "DeleteBucket", "UndeleteBucket", "ListViews", "GetView",
		"CreateView", "UpdateView", "DeleteView", "CreateLink", "DeleteLink", "ListLinks", "GetLink", "ListExclusions", "GetExclusion", "CreateExclusion",
		"UpdateExclusion", "DeleteExclusion", "GetCmekSettings", "UpdateCmekSettings", "GetSettings", "UpdateSettings", "CopyLogEntries",
	},
	"google.monitoring.v3.MetricService": {
		"ListMonitoredResourceDescriptors", "GetMonitoredResourceDescriptor", "GetMetricDescriptor", "CreateMetricDescriptor", "DeleteMetricDescriptor",
		"CreateTimeSeries", "CreateServiceTimeSeries",
	},
	"google.cloud.scheduler.v1.CloudScheduler":  {"UpdateCmekConfig", "GetCmekConfig"},
	"google.cloud.functions.v2.FunctionService": {"GenerateDownloadUrl"},
	"google.firestore.v1.Firestore":             {"ListDocuments", "UpdateDocument", "DeleteDocument", "BatchGetDocuments", "BeginTransaction", "Rollback", "RunAggregationQuery", "PartitionQuery", "Write", "Listen", "ListCollectionIds", "BatchWrite", "CreateDocument", "ExecutePipeline"},
	"google.cloud.run.v2.Services":              {"TestIamPermissions", "CreateService", "ListServices", "DeleteService"},
}

// TestEveryMethodHasItsRule keeps the tables and the services' descriptions together.
func TestEveryMethodHasItsRule(t *testing.T) {
	granted := policy.Permissions()
	descs := []grpc.ServiceDesc{
		secretmanagerpb.SecretManagerService_ServiceDesc, apikeyspb.ApiKeys_ServiceDesc, pubsubpb.Publisher_ServiceDesc, pubsubpb.Subscriber_ServiceDesc,
		iampb.IAMPolicy_ServiceDesc, loggingpb.LoggingServiceV2_ServiceDesc, loggingpb.ConfigServiceV2_ServiceDesc, loggingpb.MetricsServiceV2_ServiceDesc,
		monitoringpb.MetricService_ServiceDesc, schedulerpb.CloudScheduler_ServiceDesc,
		functionspb.FunctionService_ServiceDesc, runpb.Services_ServiceDesc, serviceusagepb.ServiceUsage_ServiceDesc, firestorepb.Firestore_ServiceDesc,
	}
	if len(descs) != len(services) {
		t.Errorf("%d services are looked at, and %d guarded", len(descs), len(services))
	}
	for _, d := range descs {
		rules := services[d.ServiceName].rules
		methods := methodsOf(d)
		for _, m := range methods {
			if _, ruled := rules[m]; ruled == slices.Contains(open[d.ServiceName], m) {
				t.Errorf("%s.%s has a rule: %v", d.ServiceName, m, ruled)
			}
		}
		for m, rule := range rules {
			if !slices.Contains(methods, m) {
				t.Errorf("%s has no method %s", d.ServiceName, m)
			}
			if rule.PermissionOf == nil && !slices.Contains(granted, rule.Permission) {
				t.Errorf("%s.%s takes %s, which no role grants", d.ServiceName, m, rule.Permission)
			}
		}
	}
}

func methodsOf(d grpc.ServiceDesc) []string {
	var names []string
	for _, m := range d.Methods {
		names = append(names, m.MethodName)
	}
	for _, s := range d.Streams {
		names = append(names, s.StreamName)
	}
	return names
}

// TestResources finds what requests are about.
func TestResources(t *testing.T) {
	const topic, sub, snapshot = "projects/p/topics/t", "projects/p/subscriptions/s", "projects/p/snapshots/n"
	for _, c := range []struct {
		of         service
		req        any
		permission string
		want       string
	}{
		{publisher, &pubsubpb.Topic{Name: topic}, "", topic},
		{publisher, &pubsubpb.UpdateTopicRequest{Topic: &pubsubpb.Topic{Name: topic}}, "", topic},
		{publisher, &pubsubpb.ListTopicsRequest{Project: "projects/p"}, "", "projects/p"},
		{publisher, &pubsubpb.DetachSubscriptionRequest{Subscription: sub}, "", sub},
		{subscriber, &pubsubpb.Subscription{Name: sub, Topic: topic}, "", sub},
		{subscriber, &pubsubpb.Subscription{Name: sub, Topic: topic}, attach, topic},
		{subscriber, &pubsubpb.UpdateSubscriptionRequest{Subscription: &pubsubpb.Subscription{Name: sub}}, "", sub},
		{subscriber, &pubsubpb.UpdateSnapshotRequest{Snapshot: &pubsubpb.Snapshot{Name: snapshot}}, "", snapshot},
		{subscriber, &pubsubpb.GetSnapshotRequest{Snapshot: snapshot}, "", snapshot},
		{pubsubPolicies, &iampb.GetIamPolicyRequest{Resource: topic}, "", topic},
		{logEntries, &loggingpb.ListLogsRequest{ResourceNames: []string{"projects/p"}}, "", "projects/p"},
		{logEntries, &loggingpb.ListLogsRequest{}, "", ""},
		{logEntries, &loggingpb.WriteLogEntriesRequest{LogName: "projects/p/logs/l"}, "", "projects/p/logs/l"},
		{logEntries, &loggingpb.DeleteLogRequest{LogName: "projects/p/logs/l"}, "", "projects/p/logs/l"},
		{logConfig, &loggingpb.CreateSinkRequest{Parent: "projects/p"}, "", "projects/p"},
		{logMetrics, &loggingpb.DeleteLogMetricRequest{MetricName: "projects/p/metrics/m"}, "", "projects/p/metrics/m"},
		{apiKeys, &apikeyspb.LookupKeyRequest{KeyString: "k"}, "", ""},
	} {
		if got := c.of.resource(c.req, c.permission); got != c.want {
			t.Errorf("%T is about %q, want %q", c.req, got, c.want)
		}
	}
	if got := collection(&iampb.GetIamPolicyRequest{Resource: sub}); got != "subscriptions" {
		t.Errorf("%s is one of %s", sub, got)
	}
}

// TestRefusalsOfServiceUsage are worded by what was to be done.
func TestRefusalsOfServiceUsage(t *testing.T) {
	for permission, c := range map[string]struct{ resource, want string }{
		"serviceusage.services.enable": {"projects/p/services/iam.googleapis.com", "Permission denied to enable service [iam.googleapis.com]"},
		"serviceusage.services.list":   {"projects/p", "Permission denied to list services for consumer container [projects/p]"},
	} {
		if got := status.Convert(serviceUsage.refuse(permission, c.resource)).Message(); got != c.want {
			t.Errorf("%s is refused with %q", permission, got)
		}
	}
}
