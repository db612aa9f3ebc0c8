package rotate

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	apikeys "cloud.google.com/go/apikeys/apiv2"
	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	iam "cloud.google.com/go/iam/admin/apiv1"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	pubsub "cloud.google.com/go/pubsub/v2/apiv1"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"example.com/keyturn/functions/door"
	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

const (
	project = "acme"
	lag     = time.Minute
)

var policy = rotation.Policy{
	Period: rotation.Duration(72 * time.Hour), Overlap: rotation.Duration(6 * time.Hour),
	Quarantine: rotation.Duration(24 * time.Hour), Propagation: rotation.Duration(10 * time.Minute),
	Evidence: rotation.EvidenceIgnored, // by the clock; see evidence_test.go for the rest
}

// env is a rotate function on an embedded Google Cloud, with Google's clients
// beside it to set the scene and to look at the result.
type env struct {
	*testing.T
	ctx     context.Context
	gcp     *localgcp.Cloud
	clock   *clock.Clock
	cloud   *gcp.Cloud
	f       *Function
	secrets *secretmanager.Client
	iam     *iam.IamClient
	keys    *apikeys.Client
	pull    *pubsub.SubscriptionAdminClient
}

func newEnv(t *testing.T) *env {
	t.Helper()
	ctx := t.Context()
	c := clock.NewFrozen(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	g, err := localgcp.Start(localgcp.Config{Addr: "127.0.0.1:0", ProjectID: project, Clock: c, KeyLag: lag})
	must(t, err)
	t.Cleanup(func() { must(t, g.Close()) })
	cloud, err := gcp.New(gcp.Config{Project: project, Endpoint: g.Addr()})
	must(t, err)
	t.Cleanup(func() { must(t, cloud.Close()) })
	opts := []option.ClientOption{option.WithEndpoint(g.Addr()), option.WithoutAuthentication(), option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials()))}
	e := &env{T: t, ctx: ctx, gcp: g, clock: c, cloud: cloud, f: New(Config{Cloud: cloud, Now: c.Now})}
	e.secrets, err = secretmanager.NewClient(ctx, opts...)
	must(t, err)
	e.iam, err = iam.NewIamClient(ctx, opts...)
	must(t, err)
	e.keys, err = apikeys.NewClient(ctx, opts...)
	must(t, err)
	e.pull, err = pubsub.NewSubscriptionAdminClient(ctx, opts...)
	must(t, err)
	t.Cleanup(func() { e.secrets.Close(); e.iam.Close(); e.keys.Close(); e.pull.Close() })
	topics, err := pubsub.NewTopicAdminClient(ctx, opts...)
	must(t, err)
	defer topics.Close()
	for _, id := range event.Topics {
		_, err := topics.CreateTopic(ctx, &pubsubpb.Topic{Name: "projects/" + project + "/topics/" + id})
		must(t, err)
		_, err = e.pull.CreateSubscription(ctx, &pubsubpb.Subscription{Name: "projects/" + project + "/subscriptions/" + id, Topic: "projects/" + project + "/topics/" + id})
		must(t, err)
	}
	return e
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// account makes a service account with a key in a secret, as a team has before
// it adopts keyturn, and adopts it.
func (e *env) account(id string, mode rotation.KeyMode) (secret, account string) {
	e.Helper()
	a, err := e.iam.CreateServiceAccount(e.ctx, &adminpb.CreateServiceAccountRequest{Name: "projects/" + project, AccountId: id})
	must(e.T, err)
	k, err := e.iam.CreateServiceAccountKey(e.ctx, &adminpb.CreateServiceAccountKeyRequest{Name: a.GetName()})
	must(e.T, err)
	secret = e.secret(id, k.GetPrivateKeyData())
	e.clock.Advance(10 * time.Minute)
	p := policy
	p.KeyMode = mode
	_, err = e.f.Adopt(e.ctx, Adoption{Secret: secret, Kind: rotation.ServiceAccountKey, Target: a.GetName(), Policy: p})
	must(e.T, err)
	return secret, a.GetName()
}

func (e *env) apiKey(id string) (secret, key string) {
	e.Helper()
	op, err := e.keys.CreateKey(e.ctx, &apikeyspb.CreateKeyRequest{Parent: "projects/" + project + "/locations/global", KeyId: id, Key: &apikeyspb.Key{
		DisplayName: "Billing", Annotations: map[string]string{"team": "sec"},
		Restrictions: &apikeyspb.Restrictions{ApiTargets: []*apikeyspb.ApiTarget{{Service: "generativelanguage.googleapis.com"}}},
	}})
	must(e.T, err)
	_, err = op.Wait(e.ctx)
	must(e.T, err)
	key = "projects/" + project + "/locations/global/keys/" + id
	secret = e.secret(id, []byte(e.keyString(key)))
	e.clock.Advance(10 * time.Minute)
	_, err = e.f.Adopt(e.ctx, Adoption{Secret: secret, Kind: rotation.APIKey, Target: key, Policy: policy})
	must(e.T, err)
	return secret, key
}

