package alert

import (
	"crypto/sha1"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	pubsub "cloud.google.com/go/pubsub/v2/apiv1"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"example.com/keyturn/functions/audit"
	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/shared/alertfile"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/event/eventtest"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const byLabel = `
channels:
  mail: {webhook: {url: https://hook.example.com/mail}}
  chat: {webhook: {url: https://hook.example.com/chat}}
routes:
  - match: {labels: {team: payments, tier: "1"}}
    to: mail
  - to: chat
`

// world is all three functions on one embedded Google Cloud, whose alerts go by a file.
type world struct {
	*testing.T
	cloud      *gcp.Cloud
	clock      *clock.Clock
	rotate     *rotate.Function
	audit      *audit.Function
	alert      *Function
	mail, chat *line
	pull       *pubsub.SubscriptionAdminClient
}

func newWorld(t *testing.T, alerts string) *world {
	t.Helper()
	w := &world{T: t, clock: clock.NewFrozen(start), mail: &line{name: "mail"}, chat: &line{name: "chat"}}
	g, err := localgcp.Start(localgcp.Config{Addr: "127.0.0.1:0", ProjectID: project, Clock: w.clock})
	must(t, err)
	t.Cleanup(func() { must(t, g.Close()) })
	w.cloud, err = gcp.New(gcp.Config{Project: project, Endpoint: g.Addr()})
	must(t, err)
	t.Cleanup(func() { must(t, w.cloud.Close()) })
	for _, id := range event.Topics {
		topic := "projects/" + project + "/topics/" + id
		_, err := g.PubSub.CreateTopic(t.Context(), &pubsubpb.Topic{Name: topic})
		must(t, err)
		_, err = g.PubSub.CreateSubscription(t.Context(), &pubsubpb.Subscription{Name: "projects/" + project + "/subscriptions/" + id, Topic: topic})
		must(t, err)
	}
	w.pull, err = pubsub.NewSubscriptionAdminClient(t.Context(), option.WithEndpoint(g.Addr()), option.WithoutAuthentication(), option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	must(t, err)
	t.Cleanup(func() { must(t, w.pull.Close()) })
	file, err := alertfile.Parse("alerts.yaml", []byte(alerts), start)
	must(t, err)
	w.rotate = rotate.New(rotate.Config{Cloud: w.cloud, Now: w.clock.Now})
	w.audit = audit.New(audit.Config{Publisher: w.cloud, Secrets: w.cloud, Project: project, Now: w.clock.Now})
	w.alert = New(Config{Publisher: w.cloud, Channels: []Channel{w.mail, w.chat}, Rules: file.Config, Now: w.clock.Now})
	return w
}

// credential makes the secret of an account's key, which is in use.
func (w *world) credential(id string, labels map[string]string) {
	w.Helper()
	inUse := rotation.Journal{Current: &rotation.Key{ID: keyOf(id), Version: "1", Phase: rotation.Active, Since: start.AddDate(0, 0, -9), Given: start.AddDate(0, 0, -9)}}
	annotations, err := rotation.Credential{Kind: rotation.ServiceAccountKey, Target: "projects/acme/serviceAccounts/" + accountOf(id), Policy: rotation.DefaultPolicy, Journal: inUse}.Annotations()
	must(w.T, err)
	must(w.T, w.cloud.EnsureSecret(w.Context(), secretOf(id), labels))
	w.annotate(id, annotations)
}

func (w *world) annotate(id string, annotations map[string]string) {
	w.Helper()
	s, err := w.cloud.Secret(w.Context(), secretOf(id))
	must(w.T, err)
	_, err = w.cloud.UpdateSecret(w.Context(), gcp.Change{Name: s.Name, Etag: s.Etag, Annotations: annotations})
	must(w.T, err)
}

func secretOf(id string) string  { return "projects/acme/secrets/" + id }
func accountOf(id string) string { return id + "@acme.iam.gserviceaccount.com" }
func keyOf(what string) string   { return fmt.Sprintf("%x", sha1.Sum([]byte(what))) }

// observe hands a log entry to the audit function.
func (w *world) observe(entry []byte) {
	w.Helper()
	must(w.T, w.audit.HandleEvent(w.Context(), eventtest.Pushed(event.Message{ID: "7", Topic: "projects/" + project + "/topics/" + event.TopicLogs, Data: entry})))
}

// follow hands what was published to the findings topic on to the alert function.
func (w *world) follow() {
	w.Helper()
	resp, err := w.pull.Pull(w.Context(), &pubsubpb.PullRequest{Subscription: "projects/" + project + "/subscriptions/" + event.TopicFindings, MaxMessages: 100})
	must(w.T, err)
	for _, r := range resp.GetReceivedMessages() {
		m := r.GetMessage()
		must(w.T, w.alert.HandleEvent(w.Context(), eventtest.Pushed(event.Message{ID: m.GetMessageId(), Topic: "projects/" + project + "/topics/" + event.TopicFindings, Data: m.GetData(), Attributes: m.GetAttributes()})))
	}
}

// made is the entry of a key of an account that somebody made past keyturn.
func made(id string) []byte {
	return fmt.Appendf(nil, `{"logName":"projects/acme/logs/cloudaudit.googleapis.com%%2Factivity","insertId":"made-%s","timestamp":%q,
		"resource":{"type":"service_account","labels":{"project_id":"acme","email_id":%q}},
		"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","serviceName":"iam.googleapis.com","methodName":"google.iam.admin.v1.CreateServiceAccountKey",
		"authenticationInfo":{"principalEmail":"%s-thief@example.com"},"resourceName":"projects/acme/serviceAccounts/%s",
		"response":{"name":"projects/acme/serviceAccounts/%s/keys/%s"},"authorizationInfo":[{"permission":"iam.serviceAccountKeys.create","granted":true}]}}`,
		id, start.Add(-time.Hour).Format(time.RFC3339), accountOf(id), id, accountOf(id), accountOf(id), keyOf("foreign to "+id))
}

// toldOf lists what a channel was told: what brought it about, and of which secret.
func toldOf(l *line) string {
	var all []string
	for _, a := range l.got {
		all = append(all, a.Detector+" "+path.Base(a.Credential))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func TestAlertsAreRoutedByTheLabelsOfTheSecret(t *testing.T) {
	w := newWorld(t, byLabel)
	w.credential("bare", map[string]string{rotation.Label: rotation.Managed})
	w.credential("second-tier", map[string]string{rotation.Label: rotation.Managed, "team": "payments", "tier": "2"})
	w.credential("labelled", map[string]string{rotation.Label: rotation.Managed, "team": "payments", "tier": "1", "zone": "eu"})
	for _, id := range []string{"bare", "second-tier", "labelled", "unmanaged"} {
		w.observe(made(id))
	}
	w.follow()
	for _, id := range []string{"bare", "second-tier", "labelled"} {
		w.annotate(id, map[string]string{rotation.AnnotationPolicy: "{"})
	}
	_, err := w.rotate.Do(t.Context(), event.Command{Verb: event.Sweep})
	must(t, err)
	w.follow()
	if got, want := toldOf(w.mail), "foreign-key labelled, rotation-refused labelled"; got != want {
		t.Errorf("mail was told of %s, want %s", got, want)
	}
	if got, want := toldOf(w.chat), "foreign-key bare, foreign-key second-tier, rotation-refused bare, rotation-refused second-tier"; got != want {
		t.Errorf("chat was told of %s, want %s", got, want)
	}
	for _, a := range w.mail.got {
		if !maps.Equal(a.Labels, map[string]string{"team": "payments", "tier": "1", "zone": "eu"}) {
			t.Errorf("%s has labels %v", a.Detector, a.Labels)
		}
	}
}
