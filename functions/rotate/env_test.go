package rotate

import (
	"context"
	"crypto/rsa"
	"net/http"
	"path"
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
	"example.com/keyturn/internal/granted"
	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/shared/deployment"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

const (
	project = "acme"
	lag     = time.Minute // until new keys are known, and disabled ones refused
)

// policy goes by the clock alone, watched by evidence.
var policy, watched = rotation.Policy{
	Period: rotation.Duration(72 * time.Hour), Overlap: rotation.Duration(6 * time.Hour),
	Quarantine: rotation.Duration(24 * time.Hour), Propagation: rotation.Duration(10 * time.Minute),
	Evidence: rotation.EvidenceIgnored,
}, rotation.Policy{
	Period: rotation.Duration(72 * time.Hour), Overlap: rotation.Duration(6 * time.Hour),
	Quarantine: rotation.Duration(24 * time.Hour), Propagation: rotation.Duration(10 * time.Minute),
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
	pair    func() (*rsa.PrivateKey, error)
	policy  rotation.Policy // of what is adopted
	secrets *secretmanager.Client
	iam     *iam.IamClient
	keys    *apikeys.Client
	pull    *pubsub.SubscriptionAdminClient
}

// newEnv is a world in which keys are retired by the clock.
func newEnv(t *testing.T) *env {
	t.Helper()
	return newEnvOn(t, localgcp.Config{}, nil)
}

// newWatched is a world in which keys are retired by evidence, and all that
// Google can log is logged.
func newWatched(t *testing.T) *env {
	t.Helper()
	e := newEnvOn(t, localgcp.Config{DataAccess: true}, nil)
	e.policy = watched
	return e
}

// newEnvOn completes the cloud's settings; overHTTP stands between keyturn and
// what it calls by HTTP, unless it is nil.
func newEnvOn(t *testing.T, c localgcp.Config, overHTTP http.RoundTripper) *env {
	t.Helper()
	made := new(numbered)
	c.Addr, c.ProjectID, c.Pair = "127.0.0.1:0", project, made.pair
	c.Clock = clock.NewFrozen(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	if c.KeyLag == 0 {
		c.KeyLag = lag
	}
	g, err := localgcp.Start(c)
	must(t, err)
	t.Cleanup(func() { must(t, g.Close()) })
	site := granted.On(project, "us-central1")
	must(t, granted.Accounts(g, site))
	must(t, granted.Roles(g, site, "", nil))
	t.Cleanup(func() {
		for _, u := range g.Policies.Uses() {
			if u.Caller == site.Email(deployment.Rotate) && !u.Granted() && strings.HasPrefix(u.Resource+"/", site.Resource()+"/") {
				t.Errorf("the function lacks %s on %s", u.Permission, u.Resource)
			}
		}
	})
	as := granted.As(g, site.Email(deployment.Rotate))
	cloud, err := gcp.New(gcp.Config{Project: project, Endpoint: g.Addr(), Wire: &gcp.Wire{GRPC: as.Unary, HTTP: as.Over(overHTTP), Pause: dontWait}})
	must(t, err)
	t.Cleanup(func() { must(t, cloud.Close()) })
	e := &env{T: t, ctx: t.Context(), gcp: g, clock: c.Clock, cloud: cloud, pair: made.pair, policy: policy}
	e.f = New(Config{TrustTopic: true, Cloud: cloud, Now: c.Clock.Now, Pair: made.pair, Door: door.NewHTTP(door.Config{Open: true})})
	e.connect()
	return e
}

func dontWait(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// connect makes Google's own clients, and the topics with a subscription each.
func (e *env) connect() {
	e.Helper()
	conn, err := grpc.NewClient(e.gcp.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(e.T, err)
	e.Cleanup(func() { must(e.T, conn.Close()) })
	through := option.WithGRPCConn(conn)
	e.secrets, err = secretmanager.NewClient(e.ctx, through)
	must(e.T, err)
	e.iam, err = iam.NewIamClient(e.ctx, through)
	must(e.T, err)
	e.keys, err = apikeys.NewClient(e.ctx, through)
	must(e.T, err)
	e.pull, err = pubsub.NewSubscriptionAdminClient(e.ctx, through)
	must(e.T, err)
	for _, id := range event.Topics { // in-process: there are many worlds
		topic := "projects/" + project + "/topics/" + id
		_, err := e.gcp.PubSub.CreateTopic(e.ctx, &pubsubpb.Topic{Name: topic})
		must(e.T, err)
		_, err = e.gcp.PubSub.CreateSubscription(e.ctx, &pubsubpb.Subscription{Name: subscription(id), Topic: topic})
		must(e.T, err)
	}
}

func subscription(topic string) string { return "projects/" + project + "/subscriptions/" + topic }

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
	secret = e.secret(id, e.newKey(a.GetName()).GetPrivateKeyData())
	e.clock.Advance(10 * time.Minute)
	p := e.policy
	p.KeyMode = mode
	e.adopt(Adoption{Secret: secret, Kind: rotation.ServiceAccountKey, Target: a.GetName(), Policy: p})
	return secret, a.GetName()
}

// newKey makes a key beside keyturn.
func (e *env) newKey(account string) *adminpb.ServiceAccountKey {
	e.Helper()
	k, err := e.iam.CreateServiceAccountKey(e.ctx, &adminpb.CreateServiceAccountKeyRequest{Name: account})
	must(e.T, err)
	return k
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
	e.adopt(Adoption{Secret: secret, Kind: rotation.APIKey, Target: key, Policy: e.policy})
	return secret, key
}

// credential makes one of the three ways there are: upload, create or api-key.
func (e *env) credential(kind string) (secret, target string) {
	e.Helper()
	if kind == "api-key" {
		return e.apiKey("credential")
	}
	return e.account("credential", rotation.KeyMode(kind))
}

func (e *env) adopt(a Adoption) {
	e.Helper()
	_, err := e.f.Adopt(e.ctx, a)
	must(e.T, err)
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

// add adds a version by hand, and returns its number.
func (e *env) add(secret string, payload []byte) string {
	e.Helper()
	v, err := e.secrets.AddSecretVersion(e.ctx, &secretmanagerpb.AddSecretVersionRequest{Parent: secret, Payload: &secretmanagerpb.SecretPayload{Data: payload}})
	must(e.T, err)
	return path.Base(v.GetName())
}

// edit changes a secret's metadata by hand, without asking for its etag.
func (e *env) edit(secret, field string, change func(*secretmanagerpb.Secret)) {
	e.Helper()
	s, err := e.secrets.GetSecret(e.ctx, &secretmanagerpb.GetSecretRequest{Name: secret})
	must(e.T, err)
	change(s)
	s.Etag = ""
	_, err = e.secrets.UpdateSecret(e.ctx, &secretmanagerpb.UpdateSecretRequest{Secret: s, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{field}}})
	must(e.T, err)
}

func (e *env) annotate(secret, name, value string) {
	e.Helper()
	e.edit(secret, "annotations", func(s *secretmanagerpb.Secret) { s.Annotations[name] = value })
}

func (e *env) alias(secret, name string, version int64) {
	e.Helper()
	e.edit(secret, "version_aliases", func(s *secretmanagerpb.Secret) { s.VersionAliases[name] = version })
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

// try carries out what is due and does not mind what fails.
func (e *env) try(secret string) {
	_, _ = e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
}

// replace rotates now, to the end: consumers are given a new key.
func (e *env) replace(secret string) {
	e.Helper()
	e.do(event.Command{Verb: event.Rotate, Secret: secret})
	e.clock.Advance(lag)
	e.proceed(secret)
	if s := e.standing(secret); s.Incoming != nil {
		e.Fatalf("the rotation has not ended: %+v, failure %+v", s.Incoming, s.Failure)
	}
}