func (e *env) keyString(name string) string {
	e.Helper()
	s, err := e.keys.GetKeyString(e.ctx, &apikeyspb.GetKeyStringRequest{Name: name})
	must(e.T, err)
	return s.GetKeyString()
}

func (e *env) secret(id string, payloads ...[]byte) string {
	e.Helper()
	name := "projects/" + project + "/secrets/" + id
	_, err := e.secrets.CreateSecret(e.ctx, &secretmanagerpb.CreateSecretRequest{Parent: "projects/" + project, SecretId: id, Secret: &secretmanagerpb.Secret{
		Replication: &secretmanagerpb.Replication{Replication: &secretmanagerpb.Replication_Automatic_{Automatic: &secretmanagerpb.Replication_Automatic{}}},
	}})
	must(e.T, err)
	for _, p := range payloads {
		e.add(name, p)
	}
	return name
}

func (e *env) add(secret string, payload []byte) {
	e.Helper()
	_, err := e.secrets.AddSecretVersion(e.ctx, &secretmanagerpb.AddSecretVersionRequest{Parent: secret, Payload: &secretmanagerpb.SecretPayload{Data: payload}})
	must(e.T, err)
}

func (e *env) annotate(secret, name, value string) {
	e.Helper()
	s, err := e.secrets.GetSecret(e.ctx, &secretmanagerpb.GetSecretRequest{Name: secret})
	must(e.T, err)
	s.Annotations[name] = value
	_, err = e.secrets.UpdateSecret(e.ctx, &secretmanagerpb.UpdateSecretRequest{Secret: s, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"annotations"}}})
	must(e.T, err)
}

// do carries out a command that must succeed.
func (e *env) do(c event.Command) Report {
	e.Helper()
	r, err := e.f.Do(e.ctx, c)
	must(e.T, err)
	return r
}

func (e *env) proceed(secret string) Report {
	e.Helper()
	return e.do(event.Command{Verb: event.Continue, Secret: secret})
}

func (e *env) standing(secret string) *Standing {
	e.Helper()
	return e.do(event.Command{Verb: event.Status, Secret: secret}).Journal
}

// works checks that what a version hands out authenticates.
func (e *env) works(secret, version string) {
	e.Helper()
	payload, err := e.cloud.AccessVersion(e.ctx, secret, version)
	must(e.T, err)
	if strings.HasPrefix(string(payload), "{") {
		err = e.cloud.ProbeAccountKey(e.ctx, payload)
	} else {
		err = e.cloud.ProbeAPIKey(e.ctx, string(payload))
	}
	if err != nil {
		e.Errorf("%s of %s does not authenticate: %v", version, path.Base(secret), err)
	}
}

// accountKeys are the ids of an account's user-managed keys.
func (e *env) accountKeys(account string) []string {
	e.Helper()
	keys, err := e.cloud.AccountKeys(e.ctx, account)
	must(e.T, err)
	var ids []string
	for _, k := range keys {
		ids = append(ids, k.ID)
	}
	slices.Sort(ids)
	return ids
}

// published takes what was published to a topic.
func (e *env) published(topic string) []*pubsubpb.PubsubMessage {
	e.Helper()
	name := "projects/" + project + "/subscriptions/" + topic
	var got []*pubsubpb.PubsubMessage
	for {
		//lint:ignore SA1019 a test that finds nothing must not wait for it
		r, err := e.pull.Pull(e.ctx, &pubsubpb.PullRequest{Subscription: name, MaxMessages: 100, ReturnImmediately: true})
		must(e.T, err)
		if len(r.GetReceivedMessages()) == 0 {
			return got
		}
		for _, m := range r.GetReceivedMessages() {
			got = append(got, m.GetMessage())
			must(e.T, e.pull.Acknowledge(e.ctx, &pubsubpb.AcknowledgeRequest{Subscription: name, AckIds: []string{m.GetAckId()}}))
		}
	}
}

func (e *env) milestones() string {
	e.Helper()
	var got []string
	for _, m := range e.published(event.TopicFindings) {
		got = append(got, m.GetAttributes()["milestone"])
	}
	return strings.Join(got, " ")
}

