package functions

import (
	"context"
	"path"
	"time"

	"cloud.google.com/go/functions/apiv2/functionspb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"example.com/keyturn/internal/localgcp/pubsub"
)

// Of the subscription that Eventarc makes for a function, all [mem].
const (
	ackDeadline = 10 * time.Minute
	minBackoff  = 10 * time.Second
	maxBackoff  = 10 * time.Minute
)

// bound is what starts a function.
type bound struct{ subscription, topic, account string }

// trigger has the messages of a topic start a function. A subscription that does so
// already stays as it is, with what was changed of it since.
func (s *Service) trigger(f *functionspb.Function) error {
	t := f.GetEventTrigger()
	s.mu.Lock()
	before := s.triggers[f.GetName()]
	s.mu.Unlock()
	want := bound{before.subscription, t.GetPubsubTopic(), t.GetServiceAccountEmail()}
	if before == want && (t == nil || s.cfg.PubSub.Has(before.subscription)) {
		return nil
	}
	if err := s.detrigger(f.GetName()); err != nil || t == nil {
		return err
	}
	if t.GetPubsubTopic() == "" {
		return status.Errorf(codes.InvalidArgument, "the embedded cloud has no events of type %q: only those of Pub/Sub topics", t.GetEventType())
	}
	subscription, err := s.cfg.PubSub.TriggerFunction(pubsub.Trigger{
		Name: t.GetTriggerRegion() + "-" + path.Base(f.GetName()), Topic: t.GetPubsubTopic(), URL: f.GetServiceConfig().GetUri(), ServiceAccount: t.GetServiceAccountEmail(),
		AckDeadline: ackDeadline, Retry: &pubsubpb.RetryPolicy{MinimumBackoff: durationpb.New(minBackoff), MaximumBackoff: durationpb.New(maxBackoff)},
	})
	if err != nil {
		return err
	}
	want.subscription = subscription
	s.mu.Lock()
	defer s.mu.Unlock()
	s.triggers[f.GetName()] = want
	return nil
}

// detrigger takes away what starts a function, by its full name.
func (s *Service) detrigger(name string) error {
	s.mu.Lock()
	before, bound := s.triggers[name]
	delete(s.triggers, name)
	s.mu.Unlock()
	if !bound || !s.cfg.PubSub.Has(before.subscription) {
		return nil
	}
	_, err := s.cfg.PubSub.DeleteSubscription(context.Background(), &pubsubpb.DeleteSubscriptionRequest{Subscription: before.subscription})
	return err
}
