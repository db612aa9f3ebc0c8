package localgcp

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	functionsclient "cloud.google.com/go/functions/apiv2"
	"cloud.google.com/go/functions/apiv2/functionspb"
	"cloud.google.com/go/iam/apiv1/iampb"
	logging "cloud.google.com/go/logging/apiv2"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	pubsub "cloud.google.com/go/pubsub/v2/apiv1"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	run "cloud.google.com/go/run/apiv2"
	"cloud.google.com/go/run/apiv2/runpb"
	"example.com/keyturn/internal/localgcp/buildpack/sample"
	"example.com/keyturn/internal/raced"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// deployer deploys to a cloud as gcloud does.
type deployer struct {
	*world
	client   *functionsclient.FunctionClient
	services *run.ServicesClient
}

func deploys(t *testing.T) deployer {
	t.Helper()
	if testing.Short() || raced.Detector {
		t.Skip("it builds and runs programs, which the race detector learns nothing of")
	}
	w := startWith(t, Config{Programs: t.TempDir()})
	w.account("runner")
	w.account("trigger")
	return deployer{w, open(w, functionsclient.NewFunctionClient, w.overGRPC()), open(w, run.NewServicesClient, w.overGRPC())}
}

// upload uploads the sample with changes.
func (d deployer) upload(changes map[string]string) *functionspb.Source {
	d.Helper()
	to, err := d.client.GenerateUploadUrl(d.Context(), &functionspb.GenerateUploadUrlRequest{Parent: region})
	d.must(err)
	if code := d.put(to.GetUploadUrl(), sample.Zip(sample.Files(changes))); code != http.StatusOK {
		d.Fatalf("uploading: HTTP %d", code)
	}
	return &functionspb.Source{Source: &functionspb.Source_StorageSource{StorageSource: to.GetStorageSource()}}
}

func (d deployer) put(url string, body []byte) int {
	d.Helper()
	req, err := http.NewRequestWithContext(d.Context(), http.MethodPut, url, bytes.NewReader(body))
	d.must(err)
	resp, err := http.DefaultClient.Do(req)
	d.must(err)
	d.must(resp.Body.Close())
	return resp.StatusCode
}

// hello is the sample with that source.
func hello(source *functionspb.Source) *functionspb.Function {
	return &functionspb.Function{
		BuildConfig:   &functionspb.BuildConfig{Runtime: "go126", EntryPoint: "Hello", Source: source},
		ServiceConfig: &functionspb.ServiceConfig{ServiceAccountEmail: "runner@acme.iam.gserviceaccount.com", EnvironmentVariables: map[string]string{"A": "one"}},
	}
}

func (d deployer) create(id string, f *functionspb.Function) (*functionspb.Function, error) {
	op, err := d.client.CreateFunction(d.Context(), &functionspb.CreateFunctionRequest{Parent: region, FunctionId: id, Function: f})
	if err != nil {
		return nil, err
	}
	return op.Wait(d.Context())
}

func (d deployer) update(id string, f *functionspb.Function, mask ...string) (*functionspb.Function, error) {
	f.Name = region + "/functions/" + id
	op, err := d.client.UpdateFunction(d.Context(), &functionspb.UpdateFunctionRequest{Function: f, UpdateMask: &fieldmaskpb.FieldMask{Paths: mask}})
	if err != nil {
		return nil, err
	}
	return op.Wait(d.Context())
}