func steps(r Report) string {
	var got []string
	for _, s := range r.Steps {
		result := ""
		if s.Result != "done" {
			result = "(" + s.Result + ")"
		}
		got = append(got, string(s.Step)+result)
	}
	return strings.Join(got, " ")
}

func wantSteps(t *testing.T, r Report, want string) {
	t.Helper()
	if got := steps(r); got != want {
		t.Errorf("steps %q, want %q", got, want)
	}
}

// TestWholeLife takes a credential of each kind and mode through one rotation,
// with both readers working at every step.
func TestWholeLife(t *testing.T) {
	for _, kind := range []string{"upload", "create", "api-key"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			var secret string
			if kind == "api-key" {
				secret, _ = e.apiKey("credential")
			} else {
				secret, _ = e.account("credential", rotation.KeyMode(kind))
			}
			old := e.standing(secret).Current.ID
			check := func(want string) {
				t.Helper()
				r := e.proceed(secret)
				if !strings.HasPrefix(steps(r), want) {
					t.Fatalf("steps %q, want %q…", steps(r), want)
				}
				e.works(secret, "latest")
				e.works(secret, "current")
			}
			check("")
			e.clock.Advance(72 * time.Hour)
			first := map[string]string{"upload": "begin stage publish verify(", "create": "begin publish verify(", "api-key": "begin publish verify("}[kind]
			check(first)
			check("verify(") // not known yet: nothing is promoted
			if got := e.standing(secret).Current.ID; got != old {
				t.Fatalf("key %s was promoted before it authenticated", got)
			}
			e.clock.Advance(lag)
			check("verify promote")
			e.works(secret, "previous")
			e.clock.Advance(6*time.Hour - time.Second)
			check("")
			e.clock.Advance(time.Second)
			check("disable")
			e.clock.Advance(lag)
			e.fails(secret, old)
			e.clock.Advance(24 * time.Hour)
			check("delete")
			if s := e.standing(secret); len(s.Retiring) > 0 || s.Current.ID == old || s.Rotation != 1 {
				t.Errorf("after the whole life: %+v", s)
			}
			if got := e.milestones(); got != "started promoted disabled retired" {
				t.Errorf("milestones %q", got)
			}
		})
	}
}

// fails checks that a key has stopped working.
func (e *env) fails(secret, id string) {
	e.Helper()
	if strings.Contains(id, "/") {
		if err := e.cloud.ProbeAPIKey(e.ctx, e.keyString(id)); err == nil {
			// Only a known key is blocked: ask as a caller would.
			e.blocked(e.keyString(id))
		}
		return
	}
	keys, err := e.cloud.AccountKeys(e.ctx, e.target(secret))
	must(e.T, err)
	for _, k := range keys {
		if k.ID == id && !k.Disabled {
			e.Errorf("key %s is not disabled", id)
		}
	}
}

func (e *env) blocked(key string) {
	e.Helper()
	req, err := http.NewRequestWithContext(e.ctx, http.MethodGet, e.gcp.URL()+"/v1beta/models", nil)
	must(e.T, err)
	req.Header.Set("X-Goog-Api-Key", key)
	resp, err := http.DefaultClient.Do(req)
	must(e.T, err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		e.Errorf("the disabled API key is answered HTTP %d", resp.StatusCode)
	}
}

func (e *env) target(secret string) string {
	e.Helper()
	return e.standing(secret).Target
}

func TestEmptySecretGetsItsFirstKey(t *testing.T) {
	e := newEnv(t)
	a, err := e.iam.CreateServiceAccount(e.ctx, &adminpb.CreateServiceAccountRequest{Name: "projects/" + project, AccountId: "fresh"})
	must(t, err)
	secret := e.secret("fresh")
	_, err = e.f.Adopt(e.ctx, Adoption{Secret: secret, Kind: rotation.ServiceAccountKey, Target: a.GetName(), Policy: policy})
	must(t, err)
	e.proceed(secret)
	e.clock.Advance(lag)
	e.proceed(secret)
	e.works(secret, "current")
}

