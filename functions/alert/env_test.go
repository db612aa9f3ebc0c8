package alert

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/internal/localgcp/pubsub"
	"example.com/keyturn/internal/localgcp/pubsub/inbox"
	"example.com/keyturn/internal/localgcp/wire"
	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/event/eventtest"
	"example.com/keyturn/shared/gcp"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/grpc"
)

const project = "acme"

var start = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// line is a channel that can be cut.
type line struct {
	name string

	during func() // what happens during a call; nil is nothing

	mu    sync.Mutex
	cut   bool
	calls int
	got   []alerting.Alert
}

func (l *line) Name() string { return l.name }

func (l *line) Deliver(_ context.Context, a alerting.Alert) error {
	if l.during != nil {
		l.during()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	if l.cut {
		return errors.New("the line is cut, 100%s")
	}
	l.got = append(l.got, a)
	return nil
}

// env is an alert function on an embedded Pub/Sub, with two channels.
type env struct {
	*testing.T
	faults     fault.Injector
	clock      *clock.Clock
	inbox      *inbox.Inbox
	mail, chat *line
	f          *Function
	log        bytes.Buffer
}

func newEnv(t *testing.T) *env {
	t.Helper()
	e := &env{T: t, clock: clock.NewFrozen(start), mail: &line{name: "mail"}, chat: &line{name: "chat"}}
	messages := pubsub.New(pubsub.Config{PullWait: 10 * time.Millisecond})
	t.Cleanup(func() { must(t, messages.Close()) })
	handler, err := wire.NewHandler(messages.Register, nil, grpc.ChainUnaryInterceptor(e.faults.Unary()))
	must(t, err)
	server, err := wire.Listen("127.0.0.1:0", handler)
	must(t, err)
	t.Cleanup(func() { must(t, server.Close()) })
	adapter, err := gcp.New(gcp.Config{Project: project, Endpoint: server.Addr})
	must(t, err)
	t.Cleanup(func() { must(t, adapter.Close()) })
	e.inbox = inbox.Open(t, server.Addr, project, event.TopicAlerts, event.TopicDead, event.TopicRotate)
	e.f = New(Config{
		Publisher: adapter, Channels: []Channel{e.mail, e.chat}, Now: e.clock.Now, Wall: e.clock.Now, Log: slog.New(slog.NewTextHandler(&e.log, nil)),
	})
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

// told returns how many alerts came by each way since it was asked last.
func (e *env) told() [3]int {
	e.Helper()
	counts := [3]int{len(e.published(event.TopicAlerts)), len(e.mail.got), len(e.chat.got)}
	e.mail.got, e.chat.got = nil, nil
	return counts
}

// deliver hands what is to be published to the function, as Eventarc does.
func (e *env) deliver(out event.Outgoing, err error) error {
	e.Helper()
	must(e.T, err)
	return e.f.HandleEvent(e.Context(), pushed(out))
}

func pushed(out event.Outgoing) cloudevents.Event {
	return eventtest.Pushed(event.Message{ID: "7", Topic: "projects/" + project + "/topics/" + event.TopicFindings, Data: out.Data, Attributes: out.Attributes})
}

func found(id string, severity detect.Severity, count int) (event.Outgoing, error) {
	return event.FindingEvent(finding(id, severity, count))
}

func finding(id string, severity detect.Severity, count int) detect.Finding {
	return detect.Finding{
		ID: id, Time: start, Detector: detect.PermissionProbing, Severity: severity, Subject: "thief", Project: project, Count: count,
		Key: "//iam.googleapis.com/k", Permissions: []string{"a.b.c"}, FirstSeen: start, LastSeen: start,
		Reason: "thief probes", Advice: "keyturn revoke SECRET", Link: "https://link", Evidence: []string{"i1", "i2"},
		From: []string{"192.0.2.7 curl", "192.0.2.8"}, Runbook: "1. Look.", Standing: detect.Standing{State: "unmanaged", At: start},
	}
}

func milestone(id string, m event.Milestone) (event.Outgoing, error) {
	return event.RotationEvent(event.Rotation{
		ID: id, Milestone: m, Time: start, Project: project, Secret: "projects/acme/secrets/billing", Kind: "api-key", Rotation: 3,
		Step: "verify", Reason: "quota", Severity: m.SeverityOf(),
	})
}

// take hands a finding to the function.
func (e *env) take(f detect.Finding) error {
	e.Helper()
	return e.deliver(event.FindingEvent(f))
}
