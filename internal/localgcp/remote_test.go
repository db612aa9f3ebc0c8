package localgcp

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
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

func TestRemoteClock(t *testing.T) {
	w := start(t)
	var broken atomic.Bool
	var forged atomic.Pointer[string]
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch answer := forged.Load(); {
		case broken.Load():
			panic(http.ErrAbortHandler)
		case answer != nil:
			_, _ = rw.Write([]byte(*answer))
		default:
			clockHandler(w.clock, w.cloud.settle)(rw, r)
		}
	}))
	defer proxy.Close()
	now := RemoteClock(proxy.URL)
	expect := func(want time.Time, when string) {
		t.Helper()
		if got := now(); !got.Equal(want) {
			t.Errorf("%s: %v, want %v", when, got, want)
		}
	}
	expect(t0, "at first")
	w.clock.Advance(time.Hour)
	expect(t0.Add(time.Hour), "an hour later")
	broken.Store(true)
	w.clock.Advance(time.Hour)
	expect(t0.Add(time.Hour), "in an outage")
	broken.Store(false)
	expect(t0.Add(2*time.Hour), "after it")
	for _, answer := range []string{`{"now":"2029-01-01T00:00:00Z"}`, `{}`, `{"now":"tomorrow"}`, "", "[]"} {
		forged.Store(&answer)
		expect(t0.Add(2*time.Hour), "when the cloud says "+answer)
	}
}

func TestRemoteClockBeforeAnyAnswer(t *testing.T) {
	now := RemoteClock("http://127.0.0.1:1")
	before := time.Now()
	if got := now(); got.Before(before) || got.After(time.Now()) {
		t.Errorf("%v is not the machine's time", got)
	}
}

func TestRemoteClockConcurrently(t *testing.T) {
	w := start(t)
	now := RemoteClock(w.cloud.URL())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for last := now(); last.Before(t0.Add(20 * time.Minute)); {
				w.clock.Advance(time.Minute)
				next := now()
				if next.Before(last) {
					t.Errorf("%v after %v", next, last)
				}
				last = next
			}
		})
	}
	wg.Wait()
}
