package pubsub

import (
	"context"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Google's limits on what can be published.
const (
	maxRequestBytes   = 10 << 20
	maxMessages       = 1000
	maxAttributes     = 100
	maxAttributeKey   = 256
	maxAttributeValue = 1024
	maxOrderingKey    = 1024
)

// deletedTopic is the topic of subscriptions whose topic was deleted.
const deletedTopic = "_deleted-topic_"

type topic struct {
	pb   *pubsubpb.Topic          // replaced, never changed
	subs map[string]*subscription // attached ones, by name
}

// CreateTopic creates a topic.
func (s *Service) CreateTopic(_ context.Context, req *pubsubpb.Topic) (*pubsubpb.Topic, error) {
	if err := checkName("topics", req.Name); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.topics[req.Name] != nil {
		return nil, alreadyExists(req.Name)
	}
	t := &topic{pb: proto.CloneOf(req), subs: map[string]*subscription{}}
	s.topics[req.Name] = t
	s.deadLetterTopicChanged(req.Name)
	return t.pb, nil
}

// GetTopic returns a topic's configuration.
func (s *Service) GetTopic(_ context.Context, req *pubsubpb.GetTopicRequest) (*pubsubpb.Topic, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.topic(req.Topic)
	if err != nil {
		return nil, err
	}
	return t.pb, nil
}

// UpdateTopic changes a topic's labels and other settings.
func (s *Service) UpdateTopic(_ context.Context, req *pubsubpb.UpdateTopicRequest) (*pubsubpb.Topic, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.topic(req.Topic.GetName())
	if err != nil {
		return nil, err
	}
	pb := proto.CloneOf(t.pb)
	mutable := []string{"labels", "message_storage_policy", "message_retention_duration", "schema_settings"}
	if err := update(pb, req.Topic, req.UpdateMask.GetPaths(), mutable, "UpdateTopicRequest"); err != nil {
		return nil, err
	}
	t.pb = pb
	return pb, nil
}

// ListTopics lists the topics of a project by name.
func (s *Service) ListTopics(_ context.Context, req *pubsubpb.ListTopicsRequest) (*pubsubpb.ListTopicsResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	resp := &pubsubpb.ListTopicsResponse{}
	names, next := page(s.topics, req.Project+"/topics/", req.PageSize, req.PageToken)
	for _, name := range names {
		resp.Topics = append(resp.Topics, s.topics[name].pb)
	}
	resp.NextPageToken = next
	return resp, nil
}

// ListTopicSubscriptions lists the names of the subscriptions attached to a topic.
func (s *Service) ListTopicSubscriptions(_ context.Context, req *pubsubpb.ListTopicSubscriptionsRequest) (*pubsubpb.ListTopicSubscriptionsResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.topic(req.Topic)
	if err != nil {
		return nil, err
	}
	names, next := page(t.subs, "", req.PageSize, req.PageToken)
	return &pubsubpb.ListTopicSubscriptionsResponse{Subscriptions: names, NextPageToken: next}, nil
}

// ListTopicSnapshots lists the snapshots of a topic: there are never any.
func (s *Service) ListTopicSnapshots(_ context.Context, req *pubsubpb.ListTopicSnapshotsRequest) (*pubsubpb.ListTopicSnapshotsResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.topic(req.Topic)
	return &pubsubpb.ListTopicSnapshotsResponse{}, err
}

// DeleteTopic deletes a topic. Its subscriptions stay, with what they hold,
// and name _deleted-topic_ as their topic.
func (s *Service) DeleteTopic(_ context.Context, req *pubsubpb.DeleteTopicRequest) (*emptypb.Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.topic(req.Topic)
	if err != nil {
		return nil, err
	}
	for _, sub := range t.subs {
		sub.pb = proto.CloneOf(sub.pb)
		sub.pb.Topic = deletedTopic
	}
	delete(s.topics, req.Topic)
	s.cfg.Policies.Delete(req.Topic)
	s.deadLetterTopicChanged(req.Topic)
	return &emptypb.Empty{}, nil
}

// DetachSubscription drops a subscription's messages and cuts it off its topic for good.
func (s *Service) DetachSubscription(_ context.Context, req *pubsubpb.DetachSubscriptionRequest) (*pubsubpb.DetachSubscriptionResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub, err := s.sub(req.Subscription)
	if err != nil {
		return nil, err
	}
	s.detach(sub)
	sub.pb = proto.CloneOf(sub.pb)
	sub.pb.Detached = true
	s.reset(sub)
	return &pubsubpb.DetachSubscriptionResponse{}, nil
}

// Publish hands messages to all subscriptions of a topic whose filters let them pass.
func (s *Service) Publish(_ context.Context, req *pubsubpb.PublishRequest) (*pubsubpb.PublishResponse, error) {
	if err := checkPublish(req); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.topic(req.Topic)
	if err != nil {
		return nil, err
	}
	return &pubsubpb.PublishResponse{MessageIds: s.publish(t, time.Now(), req.Messages)}, nil
}

// publish gives the messages their ids, which it returns, and keeps copies of them.
func (s *Service) publish(t *topic, now time.Time, messages []*pubsubpb.PubsubMessage) []string {
	ids := make([]string, len(messages))
	kept := make([]*pubsubpb.PubsubMessage, len(messages))
	for i, m := range messages {
		s.lastID++
		ids[i] = strconv.FormatUint(s.lastID, 10)
		kept[i] = proto.CloneOf(m)
		kept[i].MessageId = ids[i]
		kept[i].PublishTime = timestamppb.New(now.Truncate(time.Millisecond))
		s.cfg.Watcher.Published(t.pb.Name, kept[i])
	}
	for _, sub := range t.subs {
		for _, m := range kept {
			if sub.filter.Match(m.Attributes) {
				sub.queue.Add(now, m)
			}
		}
		s.changed(sub, now)
	}
	return ids
}

func checkPublish(req *pubsubpb.PublishRequest) error {
	switch {
	case len(req.Messages) == 0:
		return invalid("The value for message_count is too small. You passed 0 in the request, but the minimum value is 1.")
	case len(req.Messages) > maxMessages:
		return invalid("The value for message_count is too large. You passed %d in the request, but the maximum value is %d.", len(req.Messages), maxMessages)
	case proto.Size(req) > maxRequestBytes:
		return invalid("Request payload size exceeds the limit: %d bytes.", maxRequestBytes)
	}
	for _, m := range req.Messages {
		if err := checkMessage(m); err != nil {
			return err
		}
	}
	return nil
}

func checkMessage(m *pubsubpb.PubsubMessage) error {
	switch {
	case len(m.GetData()) == 0 && len(m.GetAttributes()) == 0:
		return invalid("One or more messages in the publish request is empty. Each message must contain either non-empty data, or at least one attribute.")
	case len(m.Attributes) > maxAttributes:
		return invalid("A message has %d attributes; at most %d are allowed.", len(m.Attributes), maxAttributes)
	case len(m.OrderingKey) > maxOrderingKey:
		return invalid("An ordering key has %d bytes; at most %d are allowed.", len(m.OrderingKey), maxOrderingKey)
	}
	for k, v := range m.Attributes {
		if k == "" || len(k) > maxAttributeKey || len(v) > maxAttributeValue || strings.HasPrefix(k, "goog") {
			return invalid("Attribute %q is not valid: a key has 1 to %d bytes and does not start with goog, a value has at most %d bytes.",
				k, maxAttributeKey, maxAttributeValue)
		}
	}
	return nil
}

// topic finds a topic by its full name.
func (s *Service) topic(name string) (*topic, error) {
	if t := s.topics[name]; t != nil {
		return t, nil
	}
	return nil, notFound(name)
}

func invalid(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, format, args...)
}
