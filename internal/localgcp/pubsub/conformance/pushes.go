package conformance

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
)

var pushes = []behaviour{
	{"a push wraps the message in JSON", []Feature{Push}, func(b *bench) {
		e := newEndpoint(b)
		topic := b.topic("t")
		sub := b.subscribe(topic, "s", pushTo(e.URL+"/path?a=b"))
		ids := b.publish(topic, &pubsubpb.PubsubMessage{Data: []byte("hi"), Attributes: map[string]string{"k": "v"}})
		got := e.next()
		body := got.body(b)
		b.equal("request", []string{got.method, got.url, got.header.Get("Content-Type"), got.header.Get("Authorization")},
			[]string{"POST", "/path?a=b", "application/json", ""})
		b.equal("body", []string{body.Subscription, string(body.Message.Data), body.Message.Attributes["k"], body.Message.MessageID, body.Message.ID2},
			[]string{sub, "hi", "v", ids[0], ids[0]})
		if at, err := time.Parse(time.RFC3339, body.Message.PublishTime); err != nil || body.Message.PublishTime != body.Message.PublishTime2 {
			b.Errorf("published at %v, %q (%v)", at, body.Message.PublishTime2, err)
		}
		e.quiet("it was acknowledged")
	}},
	{"a bare push carries the metadata in headers", []Feature{Push}, func(b *bench) {
		e := newEndpoint(b)
		topic := b.topic("t")
		sub := b.subscribe(topic, "s", func(s *pubsubpb.Subscription) {
			s.PushConfig = &pubsubpb.PushConfig{PushEndpoint: e.URL, Wrapper: &pubsubpb.PushConfig_NoWrapper_{
				NoWrapper: &pubsubpb.PushConfig_NoWrapper{WriteMetadata: true},
			}}
		})
		ids := b.publish(topic, &pubsubpb.PubsubMessage{Data: []byte("hi"), Attributes: map[string]string{"k": "v"}})
		got := e.next()
		b.equal("request", []string{
			string(got.raw), got.header.Get("K"), got.header.Get("X-Goog-Pubsub-Message-Id"), got.header.Get("X-Goog-Pubsub-Subscription-Name"),
		}, []string{"hi", "v", ids[0], sub})
	}},
	{"a refused push is tried again", []Feature{Push}, func(b *bench) {
		e := newEndpoint(b)
		e.answer = func(n int) int { return []int{500, 404, 302, 204}[min(n, 3)] }
		topic := b.topic("t")
		b.subscribe(topic, "s", func(s *pubsubpb.Subscription) { pushTo(e.URL)(s); quickRetry(s) })
		ids := b.publish(topic, text("x"))
		for range 4 {
			b.equal("message", []string{e.next().body(b).Message.MessageID}, ids)
		}
		e.quiet("it was acknowledged")
	}},
	{"pushes of one key come one by one, in order", []Feature{Push, Ordering}, func(b *bench) {
		e := newEndpoint(b)
		e.answer = func(n int) int {
			if n == 3 {
				return http.StatusServiceUnavailable
			}
			return http.StatusOK
		}
		topic := b.topic("t")
		b.subscribe(topic, "s", func(s *pubsubpb.Subscription) {
			pushTo(e.URL)(s)
			quickRetry(s)
			s.EnableMessageOrdering = true
		})
		for i := range 8 {
			b.publish(topic, keyed("k", fmt.Sprint(i)))
		}
		var got []string
		for range 9 {
			got = append(got, string(e.next().body(b).Message.Data))
		}
		b.equal("pushed", got, []string{"0", "1", "2", "3", "3", "4", "5", "6", "7"})
		if n := e.atOnce.Load(); n != 1 {
			b.Errorf("%d pushes of one key at a time", n)
		}
	}},
	{"every message of a burst is pushed", []Feature{Push}, func(b *bench) {
		e := newEndpoint(b)
		topic := b.topic("t")
		b.subscribe(topic, "s", pushTo(e.URL))
		var want, got []string
		for i := range 100 {
			want = append(want, fmt.Sprintf("%03d", i))
			b.publish(topic, text(want[i]))
		}
		for range 100 {
			got = append(got, string(e.next().body(b).Message.Data))
		}
		slices.Sort(got)
		b.equal("pushed", got, want)
	}},
	{"a pull subscription becomes a push subscription and back", []Feature{Push}, func(b *bench) {
		e := newEndpoint(b)
		topic := b.topic("t")
		sub := b.subscribe(topic, "s", nil)
		b.publish(topic, text("before"))
		admin := b.SubscriptionAdminClient
		b.must(admin.ModifyPushConfig(b.ctx, &pubsubpb.ModifyPushConfigRequest{Subscription: sub, PushConfig: &pubsubpb.PushConfig{PushEndpoint: e.URL}}))
		b.equal("pushed", []string{string(e.next().body(b).Message.Data)}, []string{"before"})
		b.must(admin.ModifyPushConfig(b.ctx, &pubsubpb.ModifyPushConfigRequest{Subscription: sub, PushConfig: &pubsubpb.PushConfig{}}))
		b.publish(topic, text("after"))
		b.equal("pulled", texts(b.pull(sub, 1)), []string{"after"})
	}},
	{"an endpoint has to be a URL", []Feature{Push, ErrorTexts}, func(b *bench) {
		sub := &pubsubpb.Subscription{Name: b.subName("s"), Topic: b.topic("t"), AckDeadlineSeconds: 10}
		pushTo("no url")(sub)
		_, err := b.SubscriptionAdminClient.CreateSubscription(b.ctx, sub)
		b.code("subscribing", err, codes.InvalidArgument)
	}},
	{"a push carries the identity token asked for", []Feature{Push, PushToken}, func(b *bench) {
		e := newEndpoint(b)
		topic := b.topic("t")
		token := &pubsubpb.PushConfig_OidcToken{ServiceAccountEmail: "pusher@conformance.iam.gserviceaccount.com"}
		for i, audience := range []string{"https://audience", ""} {
			b.subscribe(topic, fmt.Sprint("s", i), func(s *pubsubpb.Subscription) {
				s.PushConfig = &pubsubpb.PushConfig{PushEndpoint: e.URL, AuthenticationMethod: &pubsubpb.PushConfig_OidcToken_{
					OidcToken: &pubsubpb.PushConfig_OidcToken{ServiceAccountEmail: token.ServiceAccountEmail, Audience: audience},
				}}
			})
		}
		b.publish(topic, text("x"))
		for range 2 {
			if got := e.next().header.Get("Authorization"); !strings.HasPrefix(got, "Bearer ") {
				b.Errorf("Authorization: %q", got)
			}
		}
	}},
}

