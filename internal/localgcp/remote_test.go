package localgcp

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	pubsub "cloud.google.com/go/pubsub/v2/apiv1"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	localpubsub "example.com/keyturn/internal/localgcp/pubsub"
)

func TestClockEndpoint(t *testing.T) {
	w := start(t)
	for _, c := range []struct {
		line, now string
		code      int
	}{
		{"GET " + clockPath, "2030-01-01T00:00:00Z", 200},
		{"POST " + clockPath + "?advance=24h", "2030-01-02T00:00:00Z", 200},
		{"POST " + clockPath + "?advance=1h30m", "2030-01-02T01:30:00Z", 200},
		{"POST " + clockPath + "?advance=0s", "2030-01-02T01:30:00Z", 200},
		{"POST " + clockPath + "?advance=-1s", "", 400},
		{"POST " + clockPath + "?advance=24", "", 400},
		{"POST " + clockPath + "?advance=tomorrow", "", 400},
		{"POST " + clockPath + "?leap=0s", "2030-01-02T01:30:00Z", 200},
		{"POST " + clockPath + "?leap=-1s", "", 400},
		{"POST " + clockPath, "", 400},
		{"DELETE " + clockPath, "", 404},
		{"GET " + clockPath + "?advance=24h", "2030-01-02T01:30:00Z", 200}, // asking does not move it
	} {
		code, answer := w.call(c.line, "")
		if code != c.code || c.code == 200 && answer["now"] != c.now || c.code != 200 && message(answer) == "" {
			t.Errorf("%s: %d %v, want %d %s", c.line, code, answer, c.code, c.now)
		}
	}
}

func TestAdvance(t *testing.T) {
	w := start(t)
	now, err := Advance(t.Context(), w.cloud.URL(), 25*time.Hour)
	if err != nil || !now.Equal(t0.Add(25*time.Hour)) {
		t.Errorf("%v, %v", now, err)
	}
	if _, err := Advance(t.Context(), w.cloud.URL(), -time.Hour); err == nil || !strings.Contains(err.Error(), "HTTP 400: advance is not a duration") {
		t.Errorf("backwards: %v", err)
	}
	if _, err := Advance(t.Context(), "http://127.0.0.1:1", time.Hour); err == nil || !strings.Contains(err.Error(), "is 'keyturn local' running?") {
		t.Errorf("nobody there: %v", err)
	}
	if _, err := Advance(t.Context(), "http://[", time.Hour); err == nil || !strings.Contains(err.Error(), "asking the embedded Google Cloud for its clock") {
		t.Errorf("no URL: %v", err)
	}
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	if _, err := Advance(t.Context(), other.URL, time.Hour); err == nil || !strings.Contains(err.Error(), "HTTP 404") {
		t.Errorf("another server: %v", err)
	}
}

// A move of the clock returns once the functions that its jobs started have
// answered; a pull subscription, or a push to anything else, does not hold it up.
func TestAdvanceWaitsForTheFunctions(t *testing.T) {
	w := start(t)
	topic := w.topic("sweep")
	w.job("0 * * * *", topic)
	called, release := make(chan struct{}), make(chan struct{})
	var done atomic.Bool
	function := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(called)
		<-release
		done.Store(true)
	}))
	defer function.Close()
	_, err := w.cloud.PubSub.TriggerFunction(localpubsub.Trigger{Topic: topic, URL: function.URL, AckDeadline: time.Minute})
	w.must(err)
	subscriptions := open(w, pubsub.NewSubscriptionAdminClient, w.overGRPC())
	for name, endpoint := range map[string]string{"pull": "", "dead": "http://127.0.0.1:1/"} {
		_, err := subscriptions.CreateSubscription(t.Context(), &pubsubpb.Subscription{
			Name: project + "/subscriptions/" + name, Topic: topic, PushConfig: &pubsubpb.PushConfig{PushEndpoint: endpoint},
		})
		w.must(err)
	}
	moved := make(chan error, 1)
	go func() {
		_, err := Advance(t.Context(), w.cloud.URL(), time.Hour)
		moved <- err
	}()
	<-called
	if w.cloud.Idle() {
		t.Error("idle although the function is at work")
	}
	select {
	case err := <-moved:
		t.Errorf("the move returned while the function was at work: %v", err)
	default:
	}
	close(release)
	w.must(<-moved)
	if !done.Load() || !w.cloud.Idle() {
		t.Errorf("function done: %v, cloud idle: %v", done.Load(), w.cloud.Idle())
	}
}

func TestSettlingEndsWithTheCaller(t *testing.T) {
	w := start(t)
	topic := w.topic("ttt")
	url, called := w.hanging()
	_, err := w.cloud.PubSub.TriggerFunction(localpubsub.Trigger{Topic: topic, URL: url, AckDeadline: time.Minute})
	w.must(err)
	w.must(w.cloud.PubSub.PublishMessage(topic, []byte("x"), nil))
	<-called
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Advance(ctx, w.cloud.URL(), time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	w.cloud.settle(ctx) // returns
}
