package pubsub_test

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"example.com/keyturn/internal/localgcp/pubsub"
)

func withToken(url, audience string) func(*pubsubpb.Subscription) {
	return func(s *pubsubpb.Subscription) {
		pushTo(url)(s)
		s.PushConfig.AuthenticationMethod = &pubsubpb.PushConfig_OidcToken_{
			OidcToken: &pubsubpb.PushConfig_OidcToken{ServiceAccountEmail: "sa@x", Audience: audience},
		}
	}
}

func TestPushCarriesAnIdentityToken(t *testing.T) {
	for _, tc := range []struct {
		name     string
		tokens   pubsub.TokenSource
		audience string
		want     func(url string) string
	}{
		{"of the audience asked for", tokens{}, "https://a", func(string) string { return "Bearer " + secretToken + "?sa@x?https://a" }},
		{"of the endpoint otherwise", tokens{}, "", func(url string) string { return "Bearer " + secretToken + "?sa@x?" + url }},
		{"none without a source", nil, "", func(string) string { return "" }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := start(t, pubsub.Config{Tokens: tc.tokens})
			got := make(chan string, 1)
			url := w.endpoint(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Get("Authorization") })
			w.subscribe(withToken(url, tc.audience))
			w.publish("x")
			if got, want := <-got, tc.want(url); got != want {
				t.Errorf("Authorization: %q, want %q", got, want)
			}
		})
	}
}

func TestPushesThatFailAreLoggedWithoutWhatTheyCarry(t *testing.T) {
	var log record
	cfg := pubsub.Config{Logger: slog.New(slog.NewTextHandler(&log, nil)), Tokens: tokens{errors.New("no such account")}}
	for name, tc := range map[string]struct {
		cfg    pubsub.Config
		answer http.HandlerFunc
		want   string
	}{
		"no token":   {cfg, nil, "signing an identity token of sa@x: no such account"},
		"refused":    {pubsub.Config{Logger: cfg.Logger, Tokens: tokens{}}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }, "the endpoint answered 418"},
		"redirected": {pubsub.Config{Logger: cfg.Logger, Tokens: tokens{}}, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) }, "the endpoint answered 302"},
		"cut": {pubsub.Config{Logger: cfg.Logger, Tokens: tokens{}}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			_, _ = w.Write([]byte("short"))
		}, "reading the endpoint's answer: unexpected EOF"},
		"hung up": {pubsub.Config{Logger: cfg.Logger, Tokens: tokens{}}, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, tc.cfg)
			w.subscribe(withToken(w.endpoint(tc.answer), ""))
			w.publish("payload")
			w.until("the log", func() bool { return strings.Contains(log.String(), tc.want) })
			if got := log.String(); strings.Contains(got, secretToken) || strings.Contains(got, "payload") {
				t.Errorf("the log tells what was sent:\n%s", got)
			}
			if w.Idle() {
				t.Error("the message is gone")
			}
		})
	}
}

func TestPushWindowOpensSlowlyAndStaysBounded(t *testing.T) {
	w := start(t, pubsub.Config{})
	var now, most atomic.Int64
	release := make(chan struct{})
	var once sync.Once
	open := func() { once.Do(func() { close(release) }) }
	t.Cleanup(open)
	url := w.endpoint(func(http.ResponseWriter, *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		<-release
		time.Sleep(time.Millisecond)
	})
	w.subscribe(pushTo(url))
	for range 500 {
		w.publish("x")
	}
	w.until("the first window", func() bool { return now.Load() == 3 })
	if n := goroutines("(*Service).work"); n != 3 {
		t.Errorf("%d goroutines push 500 messages before one was acknowledged", n)
	}
	open()
	w.until("all pushes", w.Idle)
	if n := most.Load(); n < 4 || n > 32 {
		t.Errorf("at most %d pushes at a time; the window should open to 32", n)
	}
	w.until("the goroutines", func() bool { return goroutines("(*Service).work") == 0 })
}

