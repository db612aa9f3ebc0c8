package event

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
)

var published = time.Date(2026, 11, 22, 10, 0, 0, 123e6, time.UTC)

const eventarcBody = `{"subscription":"projects/p/subscriptions/s","deliveryAttempt":3,"message":{"publishTime":"2026-11-22T10:00:00.123Z",` +
	`"data":"aGVsbG8=","publish_time":"2026-11-22T10:00:00.123Z","messageId":"7","attributes":{"a":"b"},"message_id":"7"}}`

// pubsubEvent is an event as the framework hands it over.
func pubsubEvent(t testing.TB, kind, body string) cloudevents.Event {
	t.Helper()
	ce := cloudevents.New()
	ce.SetID("7")
	ce.SetType(kind)
	ce.SetSource("//pubsub.googleapis.com/projects/p/topics/t")
	ce.SetTime(published)
	if err := ce.SetData(cloudevents.ApplicationJSON, []byte(body)); err != nil {
		t.Fatal(err)
	}
	return ce
}

// The functions framework itself delivers each form that it accepts.
func TestDecodeMessageThroughTheFramework(t *testing.T) {
	url, decoded := serveFramework(t)
	full := Message{
		ID: "7", Topic: "projects/p/topics/t", Subscription: "projects/p/subscriptions/s", Data: []byte("hello"),
		Attributes: map[string]string{"a": "b"}, PublishTime: published, DeliveryAttempt: 3,
	}
	legacy := full
	legacy.Subscription, legacy.DeliveryAttempt = "", 0
	unknown := legacy
	unknown.Topic = ""
	for name, c := range map[string]struct {
		path, body string
		header     map[string]string
		want       Message
	}{
		"binary CloudEvent": {"/", eventarcBody, map[string]string{
			"Ce-Id": "7", "Ce-Specversion": "1.0", "Ce-Type": messagePublished, "Ce-Source": "//pubsub.googleapis.com/projects/p/topics/t",
			"Ce-Time": "2026-11-22T10:00:00.123Z", "Content-Type": "application/json"}, full},
		"structured CloudEvent": {"/", `{"specversion":"1.0","id":"7","type":"` + messagePublished + `","source":"//pubsub.googleapis.com/projects/p/topics/t",` +
			`"time":"2026-11-22T10:00:00.123Z","datacontenttype":"application/json","data":` + eventarcBody + `}`,
			map[string]string{"Content-Type": "application/cloudevents+json"}, full},
		"raw push with its topic in the path": {"/projects/p/topics/t", eventarcBody, map[string]string{"Content-Type": "application/json"}, legacy},
		"raw push":                            {"/", eventarcBody, map[string]string{"Content-Type": "application/json"}, unknown},
		"legacy background event": {"/", `{"context":{"eventId":"7","timestamp":"2026-11-22T10:00:00.123Z","eventType":"google.pubsub.topic.publish",` +
			`"resource":{"service":"pubsub.googleapis.com","name":"projects/p/topics/t","type":"type.googleapis.com/google.pubsub.v1.PubsubMessage"}},` +
			`"data":{"@type":"type.googleapis.com/google.pubsub.v1.PubsubMessage","attributes":{"a":"b"},"data":"aGVsbG8="}}`,
			map[string]string{"Content-Type": "application/json"}, legacy},
	} {
		t.Run(name, func(t *testing.T) {
			post(t, url+c.path, c.header, c.body)
			got := <-decoded
			if got.err != nil {
				t.Fatal(got.err)
			}
			if !reflect.DeepEqual(got.message, c.want) {
				t.Errorf("message = %+v\nwant %+v", got.message, c.want)
			}
		})
	}
}

type decoding struct {
	message Message
	err     error
}

