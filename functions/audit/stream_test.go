package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	logging "cloud.google.com/go/logging/apiv2"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	pubsub "cloud.google.com/go/pubsub/v2/apiv1"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/clock"
	localpubsub "example.com/keyturn/internal/localgcp/pubsub"
	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// stream is the audit function as it is deployed: served by the functions
// framework and fed, on a whole embedded Google Cloud, by the trigger of topic
// keyturn-logs, whose dead-letter topic is keyturn-dead.
type stream struct {
	*testing.T
	cloud  *localgcp.Cloud
	topics *pubsub.TopicAdminClient
	sinks  *logging.ConfigClient

	mu        sync.Mutex
	delivered map[string]detect.Entry // what the function has taken, by message id
}

func newStream(t *testing.T) *stream {
	t.Helper()
	s := &stream{T: t, delivered: make(map[string]detect.Entry)}
	var err error
	s.cloud, err = localgcp.Start(localgcp.Config{Addr: "127.0.0.1:0", ProjectID: project, Clock: clock.NewFrozen(start)})
	must(t, err)
	t.Cleanup(func() { must(t, s.cloud.Close()) })
	opts := []option.ClientOption{option.WithEndpoint(s.cloud.Addr()), option.WithoutAuthentication(), option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials()))}
	s.topics, err = pubsub.NewTopicAdminClient(t.Context(), opts...)
	must(t, err)
	t.Cleanup(func() { s.topics.Close() })
	s.sinks, err = logging.NewConfigClient(t.Context(), opts...)
	must(t, err)
	t.Cleanup(func() { s.sinks.Close() })
	subscriptions, err := pubsub.NewSubscriptionAdminClient(t.Context(), opts...)
	must(t, err)
	defer subscriptions.Close()
	for _, id := range event.Topics {
		_, err := s.topics.CreateTopic(t.Context(), &pubsubpb.Topic{Name: topicName(id)})
		must(t, err)
		_, err = subscriptions.CreateSubscription(t.Context(), &pubsubpb.Subscription{Name: "projects/" + project + "/subscriptions/" + id, Topic: topicName(id)})
		must(t, err)
	}
	_, err = s.cloud.PubSub.TriggerFunction(localpubsub.Trigger{
		Topic: topicName(event.TopicLogs), URL: s.serve(), AckDeadline: time.Minute,
		DeadLetter: &pubsubpb.DeadLetterPolicy{DeadLetterTopic: topicName(event.TopicDead), MaxDeliveryAttempts: 5},
	})
	must(t, err)
	return s
}

func topicName(id string) string { return "projects/" + project + "/topics/" + id }

// serve serves the function through Google's framework, which cannot be
// stopped: it runs on until the tests end. As in a deployment, it gets one event
// at a time.
func (s *stream) serve() (url string) {
	s.Helper()
	adapter, err := gcp.New(gcp.Config{Project: project, Endpoint: s.cloud.Addr()})
	must(s.T, err)
	s.Cleanup(func() { must(s.T, adapter.Close()) })
	f := New(Config{Publisher: adapter, Logs: adapter})
	addr := freeAddr(s.T)
	host, port, err := net.SplitHostPort(addr)
	must(s.T, err)
	path := "/audit-" + port // the framework never forgets a path
	must(s.T, funcframework.RegisterCloudEventFunctionContext(context.Background(), path, func(ctx context.Context, ce cloudevents.Event) error {
		if err := f.HandleEvent(ctx, ce); err != nil {
			return err
		}
		return s.note(ce)
	}))
	go func() { _ = funcframework.StartHostPort(host, port) }()
	awaitListener(s.T, addr)
	var turn sync.Mutex
	framework := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", addr }}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		turn.Lock()
		defer turn.Unlock()
		framework.ServeHTTP(w, r)
	}))
	s.Cleanup(front.Close)
	return front.URL + path
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

func awaitListener(t *testing.T, addr string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			must(t, conn.Close())
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the functions framework does not listen: %v", err)
		}
	}
}

func (s *stream) note(ce cloudevents.Event) error {
	m, err := event.DecodeMessage(ce)
	if err != nil {
		return err
	}
	e, err := event.DecodeLogEntry(m.Data)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delivered[m.ID] = e
	return nil
}

// settled waits until the function has taken everything, and returns it by
// message id. Nothing may have gone to the dead-letter topic.
func (s *stream) settled() map[string]detect.Entry {
	s.Helper()
	for deadline := time.Now().Add(time.Minute); !s.cloud.Idle(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			s.Fatalf("not taken after a minute: %v", s.cloud.PubSub.Outstanding(topicName(event.TopicLogs)))
		}
	}
	if dead := s.cloud.PubSub.Outstanding(topicName(event.TopicDead)); dead["projects/"+project+"/subscriptions/"+event.TopicDead] != 0 || len(dead) != 1 {
		s.Errorf("dead letters: %v", dead)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.delivered
}