// ask calls a URL as an account, with a token for that audience, or without one.
func (d deployer) ask(url, account, audience string, header ...string) (code int, answer string) {
	d.Helper()
	req, err := http.NewRequestWithContext(d.Context(), http.MethodGet, url, nil)
	d.must(err)
	if account != "" {
		token, err := d.cloud.IAM.IdentityToken(account+"@acme.iam.gserviceaccount.com", audience)
		d.must(err)
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if len(header) == 2 {
		req.Header.Set(header[0], header[1])
	}
	resp, err := http.DefaultClient.Do(req)
	d.must(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	d.must(err)
	return resp.StatusCode, string(text)
}

// invoker lets an account call a service.
func (d deployer) invoker(service, member string) {
	d.Helper()
	_, err := d.services.SetIamPolicy(d.Context(), &iampb.SetIamPolicyRequest{Resource: service, Policy: &iampb.Policy{Bindings: []*iampb.Binding{{Role: "roles/run.invoker", Members: []string{member}}}}})
	d.must(err)
}

// TestDeployedFunction deploys one, calls it with and without leave, and deploys it
// again, unchanged and changed.
func TestDeployedFunction(t *testing.T) {
	d := deploys(t)
	f, err := d.create("hello", hello(d.upload(nil)))
	d.must(err)
	url, service, first := f.GetUrl(), f.GetServiceConfig().GetService(), f.GetServiceConfig().GetRevision()
	if f.GetState() != functionspb.Function_ACTIVE || !strings.HasPrefix(first, "hello-00001-") || !f.GetServiceConfig().GetAllTrafficOnLatestRevision() {
		t.Errorf("deployed: %v", f)
	}
	if code, _ := d.ask(url, "", ""); code != http.StatusForbidden {
		t.Errorf("without a token: HTTP %d", code)
	}
	if code, _ := d.ask(url, "trigger", url); code != http.StatusForbidden {
		t.Errorf("without leave: HTTP %d", code)
	}
	d.invoker(service, "serviceAccount:trigger@acme.iam.gserviceaccount.com")
	for _, audience := range []string{url, url + "/", d.cloud.URL(), "32555940559.apps.googleusercontent.com"} {
		if code, answer := d.ask(url+"/some/where?env=A", "trigger", audience); code != http.StatusOK || !strings.HasPrefix(answer, "/some/where Bearer ") || !strings.HasSuffix(answer, `.SIGNATURE_REMOVED_BY_GOOGLE "one"`) {
			t.Errorf("with a token for %s: HTTP %d %s", audience, code, answer)
		}
	}
	for what, token := range map[string]string{"no token": "a.b.c", "no JWT": "ya29.x"} {
		if code, _ := d.ask(url, "", "", "Authorization", "Bearer "+token); code != http.StatusUnauthorized {
			t.Errorf("%s: HTTP %d", what, code)
		}
	}
	if code, _ := d.ask(url, "trigger", "https://elsewhere"); code != http.StatusUnauthorized {
		t.Errorf("for another audience: HTTP %d", code)
	}
	if code, answer := d.ask(url+"?env=K_REVISION", "", "", "X-Serverless-Authorization", "Bearer local-token"); code != http.StatusOK || answer != `/  "`+first+`"` {
		t.Errorf("the owner: HTTP %d %s", code, answer)
	}
	if code, _ := d.ask(d.cloud.URL()+"/run.app/none", "", ""); code != http.StatusNotFound {
		t.Errorf("no service: HTTP %d", code)
	}
	if same, err := d.update("hello", hello(d.upload(nil))); err != nil || same.GetServiceConfig().GetRevision() != first {
		t.Errorf("deployed again: %v, %v", same, err)
	}
	changed := hello(nil)
	changed.ServiceConfig.EnvironmentVariables["A"] = "two"
	if f, err = d.update("hello", changed, "service_config.environment_variables"); err != nil || !strings.HasPrefix(f.GetServiceConfig().GetRevision(), "hello-00002-") || f.GetBuildConfig().GetEntryPoint() != "Hello" {
		t.Errorf("changed: %v, %v", f, err)
	}
	d.tagged(service, first)
	d.printed(first)
}

// tagged calls a former revision by its tag.
func (d deployer) tagged(service, revision string) {
	d.Helper()
	op, err := d.services.UpdateService(d.Context(), sends(&runpb.Service{Name: service}, "",
		&runpb.TrafficTarget{Type: toLatest, Percent: 100}, &runpb.TrafficTarget{Type: toRevision, Revision: revision, Tag: "former"}))
	d.must(err)
	s, err := op.Wait(d.Context())
	d.must(err)
	for url, want := range map[string]string{s.GetUri(): `/  "two"`, s.GetTrafficStatuses()[1].GetUri(): `/  "one"`} {
		if code, answer := d.ask(url+"/?env=A", "", "", "Authorization", "Bearer local-token"); code != http.StatusOK || answer != want {
			d.Errorf("%s: HTTP %d %s, want %s", url, code, answer, want)
		}
	}
	d.invoker(service, "allUsers")
	if code, _ := d.ask(s.GetUri(), "", ""); code != http.StatusOK {
		d.Errorf("everybody: HTTP %d", code)
	}
}

// printed looks for what a revision printed.
func (d deployer) printed(revision string) {
	d.Helper()
	e, err := open(d.world, logging.NewClient, d.overGRPC()).ListLogEntries(d.Context(), &loggingpb.ListLogEntriesRequest{
		ResourceNames: []string{project}, Filter: `resource.type="cloud_run_revision" resource.labels.revision_name="` + revision + `" severity=NOTICE jsonPayload.message="called"`,
	}).Next()
	if err != nil {
		d.Errorf("what %s printed: %v, %v", revision, e, err)
	}
}

// TestTriggeredFunction is started by messages, with a token, and they come again only
// if somebody wants that.
func TestTriggeredFunction(t *testing.T) {
	d := deploys(t)
	topic := d.topic("orders")
	f := hello(d.upload(nil))
	f.EventTrigger = &functionspb.EventTrigger{
		EventType: "google.cloud.pubsub.topic.v1.messagePublished", PubsubTopic: topic, ServiceAccountEmail: "trigger@acme.iam.gserviceaccount.com", RetryPolicy: functionspb.EventTrigger_RETRY_POLICY_RETRY,
	}
	f, err := d.create("hello", f)
	d.must(err)
	d.invoker(f.GetServiceConfig().GetService(), "serviceAccount:trigger@acme.iam.gserviceaccount.com")
	publisher := open(d.world, pubsub.NewTopicAdminClient, d.overGRPC())
	_, err = publisher.Publish(d.Context(), &pubsubpb.PublishRequest{Topic: topic, Messages: []*pubsubpb.PubsubMessage{{Data: []byte("x")}}})
	d.must(err)
	for deadline := time.Now().Add(10 * time.Second); !d.cloud.Idle(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the message is not taken")
		}
	}
	d.printed(f.GetServiceConfig().GetRevision())
	before := d.cloud.PubSub.Outstanding(topic)
	if _, err := d.update("hello", hello(d.upload(nil)), "build_config.source"); err != nil || len(before) != 1 || len(d.cloud.PubSub.Outstanding(topic)) != 1 {
		t.Errorf("deployed again, the topic has %v: %v", d.cloud.PubSub.Outstanding(topic), err)
	}
	failing := http.Header{"Ce-Id": {"1"}}
	owner := []string{"Authorization", "Bearer local-token"}
	for policy, want := range map[functionspb.EventTrigger_RetryPolicy]int{functionspb.EventTrigger_RETRY_POLICY_RETRY: 500, functionspb.EventTrigger_RETRY_POLICY_DO_NOT_RETRY: 200} {
		g := &functionspb.Function{EventTrigger: &functionspb.EventTrigger{RetryPolicy: policy}}
		_, err := d.update("hello", g, "event_trigger.retry_policy")
		d.must(err)
		req, err := http.NewRequestWithContext(d.Context(), http.MethodPost, f.GetUrl()+"?fail", nil)
		d.must(err)
		req.Header = failing.Clone()
		req.Header.Set(owner[0], owner[1])
		resp, err := http.DefaultClient.Do(req)
		d.must(err)
		d.must(resp.Body.Close())
		if resp.StatusCode != want {
			t.Errorf("%v: an event that fails is answered HTTP %d, want %d", policy, resp.StatusCode, want)
		}
	}
	op, err := d.client.DeleteFunction(d.Context(), &functionspb.DeleteFunctionRequest{Name: f.GetName()})
	d.must(err)
	if err := op.Wait(d.Context()); err != nil {
		t.Error(err)
	}
	if code, _ := d.ask(f.GetUrl(), "", ""); code != http.StatusNotFound || len(d.cloud.PubSub.Outstanding(topic)) != 0 {
		t.Errorf("deleted, it answers HTTP %d and the topic has %v", code, d.cloud.PubSub.Outstanding(topic))
	}
}

// TestDeploymentsThatFail leaves nothing of them behind.
func TestDeploymentsThatFail(t *testing.T) {
	d := deploys(t)
	d.topic("orders")
	good := d.upload(nil)
	for name, tt := range map[string]struct {
		source *functionspb.Source
		change func(*functionspb.Function)
		want   string
	}{
		"two packages": {d.upload(map[string]string{"main.go": "package main\n"}), nil, "Build failed with status: FAILURE and message: error extracting package name: multiple packages"},
		"no function":  {good, func(f *functionspb.Function) { f.BuildConfig.EntryPoint = "Nobody" }, "Container Healthcheck failed. Revision 'bad-00001-"},
		"no upload":    {&functionspb.Source{Source: &functionspb.Source_StorageSource{StorageSource: &functionspb.StorageSource{Object: "x"}}}, nil, "was not uploaded"},
		"no source":    {nil, nil, "storage_source must be set"},
		"no account": {good, func(f *functionspb.Function) {
			f.ServiceConfig.ServiceAccountEmail = "gone@acme.iam.gserviceaccount.com"
		}, "gone@acme.iam.gserviceaccount.com does not exist"},
		"no topic": {good, func(f *functionspb.Function) {
			f.EventTrigger = &functionspb.EventTrigger{PubsubTopic: project + "/topics/gone"}
		}, "(resource=gone)"},
		"other events": {good, func(f *functionspb.Function) { f.EventTrigger = &functionspb.EventTrigger{EventType: "x"} }, "has no events of type"},
	} {
		f := hello(tt.source)
		if tt.change != nil {
			tt.change(f)
		}
		if got, err := d.create("bad", f); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, %v; want %s", name, got, err, tt.want)
		}
		if _, err := d.client.GetFunction(d.Context(), &functionspb.GetFunctionRequest{Name: region + "/functions/bad"}); status.Code(err) != codes.NotFound {
			t.Errorf("%s: it is there: %v", name, err)
		}
	}
	if _, err := d.create("Bad_Name", hello(good)); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a name that is none: %v", err)
	}
	d.deployed("alpha")
	if _, err := d.create("alpha", hello(good)); status.Code(err) != codes.AlreadyExists {
		t.Errorf("a name that is taken: %v", err)
	}
	if _, err := d.update("alpha", hello(good)); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("one that was not deployed: %v", err)
	}
	if _, err := d.update("none", hello(good)); status.Code(err) != codes.NotFound {
		t.Errorf("one that there is not: %v", err)
	}
}

