package localgcp

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	apikeys "cloud.google.com/go/apikeys/apiv2"
	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	iam "cloud.google.com/go/iam/admin/apiv1"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	pubsub "cloud.google.com/go/pubsub/v2/apiv1"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	scheduler "cloud.google.com/go/scheduler/apiv1"
	"cloud.google.com/go/scheduler/apiv1/schedulerpb"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/fault"
	localpubsub "example.com/keyturn/internal/localgcp/pubsub"
	"golang.org/x/oauth2/google"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// bearer sends a token over a connection without encryption.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (bearer) RequireTransportSecurity() bool { return false }

func TestStartRefuses(t *testing.T) {
	w := start(t)
	for addr, want := range map[string]string{
		w.cloud.Addr():   "address already in use",
		"0.0.0.0:0":      "not on loopback",
		"nonsense":       "give host:port",
		"127.0.0.1:port": "serving the embedded Google Cloud",
	} {
		if _, err := Start(Config{Addr: addr, ProjectID: "acme", Clock: w.clock}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", addr, err, want)
		}
	}
	if url := w.cloud.URL(); url != "http://"+w.cloud.Addr() {
		t.Errorf("URL %s of %s", url, w.cloud.Addr())
	}
}

// remains are the goroutines of clouds and servers, apart from tests themselves.
func remains() (stacks []string) {
	buf := make([]byte, 1<<20)
	for stack := range bytes.SplitSeq(buf[:runtime.Stack(buf, true)], []byte("\n\n")) {
		s := string(stack)
		if strings.Contains(s, "keyturn/internal/localgcp") && !strings.Contains(s, "testing.tRunner(") {
			stacks = append(stacks, s)
		}
	}
	return stacks
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	cloud, err := Start(Config{Addr: "127.0.0.1:0", ProjectID: "acme", Clock: clock.New()})
	w := &world{T: t, cloud: cloud}
	w.must(err)
	topic := w.topic("ttt")
	url, pushed := w.hanging()
	_, err = cloud.PubSub.TriggerFunction(localpubsub.Trigger{Topic: topic, URL: url})
	w.must(err)
	w.job("* * * * *", topic)
	subscriptions := open(w, pubsub.NewSubscriptionAdminClient, w.overGRPC())
	sub, err := subscriptions.CreateSubscription(t.Context(), &pubsubpb.Subscription{Name: project + "/subscriptions/pull", Topic: topic})
	w.must(err)
	stream, err := subscriptions.StreamingPull(t.Context())
	w.must(err)
	w.must(stream.Send(&pubsubpb.StreamingPullRequest{Subscription: sub.GetName(), StreamAckDeadlineSeconds: 10}))
	w.must(cloud.PubSub.PublishMessage(topic, []byte("x"), nil))
	_, err = stream.Recv()
	w.must(err)
	<-pushed
	moved := make(chan error, 1)
	go func() { // waits for the function that never answers
		_, err := Advance(t.Context(), cloud.URL(), time.Hour)
		moved <- err
	}()
	<-pushed // of the job

	w.must(cloud.Close())
	for err == nil {
		_, err = stream.Recv() // until the stream is cut
	}
	if err := <-moved; err == nil {
		t.Error("the clock's move is said to have settled")
	}
	for deadline := time.Now().Add(20 * time.Second); len(remains()) > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("what remains:\n%s", strings.Join(remains(), "\n\n"))
		}
	}
}

// job fires a message into a topic.
func (w *world) job(schedule, topic string) {
	w.Helper()
	_, err := open(w, scheduler.NewCloudSchedulerClient, w.overGRPC()).CreateJob(w.Context(), &schedulerpb.CreateJobRequest{Parent: region, Job: &schedulerpb.Job{
		Name: region + "/jobs/sweep", Schedule: schedule, Target: &schedulerpb.Job_PubsubTarget{PubsubTarget: &schedulerpb.PubsubTarget{TopicName: topic, Data: []byte("x")}},
	}})
	w.must(err)
}

