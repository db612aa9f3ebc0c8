package pubsub_test

import (
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"

	"example.com/keyturn/internal/localgcp/pubsub"
)

func TestPublishMessage(t *testing.T) {
	w := start(t, pubsub.Config{})
	w.code("publishing to no topic", w.PublishMessage(topicT, []byte("x"), nil), codes.NotFound, "Resource not found (resource=ttt).")
	w.subscribe(nil)
	w.publish("hi")
	if m := w.pull().Message; string(m.Data) != "hi" || m.Attributes["k"] != "v" {
		t.Errorf("pulled %v", m)
	}
}

// What Google's services may not do, others may.
func TestForbiddenTopic(t *testing.T) {
	w := start(t, pubsub.Config{})
	w.Forbid(topicT, true)
	w.code("publishing to no topic", w.PublishMessage(topicT, []byte("x"), nil), codes.NotFound, "Resource not found (resource=ttt).")
	w.subscribe(nil)
	w.code("publishing without a grant", w.PublishMessage(topicT, []byte("x"), nil), codes.PermissionDenied, "User not authorized to perform this action.")
	_, err := w.pub.Publish(w.ctx, &pubsubpb.PublishRequest{Topic: topicT, Messages: []*pubsubpb.PubsubMessage{{Data: []byte("x")}}})
	w.code("publishing as somebody else", err, codes.OK, "")
	w.Forbid(topicT, false)
	w.code("publishing with a grant", w.PublishMessage(topicT, []byte("x"), nil), codes.OK, "")
}

func TestOutstandingAndIdle(t *testing.T) {
	w := start(t, pubsub.Config{})
	release := make(chan struct{})
	url := w.endpoint(func(http.ResponseWriter, *http.Request) { <-release })
	w.subscribe(pushTo(url))
	if _, err := w.sub.CreateSubscription(w.ctx, &pubsubpb.Subscription{Name: subS + "2", Topic: topicT}); err != nil {
		t.Fatal(err)
	}
	if !w.Idle() {
		t.Error("not idle before anything was published")
	}
	w.publish("x")
	if w.Idle() {
		t.Error("idle with a push under way")
	}
	if got := w.Outstanding("projects/local/topics/t"); got[subS] != 1 || got[subS+"2"] != 1 || len(got) != 2 {
		t.Errorf("outstanding: %v", got)
	}
	if got := w.Outstanding("projects/local/topics/x"); len(got) != 0 {
		t.Errorf("outstanding of another topic: %v", got)
	}
	close(release)
	w.until("the push", w.Idle)
	if got := w.Outstanding(""); got[subS] != 0 || got[subS+"2"] != 1 {
		t.Errorf("outstanding after the push: %v", got)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	w := start(t, pubsub.Config{PullWait: time.Hour})
	pushing := make(chan struct{}, 10)
	url := w.endpoint(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice a client that hangs up
		pushing <- struct{}{}
		<-r.Context().Done()
	})
	w.subscribe(pushTo(url))
	if _, err := w.sub.CreateSubscription(w.ctx, &pubsubpb.Subscription{Name: subS + "2", Topic: topicT}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 2)
	go func() {
		_, err := w.sub.Pull(w.ctx, &pubsubpb.PullRequest{Subscription: subS + "2", MaxMessages: 1})
		ended <- err
	}()
	stream, err := w.sub.StreamingPull(w.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&pubsubpb.StreamingPullRequest{Subscription: subS + "2", StreamAckDeadlineSeconds: 10}); err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			if _, err := stream.Recv(); err != nil {
				ended <- err
				return
			}
		}
	}()
	w.publish("x")
	<-pushing
	w.until("pull, stream and push", func() bool { return goroutines("pubsub.(*Service)") >= 2 })
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-ended; err != nil {
			w.code("after Close", err, codes.Unavailable, "")
		}
	}
	w.until("the goroutines", func() bool { return goroutines("localgcp/pubsub.") == 0 })
	w.publish("nobody gets this")
}

// goroutines counts those that run, or were started by, code of that name.
func goroutines(name string) (n int) {
	buf := make([]byte, 1<<20)
	for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, name) {
			n++
		}
	}
	return n
}