func TestUploadsThatAreRefused(t *testing.T) {
	d := deploys(t)
	if code := d.put(d.cloud.URL()+"/localgcp/upload/guessed.zip", nil); code != http.StatusForbidden {
		t.Errorf("a name that was guessed: HTTP %d", code)
	}
	to, err := d.client.GenerateUploadUrl(d.Context(), &functionspb.GenerateUploadUrlRequest{Parent: region})
	d.must(err)
	for i, want := range []int{http.StatusOK, http.StatusForbidden} {
		if code := d.put(to.GetUploadUrl(), sample.Zip(map[string]string{"../up.go": "package up\n"})); code != want {
			t.Errorf("upload %d: HTTP %d, want %d", i, code, want)
		}
	}
	outside := &functionspb.Source{Source: &functionspb.Source_StorageSource{StorageSource: to.GetStorageSource()}}
	if _, err := d.create("bad", hello(outside)); err == nil || !strings.Contains(err.Error(), "neither a file nor a directory of it") {
		t.Errorf("a file outside of the source: %v", err)
	}
	if _, err := d.client.GenerateUploadUrl(d.Context(), &functionspb.GenerateUploadUrlRequest{Parent: "x"}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a parent that is none: %v", err)
	}
}

// TestWhoMayDeploy is whoever may create functions and act as their accounts.
func TestWhoMayDeploy(t *testing.T) {
	d := deploys(t)
	source := d.upload(nil)
	d.account("builder")
	const builder = "serviceAccount:builder@acme.iam.gserviceaccount.com"
	token, err := d.cloud.IAM.AccessToken("builder@acme.iam.gserviceaccount.com")
	d.must(err)
	runner := project + "/serviceAccounts/" + d.cloud.IAM.UniqueID("runner@acme.iam.gserviceaccount.com")
	object := source.GetStorageSource().GetObject()
	body := `{"buildConfig":{"runtime":"go126","entryPoint":"Hello","source":{"storageSource":{"object":"` + object + `"}}},"serviceConfig":{"serviceAccountEmail":"runner@acme.iam.gserviceaccount.com"}}`
	for _, step := range []struct {
		role, on string
		want     string
	}{
		{"", "", "cloudfunctions.functions.create"}, {"roles/cloudfunctions.developer", project, "iam.serviceAccounts.actAs"}, {"roles/iam.serviceAccountUser", runner, ""},
	} {
		if step.role != "" {
			p := d.cloud.Policies.Get(step.on)
			p.Bindings = append(p.Bindings, &iampb.Binding{Role: step.role, Members: []string{builder}})
			_, err := d.cloud.Policies.Set(step.on, p)
			d.must(err)
		}
		code, answer := d.call("POST /v2/"+region+"/functions?functionId=hello", body, "Authorization", "Bearer "+token)
		if refused, _ := answer["error"].(map[string]any); step.want != "" && (code != http.StatusForbidden || !strings.Contains(refused["message"].(string), step.want)) || step.want == "" && code != http.StatusOK {
			t.Errorf("with %q: HTTP %d %v", step.role, code, answer)
		}
	}
}

func TestCloudsThatDeployNothing(t *testing.T) {
	w := start(t)
	c := open(w, functionsclient.NewFunctionClient, w.overGRPC())
	if _, err := c.CreateFunction(w.Context(), &functionspb.CreateFunctionRequest{Parent: region, FunctionId: "hello", Function: hello(nil)}); status.Code(err) != codes.Unimplemented {
		t.Errorf("%v", err)
	}
	code, answer := w.call("GET /v1/"+region+"/defaultServiceAccount", "")
	if email, _ := answer["serviceAccountEmail"].(string); code != 200 || !strings.HasSuffix(email, "-compute@developer.gserviceaccount.com") {
		t.Errorf("the default account: HTTP %d %v", code, answer)
	}
}
