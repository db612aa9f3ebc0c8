package pubsub_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
	"github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/grpc/codes"

	"example.com/keyturn/internal/localgcp/pubsub"
)

// serveFunction serves f through Google's functions framework, which cannot be
// stopped: it runs on until the test binary ends.
func serveFunction(t *testing.T, f func(context.Context, event.Event) error) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(l.Addr().String())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	path := "/rotate-" + port // the framework never forgets a path
	if err := funcframework.RegisterCloudEventFunctionContext(context.Background(), path, f); err != nil {
		t.Fatal(err)
	}
	go func() { _ = funcframework.StartHostPort(host, port) }()
	return "http://" + net.JoinHostPort(host, port) + path
}

func TestTriggerFunction(t *testing.T) {
	w := start(t, pubsub.Config{Tokens: tokens{}})
	events := make(chan event.Event, 10)
	var calls atomic.Int64
	url := serveFunction(t, func(_ context.Context, e event.Event) error {
		events <- e
		if calls.Add(1) == 1 {
			return errors.New("not yet")
		}
		return nil
	})
	w.topic(topicT)
	name, err := w.TriggerFunction(pubsub.Trigger{Topic: topicT, URL: url, ServiceAccount: "sa@x", AckDeadline: time.Minute, DeadLetter: nil})
	if err != nil || name != "projects/local/subscriptions/eventarc-ttt" {
		t.Fatalf("%q, %v", name, err)
	}
	w.publish("hello")
	for range 2 { // the function fails once
		e := <-events
		var body struct {
			Subscription string
			Message      struct {
				Data       []byte
				MessageID  string `json:"messageId"`
				Attributes map[string]string
			}
		}
		if err := json.Unmarshal(e.Data(), &body); err != nil {
			t.Fatal(err)
		}
		if e.Type() != "google.cloud.pubsub.topic.v1.messagePublished" || e.Source() != "//pubsub.googleapis.com/"+topicT || e.ID() != "1" ||
			e.SpecVersion() != "1.0" || time.Since(e.Time()) > time.Minute || e.DataContentType() != "application/json" {
			t.Errorf("event: %v", e)
		}
		if m := body.Message; string(m.Data) != "hello" || m.MessageID != "1" || m.Attributes["k"] != "v" || body.Subscription != name {
			t.Errorf("body: %s", e.Data())
		}
	}
	w.until("the acknowledgement", w.Idle)
	sub, err := w.sub.GetSubscription(w.ctx, &pubsubpb.GetSubscriptionRequest{Subscription: name})
	if err != nil {
		t.Fatal(err)
	}
	oidc := sub.PushConfig.GetOidcToken()
	if !strings.HasPrefix(sub.PushConfig.PushEndpoint, url+"?__GCP_CloudEventsMode=CUSTOM_PUBSUB_") ||
		oidc.ServiceAccountEmail != "sa@x" || oidc.Audience != url || sub.AckDeadlineSeconds != 60 {
		t.Errorf("subscription: %v", sub)
	}
}

func TestTriggersThatAreRefused(t *testing.T) {
	w := start(t, pubsub.Config{})
	_, err := w.TriggerFunction(pubsub.Trigger{Topic: topicT, URL: "http://h:bad/"})
	if err == nil || !strings.Contains(err.Error(), "address of the function") {
		t.Errorf("bad URL: %v", err)
	}
	_, err = w.TriggerFunction(pubsub.Trigger{Topic: topicT, URL: "http://127.0.0.1/", Name: "name"})
	w.code("no topic", err, codes.NotFound, "(resource=ttt)")
}
