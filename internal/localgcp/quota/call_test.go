package quota

import (
	"testing"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"cloud.google.com/go/monitoring/apiv3/v2/monitoringpb"
	pb "cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

func TestClassify(t *testing.T) {
	for method, want := range map[string]struct {
		service string
		class   Class
	}{
		"/google.iam.admin.v1.IAM/CreateServiceAccountKey":                        {"iam.googleapis.com", Write},
		"/google.iam.admin.v1.IAM/ListServiceAccountKeys":                         {"iam.googleapis.com", Read},
		"/google.iam.admin.v1.IAM/TestIamPermissions":                             {"iam.googleapis.com", Read},
		"/google.cloud.secretmanager.v1.SecretManagerService/AccessSecretVersion": {"secretmanager.googleapis.com", Access},
		"/google.cloud.secretmanager.v1.SecretManagerService/GetSecret":           {"secretmanager.googleapis.com", Read},
		"/google.cloud.secretmanager.v1.SecretManagerService/AddSecretVersion":    {"secretmanager.googleapis.com", Write},
		"/google.api.apikeys.v2.ApiKeys/UndeleteKey":                              {"apikeys.googleapis.com", Write},
		"/google.longrunning.Operations/GetOperation":                             {"apikeys.googleapis.com", Read},
		"/google.monitoring.v3.MetricService/ListTimeSeries":                      {"monitoring.googleapis.com", Read},
		"/google.logging.v2.LoggingServiceV2/ListLogEntries":                      {"logging.googleapis.com", Read},
		"/google.pubsub.v1.Publisher/GetTopic":                                    {"", Read},
	} {
		if service, class := classify(method); service != want.service || class != want.class {
			t.Errorf("%s: %s %s, want %v", method, service, class, want)
		}
	}
}

func TestProjectOf(t *testing.T) {
	for _, c := range []struct {
		req  proto.Message
		want string
	}{
		{&pb.GetSecretRequest{Name: "projects/p/secrets/s"}, "p"},
		{&pb.CreateSecretRequest{Parent: "projects/p/locations/l", SecretId: "s", Secret: &pb.Secret{Name: "projects/q/secrets/s"}}, "p"},
		{&pb.UpdateSecretRequest{Secret: &pb.Secret{Labels: map[string]string{"a": "projects/q"}, Name: "projects/p/secrets/s"}}, "p"},
		{&iampb.SetIamPolicyRequest{Resource: "projects/p/secrets/s"}, "p"},
		{&adminpb.CreateServiceAccountRequest{Name: "projects/p"}, "p"},
		{&adminpb.GetServiceAccountKeyRequest{Name: "projects/-/serviceAccounts/a@p.iam.gserviceaccount.com/keys/k"}, "p"},
		{&adminpb.GetServiceAccountRequest{Name: "projects/-/serviceAccounts/1234"}, ""},
		{&adminpb.PatchServiceAccountRequest{UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"projects/q"}}, ServiceAccount: &adminpb.ServiceAccount{Name: "projects/p/serviceAccounts/a"}}, "p"},
		{&apikeyspb.UpdateKeyRequest{Key: &apikeyspb.Key{Name: "projects/123/locations/global/keys/k"}}, "123"},
		{&apikeyspb.LookupKeyRequest{KeyString: "x"}, ""},
		{&longrunningpb.GetOperationRequest{Name: "operations/akmf.p7-123-b7ff1f9f"}, "123"},
		{&loggingpb.ListLogEntriesRequest{Filter: "projects", ResourceNames: []string{"projects/p", "projects/q"}}, "p"},
		{&monitoringpb.ListTimeSeriesRequest{Name: "projects/p"}, "p"},
		{&loggingpb.WriteLogEntriesRequest{Entries: []*loggingpb.LogEntry{{LogName: "projects/q/logs/l"}}}, ""},
		{&pb.GetSecretRequest{}, ""},
		{&pb.UpdateSecretRequest{Secret: &pb.Secret{Labels: map[string]string{"a": "projects/q"}}}, ""},
		{&pb.ListSecretsRequest{PageSize: 7, PageToken: "projects"}, ""},
		{&pb.GetSecretRequest{Name: "secrets/s"}, ""},
	} {
		if got := projectOf(c.req.ProtoReflect()); got != c.want {
			t.Errorf("%T %v: %q, want %q", c.req, c.req, got, c.want)
		}
	}
}
