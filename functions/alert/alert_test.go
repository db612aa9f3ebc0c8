package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	pubsub "cloud.google.com/go/pubsub/v2/apiv1"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/fault"
	localpubsub "example.com/keyturn/internal/localgcp/pubsub"
	"example.com/keyturn/internal/localgcp/wire"
	"example.com/keyturn/shared/alerting"
	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

const project = "acme"

var start = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// line is a channel that can be cut.
type line struct {
	name string

	mu  sync.Mutex
	cut bool
	got []alerting.Alert
}

func (l *line) Name() string { return l.name }

func (l *line) Deliver(_ context.Context, a alerting.Alert) error {
	l.mu.Lock()
	defer l.mu.Unlock()
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
	pull       *pubsub.SubscriptionAdminClient
	mail, chat *line
	f          *Function
	log        bytes.Buffer
}

func newEnv(t *testing.T) *env {
	t.Helper()
	e := &env{T: t, clock: clock.NewFrozen(start), mail: &line{name: "mail"}, chat: &line{name: "chat"}}
	messages := localpubsub.New(localpubsub.Config{})
	t.Cleanup(func() { must(t, messages.Close()) })
	handler, err := wire.NewHandler(messages.Register, nil, grpc.ChainUnaryInterceptor(e.faults.Unary()))
	must(t, err)
	server, err := wire.Listen("127.0.0.1:0", handler)
	must(t, err)
	t.Cleanup(func() { must(t, server.Close()) })
	adapter, err := gcp.New(gcp.Config{Project: project, Endpoint: server.Addr})
	must(t, err)
	t.Cleanup(func() { must(t, adapter.Close()) })
	opts := []option.ClientOption{option.WithEndpoint(server.Addr), option.WithoutAuthentication(), option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials()))}
	e.pull, err = pubsub.NewSubscriptionAdminClient(t.Context(), opts...)
	must(t, err)
	t.Cleanup(func() { e.pull.Close() })
	topics, err := pubsub.NewTopicAdminClient(t.Context(), opts...)
	must(t, err)
	defer topics.Close()
	for _, id := range []string{event.TopicAlerts, event.TopicDead} {
		topic := "projects/" + project + "/topics/" + id
		_, err := topics.CreateTopic(t.Context(), &pubsubpb.Topic{Name: topic})
		must(t, err)
		_, err = e.pull.CreateSubscription(t.Context(), &pubsubpb.Subscription{Name: "projects/" + project + "/subscriptions/" + id, Topic: topic})
		must(t, err)
	}
	e.f = New(Config{
		Publisher: adapter, Channels: []Channel{e.mail, e.chat}, Now: e.clock.Now, Log: slog.New(slog.NewTextHandler(&e.log, nil)),
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
	name := "projects/" + project + "/subscriptions/" + topic
	resp, err := e.pull.Pull(e.Context(), &pubsubpb.PullRequest{Subscription: name, MaxMessages: 1000, ReturnImmediately: true})
	must(e.T, err)
	var messages []*pubsubpb.PubsubMessage
	ack := &pubsubpb.AcknowledgeRequest{Subscription: name}
	for _, r := range resp.GetReceivedMessages() {
		messages = append(messages, r.GetMessage())
		ack.AckIds = append(ack.AckIds, r.GetAckId())
	}
	if len(messages) > 0 {
		must(e.T, e.pull.Acknowledge(e.Context(), ack))
	}
	return messages
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
	return e.f.HandleEvent(e.Context(), wrapped(e, out))
}

func wrapped(t testing.TB, out event.Outgoing) cloudevents.Event {
	t.Helper()
	body, err := json.Marshal(map[string]any{"message": map[string]any{"messageId": "7", "data": out.Data, "attributes": out.Attributes}})
	must(t, err)
	ce := cloudevents.New()
	ce.SetID("7")
	ce.SetType("google.cloud.pubsub.topic.v1.messagePublished")
	ce.SetSource("//pubsub.googleapis.com/projects/" + project + "/topics/" + event.TopicFindings)
	must(t, ce.SetData(cloudevents.ApplicationJSON, body))
	return ce
}

func found(id string, severity detect.Severity, count int) (event.Outgoing, error) {
	return event.FindingEvent(detect.Finding{
		ID: id, Time: start, Detector: detect.PermissionProbing, Severity: severity, Subject: "thief", Project: project, Count: count,
		Key: "//iam.googleapis.com/k", Permissions: []string{"a.b.c"}, FirstSeen: start, LastSeen: start,
		Reason: "thief probes", Advice: "keyturn revoke SECRET", Link: "https://link", Evidence: []string{"i1", "i2"},
	})
}

func milestone(id string, m event.Milestone) (event.Outgoing, error) {
	return event.RotationEvent(event.Rotation{
		ID: id, Milestone: m, Time: start, Project: project, Secret: "projects/acme/secrets/billing", Kind: "api-key", Rotation: 3,
		Step: "verify", Reason: "quota", Severity: m.SeverityOf(),
	})
}

func TestAFindingIsToldOnceByEveryChannel(t *testing.T) {
	e := newEnv(t)
	for i := range 5 {
		must(t, e.deliver(found(fmt.Sprint("f", i), detect.High, 8)))
	}
	sent := e.published(event.TopicAlerts)
	if len(sent) != 1 || len(e.mail.got) != 1 || len(e.chat.got) != 1 {
		t.Fatalf("%d, %d, %d alerts, want one each", len(sent), len(e.mail.got), len(e.chat.got))
	}
	a := e.mail.got[0]
	if a.State != alerting.Open || a.Severity != alerting.High || a.Rule != "finding" || a.Detector != detect.PermissionProbing || a.Subject != "thief" ||
		a.Credential != "//iam.googleapis.com/k" || a.Summary != "thief probes" || a.Next != "keyturn revoke SECRET" || a.Link != "https://link" {
		t.Errorf("alert = %+v", a)
	}
	if names := fmt.Sprint(a.Fields); names != "[{first seen 2030-01-01T12:00:00Z} {last seen 2030-01-01T12:00:00Z} {permissions a.b.c} {evidence i1, i2}]" {
		t.Errorf("fields = %s", names)
	}
	if at := sent[0].GetAttributes(); at["ce-type"] != event.AlertType || at["incident"] != a.Incident || at["severity"] != "high" || at["state"] != "open" {
		t.Errorf("attributes = %v", at)
	}
}

func TestWhatGotWorseIsToldAgain(t *testing.T) {
	e := newEnv(t)
	must(t, e.deliver(found("f1", detect.Warning, 8)))
	must(t, e.deliver(found("f2", detect.High, 8)))
	must(t, e.deliver(found("f3", detect.High, 16)))
	must(t, e.deliver(found("f4", detect.High, 17)))
	var states []alerting.State
	for _, a := range e.mail.got {
		states = append(states, a.State)
	}
	if !slices.Equal(states, []alerting.State{alerting.Open, alerting.Update, alerting.Update}) {
		t.Errorf("told %v", states)
	}
}

func TestRotationEvents(t *testing.T) {
	for m, c := range map[event.Milestone]struct {
		want [3]int
		next string
	}{
		event.Started:  {},
		event.Promoted: {},
		event.Retired:  {},
		event.Failed:   {[3]int{1, 1, 1}, "keyturn status  (the next sweep tries again by itself)"},
		event.Refused:  {[3]int{1, 1, 1}, "keyturn status, mend what the reason says, then keyturn rotate billing"},
	} {
		e := newEnv(t)
		must(t, e.deliver(milestone("m1", m)))
		must(t, e.deliver(milestone("m1", m)))
		if len(e.mail.got) > 0 {
			if a := e.mail.got[0]; a.Next != c.next || a.Rule != "rotation" || a.Detector != "rotation-"+string(m) || a.Summary != fmt.Sprintf("rotation 3 of projects/acme/secrets/billing: %s", m) {
				t.Errorf("%s: alert %+v", m, a)
			}
		}
		if got := e.told(); got != c.want {
			t.Errorf("%s: told %v times, want %v", m, got, c.want)
		}
	}
}

func TestOnlyTheNameOfASecretGetsIntoACommand(t *testing.T) {
	e := newEnv(t)
	must(t, e.deliver(event.RotationEvent(event.Rotation{ID: "m", Secret: "projects/p/secrets/x; rm -rf /", Milestone: event.Refused, Severity: "high"})))
	if a := e.mail.got[0]; a.Next != "keyturn status" {
		t.Errorf("next = %q", a.Next)
	}
}

func TestABrokenChannelStopsNothingAndLosesNothing(t *testing.T) {
	e := newEnv(t)
	e.mail.cut = true
	for range 3 {
		if err := e.deliver(found("f1", detect.High, 8)); err != errRedeliver {
			t.Fatalf("error %v, want the fixed one", err)
		}
	}
	if got := e.told(); got != [3]int{1, 0, 1} {
		t.Errorf("told %v times with mail cut, want 1 0 1", got)
	}
	if !strings.Contains(e.log.String(), "to mail: the line is cut") {
		t.Errorf("log = %s", e.log.String())
	}
	must(t, e.deliver(found("f2", detect.High, 8))) // the same incident, nothing new
	e.mail.cut = false
	for range 3 {
		must(t, e.deliver(found("f1", detect.High, 8)))
	}
	if got := e.told(); got != [3]int{0, 1, 0} {
		t.Errorf("told %v times with mail mended, want 0 1 0", got)
	}
}

func TestABrokenTopicStopsNoChannel(t *testing.T) {
	e := newEnv(t)
	e.failing()
	if err := e.deliver(found("f1", detect.High, 8)); err != errRedeliver {
		t.Fatalf("error %v, want the fixed one", err)
	}
	e.faults.Set(nil)
	must(t, e.deliver(found("f1", detect.High, 8)))
	if got := e.told(); got != [3]int{1, 1, 1} {
		t.Errorf("told %v times, want 1 1 1", got)
	}
}

// failing lets publishing fail for good, as far as the client is concerned.
func (e *env) failing() {
	e.faults.Set(func(method string, _ any) fault.Fault {
		if method == "/google.pubsub.v1.Publisher/Publish" {
			return fault.Fault{Before: status.Error(codes.PermissionDenied, "no")}
		}
		return fault.Fault{}
	})
}

func TestRedeliveryInParallelTellsOnce(t *testing.T) {
	e := newEnv(t)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if err := e.deliver(found("f1", detect.High, 8)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := e.told(); got != [3]int{1, 1, 1} {
		t.Errorf("told %v times, want 1 1 1", got)
	}
}

func TestWhatIsNeitherFindingNorRotationGoesToTheDeadLetterTopic(t *testing.T) {
	notPubSub := wrapped(t, event.Outgoing{})
	notPubSub.SetType("google.cloud.storage.object.v1.finalized")
	message := func(kind, data string) cloudevents.Event {
		return wrapped(t, event.Outgoing{Data: []byte(data), Attributes: map[string]string{"ce-type": kind}})
	}
	for name, c := range map[string]struct {
		event  cloudevents.Event
		reason string
	}{
		"another event":                 {notPubSub, "trigger the function by a topic"},
		"foreign message":               {wrapped(t, event.Outgoing{Data: []byte("hello")}), "let nobody but keyturn publish to keyturn-findings"},
		"another type":                  {message("com.example.order", "{}"), `"com.example.order"`},
		"broken finding":                {message(event.FindingType, "{"), "decoding a finding"},
		"finding of another severity":   {message(event.FindingType, `{"id":"1","detector":"d","severity":"urgent"}`), `severity "urgent"`},
		"broken rotation event":         {message(event.RotationType, "{"), "decoding a rotation event"},
		"rotation of another severity":  {message(event.RotationType, `{"id":"1","secret":"s","severity":""}`), "none of info"},
		"rotation event without secret": {message(event.RotationType, `{"id":"1","severity":"high"}`), "without id or secret"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			if err := e.f.HandleEvent(t.Context(), c.event); err != nil {
				t.Fatalf("error %v, want none: the message would come again", err)
			}
			dead := e.published(event.TopicDead)
			if len(dead) != 1 || dead[0].GetAttributes()["keyturn-function"] != "alert" || !strings.Contains(dead[0].GetAttributes()["keyturn-reason"], c.reason) {
				t.Errorf("dead letters: %v, want one with %q", dead, c.reason)
			}
			if got := e.told(); got != [3]int{} {
				t.Errorf("told %v times", got)
			}
			e.failing()
			if err := e.f.HandleEvent(t.Context(), c.event); err != errRedeliver {
				t.Errorf("error %v without a dead-letter topic, want the fixed one", err)
			}
		})
	}
}