func TestFaultsReachEveryDoor(t *testing.T) {
	w := start(t)
	w.cloud.Faults.Set(func(string, any) fault.Fault { return fault.Fault{Before: status.Error(codes.Aborted, "on purpose")} })
	for line, form := range map[string]string{
		"GET /v1/projects/acme/secrets": "",
		"POST /v1/projects/-/serviceAccounts/x@acme.iam.gserviceaccount.com:generateAccessToken": "",
		"GET /v1/userinfo": "",
		"POST /token":      "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=x",
	} {
		var headers []string
		if form != "" {
			headers = []string{"Content-Type", "application/x-www-form-urlencoded"}
		}
		if code, answer := w.call(line, form, headers...); code != 409 || message(answer) != "on purpose" {
			t.Errorf("%s: %d %v", line, code, answer)
		}
	}
}

func TestTokenEndpoint(t *testing.T) {
	w := start(t)
	account := w.account("billing")
	key, err := open(w, iam.NewIamClient, w.overGRPC()).CreateServiceAccountKey(t.Context(), &adminpb.CreateServiceAccountKeyRequest{Name: account.GetName()})
	w.must(err)
	config, err := google.JWTConfigFromJSON(key.GetPrivateKeyData(), "https://www.googleapis.com/auth/cloud-platform")
	w.must(err)
	if config.TokenURL != w.cloud.URL()+"/token" {
		t.Errorf("key files name %s for their token endpoint", config.TokenURL)
	}
	token, err := config.TokenSource(t.Context()).Token()
	w.must(err)
	if code, answer := w.call("GET /v1beta/models", "", "Authorization", "Bearer "+token.AccessToken); code != 403 || !strings.Contains(message(answer), "generativelanguage.models.list") {
		t.Errorf("the guarded API does not know the token's account, which it should refuse: %d %v", code, answer)
	}
	code, answer := w.call("GET /oauth2/v3/certs", "")
	if keys, _ := answer["keys"].([]any); code != 200 || len(keys) == 0 {
		t.Errorf("the JWKS: %d %v", code, answer)
	}
	code, answer = w.call("GET /robot/v1/metadata/x509/"+account.GetEmail(), "")
	id := config.PrivateKeyID
	if certificate, _ := answer[id].(string); code != 200 || !strings.HasPrefix(certificate, "-----BEGIN CERTIFICATE-----") {
		t.Errorf("the account's certificates: %d %v", code, answer)
	}
}

func TestGuardedAPI(t *testing.T) {
	w := start(t)
	client := open(w, apikeys.NewClient, w.overGRPC())
	op, err := client.CreateKey(t.Context(), &apikeyspb.CreateKeyRequest{Parent: project + "/locations/global", KeyId: "gemini", Key: &apikeyspb.Key{}})
	w.must(err)
	key, err := op.Wait(t.Context())
	w.must(err)
	secret, err := client.GetKeyString(t.Context(), &apikeyspb.GetKeyStringRequest{Name: key.GetName()})
	w.must(err)
	const prompt = `{"contents":[{"parts":[{"text":"hello"}]}]}`
	for line, body := range map[string]string{
		"GET /v1beta/models": "", "GET /v1/models": "", "GET /v1/models/gemini-2.5-flash": "",
		"POST /v1beta/models/gemini-2.5-flash:generateContent": prompt, "POST /v1/models/gemini-2.5-flash:generateContent": prompt,
	} {
		if code, answer := w.call(line, body, "x-goog-api-key", secret.GetKeyString()); code != 200 {
			t.Errorf("%s: %d %v", line, code, answer)
		}
		if code, answer := w.call(line+"?key=wrong", body); code != 400 || !strings.Contains(message(answer), "API key not valid") {
			t.Errorf("%s with a wrong key: %d %v", line, code, answer)
		}
	}
}

// Pub/Sub signs with IAM's keys, although IAM comes after it.
func TestPushesCarryIdentityTokens(t *testing.T) {
	w := start(t)
	account, topic, got := w.account("pusher"), w.topic("ttt"), make(chan string, 1)
	endpoint := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Get("Authorization") }))
	defer endpoint.Close()
	_, err := w.cloud.PubSub.TriggerFunction(localpubsub.Trigger{Topic: topic, URL: endpoint.URL, ServiceAccount: account.GetEmail()})
	w.must(err)
	w.must(w.cloud.PubSub.PublishMessage(topic, []byte("x"), nil))
	if token := <-got; !strings.HasPrefix(token, "Bearer eyJ") || strings.Count(token, ".") != 2 {
		t.Errorf("Authorization of %d bytes is no identity token", len(token))
	}
}
