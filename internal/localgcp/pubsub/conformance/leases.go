package conformance

import (
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
)

var leases = []behaviour{
	{"an acknowledged message does not come again", nil, func(b *bench) {
		topic := b.topic("t")
		sub := b.subscribe(topic, "s", nil)
		b.publish(topic, text("x"))
		m := b.pull(sub, 1)
		b.deadline(sub, 1, m...)
		b.ack(sub, m...)
		time.Sleep(1500 * time.Millisecond)
		b.pullNone(sub, "it was acknowledged")
	}},
	{"a leased message is nobody else's until the lease ends", nil, func(b *bench) {
		topic := b.topic("t")
		sub := b.subscribe(topic, "s", nil)
		b.publish(topic, text("x"))
		first := b.pull(sub, 1)
		b.pullNone(sub, "it is leased")
		b.deadline(sub, 1, first...)
		again := b.pull(sub, 1)
		b.equal("message", []string{again[0].Message.MessageId}, []string{first[0].Message.MessageId})
	}},
	{"a refused message comes again at once", nil, func(b *bench) {
		topic := b.topic("t")
		sub := b.subscribe(topic, "s", nil)
		b.publish(topic, text("x"))
		for range 3 {
			b.deadline(sub, 0, b.pull(sub, 1)...)
		}
		b.ack(sub, b.pull(sub, 1)...)
	}},
	{"a retry policy delays what was refused", []Feature{RetryPolicy}, func(b *bench) {
		topic := b.topic("t")
		sub := b.subscribe(topic, "s", func(s *pubsubpb.Subscription) {
			s.RetryPolicy = &pubsubpb.RetryPolicy{MinimumBackoff: durationpb.New(time.Second), MaximumBackoff: durationpb.New(2 * time.Second)}
		})
		b.publish(topic, text("x"))
		b.deadline(sub, 0, b.pull(sub, 1)...)
		refused := time.Now()
		b.pullNone(sub, "it backs off")
		b.pull(sub, 1)
		if waited := time.Since(refused); waited < 900*time.Millisecond {
			b.Errorf("came again after %v", waited)
		}
	}},
	{"exactly once: the client's acknowledgement is confirmed", nil, func(b *bench) {
		topic := b.topic("t")
		sub := b.subscribe(topic, "s", func(s *pubsubpb.Subscription) { s.EnableExactlyOnceDelivery = true })
		b.publish(topic, text("x"))
		receive(b, sub, 1, func(m *pubsub.Message) {
			r := m.AckWithResult()
			go func() {
				if status, err := r.Get(b.ctx); err != nil || status != pubsub.AcknowledgeStatusSuccess {
					b.Errorf("acknowledged: %v, %v", status, err)
				}
			}()
		})
	}},
	{"exactly once: an ack id that has ended is refused", []Feature{ExactlyOnce}, func(b *bench) {
		topic := b.topic("t")
		sub := b.subscribe(topic, "s", func(s *pubsubpb.Subscription) { s.EnableExactlyOnceDelivery = true })
		b.publish(topic, text("x"))
		m := b.pull(sub, 1)
		b.deadline(sub, 0, m...)
		err := b.SubscriptionAdminClient.Acknowledge(b.ctx, &pubsubpb.AcknowledgeRequest{Subscription: sub, AckIds: ackIDs(m)})
		b.code("acknowledging late", err, codes.InvalidArgument)
		b.ack(sub, b.pull(sub, 1)...)
	}},
}
