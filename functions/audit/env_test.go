package audit

import (
	"bytes"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/internal/localgcp/logging"
	"example.com/keyturn/internal/localgcp/monitoring"
	"example.com/keyturn/internal/localgcp/pubsub"
	"example.com/keyturn/internal/localgcp/pubsub/inbox"
	"example.com/keyturn/internal/localgcp/wire"
	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/event/eventtest"
	"example.com/keyturn/shared/gcp"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/grpc"
)

const project = "acme"

var start = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// env is an audit function on an embedded Pub/Sub and Cloud Logging.
type env struct {
	*testing.T
	faults fault.Injector
	logs   *logging.Service
	counts *monitoring.Service
	clock  *clock.Clock
	inbox  *inbox.Inbox
	f      *Function
	log    bytes.Buffer
}

func newEnv(t *testing.T) *env {
	t.Helper()
	e := &env{T: t, clock: clock.NewFrozen(start)}
	messages := pubsub.New(pubsub.Config{PullWait: 10 * time.Millisecond})
	t.Cleanup(func() { must(t, messages.Close()) })
	e.logs = logging.New(logging.Config{Clock: e.clock, Publisher: messages})
	e.counts = monitoring.New(monitoring.Config{Clock: e.clock})
	handler, err := wire.NewHandler(func(r grpc.ServiceRegistrar) {
		messages.Register(r)
		e.logs.Register(r)
		e.counts.Register(r)
	}, nil, grpc.ChainUnaryInterceptor(e.faults.Unary()))
	must(t, err)
	server, err := wire.Listen("127.0.0.1:0", handler)
	must(t, err)
	t.Cleanup(func() { must(t, server.Close()) })
	adapter, err := gcp.New(gcp.Config{Project: project, Endpoint: server.Addr})
	must(t, err)
	t.Cleanup(func() { must(t, adapter.Close()) })
	e.inbox = inbox.Open(t, server.Addr, project, event.TopicFindings, event.TopicDead)
	e.f = New(Config{Publisher: adapter, Logs: adapter, Metrics: adapter, Project: project, Now: e.clock.Now, Log: slog.New(slog.NewTextHandler(&e.log, nil))})
	return e
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// published takes what was published to a topic.
func (e *env) published(topic string) []*pubsubpb.PubsubMessage {
	e.Helper()
	return e.inbox.Take(e, topic)
}

func (e *env) findings() []detect.Finding {
	e.Helper()
	var all []detect.Finding
	for _, m := range e.published(event.TopicFindings) {
		f, err := event.DecodeFinding(event.Message{Data: m.GetData(), Attributes: m.GetAttributes()})
		must(e.T, err)
		if m.GetAttributes()["ce-type"] != event.FindingType || m.GetAttributes()["severity"] != string(f.Severity) {
			e.Errorf("attributes of a finding = %v", m.GetAttributes())
		}
		all = append(all, f)
	}
	return all
}

// deliver hands a message to the function as Eventarc does.
func (e *env) deliver(topic string, data []byte, attributes map[string]string) error {
	return e.f.HandleEvent(e.Context(), pushed(topic, data, attributes))
}

func pushed(topic string, data []byte, attributes map[string]string) cloudevents.Event {
	return eventtest.Pushed(event.Message{ID: "7", Topic: "projects/" + project + "/topics/" + topic, Data: data, Attributes: attributes})
}

// denial is the entry of one denied call, in JSON.
func denial(permission string, after time.Duration) []byte {
	return fmt.Appendf(nil, `{"logName":"projects/acme/logs/cloudaudit.googleapis.com%%2Factivity","insertId":%q,"timestamp":%q,"severity":"ERROR",
		"resource":{"type":"project","labels":{"project_id":"acme"}},
		"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","status":{"code":7,"message":"denied"},"serviceName":"s.googleapis.com","methodName":"m",
		"authenticationInfo":{"principalEmail":"thief@acme.iam.gserviceaccount.com"},"authorizationInfo":[{"permission":%q}]}}`,
		permission, start.Add(after).Format(time.RFC3339Nano), permission)
}

func probe(n int) [][]byte {
	entries := make([][]byte, n)
	for i := range entries {
		entries[i] = denial(fmt.Sprintf("s.things%02d.create", i), time.Duration(i)*time.Second)
	}
	return entries
}

// stranger is the entry of a denied token, of which Google does not tell who asked.
func stranger(account int) []byte {
	return fmt.Appendf(nil, `{"logName":"projects/acme/logs/cloudaudit.googleapis.com%%2Fdata_access","insertId":"stranger-%d","timestamp":%q,"severity":"ERROR",
		"resource":{"type":"service_account","labels":{"project_id":"acme","email_id":"sa%d@acme.iam.gserviceaccount.com"}},
		"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","status":{"code":7},"serviceName":"iamcredentials.googleapis.com","methodName":"GenerateAccessToken",
		"authenticationInfo":{},"requestMetadata":{"callerIp":"192.0.2.7","callerSuppliedUserAgent":"curl"}}}`,
		account, start.Add(time.Duration(account)*time.Second).Format(time.RFC3339Nano), account)
}