func TestRevokeDisablesTheRightKeyAndNothingElse(t *testing.T) {
	e := newEnv(t)
	secret, account := e.account("leaky", rotation.Upload)
	leaked := e.standing(secret).Current.ID
	foreign, err := e.iam.CreateServiceAccountKey(e.ctx, &adminpb.CreateServiceAccountKeyRequest{Name: account})
	must(t, err)
	revoke := event.Command{Verb: event.Revoke, Secret: secret, Key: leaked}
	e.do(revoke)
	e.clock.Advance(lag)
	wantSteps(t, e.proceed(secret), "verify promote disable") // nobody repeats the command: the journal knows
	e.clock.Advance(lag)
	e.fails(secret, leaked)
	e.works(secret, "latest")
	keys, err := e.cloud.AccountKeys(e.ctx, account)
	must(t, err)
	for _, k := range keys {
		if k.Disabled != (k.ID == leaked) {
			t.Errorf("key %s: disabled %v", k.ID, k.Disabled)
		}
	}
	if !slices.Contains(e.accountKeys(account), path.Base(foreign.GetName())) {
		t.Error("the foreign key was touched")
	}
	wantSteps(t, e.do(revoke), "disable") // delivered again: makes sure, and no more
}

func TestDuplicateRotateRotatesOnce(t *testing.T) {
	e := newEnv(t)
	secret, _ := e.account("twice", rotation.Upload)
	after := 0
	c := event.Command{Verb: event.Rotate, Secret: secret, After: &after}
	e.do(c)
	e.clock.Advance(lag)
	e.do(c)
	wantSteps(t, e.do(c), "")
	if n := e.standing(secret).Rotation; n != 1 {
		t.Errorf("%d rotations after one command delivered three times", n)
	}
}

// TestLostReplies loses the reply, or fails the call, of each remote method of
// a rotation once. The rotation must end all the same, with no key too many.
func TestLostReplies(t *testing.T) {
	secrets := []string{"GetSecret", "UpdateSecret", "AddSecretVersion", "AccessSecretVersion", "DisableSecretVersion", "DestroySecretVersion"}
	account := []string{"CreateSecret", "ListSecretVersions", "ListServiceAccountKeys", "DisableServiceAccountKey", "DeleteServiceAccountKey", "POST /token"}
	methods := map[string][]string{
		"upload":  slices.Concat(secrets, account, []string{"UploadServiceAccountKey"}),
		"create":  slices.Concat(secrets, account, []string{"CreateServiceAccountKey"}),
		"api-key": slices.Concat(secrets, []string{"CreateKey", "GetKey", "GetKeyString", "UpdateKey", "DeleteKey"}),
	}
	lost := status.Error(codes.Internal, "the reply was lost") // not Unavailable, which Google's clients retry by themselves
	for kind := range methods {
		for _, method := range methods[kind] {
			for name, f := range map[string]fault.Fault{"before": {Before: lost}, "after": {After: lost}} {
				t.Run(kind+"/"+strings.ReplaceAll(method, " /", "-")+"/"+name, func(t *testing.T) {
					t.Parallel()
					testLostReply(t, kind, method, f)
				})
			}
		}
	}
}

func testLostReply(t *testing.T, kind, method string, f fault.Fault) {
	e := newEnv(t)
	var secret, target string
	if kind == "api-key" {
		secret, target = e.apiKey("credential")
	} else {
		secret, target = e.account("credential", rotation.KeyMode(kind))
	}
	e.clock.Advance(72 * time.Hour)
	pending := make(chan struct{}, 1)
	pending <- struct{}{}
	once := func(m string, _ any) fault.Fault {
		if path.Base(m) == path.Base(method) {
			select {
			case <-pending:
				return f
			default:
			}
		}
		return fault.Fault{}
	}
	for i := range 24 { // sweeps: often while the new key comes in, then as overlap and quarantine pass
		e.gcp.Faults.Set(once)
		_, err := e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
		e.gcp.Faults.Set(nil)
		if err != nil && !errors.Is(err, errRecorded) && !errors.Is(err, ErrBusy) && status.Code(err) != codes.Internal {
			t.Fatalf("unexpected error: %v", err)
		}
		e.works(secret, "latest")
		e.works(secret, "current")
		if t.Failed() {
			t.FailNow()
		}
		if i < 12 {
			e.clock.Advance(12 * time.Minute)
		} else {
			e.clock.Advance(4 * time.Hour)
		}
	}
	s := e.standing(secret)
	if s.Rotation != 1 || s.Incoming != nil || len(s.Retiring) > 0 {
		t.Fatalf("the rotation has not ended: %+v incoming %+v retiring %+v failure %+v", s, s.Incoming, s.Retiring, s.Failure)
	}
	if kind != "api-key" {
		if keys := e.accountKeys(target); !slices.Equal(keys, []string{s.Current.ID}) {
			t.Errorf("keys %v, want only %s", keys, s.Current.ID)
		}
	}
}

