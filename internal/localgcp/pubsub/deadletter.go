package pubsub

import (
	"path"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/protobuf/proto"

	"example.com/keyturn/internal/localgcp/pubsub/queue"
)

// forward publishes a dead message to the dead-letter topic.
func (s *Service) forward(sub *subscription, d queue.Delivery, now time.Time) {
	t := s.topics[sub.pb.DeadLetterPolicy.GetDeadLetterTopic()]
	if t != nil {
		s.publish(t, now, []*pubsubpb.PubsubMessage{deadLetter(sub.pb.Name, d)})
	}
}

func deadLetter(subscription string, d queue.Delivery) *pubsubpb.PubsubMessage {
	m := proto.CloneOf(d.Message)
	if m.Attributes == nil {
		m.Attributes = map[string]string{}
	}
	const source = "CloudPubSubDeadLetterSource"
	m.Attributes[source+"DeliveryCount"] = strconv.Itoa(d.Attempt)
	m.Attributes[source+"Subscription"] = path.Base(subscription)
	m.Attributes[source+"SubscriptionProject"] = strings.Split(subscription, "/")[1]
	m.Attributes[source+"TopicPublishTime"] = m.PublishTime.AsTime().Format("2006-01-02T15:04:05.000-07:00")
	return m
}

// deadLetterTopicChanged tells the subscriptions that forward to a topic that it came or went.
func (s *Service) deadLetterTopicChanged(topic string) {
	for _, sub := range s.subs {
		if sub.pb.DeadLetterPolicy.GetDeadLetterTopic() == topic {
			s.configure(sub)
		}
	}
}

func (s *Service) checkDeadLetterTopic(pb *pubsubpb.Subscription) error {
	name := pb.DeadLetterPolicy.GetDeadLetterTopic()
	if name == "" || s.topics[name] != nil {
		return nil
	}
	return notFound(name)
}
