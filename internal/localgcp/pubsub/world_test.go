package pubsub_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"example.com/keyturn/internal/localgcp/pubsub"
	"example.com/keyturn/internal/localgcp/wire"
)

const (
	topicT = "projects/local/topics/ttt"
	subS   = "projects/local/subscriptions/sss"
)

// world is a Pub/Sub on loopback with raw clients.
type world struct {
	*testing.T
	ctx context.Context
	*pubsub.Service
	url string
	pub pubsubpb.PublisherClient
	sub pubsubpb.SubscriberClient
}

func start(t *testing.T, cfg pubsub.Config) *world {
	t.Helper()
	s := pubsub.New(cfg)
	h, err := wire.NewHandler(s.Register, nil)
	if err != nil {
		t.Fatal(err)
	}
	server, err := wire.Listen("127.0.0.1:0", h)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(server.Addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(conn.Close(), s.Close(), server.Close()); err != nil {
			t.Error(err)
		}
	})
	return &world{t, ctx, s, server.URL(), pubsubpb.NewPublisherClient(conn), pubsubpb.NewSubscriberClient(conn)}
}

func (w *world) topic(name string) {
	w.Helper()
	if _, err := w.pub.CreateTopic(w.ctx, &pubsubpb.Topic{Name: name}); err != nil {
		w.Fatal(err)
	}
}

// subscribe creates the topic and a subscription to it.
func (w *world) subscribe(change func(*pubsubpb.Subscription)) *pubsubpb.Subscription {
	w.Helper()
	w.topic(topicT)
	sub := &pubsubpb.Subscription{Name: subS, Topic: topicT}
	if change != nil {
		change(sub)
	}
	sub, err := w.sub.CreateSubscription(w.ctx, sub)
	if err != nil {
		w.Fatal(err)
	}
	return sub
}

func (w *world) publish(data string) {
	w.Helper()
	if err := w.PublishMessage(topicT, []byte(data), map[string]string{"k": "v"}); err != nil {
		w.Fatal(err)
	}
}

func (w *world) pull() *pubsubpb.ReceivedMessage {
	w.Helper()
	resp, err := w.sub.Pull(w.ctx, &pubsubpb.PullRequest{Subscription: subS, MaxMessages: 1})
	if err != nil || len(resp.ReceivedMessages) != 1 {
		w.Fatalf("pulled %v, %v", resp, err)
	}
	return resp.ReceivedMessages[0]
}

func (w *world) code(what string, err error, want codes.Code, text string) {
	w.Helper()
	if got := status.Convert(err); got.Code() != want || !strings.Contains(got.Message(), text) {
		w.Errorf("%s: %v, want %v with %q", what, err, want, text)
	}
}

func (w *world) until(what string, ok func() bool) {
	w.Helper()
	for !ok() {
		select {
		case <-w.ctx.Done():
			w.Fatalf("still waiting for %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// rest sends a request as gcloud does and returns the code and the JSON it got.
func (w *world) rest(method, path, body string) (int, map[string]any) {
	w.Helper()
	r, err := http.NewRequestWithContext(w.ctx, method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	var got map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		w.Fatalf("%s %s: %v", method, path, err)
	}
	return resp.StatusCode, got
}

// endpoint serves pushes.
func (w *world) endpoint(h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	w.Cleanup(s.Close)
	return s.URL
}

func pushTo(url string) func(*pubsubpb.Subscription) {
	return func(s *pubsubpb.Subscription) {
		s.PushConfig = &pubsubpb.PushConfig{PushEndpoint: url}
		s.RetryPolicy = &pubsubpb.RetryPolicy{MinimumBackoff: durationpb.New(time.Millisecond), MaximumBackoff: durationpb.New(time.Millisecond)}
	}
}

// tokens is a TokenSource that can be out of order.
type tokens struct{ err error }

const secretToken = "header.payload.signature"

func (t tokens) IdentityToken(email, audience string) (string, error) {
	return secretToken + "?" + email + "?" + audience, t.err
}

// record is a writer that can be read while it is written to.
type record struct {
	mu sync.Mutex
	b  strings.Builder
}

var _ io.Writer = (*record)(nil)

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.String()
}