func TestPublicSamplesThroughTheTopic(t *testing.T) {
	labels := readLabels(t)
	s := newStream(t)
	denied := make(map[string]bool) // by message id
	for sample, label := range labels {
		resp, err := s.topics.Publish(t.Context(), &pubsubpb.PublishRequest{Topic: topicName(event.TopicLogs), Messages: []*pubsubpb.PubsubMessage{{Data: sample.read(t)}}})
		must(t, err)
		denied[resp.GetMessageIds()[0]] = label
	}
	delivered, denials := s.settled(), 0
	for id, label := range denied {
		e, ok := delivered[id]
		if !ok || detect.Denied(e) != label {
			t.Errorf("message %s: delivered %v, denied %v, want %v", id, ok, detect.Denied(e), label)
		}
		if label {
			denials++
		}
	}
	if len(delivered) != 95 || denials != 13 {
		t.Errorf("%d entries delivered, %d of them denials; want 95 with 13", len(delivered), denials)
	}
}

// The samples are of many projects, so the sink is that of an organization. It
// lets through the two logs that matter whole, and of the third what the detectors
// go by; nothing changes on the way.
func TestPublicSamplesThroughTheSink(t *testing.T) {
	labels := readLabels(t)
	s := newStream(t)
	_, err := s.sinks.CreateSink(t.Context(), &loggingpb.CreateSinkRequest{Parent: "organizations/1", Sink: &loggingpb.LogSink{
		Name: event.TopicLogs, Destination: "pubsub.googleapis.com/" + topicName(event.TopicLogs), Filter: gcp.AuditFilter, IncludeChildren: true,
	}})
	must(t, err)
	var entries []string
	want, denials := make(map[string]detect.Entry), 0 // by insertId
	for sample, denied := range labels {
		line, severity := renamed(t, sample.read(t), fmt.Sprintf("sample-%d", len(entries)))
		entries = append(entries, line)
		e, err := event.DecodeLogEntry([]byte(line))
		must(t, err)
		if passes(e, severity) {
			want[e.InsertID] = e
		}
		if denied {
			denials++
		}
		if denied && want[e.InsertID].InsertID == "" {
			t.Errorf("%v is a denial that no sink would let through: %s %s", sample, e.LogName, severity)
		}
	}
	s.write(entries)
	delivered := s.settled()
	for _, e := range delivered {
		if !reflect.DeepEqual(e, want[e.InsertID]) {
			t.Errorf("delivered %+v\nwant %+v", e, want[e.InsertID])
		}
		if detect.Denied(e) {
			denials--
		}
		delete(want, e.InsertID)
	}
	if len(want) != 0 || denials != 0 || len(delivered) == len(labels) {
		t.Errorf("%d entries and %d denials were lost; %d of %d came through", len(want), denials, len(delivered), len(labels))
	}
}

// renamed gives an entry an insertId of its own, for some samples share one.
func renamed(t *testing.T, line []byte, id string) (entry, severity string) {
	t.Helper()
	var fields map[string]json.RawMessage
	must(t, json.Unmarshal(line, &fields))
	if fields["severity"] != nil {
		must(t, json.Unmarshal(fields["severity"], &severity))
	}
	fields["insertId"] = json.RawMessage(`"` + id + `"`)
	out, err := json.Marshal(fields)
	must(t, err)
	return string(out), severity
}

// passes says by hand what gcp.AuditFilter says in the query language.
func passes(e detect.Entry, severity string) bool {
	_, log, _ := strings.Cut(e.LogName, "/logs/cloudaudit.googleapis.com%2F")
	switch log {
	case "activity", "policy":
		return true
	case "data_access":
		method := strings.ToLower(e.Method)
		return slices.Contains([]string{"ERROR", "CRITICAL", "ALERT", "EMERGENCY"}, severity) ||
			e.KeyName != "" || e.Service == "iamcredentials.googleapis.com" || e.Service == "sts.googleapis.com" ||
			strings.HasSuffix(method, "accesssecretversion") || strings.HasSuffix(method, "testiampermissions")
	}
	return false
}

// write sends entries as they are, by REST: their payloads are of types that
// are not linked into this program.
func (s *stream) write(entries []string) {
	s.Helper()
	body := `{"entries":[` + strings.Join(entries, ",") + `]}`
	resp, err := http.Post(s.cloud.URL()+"/v2/entries:write", "application/json", strings.NewReader(body))
	must(s.T, err)
	defer resp.Body.Close()
	var answer bytes.Buffer
	_, err = answer.ReadFrom(resp.Body)
	must(s.T, err)
	if resp.StatusCode != http.StatusOK {
		s.Fatalf("entries:write: %d %s", resp.StatusCode, &answer)
	}
}
