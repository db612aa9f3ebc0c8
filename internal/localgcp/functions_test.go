package localgcp

import (
	"testing"

	functionsclient "cloud.google.com/go/functions/apiv2"
	"cloud.google.com/go/functions/apiv2/functionspb"
	"cloud.google.com/go/iam/apiv1/iampb"
	run "cloud.google.com/go/run/apiv2"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// deployed registers functions of those names, each with a service of the same name.
func (w *world) deployed(names ...string) {
	for _, n := range names {
		w.cloud.Functions.Put(&functionspb.Function{
			Name: region + "/functions/" + n, ServiceConfig: &functionspb.ServiceConfig{Service: region + "/services/" + n, Uri: "http://127.0.0.1:9/" + n},
		})
	}
}

func TestFunctionsAreFound(t *testing.T) {
	w, ctx := start(t), t.Context()
	w.deployed("beta", "alpha", "gamma")
	w.cloud.Functions.Put(&functionspb.Function{Name: "projects/acme/locations/europe-west1/functions/alpha", State: functionspb.Function_FAILED})
	for transport, c := range both(w, functionsclient.NewFunctionClient, functionsclient.NewFunctionRESTClient) {
		f, err := c.GetFunction(ctx, &functionspb.GetFunctionRequest{Name: region + "/functions/alpha"})
		w.must(err)
		if f.GetState() != functionspb.Function_ACTIVE || f.GetEnvironment() != functionspb.Environment_GEN_2 || f.GetUrl() != "http://127.0.0.1:9/alpha" || !f.GetCreateTime().AsTime().Equal(t0) {
			t.Errorf("%s: alpha is %v", transport, f)
		}
		for parent, want := range map[string]int{region: 3, project + "/locations/-": 4, project + "/locations/us-east1": 0} {
			it, n := c.ListFunctions(ctx, &functionspb.ListFunctionsRequest{Parent: parent, PageSize: 2}), 0
			for before := ""; ; n++ {
				f, err := it.Next()
				if err == iterator.Done {
					break
				}
				w.must(err)
				if f.GetName() <= before {
					t.Errorf("%s: %s comes after %s", transport, f.GetName(), before)
				}
				before = f.GetName()
			}
			if n != want {
				t.Errorf("%s: %s has %d functions, want %d", transport, parent, n, want)
			}
		}
		runtimes, err := c.ListRuntimes(ctx, &functionspb.ListRuntimesRequest{Parent: region})
		if err != nil || runtimes.GetRuntimes()[0].GetName() != "go126" {
			t.Errorf("%s: runtimes %v, %v", transport, runtimes, err)
		}
	}
}

func TestFunctionsThatAreNotFound(t *testing.T) {
	w, ctx := start(t), t.Context()
	w.deployed("alpha")
	w.cloud.Functions.Remove(region + "/functions/alpha")
	c := open(w, functionsclient.NewFunctionClient, w.overGRPC())
	for name, want := range map[string]codes.Code{region + "/functions/alpha": codes.NotFound, "alpha": codes.InvalidArgument} {
		if _, err := c.GetFunction(ctx, &functionspb.GetFunctionRequest{Name: name}); status.Code(err) != want {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	for name, req := range map[string]*functionspb.ListFunctionsRequest{
		"parent": {Parent: project}, "size": {Parent: region, PageSize: -1}, "filter": {Parent: region, Filter: "x"}, "order": {Parent: region, OrderBy: "name"},
	} {
		if _, err := c.ListFunctions(ctx, req).Next(); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v, want INVALID_ARGUMENT", name, err)
		}
	}
	w.deployed("alpha")
	w.clock.Advance(1)
	w.deployed("alpha")
	f, err := c.GetFunction(ctx, &functionspb.GetFunctionRequest{Name: region + "/functions/alpha"})
	if err != nil || !f.GetUpdateTime().AsTime().After(f.GetCreateTime().AsTime()) {
		t.Errorf("deployed again: %v, %v", f, err)
	}
}

func TestWhoMayCallAFunction(t *testing.T) {
	w, ctx := start(t), t.Context()
	w.deployed("alpha")
	account, resource := w.account("caller"), region+"/services/alpha"
	for transport, c := range both(w, run.NewServicesClient, run.NewServicesRESTClient) {
		p, err := c.GetIamPolicy(ctx, &iampb.GetIamPolicyRequest{Resource: resource})
		w.must(err)
		p.Bindings = []*iampb.Binding{{Role: "roles/run.invoker", Members: []string{"serviceAccount:" + account.GetEmail()}}}
		stale := p.GetEtag()
		p, err = c.SetIamPolicy(ctx, &iampb.SetIamPolicyRequest{Resource: resource, Policy: p})
		if err != nil || len(p.GetBindings()) != 1 {
			t.Errorf("%s: the new policy is %v, %v", transport, p, err)
		}
		p.Etag = stale
		if _, err := c.SetIamPolicy(ctx, &iampb.SetIamPolicyRequest{Resource: resource, Policy: p}); err == nil {
			t.Errorf("%s: a stale etag is taken", transport)
		}
		granted, err := c.TestIamPermissions(ctx, &iampb.TestIamPermissionsRequest{Resource: resource, Permissions: []string{"run.routes.invoke"}})
		if err != nil || len(granted.GetPermissions()) != 1 {
			t.Errorf("%s: the owner holds %v, %v", transport, granted, err)
		}
		for _, name := range []string{region + "/services/none", "none"} {
			if _, err := c.GetIamPolicy(ctx, &iampb.GetIamPolicyRequest{Resource: name}); err == nil {
				t.Errorf("%s: %s has a policy", transport, name)
			}
		}
	}
	// As gcloud functions add-invoker-policy-binding does.
	code, answer := w.call("GET /v1/"+resource+":getIamPolicy?options.requestedPolicyVersion=3", "")
	if code != 200 || answer["bindings"] == nil {
		t.Errorf("version 1 answers HTTP %d %v", code, answer)
	}
	if code, answer = w.call("POST /v1/"+resource+":setIamPolicy", `{"policy":{"bindings":[]}}`); code != 200 || answer["bindings"] != nil {
		t.Errorf("version 1 answers HTTP %d %v", code, answer)
	}
	if code, _ = w.call("POST /v1/"+resource+":testIamPermissions", `{"permissions":["x"]}`); code != 400 {
		t.Errorf("version 1 answers HTTP %d to a permission that is none", code)
	}
	for _, verb := range []string{"setIamPolicy", "testIamPermissions"} {
		if code, _ = w.call("POST /v1/"+region+"/services/none:"+verb, `{}`); code != 404 {
			t.Errorf("%s of a service that does not exist answers HTTP %d", verb, code)
		}
	}
}