func TestSubscriptionDeletedDuringAPush(t *testing.T) {
	w := start(t, pubsub.Config{})
	pushing, release := make(chan struct{}, 1), make(chan struct{})
	url := w.endpoint(func(http.ResponseWriter, *http.Request) {
		pushing <- struct{}{}
		<-release
	})
	w.subscribe(pushTo(url))
	w.publish("x")
	<-pushing
	if _, err := w.sub.DeleteSubscription(w.ctx, &pubsubpb.DeleteSubscriptionRequest{Subscription: subS}); err != nil {
		t.Fatal(err)
	}
	close(release)
	w.until("the push", func() bool { return goroutines("(*Service).work") == 0 })
	w.publish("nobody gets this")
}

func TestNothingDiesWhileTheDeadLetterTopicIsGone(t *testing.T) {
	w := start(t, pubsub.Config{})
	const dead = "projects/local/topics/dead"
	w.topic(dead)
	w.subscribe(func(s *pubsubpb.Subscription) { s.DeadLetterPolicy = deadLetter(5) })
	if _, err := w.pub.DeleteTopic(w.ctx, &pubsubpb.DeleteTopicRequest{Topic: dead}); err != nil {
		t.Fatal(err)
	}
	w.publish("x")
	refuse := func(attempt int32) {
		t.Helper()
		m := w.pull()
		if m.DeliveryAttempt != attempt {
			t.Errorf("attempt %d, want %d", m.DeliveryAttempt, attempt)
		}
		if _, err := w.sub.ModifyAckDeadline(w.ctx, &pubsubpb.ModifyAckDeadlineRequest{Subscription: subS, AckIds: []string{m.AckId}}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 7 {
		refuse(int32(i + 1))
	}
	w.topic(dead)
	if _, err := w.sub.CreateSubscription(w.ctx, &pubsubpb.Subscription{Name: subS + "2", Topic: dead}); err != nil {
		t.Fatal(err)
	}
	refuse(8)
	if got := w.Outstanding(""); got[subS] != 0 || got[subS+"2"] != 1 {
		t.Errorf("outstanding: %v", got)
	}
}

func TestDeadLettersOfALeaseThatEndsWithNobodyPulling(t *testing.T) {
	w := start(t, pubsub.Config{})
	const dead = "projects/local/topics/dead"
	w.topic(dead)
	w.subscribe(func(s *pubsubpb.Subscription) { s.DeadLetterPolicy = deadLetter(5) })
	if _, err := w.sub.CreateSubscription(w.ctx, &pubsubpb.Subscription{Name: subS + "2", Topic: dead}); err != nil {
		t.Fatal(err)
	}
	if err := w.PublishMessage(topicT, []byte("no attributes"), nil); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		seconds := int32(i / 4) // the last one runs out
		if _, err := w.sub.ModifyAckDeadline(w.ctx, &pubsubpb.ModifyAckDeadlineRequest{
			Subscription: subS, AckIds: []string{w.pull().AckId}, AckDeadlineSeconds: seconds,
		}); err != nil {
			t.Fatal(err)
		}
	}
	w.until("the dead letter", func() bool { return w.Outstanding("")[subS+"2"] == 1 })
}

func TestPushBacksOffWithoutARetryPolicy(t *testing.T) {
	w := start(t, pubsub.Config{})
	calls := make(chan time.Time, 10)
	url := w.endpoint(func(w http.ResponseWriter, _ *http.Request) {
		calls <- time.Now()
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	w.subscribe(func(s *pubsubpb.Subscription) { s.PushConfig = &pubsubpb.PushConfig{PushEndpoint: url} })
	w.publish("x")
	last := <-calls
	for _, least := range []time.Duration{100 * time.Millisecond, 200 * time.Millisecond} {
		at := <-calls
		if waited := at.Sub(last); waited < least {
			t.Errorf("tried again after %v, want at least %v", waited, least)
		}
		last = at
	}
}