func TestTheEleventhKey(t *testing.T) {
	e := newEnv(t)
	secret, account := e.account("full", rotation.Upload)
	for range 9 {
		_, err := e.iam.CreateServiceAccountKey(e.ctx, &adminpb.CreateServiceAccountKeyRequest{Name: account})
		must(t, err)
	}
	e.clock.Advance(72 * time.Hour)
	_, err := e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
	if !errors.Is(err, errRecorded) || !strings.Contains(err.Error(), "10 user-managed keys") || !strings.Contains(err.Error(), "keys delete") {
		t.Fatalf("error %v does not say what is wrong and what to do", err)
	}
	for _, id := range e.accountKeys(account) {
		if !strings.Contains(err.Error(), id) {
			t.Errorf("key %s is not listed", id)
		}
	}
	if len(e.accountKeys(account)) != 10 {
		t.Error("a key was touched")
	}
	e.works(secret, "latest")
	if got := e.milestones(); got != "started failed" {
		t.Errorf("milestones %q", got)
	}
}

// deliver hands the function a message as the framework does.
func (e *env) deliver(attributes map[string]string, data string) error {
	e.Helper()
	ce := cloudevents.New()
	ce.SetID("m1")
	ce.SetType("google.cloud.pubsub.topic.v1.messagePublished")
	ce.SetSource("//pubsub.googleapis.com/projects/" + project + "/topics/" + event.TopicRotate)
	must(e.T, ce.SetData("application/json", map[string]any{"subscription": "s", "message": map[string]any{"messageId": "m1", "attributes": attributes, "data": []byte(data)}}))
	return e.f.HandleEvent(e.ctx, ce)
}

func TestBadMessagesAreBuriedWithTheirReason(t *testing.T) {
	e := newEnv(t)
	plain := e.secret("plain", []byte("x"))
	broken, _ := e.account("broken", rotation.Upload)
	e.annotate(broken, rotation.AnnotationJourn, "{half")
	e.published(event.TopicDead)
	for name, tt := range map[string]struct {
		attributes map[string]string
		data       string
		want       string
	}{
		"foreign":       {map[string]string{"hello": "world"}, "", "not for keyturn"},
		"not a command": {nil, "hello", "JSON"},
		"unknown field": {nil, `{"command":"sweep","x":1}`, `"x"`},
		"two commands":  {nil, `{"command":"sweep"}{"command":"sweep"}`, "one JSON object"},
		"no secret":     {map[string]string{"command": "continue"}, "", "projects/PROJECT/secrets/SECRET"},
		"bad name":      {map[string]string{"command": "continue", "secret": "projects/p/secrets/../x"}, "", "full name"},
		"unknown":       {map[string]string{"command": "continue", "secret": "projects/acme/secrets/nosuch"}, "", "not found"},
		"unmanaged":     {map[string]string{"command": "continue", "secret": plain}, "", "keyturn adopt"},
		"broken":        {map[string]string{"command": "continue", "secret": broken}, "", rotation.AnnotationJourn},
		"unguarded":     {map[string]string{"command": "rotate", "secret": plain}, "", "after"},
		"large":         {nil, strings.Repeat("x", 65<<10), "JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := e.deliver(tt.attributes, tt.data); err != nil {
				t.Fatalf("the message would be delivered again: %v", err)
			}
			dead := e.published(event.TopicDead)
			if len(dead) != 1 {
				t.Fatalf("%d dead letters, want 1", len(dead))
			}
			if got := dead[0].GetAttributes()["keyturn-reason"]; !strings.Contains(got, tt.want) {
				t.Errorf("reason %q does not say %q", got, tt.want)
			}
			if string(dead[0].GetData()) != tt.data {
				t.Error("the message was not kept whole")
			}
		})
	}
}

func TestSecretManagersEchoesAreLeftAlone(t *testing.T) {
	e := newEnv(t)
	secret, _ := e.account("echo", rotation.Upload)
	for _, kind := range []string{"SECRET_VERSION_ADD", "SECRET_UPDATE", "TOPIC_CONFIGURED", "SOMETHING_NEW"} {
		must(t, e.deliver(map[string]string{"eventType": kind, "secretId": secret}, "{}"))
	}
	if dead := e.published(event.TopicDead); len(dead) > 0 {
		t.Errorf("an echo was buried: %v", dead[0].GetAttributes())
	}
	e.clock.Advance(72 * time.Hour)
	must(t, e.deliver(map[string]string{"eventType": "SECRET_ROTATE", "secretId": secret, "timestamp": "x"}, "{}"))
	if e.standing(secret).Incoming == nil {
		t.Error("SECRET_ROTATE began nothing")
	}
}