// serveFramework serves a function that decodes what it is given. The framework
// has no way to stop, so it serves until the tests end.
func serveFramework(t *testing.T) (url string, decoded <-chan decoding) {
	t.Helper()
	results := make(chan decoding, 1)
	err := funcframework.RegisterCloudEventFunctionContext(t.Context(), "/", func(_ context.Context, ce cloudevents.Event) error {
		m, err := DecodeMessage(ce)
		results <- decoding{m, err}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(free.Addr().String())
	free.Close()
	go func() { t.Log(funcframework.StartHostPort(host, port)) }()
	url = "http://" + net.JoinHostPort(host, port)
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("tcp", free.Addr().String())
		if err == nil {
			conn.Close()
			return url, results
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func post(t *testing.T, url string, header map[string]string, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		t.Fatalf("the framework answered %s", resp.Status)
	}
}

func TestDecodeMessageRefuses(t *testing.T) {
	for name, c := range map[string]struct{ kind, body, want string }{
		"another event":        {"google.cloud.storage.object.v1.finalized", `{"message":{}}`, `"google.cloud.storage.object.v1.finalized" is not a Pub/Sub message`},
		"no JSON":              {messagePublished, "hello", "no Pub/Sub push body"},
		"nothing":              {messagePublished, "", "no Pub/Sub push body"},
		"no message":           {messagePublished, `{"subscription":"s"}`, "without message"},
		"data is no base64":    {messagePublished, `{"message":{"data":"%"}}`, "no Pub/Sub push body"},
		"attributes of a kind": {messagePublished, `{"message":{"attributes":{"a":1}}}`, "no Pub/Sub push body"},
	} {
		m, err := DecodeMessage(pubsubEvent(t, c.kind, c.body))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "trigger the function by a topic") {
			t.Errorf("%s: error %v, want one with %q and the next step", name, err, c.want)
		}
		if m.ID != "7" || m.Topic != "projects/p/topics/t" || string(m.Data) != c.body {
			t.Errorf("%s: message %+v does not hold what came", name, m)
		}
	}
}

func TestTopicID(t *testing.T) {
	for topic, want := range map[string]string{"projects/p/topics/keyturn-logs": TopicLogs, "keyturn-logs": TopicLogs, "": ""} {
		if got := (Message{Topic: topic}).TopicID(); got != want {
			t.Errorf("TopicID of %q = %q, want %q", topic, got, want)
		}
	}
}

func TestDeadLetter(t *testing.T) {
	m := Message{ID: "7", Topic: "projects/p/topics/t", Data: []byte("data"), Attributes: map[string]string{"a": "b", "googclient_x": "y"}}
	out := DeadLetter("audit", m, errors.New("bad\xff"))
	want := map[string]string{
		"a": "b", "original-googclient_x": "y", "keyturn-function": "audit", "keyturn-reason": "bad\uFFFD",
		"keyturn-message-id": "7", "keyturn-topic": "projects/p/topics/t",
	}
	if out.Topic != TopicDead || string(out.Data) != "data" || !maps.Equal(out.Attributes, want) {
		t.Errorf("dead letter = %+v", out)
	}
	if len(m.Attributes) != 2 {
		t.Errorf("the message's own attributes changed: %v", m.Attributes)
	}
}

func TestDeadLetterFitsIntoAMessage(t *testing.T) {
	m := Message{Data: make([]byte, maxData+1), Attributes: make(map[string]string)}
	for i := range 200 {
		m.Attributes[fmt.Sprintf("%03d%s", i, strings.Repeat("ü", 300))] = strings.Repeat("é", 2000)
	}
	out := DeadLetter("audit", m, errors.New(strings.Repeat("€", 2000)))
	if len(out.Data) != maxData || out.Attributes["keyturn-size"] != fmt.Sprint(maxData+1) {
		t.Errorf("%d bytes of data, keyturn-size %q", len(out.Data), out.Attributes["keyturn-size"])
	}
	if len(out.Attributes) > 100 {
		t.Errorf("%d attributes", len(out.Attributes))
	}
	for name, value := range out.Attributes {
		if len(name) > 256 || len(value) > maxAttribute || !utf8.ValidString(name+value) {
			t.Errorf("attribute of %d and %d bytes", len(name), len(value))
		}
	}
}
