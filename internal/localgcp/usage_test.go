package localgcp

import (
	"strings"
	"testing"

	"cloud.google.com/go/iam/apiv1/iampb"
	pubsub "cloud.google.com/go/pubsub/v2/apiv1"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	serviceusage "cloud.google.com/go/serviceusage/apiv1"
	"cloud.google.com/go/serviceusage/apiv1/serviceusagepb"
	"google.golang.org/api/iterator"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const pubsubAPI = "pubsub.googleapis.com"

func TestAPIsAreEnabledAndDisabled(t *testing.T) {
	w, ctx := start(t), t.Context()
	for transport, c := range both(w, serviceusage.NewClient, serviceusage.NewRESTClient) {
		name := project + "/services/" + pubsubAPI
		off, err := c.DisableService(ctx, &serviceusagepb.DisableServiceRequest{Name: name})
		w.must(err)
		d, err := off.Wait(ctx)
		if err != nil || d.GetService().GetState() != serviceusagepb.State_DISABLED || !strings.HasPrefix(d.GetService().GetParent(), "projects/") {
			t.Errorf("%s: disabled: %v, %v", transport, d, err)
		}
		listed := map[string]int{}
		for _, filter := range []string{"", "state:ENABLED", "state:DISABLED"} {
			it := c.ListServices(ctx, &serviceusagepb.ListServicesRequest{Parent: project, Filter: filter, PageSize: 3})
			for {
				_, err := it.Next()
				if err == iterator.Done {
					break
				}
				w.must(err)
				listed[filter]++
			}
		}
		if listed["state:DISABLED"] != 1 || listed["state:ENABLED"] != listed[""]-1 || listed[""] < 15 {
			t.Errorf("%s: services listed by filter: %v", transport, listed)
		}
		on, err := c.BatchEnableServices(ctx, &serviceusagepb.BatchEnableServicesRequest{Parent: project, ServiceIds: []string{pubsubAPI, "iam.googleapis.com"}})
		w.must(err)
		if resp, err := on.Wait(ctx); err != nil || len(resp.GetServices()) != 2 {
			t.Errorf("%s: enabled: %v, %v", transport, resp, err)
		}
		one, err := c.EnableService(ctx, &serviceusagepb.EnableServiceRequest{Name: name})
		w.must(err)
		if _, err := one.Wait(ctx); err != nil {
			t.Errorf("%s: enabling again: %v", transport, err)
		}
		got, err := c.BatchGetServices(ctx, &serviceusagepb.BatchGetServicesRequest{Parent: project, Names: []string{name}})
		if err != nil || got.GetServices()[0].GetState() != serviceusagepb.State_ENABLED {
			t.Errorf("%s: got %v, %v", transport, got, err)
		}
		if s, err := c.GetService(ctx, &serviceusagepb.GetServiceRequest{Name: name}); err != nil || s.GetConfig().GetTitle() != "Cloud Pub/Sub API" {
			t.Errorf("%s: got %v, %v", transport, s, err)
		}
	}
}

func TestDisabledAPIsRefuseCalls(t *testing.T) {
	w, ctx := start(t), t.Context()
	topic := w.topic("ttt")
	usage := open(w, serviceusage.NewClient, w.overGRPC())
	_, err := usage.DisableService(ctx, &serviceusagepb.DisableServiceRequest{Name: project + "/services/" + pubsubAPI})
	w.must(err)
	_, err = open(w, pubsub.NewTopicAdminClient, w.overGRPC()).GetTopic(ctx, &pubsubpb.GetTopicRequest{Topic: topic})
	details := status.Convert(err).Details()
	if status.Code(err) != codes.PermissionDenied || len(details) != 1 || details[0].(*errdetails.ErrorInfo).GetReason() != "SERVICE_DISABLED" {
		t.Errorf("a disabled API answers %v %v", err, details)
	}
	if code, answer := w.call("GET /v1/"+topic, ""); code != 403 || !strings.Contains(message(answer), "Cloud Pub/Sub API has not been used in project") {
		t.Errorf("over REST it answers HTTP %d %v", code, answer)
	}
}

func TestWhatServiceUsageRefuses(t *testing.T) {
	w, ctx := start(t), t.Context()
	c := open(w, serviceusage.NewClient, w.overGRPC())
	get := func(name string) error {
		return second(c.GetService(ctx, &serviceusagepb.GetServiceRequest{Name: name}))
	}
	batch := func(names ...string) error {
		return second(c.BatchGetServices(ctx, &serviceusagepb.BatchGetServicesRequest{Parent: project, Names: names}))
	}
	enable := func(ids ...string) error {
		return second(c.BatchEnableServices(ctx, &serviceusagepb.BatchEnableServicesRequest{Parent: project, ServiceIds: ids}))
	}
	list := func(filter string, size int32) error {
		return second(c.ListServices(ctx, &serviceusagepb.ListServicesRequest{Parent: project, Filter: filter, PageSize: size}).Next())
	}
	for name, tt := range map[string]struct {
		err  error
		want codes.Code
	}{
		"a name that is none":   {get("pubsub"), codes.InvalidArgument},
		"no such service":       {get(project + "/services/nope.googleapis.com"), codes.PermissionDenied},
		"none of a batch":       {batch(), codes.InvalidArgument},
		"one unknown of two":    {batch(project+"/services/"+pubsubAPI, project+"/services/nope"), codes.PermissionDenied},
		"another parent":        {batch("projects/other/services/" + pubsubAPI), codes.InvalidArgument},
		"enable none":           {enable(), codes.InvalidArgument},
		"enable an unknown one": {enable("nope.googleapis.com"), codes.PermissionDenied},
		"a filter":              {list("name:x", 0), codes.InvalidArgument},
		"a page":                {list("", 201), codes.InvalidArgument},
		"enable a bad name":     {second(c.EnableService(ctx, &serviceusagepb.EnableServiceRequest{Name: "x"})), codes.InvalidArgument},
		"disable a bad name":    {second(c.DisableService(ctx, &serviceusagepb.DisableServiceRequest{Name: "x"})), codes.InvalidArgument},
	} {
		if status.Code(tt.err) != tt.want {
			t.Errorf("%s: %v, want %v", name, tt.err, tt.want)
		}
	}
}

func TestPoliciesOfTopicsAndSubscriptions(t *testing.T) {
	w, ctx := start(t), t.Context()
	topic, account := w.topic("ttt"), w.account("publisher")
	topics := open(w, pubsub.NewTopicAdminClient, w.overGRPC())
	resource := "/v1/" + topic
	body := `{"policy":{"bindings":[{"role":"roles/pubsub.publisher","members":["serviceAccount:` + account.GetEmail() + `"]}]}}`
	if code, answer := w.call("POST "+resource+":setIamPolicy", body); code != 200 {
		t.Fatalf("HTTP %d %v", code, answer)
	}
	if code, answer := w.call("GET "+resource+":getIamPolicy?options.requestedPolicyVersion=3", ""); code != 200 || answer["bindings"] == nil {
		t.Errorf("HTTP %d %v", code, answer)
	}
	p, err := topics.GetIamPolicy(ctx, &iampb.GetIamPolicyRequest{Resource: topic})
	if err != nil || len(p.GetBindings()) != 1 {
		t.Errorf("over gRPC: %v, %v", p, err)
	}
	granted, err := topics.TestIamPermissions(ctx, &iampb.TestIamPermissionsRequest{Resource: topic, Permissions: []string{"pubsub.topics.publish"}})
	if err != nil || len(granted.GetPermissions()) != 1 {
		t.Errorf("the owner holds %v, %v", granted, err)
	}
	w.must(topics.DeleteTopic(ctx, &pubsubpb.DeleteTopicRequest{Topic: topic}))
	for verb, method := range map[string]string{"getIamPolicy": "GET", "setIamPolicy": "POST"} {
		if code, _ := w.call(method+" "+resource+":"+verb, ""); code != 404 {
			t.Errorf("%s of a topic that is gone answers HTTP %d", verb, code)
		}
	}
	granted, err = topics.TestIamPermissions(ctx, &iampb.TestIamPermissionsRequest{Resource: topic, Permissions: []string{"pubsub.topics.publish"}})
	if err != nil || len(granted.GetPermissions()) != 0 {
		t.Errorf("of a topic that is gone the owner holds %v, %v", granted, err)
	}
	w.topic("ttt")
	if p, err := topics.GetIamPolicy(ctx, &iampb.GetIamPolicyRequest{Resource: topic}); err != nil || len(p.GetBindings()) != 0 {
		t.Errorf("a new topic of the same name has the policy %v, %v", p, err)
	}
}