func TestOutageIsDeliveredAgain(t *testing.T) {
	e := newEnv(t)
	secret, _ := e.account("outage", rotation.Upload)
	e.gcp.Faults.Set(func(m string, _ any) fault.Fault {
		if strings.HasSuffix(m, "/GetSecret") {
			return fault.Fault{Before: status.Error(codes.Internal, "outage")}
		}
		return fault.Fault{}
	})
	err := e.deliver(map[string]string{"command": "continue", "secret": secret}, "")
	if !errors.Is(err, door.ErrRedeliver) {
		t.Errorf("error %v, want one that makes Pub/Sub deliver again", err)
	}
	if dead := e.published(event.TopicDead); len(dead) > 0 {
		t.Error("the message was buried")
	}
	e.gcp.Faults.Set(func(m string, _ any) fault.Fault {
		if strings.HasSuffix(m, "/Publish") {
			return fault.Fault{Before: status.Error(codes.PermissionDenied, "may not publish")} // what Google's client does not retry for a minute
		}
		return fault.Fault{}
	})
	if err := e.deliver(nil, "hello"); !errors.Is(err, door.ErrRedeliver) {
		t.Errorf("a message that could not be buried: error %v", err)
	}
}

func TestSweepSendsWhatIsDueAndNothingElse(t *testing.T) {
	e := newEnv(t)
	due, _ := e.account("duenow", rotation.Upload)
	broken, _ := e.apiKey("broken")
	e.annotate(broken, rotation.AnnotationPolicy, `{"period":"1s"}`)
	e.clock.Advance(72 * time.Hour)
	e.apiKey("young")
	e.secret("plain", []byte("x"))
	e.published(event.TopicRotate)
	r := e.do(event.Command{Verb: event.Sweep})
	if r.Swept != 3 || r.Sent != 1 || !slices.Equal(r.Broken, []string{broken}) {
		t.Errorf("report %+v", r)
	}
	var sent []string
	for _, m := range e.published(event.TopicRotate) {
		if m.GetAttributes()["command"] != "" {
			sent = append(sent, m.GetAttributes()["secret"])
		}
	}
	if !slices.Equal(sent, []string{due}) {
		t.Errorf("sent %v, want %s", sent, due)
	}
	if got := e.milestones(); got != "refused" {
		t.Errorf("milestones %q", got)
	}
}

func TestBusyCredentialIsLeftToTheOtherTrigger(t *testing.T) {
	e := newEnv(t)
	secret, _ := e.account("busy", rotation.Upload)
	e.clock.Advance(72 * time.Hour)
	c, err := e.f.observe(e.ctx, secret)
	must(t, err)
	j, _ := c.cred.Journal.Claim("somebody", time.Now(), leaseFor(defaultTimeout))
	must(t, c.save(e.ctx, j))
	if _, err := e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret}); !errors.Is(err, ErrBusy) {
		t.Errorf("error %v, want %v", err, ErrBusy)
	}
	if err := e.deliver(map[string]string{"command": "continue", "secret": secret}, ""); err == nil {
		t.Error("the message was acknowledged: should the other trigger die, nobody would go on")
	}
	if s := e.standing(secret); s.Rotation != 0 {
		t.Error("a rotation began beside another trigger")
	}
}

