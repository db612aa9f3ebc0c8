package conformance

import (
	"slices"
	"strings"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

var resources = []behaviour{
	{"a topic is created, read, listed and deleted", nil, func(b *bench) {
		name := b.topic("t")
		admin := b.TopicAdminClient
		_, err := admin.CreateTopic(b.ctx, &pubsubpb.Topic{Name: name})
		b.code("creating it again", err, codes.AlreadyExists)
		got, err := admin.GetTopic(b.ctx, &pubsubpb.GetTopicRequest{Topic: name})
		b.must(err)
		b.equal("name", []string{got.Name}, []string{name})
		if names := listTopics(b); !slices.Contains(names, name) {
			b.Errorf("%s is not among the topics %q", name, names)
		}
		b.must(admin.DeleteTopic(b.ctx, &pubsubpb.DeleteTopicRequest{Topic: name}))
		_, err = admin.GetTopic(b.ctx, &pubsubpb.GetTopicRequest{Topic: name})
		b.code("reading a deleted topic", err, codes.NotFound)
	}},
	{"a topic is labelled", []Feature{Labels}, func(b *bench) {
		name := b.topic("t")
		updated, err := b.TopicAdminClient.UpdateTopic(b.ctx, &pubsubpb.UpdateTopicRequest{
			Topic:      &pubsubpb.Topic{Name: name, Labels: map[string]string{"a": "b"}},
			UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"labels"}},
		})
		b.must(err)
		got, err := b.TopicAdminClient.GetTopic(b.ctx, &pubsubpb.GetTopicRequest{Topic: name})
		b.must(err)
		b.equal("labels", []string{updated.Labels["a"], got.Labels["a"]}, []string{"b", "b"})
	}},
	{"a subscription is created, read, listed, changed and deleted", nil, func(b *bench) {
		topic := b.topic("t")
		name := b.subscribe(topic, "s", nil)
		admin := b.SubscriptionAdminClient
		_, err := admin.CreateSubscription(b.ctx, &pubsubpb.Subscription{Name: name, Topic: topic, AckDeadlineSeconds: 10})
		b.code("creating it again", err, codes.AlreadyExists)
		_, err = admin.UpdateSubscription(b.ctx, &pubsubpb.UpdateSubscriptionRequest{
			Subscription: &pubsubpb.Subscription{Name: name, AckDeadlineSeconds: 30},
			UpdateMask:   &fieldmaskpb.FieldMask{Paths: []string{"ack_deadline_seconds"}},
		})
		b.must(err)
		got, err := admin.GetSubscription(b.ctx, &pubsubpb.GetSubscriptionRequest{Subscription: name})
		b.must(err)
		if got.AckDeadlineSeconds != 30 || got.Topic != topic {
			b.Errorf("after the update: %v", got)
		}
		attached, err := b.TopicAdminClient.ListTopicSubscriptions(b.ctx, &pubsubpb.ListTopicSubscriptionsRequest{Topic: topic}).Next()
		b.must(err)
		listed := listSubscriptions(b)
		if attached != name || !slices.Contains(listed, name) {
			b.Errorf("%s: attached is %q, listed are %q", name, attached, listed)
		}
		b.must(admin.DeleteSubscription(b.ctx, &pubsubpb.DeleteSubscriptionRequest{Subscription: name}))
		_, err = admin.GetSubscription(b.ctx, &pubsubpb.GetSubscriptionRequest{Subscription: name})
		b.code("reading a deleted subscription", err, codes.NotFound)
	}},
	{"what does not exist is not found", nil, func(b *bench) {
		_, err := b.TopicAdminClient.Publish(b.ctx, &pubsubpb.PublishRequest{
			Topic: b.topicName("no"), Messages: []*pubsubpb.PubsubMessage{text("x")},
		})
		b.code("publishing to no topic", err, codes.NotFound)
		_, err = b.SubscriptionAdminClient.CreateSubscription(b.ctx, &pubsubpb.Subscription{
			Name: b.subName("s"), Topic: b.topicName("no"), AckDeadlineSeconds: 10,
		})
		b.code("subscribing to no topic", err, codes.NotFound)
		_, err = b.SubscriptionAdminClient.Pull(b.ctx, &pubsubpb.PullRequest{Subscription: b.subName("no"), MaxMessages: 1})
		b.code("pulling from no subscription", err, codes.NotFound)
	}},
	{"errors read as Google's do", []Feature{ErrorTexts}, func(b *bench) {
		topic := b.topic("t")
		sub := b.subscribe(topic, "s", nil)
		_, err := b.TopicAdminClient.GetTopic(b.ctx, &pubsubpb.GetTopicRequest{Topic: b.topicName("no")})
		b.message("no topic", err, "Resource not found (resource="+b.id+"no).")
		_, err = b.SubscriptionAdminClient.CreateSubscription(b.ctx, &pubsubpb.Subscription{Name: sub, Topic: topic})
		b.message("subscription twice", err, "Resource already exists in the project (resource="+b.id+"s).")
	}},
	{"names follow the rules", []Feature{ErrorTexts}, func(b *bench) {
		for _, id := range []string{"ab", "1abc", "goog-x", "a b c", strings.Repeat("x", 256)} {
			_, err := b.TopicAdminClient.CreateTopic(b.ctx, &pubsubpb.Topic{Name: "projects/" + project + "/topics/" + id})
			b.code("creating topic "+id, err, codes.InvalidArgument)
			_, err = b.SubscriptionAdminClient.CreateSubscription(b.ctx, &pubsubpb.Subscription{Name: "projects/" + project + "/subscriptions/" + id})
			b.code("creating subscription "+id, err, codes.InvalidArgument)
		}
	}},
	{"the subscriptions of a deleted topic stay", nil, func(b *bench) {
		topic := b.topic("t")
		sub := b.subscribe(topic, "s", nil)
		b.publish(topic, text("before"))
		b.must(b.TopicAdminClient.DeleteTopic(b.ctx, &pubsubpb.DeleteTopicRequest{Topic: topic}))
		got, err := b.SubscriptionAdminClient.GetSubscription(b.ctx, &pubsubpb.GetSubscriptionRequest{Subscription: sub})
		b.must(err)
		b.equal("topic", []string{got.Topic}, []string{"_deleted-topic_"})
		b.equal("messages", texts(b.pull(sub, 1)), []string{"before"})
	}},
	{"a detached subscription is dead", []Feature{Detach}, func(b *bench) {
		topic := b.topic("t")
		sub := b.subscribe(topic, "s", nil)
		_, err := b.TopicAdminClient.DetachSubscription(b.ctx, &pubsubpb.DetachSubscriptionRequest{Subscription: sub})
		b.must(err)
		_, err = b.SubscriptionAdminClient.Pull(b.ctx, &pubsubpb.PullRequest{Subscription: sub, MaxMessages: 1})
		b.code("pulling", err, codes.FailedPrecondition)
		got, err := b.SubscriptionAdminClient.GetSubscription(b.ctx, &pubsubpb.GetSubscriptionRequest{Subscription: sub})
		if b.must(err); !got.Detached {
			b.Errorf("not detached: %v", got)
		}
	}},
}

func listTopics(b *bench) (names []string) {
	b.Helper()
	it := b.TopicAdminClient.ListTopics(b.ctx, &pubsubpb.ListTopicsRequest{Project: "projects/" + project, PageSize: 3})
	for {
		t, err := it.Next()
		if err == iterator.Done {
			return names
		}
		b.must(err)
		names = append(names, t.Name)
	}
}

func listSubscriptions(b *bench) (names []string) {
	b.Helper()
	it := b.SubscriptionAdminClient.ListSubscriptions(b.ctx, &pubsubpb.ListSubscriptionsRequest{Project: "projects/" + project, PageSize: 3})
	for {
		sub, err := it.Next()
		if err == iterator.Done {
			return names
		}
		b.must(err)
		names = append(names, sub.Name)
	}
}
