package push

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const topic = "projects/local/topics/t"

func message() Message {
	return Message{
		Subscription: "projects/local/subscriptions/raw",
		PubsubMessage: &pubsubpb.PubsubMessage{
			MessageId: "1", Data: []byte("hi"), Attributes: map[string]string{"a": "b"},
			PublishTime: timestamppb.New(time.Date(2026, 11, 22, 10, 0, 0, 123e6, time.UTC)),
		},
	}
}

func unwrapped(metadata bool) *pubsubpb.PushConfig {
	return &pubsubpb.PushConfig{
		PushEndpoint: "http://h/p",
		Wrapper:      &pubsubpb.PushConfig_NoWrapper_{NoWrapper: &pubsubpb.PushConfig_NoWrapper{WriteMetadata: metadata}},
	}
}

const wrappedBody = `{"subscription":"projects/local/subscriptions/raw","message":{"publishTime":"2026-11-22T10:00:00.123Z",` +
	`"data":"aGk=","publish_time":"2026-11-22T10:00:00.123Z","messageId":"1","attributes":{"a":"b"},"message_id":"1"}}`

func TestNewRequest(t *testing.T) {
	event, err := EventEndpoint("http://h/p?x=1", topic)
	if err != nil {
		t.Fatal(err)
	}
	octets := http.Header{"Content-Type": {"application/octet-stream"}}
	for _, tc := range []struct {
		name   string
		cfg    *pubsubpb.PushConfig
		change func(*Message)
		url    string
		body   string
		header http.Header
	}{
		{name: "wrapped", cfg: &pubsubpb.PushConfig{PushEndpoint: "http://h/p?x=1"}, url: "http://h/p?x=1", body: wrappedBody},
		{
			name: "wrapped, ordered, with dead lettering", cfg: &pubsubpb.PushConfig{PushEndpoint: "http://h/p"}, url: "http://h/p",
			change: func(m *Message) { m.OrderingKey, m.DeliveryAttempt, m.Attributes, m.Data = "k", 3, nil, nil },
			body: `{"subscription":"projects/local/subscriptions/raw","message":{"publishTime":"2026-11-22T10:00:00.123Z",` +
				`"publish_time":"2026-11-22T10:00:00.123Z","messageId":"1","message_id":"1","orderingKey":"k"},"deliveryAttempt":3}`,
		},
		{name: "bare", cfg: unwrapped(false), url: "http://h/p", body: "hi", header: octets},
		{
			name: "bare with metadata", cfg: unwrapped(true), url: "http://h/p", body: "hi",
			change: func(m *Message) {
				m.OrderingKey = "k"
				m.Attributes = map[string]string{"a": "b", "not a header": "x", "c": "two\nlines", "": "x", "Authorization": "theirs"}
			},
			header: http.Header{
				"A": {"b"}, "Authorization": {"theirs"}, "Content-Type": octets["Content-Type"], "X-Goog-Pubsub-Message-Id": {"1"},
				"X-Goog-Pubsub-Publish-Time":      {"2026-11-22T10:00:00.123Z"},
				"X-Goog-Pubsub-Subscription-Name": {"projects/local/subscriptions/raw"}, "X-Goog-Pubsub-Ordering-Key": {"k"},
			},
		},
		{
			name: "event", cfg: &pubsubpb.PushConfig{PushEndpoint: event}, url: "http://h/p?x=1", body: wrappedBody,
			header: http.Header{
				"Content-Type": {"application/json"}, "Ce-Id": {"1"}, "Ce-Specversion": {"1.0"},
				"Ce-Type": {"google.cloud.pubsub.topic.v1.messagePublished"}, "Ce-Time": {"2026-11-22T10:00:00.123Z"},
				"Ce-Source": {"//pubsub.googleapis.com/projects/local/topics/t"},
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := message()
			if tc.change != nil {
				tc.change(&m)
			}
			if tc.header == nil {
				tc.header = http.Header{"Content-Type": {"application/json"}}
			}
			r, err := NewRequest(context.Background(), tc.cfg, m)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(r.Body)
			if r.Method != "POST" || r.URL.String() != tc.url || string(body) != tc.body {
				t.Errorf("%s %s\n%s\nwant POST %s\n%s", r.Method, r.URL, body, tc.url, tc.body)
			}
			if d := cmp.Diff(tc.header, r.Header); d != "" {
				t.Errorf("headers (-want +got):\n%s", d)
			}
		})
	}
}

func TestEndpointsThatCannotBeCalled(t *testing.T) {
	if _, err := EventEndpoint("http://h:bad/", topic); err == nil || !strings.Contains(err.Error(), "address of the function") {
		t.Errorf("EventEndpoint: %v", err)
	}
	if _, err := NewRequest(context.Background(), &pubsubpb.PushConfig{PushEndpoint: "http://h:bad/"}, message()); err == nil {
		t.Error("NewRequest took an endpoint with a bad port")
	}
}
