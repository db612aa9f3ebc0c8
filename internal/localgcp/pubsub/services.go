package pubsub

import (
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// PublishMessage publishes one message on behalf of another Google service.
// topic is a full name; the error is a gRPC status, NotFound when the topic does
// not exist and PermissionDenied when it is forbidden.
func (s *Service) PublishMessage(topic string, data []byte, attributes map[string]string) error {
	if s.forbids(topic) {
		return status.Error(codes.PermissionDenied, "User not authorized to perform this action.")
	}
	_, err := s.Publish(s.ctx, &pubsubpb.PublishRequest{
		Topic:    topic,
		Messages: []*pubsubpb.PubsubMessage{{Data: data, Attributes: attributes}},
	})
	return err
}

// Forbid plays that Google's services have lost their grant to publish to a
// topic, or have it again. It does not concern other publishers.
func (s *Service) Forbid(topic string, forbidden bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forbidden[topic] = forbidden
}

// forbids is false for a topic that does not exist, of which Google tells that
// first.
func (s *Service) forbids(topic string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forbidden[topic] && s.topics[topic] != nil
}