func TestConcurrentTriggersMakeOneKey(t *testing.T) {
	e := newEnv(t)
	secret, account := e.account("race", rotation.Create)
	e.clock.Advance(72 * time.Hour)
	done := make(chan error, 8)
	for range cap(done) {
		go func() {
			_, err := e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
			done <- err
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil && !errors.Is(err, ErrBusy) {
			t.Errorf("error %v", err)
		}
	}
	e.clock.Advance(lag)
	if n := len(e.accountKeys(account)); n != 2 {
		t.Errorf("%d keys after one rotation by eight triggers at once, want 2", n)
	}
}

// TestRollbackByHandIsRespected adds the old payload again, as people do to roll
// back: the old key must then not be taken away.
func TestRollbackByHandIsRespected(t *testing.T) {
	e := newEnv(t)
	secret, _ := e.account("rollback", rotation.Upload)
	oldPayload, err := e.cloud.AccessVersion(e.ctx, secret, "latest")
	must(t, err)
	e.clock.Advance(72 * time.Hour)
	e.proceed(secret)
	e.clock.Advance(lag)
	e.proceed(secret)
	e.add(secret, oldPayload)
	e.clock.Advance(7 * time.Hour)
	wantSteps(t, e.proceed(secret), "keep")
	e.works(secret, "latest")
	if k := e.standing(secret).Retiring[0]; !k.Since.Equal(e.clock.Now()) || !k.Evidence.Handed || !strings.Contains(k.Evidence.Reason, "version 3") {
		t.Errorf("after a rollback by hand the old key stands so: %+v, evidence %+v", k, k.Evidence)
	}
	e.clock.Advance(72 * time.Hour) // the next rotation is given out instead, and the overlap begins then
	e.proceed(secret)
	e.clock.Advance(lag)
	wantSteps(t, e.proceed(secret), "verify promote")
	if k := e.standing(secret).Retiring[0]; !k.Since.Equal(e.clock.Now()) {
		t.Errorf("its overlap began at %v, not when consumers were given another key at %v", k.Since, e.clock.Now())
	}
	e.clock.Advance(6 * time.Hour)
	wantSteps(t, e.proceed(secret), "keep disable") // version 3 is still enabled
	e.works(secret, "3")
	must(t, e.cloud.DisableVersion(e.ctx, secret, "3"))
	e.clock.Advance(6 * time.Hour)
	wantSteps(t, e.proceed(secret), "disable")
}

func TestAdoptRefusesWhatItCannotProve(t *testing.T) {
	e := newEnv(t)
	_, account := e.account("good", rotation.Upload)
	other, _ := e.account("other", rotation.Upload)
	otherFile, err := e.cloud.AccessVersion(e.ctx, other, "latest")
	must(t, err)
	disabled := e.secret("disabled", otherFile)
	must(t, e.cloud.DisableVersion(e.ctx, disabled, "1"))
	_, key := e.apiKey("akey")
	for name, tt := range map[string]struct {
		a    Adoption
		want string
	}{
		"no such secret":       {Adoption{Secret: "projects/acme/secrets/nosuch", Kind: rotation.ServiceAccountKey, Target: account, Policy: policy}, "gcloud secrets create"},
		"key of another":       {Adoption{Secret: e.secret("foreign", otherFile), Kind: rotation.ServiceAccountKey, Target: account, Policy: policy}, "not among the keys"},
		"not a key file":       {Adoption{Secret: e.secret("text", []byte("hello")), Kind: rotation.ServiceAccountKey, Target: account, Policy: policy}, "key file"},
		"disabled":             {Adoption{Secret: disabled, Kind: rotation.ServiceAccountKey, Target: account, Policy: policy}, "not enabled"},
		"another API key":      {Adoption{Secret: e.secret("text2", []byte("AIza")), Kind: rotation.APIKey, Target: key, Policy: policy}, "does not hold"},
		"no such API key":      {Adoption{Secret: e.secret("text3"), Kind: rotation.APIKey, Target: key + "x", Policy: policy}, "akeyx"},
		"no such account":      {Adoption{Secret: e.secret("text4"), Kind: rotation.ServiceAccountKey, Target: account + "x", Policy: policy}, "x"},
		"bad policy":           {Adoption{Secret: disabled, Kind: rotation.ServiceAccountKey, Target: account}, "period"},
		"for something else":   {Adoption{Secret: other, Kind: rotation.ServiceAccountKey, Target: account, Policy: policy}, "already"},
		"not a name of a kind": {Adoption{Secret: e.secret("text5"), Kind: "x", Target: account, Policy: policy}, rotation.AnnotationKind},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := e.f.Adopt(e.ctx, tt.a); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v does not say %q", err, tt.want)
			}
		})
	}
}

