package pubsub

import (
	"context"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"example.com/keyturn/internal/localgcp/pubsub/filter"
	"example.com/keyturn/internal/localgcp/pubsub/queue"
)

// subscription is one subscription with its messages. Whatever changes its
// queue calls Service.changed afterwards.
type subscription struct {
	pb     *pubsubpb.Subscription // replaced, never changed
	filter *filter.Filter
	queue  *queue.Queue
	wake   chan struct{} // closed at the next change; nil while nobody waits
	timer  *time.Timer   // ends the next lease or back-off
	window int           // pushes that may be under way
	pushed int           // pushes under way
}

// CreateSubscription attaches a new subscription to a topic.
func (s *Service) CreateSubscription(_ context.Context, req *pubsubpb.Subscription) (*pubsubpb.Subscription, error) {
	if err := checkName("subscriptions", req.Name); err != nil {
		return nil, err
	}
	pb := proto.CloneOf(req)
	f, err := complete(pb)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.topic(pb.Topic)
	if err != nil {
		return nil, err
	}
	if s.subs[pb.Name] != nil {
		return nil, alreadyExists(pb.Name)
	}
	if err := s.checkDeadLetterTopic(pb); err != nil {
		return nil, err
	}
	sub := &subscription{pb: pb, filter: f, window: minWindow}
	sub.timer = time.AfterFunc(time.Hour, func() { s.tick(sub) })
	s.reset(sub)
	s.subs[pb.Name], t.subs[pb.Name] = sub, sub
	return pb, nil
}

// GetSubscription returns a subscription's configuration.
func (s *Service) GetSubscription(_ context.Context, req *pubsubpb.GetSubscriptionRequest) (*pubsubpb.Subscription, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub, err := s.sub(req.Subscription)
	if err != nil {
		return nil, err
	}
	return sub.pb, nil
}

// Has reports whether there is a subscription of that full name.
func (s *Service) Has(subscription string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.subs[subscription] != nil
}

// UpdateSubscription changes the settings that update_mask names.
func (s *Service) UpdateSubscription(_ context.Context, req *pubsubpb.UpdateSubscriptionRequest) (*pubsubpb.Subscription, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub, err := s.sub(req.Subscription.GetName())
	if err != nil {
		return nil, err
	}
	pb := proto.CloneOf(sub.pb)
	mutable := []string{
		"push_config", "ack_deadline_seconds", "retain_acked_messages", "message_retention_duration", "labels",
		"expiration_policy", "dead_letter_policy", "retry_policy", "enable_exactly_once_delivery",
	}
	if err := update(pb, req.Subscription, req.UpdateMask.GetPaths(), mutable, "UpdateSubscriptionRequest"); err != nil {
		return nil, err
	}
	return pb, s.replace(sub, pb)
}

// ModifyPushConfig turns a pull subscription into a push subscription, or the other way round.
func (s *Service) ModifyPushConfig(_ context.Context, req *pubsubpb.ModifyPushConfigRequest) (*emptypb.Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub, err := s.sub(req.Subscription)
	if err != nil {
		return nil, err
	}
	pb := proto.CloneOf(sub.pb)
	pb.PushConfig = req.PushConfig
	return &emptypb.Empty{}, s.replace(sub, pb)
}

// ListSubscriptions lists the subscriptions of a project by name.
func (s *Service) ListSubscriptions(_ context.Context, req *pubsubpb.ListSubscriptionsRequest) (*pubsubpb.ListSubscriptionsResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	resp := &pubsubpb.ListSubscriptionsResponse{}
	names, next := page(s.subs, req.Project+"/subscriptions/", req.PageSize, req.PageToken)
	for _, name := range names {
		resp.Subscriptions = append(resp.Subscriptions, s.subs[name].pb)
	}
	resp.NextPageToken = next
	return resp, nil
}

// DeleteSubscription deletes a subscription with what it holds.
func (s *Service) DeleteSubscription(_ context.Context, req *pubsubpb.DeleteSubscriptionRequest) (*emptypb.Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub, err := s.sub(req.Subscription)
	if err != nil {
		return nil, err
	}
	s.detach(sub)
	delete(s.subs, req.Subscription)
	s.cfg.Policies.Delete(req.Subscription)
	s.reset(sub)
	return &emptypb.Empty{}, nil
}

// sub finds a subscription by its full name.
func (s *Service) sub(name string) (*subscription, error) {
	if sub := s.subs[name]; sub != nil {
		return sub, nil
	}
	return nil, notFound(name)
}

// replace gives a subscription a new configuration.
func (s *Service) replace(sub *subscription, pb *pubsubpb.Subscription) error {
	if _, err := complete(pb); err != nil {
		return err
	}
	if pb.DeadLetterPolicy.GetDeadLetterTopic() != sub.pb.DeadLetterPolicy.GetDeadLetterTopic() {
		if err := s.checkDeadLetterTopic(pb); err != nil {
			return err
		}
	}
	sub.pb = pb
	s.configure(sub)
	return nil
}

func (s *Service) configure(sub *subscription) {
	sub.queue.Configure(s.queueConfig(sub.pb))
	s.changed(sub, time.Now())
}

// reset drops a subscription's messages; acknowledgements of them come to nothing.
func (s *Service) reset(sub *subscription) {
	sub.queue = queue.New(s.queueConfig(sub.pb))
	s.changed(sub, time.Now())
}

func (s *Service) detach(sub *subscription) {
	if t := s.topics[sub.pb.Topic]; t != nil {
		delete(t.subs, sub.pb.Name)
	}
}

// changed is called after every change of a subscription's queue: it forwards
// dead messages, starts pushes, wakes pullers and sets the timer.
func (s *Service) changed(sub *subscription, now time.Time) {
	for _, d := range sub.queue.Dead() {
		s.forward(sub, d, now)
	}
	s.pump(sub, now)
	if sub.wake != nil {
		close(sub.wake)
		sub.wake = nil
	}
	if at, ok := sub.queue.Next(); ok && s.ctx.Err() == nil {
		sub.timer.Reset(at.Sub(now))
	} else {
		sub.timer.Stop()
	}
}

// tick is what a subscription's timer does.
func (s *Service) tick(sub *subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	sub.queue.Tick(now)
	s.changed(sub, now)
}

// pushes tells a push from a pull subscription.
func (sub *subscription) pushes() bool {
	return sub.pb.PushConfig.GetPushEndpoint() != "" && !sub.pb.Detached
}
