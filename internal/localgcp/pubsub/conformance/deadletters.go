package conformance

import (
	"fmt"
	"net/http"
	"regexp"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
)

var deadLetters = []behaviour{
	{"deliveries are counted where there is a dead-letter policy", nil, func(b *bench) {
		topic := b.topic("t")
		counted := b.subscribe(topic, "s1", deadLetterTo(b.topic("dead")))
		uncounted := b.subscribe(topic, "s2", nil)
		b.publish(topic, text("x"))
		var got []string
		for range 3 {
			m := b.pull(counted, 1)
			got = append(got, fmt.Sprint(m[0].DeliveryAttempt))
			b.deadline(counted, 0, m...)
		}
		b.equal("attempts", got, []string{"1", "2", "3"})
		b.equal("attempts without a policy", []string{fmt.Sprint(b.pull(uncounted, 1)[0].DeliveryAttempt)}, []string{"0"})
	}},
	{"what failed five times goes to the dead-letter topic, once", []Feature{DeadLetter}, func(b *bench) {
		topic, dead := b.topic("t"), b.topic("dead")
		sub := b.subscribe(topic, "s", deadLetterTo(dead))
		graves := []string{b.subscribe(dead, "g1", nil), b.subscribe(dead, "g2", nil)}
		b.publish(topic, &pubsubpb.PubsubMessage{Data: []byte("x"), Attributes: map[string]string{"a": "b"}, OrderingKey: "k"})
		for range 5 {
			b.deadline(sub, 0, b.pull(sub, 1)...)
		}
		b.pullNone(sub, "it is dead") // Google's emulator buries it only now
		for _, grave := range graves {
			buried(b, grave, sub)
		}
	}},
	{"what an endpoint refused five times goes to the dead-letter topic", []Feature{DeadLetter, Push}, func(b *bench) {
		topic, dead := b.topic("t"), b.topic("dead")
		grave := b.subscribe(dead, "g", nil)
		e := newEndpoint(b)
		e.answer = func(int) int { return http.StatusInternalServerError }
		sub := b.subscribe(topic, "s", func(s *pubsubpb.Subscription) {
			pushTo(e.URL)(s)
			quickRetry(s)
			deadLetterTo(dead)(s)
		})
		b.publish(topic, &pubsubpb.PubsubMessage{Data: []byte("x"), Attributes: map[string]string{"a": "b"}, OrderingKey: "k"})
		buried(b, grave, sub)
		for range 5 {
			e.next()
		}
		e.quiet("it is dead")
	}},
	{"a push counts its attempts where there is a dead-letter policy", []Feature{Push, PushAttempt}, func(b *bench) {
		e := newEndpoint(b)
		e.answer = func(n int) int { return []int{500, 500, 200}[min(n, 2)] }
		topic := b.topic("t")
		b.subscribe(topic, "s", func(s *pubsubpb.Subscription) {
			pushTo(e.URL)(s)
			quickRetry(s)
			deadLetterTo(b.topic("dead"))(s)
		})
		b.publish(topic, text("x"))
		for i := range 3 {
			if got := e.next().body(b).DeliveryAttempt; got != i+1 {
				b.Errorf("attempt %d says it is number %d", i+1, got)
			}
		}
	}},
	{"a dead-letter topic has to exist", []Feature{ErrorTexts}, func(b *bench) {
		sub := &pubsubpb.Subscription{Name: b.subName("s"), Topic: b.topic("t"), AckDeadlineSeconds: 10}
		deadLetterTo(b.topicName("no"))(sub)
		_, err := b.SubscriptionAdminClient.CreateSubscription(b.ctx, sub)
		b.code("subscribing", err, codes.NotFound)
	}},
}

func deadLetterTo(topic string) func(*pubsubpb.Subscription) {
	return func(s *pubsubpb.Subscription) {
		s.DeadLetterPolicy = &pubsubpb.DeadLetterPolicy{DeadLetterTopic: topic, MaxDeliveryAttempts: 5}
	}
}

var publishTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d`)

// buried checks that one copy of the message {x, a=b, key k} of sub lies in grave.
func buried(b *bench, grave, sub string) {
	b.Helper()
	m := b.pull(grave, 1)[0]
	const source = "CloudPubSubDeadLetterSource"
	a := m.Message.Attributes
	b.equal("dead letter", []string{
		string(m.Message.Data), a["a"], m.Message.OrderingKey, a[source+"DeliveryCount"], a[source+"SubscriptionProject"], a[source+"Subscription"],
	}, []string{"x", "b", "k", "5", project, sub[len("projects/"+project+"/subscriptions/"):]})
	if !publishTime.MatchString(a[source+"TopicPublishTime"]) {
		b.Errorf("published at %q", a[source+"TopicPublishTime"])
	}
	b.pullNone(grave, "there is one copy")
}