func TestAdoptAgainChangesThePolicyOnly(t *testing.T) {
	e := newEnv(t)
	secret, account := e.account("again", rotation.Upload)
	before := e.standing(secret)
	p := policy
	p.Period = rotation.Duration(100 * time.Hour)
	_, err := e.f.Adopt(e.ctx, Adoption{Secret: secret, Kind: rotation.ServiceAccountKey, Target: account, Policy: p})
	must(t, err)
	after := e.standing(secret)
	if after.Policy.Period != p.Period || !cmp.Equal(after.Current, before.Current) {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

func TestHTTPDoor(t *testing.T) {
	e := newEnv(t)
	secret, _ := e.account("door", rotation.Upload)
	server := httptest.NewServer(http.HandlerFunc(e.f.HandleHTTP))
	defer server.Close()
	for name, tt := range map[string]struct {
		method, body string
		code         int
		want         string
	}{
		"status":         {"POST", `{"command":"status","secret":"` + secret + `"}`, 200, `"current"`},
		"rotate":         {"POST", `{"command":"rotate","secret":"` + secret + `","after":7}`, 200, `"secret"`},
		"GET":            {"GET", "", 405, "POST"},
		"unknown field":  {"POST", `{"command":"status","secrets":"x"}`, 400, "secrets"},
		"unknown secret": {"POST", `{"command":"status","secret":"projects/acme/secrets/none"}`, 404, "not found"},
		"unknown key":    {"POST", `{"command":"revoke","secret":"` + secret + `","key":"nosuch"}`, 404, "keyturn status"},
		"too large":      {"POST", `{"command":"` + strings.Repeat("x", 65<<10) + `"}`, 400, "65536 bytes"},
		"empty":          {"POST", "", 400, "JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(e.ctx, tt.method, server.URL, strings.NewReader(tt.body))
			must(t, err)
			resp, err := http.DefaultClient.Do(req)
			must(t, err)
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			must(t, err)
			if resp.StatusCode != tt.code || !strings.Contains(string(body), tt.want) {
				t.Errorf("HTTP %d %s, want %d and %q", resp.StatusCode, body, tt.code, tt.want)
			}
		})
	}
}

func TestLateTriggerStillVerifiesTheKey(t *testing.T) {
	e := newEnv(t)
	secret, _ := e.account("late", rotation.Upload)
	e.clock.Advance(72 * time.Hour)
	e.proceed(secret)
	e.clock.Advance(5 * time.Hour) // nobody came for hours
	wantSteps(t, e.proceed(secret), "verify promote")
}

func TestKeyThatNeverAuthenticatesLeavesNoTrace(t *testing.T) {
	for _, kind := range []rotation.KeyMode{rotation.Upload, rotation.Create} {
		t.Run(string(kind), func(t *testing.T) {
			e := newEnv(t)
			secret, account := e.account("dud", kind)
			before := e.accountKeys(account)
			e.clock.Advance(72 * time.Hour)
			e.gcp.Faults.Set(func(m string, _ any) fault.Fault {
				if m == "POST /token" {
					return fault.Fault{Before: status.Error(codes.Unavailable, "outage")}
				}
				return fault.Fault{}
			})
			e.proceed(secret)
			e.clock.Advance(40 * time.Minute)
			if got := steps(e.proceed(secret)); !strings.HasPrefix(got, "verify discard") && !strings.HasPrefix(got, "discard") {
				t.Errorf("steps %q, want a discard", got)
			}
			e.gcp.Faults.Set(nil)
			e.clock.Advance(lag)
			if after := e.accountKeys(account); !slices.Equal(after, before) {
				t.Errorf("keys %v, want %v", after, before)
			}
			versions, err := e.cloud.Versions(e.ctx, secret+rotation.StagingSuffix)
			must(t, err)
			for _, v := range versions {
				if !v.Destroyed {
					t.Errorf("staged version %s was left behind", v.Number)
				}
			}
			e.clock.Advance(time.Minute)
			e.proceed(secret) // tries again with a new key
			e.clock.Advance(lag)
			e.proceed(secret)
			e.works(secret, "current")
			if s := e.standing(secret); s.Rotation != 2 || s.Failure != nil {
				t.Errorf("after the second try: %+v, failure %+v", s, s.Failure)
			}
		})
	}
}

func TestOneKeyIsRotatedInOneSecretOnly(t *testing.T) {
	e := newEnv(t)
	secret, key := e.apiKey("shared")
	payload, err := e.cloud.AccessVersion(e.ctx, secret, "latest")
	must(t, err)
	_, err = e.f.Adopt(e.ctx, Adoption{Secret: e.secret("second", payload), Kind: rotation.APIKey, Target: key, Policy: policy})
	if err == nil || !strings.Contains(err.Error(), "rotated in shared already") {
		t.Errorf("error %v, want a refusal that names the other secret", err)
	}
}

func TestReportSaysWhatComesNext(t *testing.T) {
	e := newEnv(t)
	secret, _ := e.account("next", rotation.Upload)
	old := e.standing(secret).Current.ID
	r := e.do(event.Command{Verb: event.Revoke, Secret: secret, Key: old})
	if r.Alive != old || !strings.Contains(r.Then, "next sweep") {
		t.Errorf("while the replacement propagates: alive %q, then %q", r.Alive, r.Then)
	}
	e.clock.Advance(lag)
	r = e.proceed(secret)
	if want := e.clock.Now().Add(24 * time.Hour); r.Alive != "" || !r.Next.Equal(want) || !strings.Contains(r.Then, old+" is deleted") {
		t.Errorf("after the revoke: alive %q, then %q at %v", r.Alive, r.Then, r.Next)
	}
}
