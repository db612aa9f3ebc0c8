// Package inbox takes, in tests, what was published to topics.
package inbox

import (
	"testing"

	pubsub "cloud.google.com/go/pubsub/v2/apiv1"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Inbox has a subscription to each topic.
type Inbox struct {
	project string
	pull    *pubsub.SubscriptionAdminClient
}

// Open makes the topics of a project, by their short ids, in the Pub/Sub at addr.
func Open(t testing.TB, addr, project string, topics ...string) *Inbox {
	t.Helper()
	opts := []option.ClientOption{option.WithEndpoint(addr), option.WithoutAuthentication(), option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials()))}
	pull, err := pubsub.NewSubscriptionAdminClient(t.Context(), opts...)
	must(t, err)
	t.Cleanup(func() { pull.Close() })
	admin, err := pubsub.NewTopicAdminClient(t.Context(), opts...)
	must(t, err)
	defer admin.Close()
	i := &Inbox{project, pull}
	for _, id := range topics {
		topic := "projects/" + project + "/topics/" + id
		_, err := admin.CreateTopic(t.Context(), &pubsubpb.Topic{Name: topic})
		must(t, err)
		_, err = pull.CreateSubscription(t.Context(), &pubsubpb.Subscription{Name: i.subscription(id), Topic: topic})
		must(t, err)
	}
	return i
}

func (i *Inbox) subscription(topic string) string {
	return "projects/" + i.project + "/subscriptions/" + topic
}

// Take returns what was published to a topic since it was asked last.
func (i *Inbox) Take(t testing.TB, topic string) (messages []*pubsubpb.PubsubMessage) {
	t.Helper()
	resp, err := i.pull.Pull(t.Context(), &pubsubpb.PullRequest{Subscription: i.subscription(topic), MaxMessages: 1000})
	must(t, err)
	ack := &pubsubpb.AcknowledgeRequest{Subscription: i.subscription(topic)}
	for _, r := range resp.GetReceivedMessages() {
		messages = append(messages, r.GetMessage())
		ack.AckIds = append(ack.AckIds, r.GetAckId())
	}
	if len(messages) > 0 {
		must(t, i.pull.Acknowledge(t.Context(), ack))
	}
	return messages
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