func pushTo(url string) func(*pubsubpb.Subscription) {
	return func(s *pubsubpb.Subscription) { s.PushConfig = &pubsubpb.PushConfig{PushEndpoint: url} }
}

func quickRetry(s *pubsubpb.Subscription) {
	s.RetryPolicy = &pubsubpb.RetryPolicy{MinimumBackoff: durationpb.New(100 * time.Millisecond), MaximumBackoff: durationpb.New(time.Second)}
}

// endpoint is a receiver of pushes.
type endpoint struct {
	*httptest.Server
	b        *bench
	answer   func(n int) int // HTTP code for the nth request; nil: 204
	requests chan received
	n        atomic.Int64
	now      atomic.Int64
	atOnce   atomic.Int64 // most requests at a time
}

type received struct {
	method, url string
	header      http.Header
	raw         []byte
}

func newEndpoint(b *bench) *endpoint {
	e := &endpoint{b: b, requests: make(chan received, 1000)}
	e.Server = httptest.NewServer(e)
	b.Cleanup(e.Close)
	return e
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.atOnce.Store(max(e.atOnce.Load(), e.now.Add(1)))
	defer e.now.Add(-1)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		e.b.Errorf("reading a push: %v", err)
	}
	e.requests <- received{r.Method, r.URL.String(), r.Header, body}
	code := http.StatusNoContent
	if n := int(e.n.Add(1) - 1); e.answer != nil {
		code = e.answer(n)
	}
	w.WriteHeader(code)
}

func (e *endpoint) next() received {
	e.b.Helper()
	select {
	case r := <-e.requests:
		return r
	case <-e.b.ctx.Done():
		e.b.Fatal("no push came")
		return received{}
	}
}

// quiet fails when a push comes although none should.
func (e *endpoint) quiet(why string) {
	e.b.Helper()
	select {
	case r := <-e.requests:
		e.b.Fatalf("%s, but there came %s", why, r.raw)
	case <-time.After(300 * time.Millisecond):
	}
}

// wrapped is the body of a push, as Google writes it.
type wrapped struct {
	Subscription    string
	DeliveryAttempt int
	Message         struct {
		Data         []byte
		Attributes   map[string]string
		MessageID    string `json:"messageId"`
		ID2          string `json:"message_id"`
		PublishTime  string `json:"publishTime"`
		PublishTime2 string `json:"publish_time"`
		OrderingKey  string `json:"orderingKey"`
	}
}

func (r received) body(b *bench) (w wrapped) {
	b.Helper()
	if err := json.Unmarshal(r.raw, &w); err != nil {
		b.Fatalf("reading the push %s: %v", r.raw, err)
	}
	return w
}
