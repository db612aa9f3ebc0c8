// Package conformance holds what keyturn needs of a Pub/Sub server as named
// behaviours, written against Google's own Go client. It runs against the
// embedded Pub/Sub and against the servers that Google made, each where it is
// right, so that a misunderstanding of ours shows.
package conformance

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// Feature is a part of Pub/Sub that some servers lack or have wrong.
type Feature string

// The features that behaviours may need.
const (
	DeadLetter  Feature = "dead letter"
	Detach      Feature = "detach"
	ErrorTexts  Feature = "Google's error texts"
	ExactlyOnce Feature = "exactly-once enforcement"
	FlowControl Feature = "flow control"
	Filter      Feature = "filter"
	Limits      Feature = "limits of publishing"
	Labels      Feature = "labels of topics"
	Ordering    Feature = "ordering"
	Push        Feature = "push"
	PushAttempt Feature = "delivery attempt in pushes"
	PushToken   Feature = "identity token on push"
	RetryPolicy Feature = "retry policy on pull"
	StreamEnd   Feature = "end of streams"
)

// Target is a server to check.
type Target struct {
	Addr  string             // host:port of its gRPC endpoint, in clear text
	Lacks map[Feature]string // features it lacks or has wrong, and in which way
}

// behaviour is one thing that a Pub/Sub server does.
type behaviour struct {
	name  string
	needs []Feature
	check func(*bench)
}

// Run checks every behaviour against a target, and skips those that need what
// the target lacks.
func Run(t *testing.T, target Target) {
	client, err := pubsub.NewClient(context.Background(), project, ClientOptions(target.Addr)...)
	if err != nil {
		t.Fatalf("connecting to %s: %v", target.Addr, err)
	}
	t.Cleanup(func() { _ = client.Close() })
	for _, b := range slices.Concat(resources, delivery, leases, filters, pushes, deadLetters) {
		t.Run(b.name, func(t *testing.T) {
			for _, f := range b.needs {
				if why, lacks := target.Lacks[f]; lacks {
					t.Skipf("needs %s: %s", f, why)
				}
			}
			t.Parallel()
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			b.check(&bench{T: t, ctx: ctx, Client: client, id: fmt.Sprintf("c%x", rand.Uint64())})
		})
	}
}

// ClientOptions lets one of Google's gRPC clients talk to a server in clear text.
func ClientOptions(addr string) []option.ClientOption {
	return []option.ClientOption{
		option.WithEndpoint(addr), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
	}
}

const project = "conformance"

// bench is what a behaviour is checked with. Its topics and subscriptions are its own.
type bench struct {
	*testing.T
	*pubsub.Client
	ctx context.Context
	id  string
}

func (b *bench) topicName(id string) string { return "projects/" + project + "/topics/" + b.id + id }
func (b *bench) subName(id string) string {
	return "projects/" + project + "/subscriptions/" + b.id + id
}

// topic creates a topic and returns its full name.
func (b *bench) topic(id string) string {
	b.Helper()
	t, err := b.TopicAdminClient.CreateTopic(b.ctx, &pubsubpb.Topic{Name: b.topicName(id)})
	b.must(err)
	return t.Name
}

// subscribe creates a subscription to a topic, with whatever change sets, and
// returns its full name.
func (b *bench) subscribe(topic, id string, change func(*pubsubpb.Subscription)) string {
	b.Helper()
	sub := &pubsubpb.Subscription{Name: b.subName(id), Topic: topic, AckDeadlineSeconds: 10}
	if change != nil {
		change(sub)
	}
	sub, err := b.SubscriptionAdminClient.CreateSubscription(b.ctx, sub)
	b.must(err)
	return sub.Name
}

func (b *bench) publish(topic string, messages ...*pubsubpb.PubsubMessage) []string {
	b.Helper()
	resp, err := b.TopicAdminClient.Publish(b.ctx, &pubsubpb.PublishRequest{Topic: topic, Messages: messages})
	b.must(err)
	return resp.MessageIds
}

// pull returns the next n messages.
func (b *bench) pull(sub string, n int) []*pubsubpb.ReceivedMessage {
	b.Helper()
	var got []*pubsubpb.ReceivedMessage
	for len(got) < n {
		resp, err := b.SubscriptionAdminClient.Pull(b.ctx, &pubsubpb.PullRequest{Subscription: sub, MaxMessages: int32(n - len(got))})
		b.must(err)
		got = append(got, resp.ReceivedMessages...)
	}
	return got
}

// pullNow returns what there is without waiting.
func (b *bench) pullNow(sub string) []*pubsubpb.ReceivedMessage {
	b.Helper()
	req := &pubsubpb.PullRequest{Subscription: sub, MaxMessages: 10}
	//lint:ignore SA1019 deprecated, but the only way to ask whether there is a message
	req.ReturnImmediately = true
	resp, err := b.SubscriptionAdminClient.Pull(b.ctx, req)
	b.must(err)
	return resp.ReceivedMessages
}

// pullNone fails if there is a message now.
func (b *bench) pullNone(sub, why string) {
	b.Helper()
	if got := b.pullNow(sub); len(got) > 0 {
		b.Fatalf("%s, but pulled %v", why, got)
	}
}

func (b *bench) ack(sub string, messages ...*pubsubpb.ReceivedMessage) {
	b.Helper()
	b.must(b.SubscriptionAdminClient.Acknowledge(b.ctx, &pubsubpb.AcknowledgeRequest{Subscription: sub, AckIds: ackIDs(messages)}))
}

// deadline lets the leases of messages end in so many seconds; 0 gives them back.
func (b *bench) deadline(sub string, seconds int32, messages ...*pubsubpb.ReceivedMessage) {
	b.Helper()
	b.must(b.SubscriptionAdminClient.ModifyAckDeadline(b.ctx, &pubsubpb.ModifyAckDeadlineRequest{
		Subscription: sub, AckIds: ackIDs(messages), AckDeadlineSeconds: seconds,
	}))
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) code(what string, err error, want codes.Code) {
	b.Helper()
	if got := status.Code(err); got != want {
		b.Errorf("%s: %v, want %v", what, err, want)
	}
}

func (b *bench) message(what string, err error, want string) {
	b.Helper()
	if got := status.Convert(err).Message(); got != want {
		b.Errorf("%s: %q, want %q", what, got, want)
	}
}

func (b *bench) equal(what string, got, want []string) {
	b.Helper()
	if !slices.Equal(got, want) {
		b.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func text(s string) *pubsubpb.PubsubMessage { return &pubsubpb.PubsubMessage{Data: []byte(s)} }

func keyed(key, s string) *pubsubpb.PubsubMessage {
	return &pubsubpb.PubsubMessage{Data: []byte(s), OrderingKey: key}
}

func ackIDs(messages []*pubsubpb.ReceivedMessage) []string {
	ids := make([]string, len(messages))
	for i, m := range messages {
		ids[i] = m.AckId
	}
	return ids
}

func texts(messages []*pubsubpb.ReceivedMessage) []string {
	s := make([]string, len(messages))
	for i, m := range messages {
		s[i] = string(m.Message.Data)
	}
	return s
}
