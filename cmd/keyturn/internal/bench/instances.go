package bench

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"sync"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/event/eventtest"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/protobuf/types/known/durationpb"
)

// instances are the rotate function as the cloud runs it: so many at once, each
// with one message at a time. Here they share a process, and get their messages
// from the embedded Pub/Sub by its own methods: delivery is Google's part.
type instances struct {
	bed      *bed
	function *rotate.Function
	free     chan struct{} // holds a token for each instance that is at work
	cancel   context.CancelFunc
	working  sync.WaitGroup
}

const subscription = "projects/" + project + "/subscriptions/instances"

// serve starts n instances of f.
func (b *bed) serve(ctx context.Context, f *rotate.Function, n int) (*instances, error) {
	_, err := b.pubsub.SubscriptionAdminClient.CreateSubscription(ctx, &pubsubpb.Subscription{
		Name: subscription, Topic: topicName(event.TopicRotate), AckDeadlineSeconds: 600,
		RetryPolicy: &pubsubpb.RetryPolicy{MinimumBackoff: durationpb.New(100 * time.Millisecond), MaximumBackoff: durationpb.New(time.Second)},
	})
	if err != nil {
		return nil, fmt.Errorf("subscribing the rotate function: %w", err)
	}
	// They end what they are at, whatever becomes of who started them.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	i := &instances{bed: b, function: f, free: make(chan struct{}, n), cancel: cancel}
	i.working.Go(func() { i.dispatch(ctx) })
	return i, nil
}

// dispatch hands each message to an instance that is free.
func (i *instances) dispatch(ctx context.Context) {
	for {
		i.free <- struct{}{}
		r, err := i.bed.cloud.PubSub.Pull(ctx, &pubsubpb.PullRequest{Subscription: subscription, MaxMessages: 1})
		if err != nil {
			return // stopped
		}
		if len(r.GetReceivedMessages()) == 0 {
			<-i.free
			continue
		}
		i.working.Go(func() {
			i.handle(context.WithoutCancel(ctx), r.GetReceivedMessages()[0])
			<-i.free
		})
	}
}

// handle settles a message as the cloud does: by what the function returns. That
// can only fail if the cloud is gone.
func (i *instances) handle(ctx context.Context, m *pubsubpb.ReceivedMessage) {
	if i.function.HandleEvent(ctx, delivered(m.GetMessage())) == nil {
		_, _ = i.bed.cloud.PubSub.Acknowledge(ctx, &pubsubpb.AcknowledgeRequest{Subscription: subscription, AckIds: []string{m.GetAckId()}})
		return
	}
	_, _ = i.bed.cloud.PubSub.ModifyAckDeadline(ctx, &pubsubpb.ModifyAckDeadlineRequest{Subscription: subscription, AckIds: []string{m.GetAckId()}})
}

// delivered is a message as Eventarc hands it to a function.
func delivered(m *pubsubpb.PubsubMessage) cloudevents.Event {
	return eventtest.Pushed(event.Message{ID: m.GetMessageId(), Topic: topicName(event.TopicRotate), Data: m.GetData(), Attributes: m.GetAttributes()})
}

// idle waits until no message is waiting or at work.
func (i *instances) idle(ctx context.Context) error {
	for i.bed.cloud.PubSub.Outstanding(topicName(event.TopicRotate))[subscription] > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

// stop ends the instances once they have finished what they are at.
func (i *instances) stop() {
	i.cancel()
	i.working.Wait()
}

// smallPair makes a pair of 1024 bits, where what counts is not how long making
// one takes.
func smallPair() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 1024) }
