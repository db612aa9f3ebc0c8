package pubsub

import (
	"net/url"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"example.com/keyturn/internal/localgcp/pubsub/filter"
	"example.com/keyturn/internal/localgcp/pubsub/queue"
)

const (
	day                = 24 * time.Hour
	defaultAckDeadline = 10 // seconds
	maxAckDeadline     = 600
	defaultAttempts    = 5
	maxAttempts        = 100
	maxBackoff         = 10 * time.Minute
)

// complete checks a subscription's settings and fills in Google's defaults.
func complete(pb *pubsubpb.Subscription) (*filter.Filter, error) {
	if pb.BigqueryConfig != nil || pb.CloudStorageConfig != nil || pb.BigtableConfig != nil {
		return nil, status.Error(codes.Unimplemented, "the embedded Pub/Sub exports to no other service; use a pull or push subscription")
	}
	if pb.AckDeadlineSeconds == 0 {
		pb.AckDeadlineSeconds = defaultAckDeadline
	}
	if pb.AckDeadlineSeconds < defaultAckDeadline || pb.AckDeadlineSeconds > maxAckDeadline {
		return nil, invalid("Invalid ack deadline given (ack_deadline_seconds=%d): it must be between %d and %d.",
			pb.AckDeadlineSeconds, defaultAckDeadline, maxAckDeadline)
	}
	if pb.MessageRetentionDuration == nil {
		pb.MessageRetentionDuration = durationpb.New(7 * day)
	}
	if pb.ExpirationPolicy == nil {
		pb.ExpirationPolicy = &pubsubpb.ExpirationPolicy{Ttl: durationpb.New(31 * day)}
	}
	pb.State = pubsubpb.Subscription_ACTIVE
	if err := completeDelivery(pb); err != nil {
		return nil, err
	}
	f, err := filter.Parse(pb.Filter)
	if err != nil {
		return nil, invalid("Invalid filter given (filter=%s): %v", pb.Filter, err)
	}
	return f, nil
}

// completeDelivery does so for the push, retry and dead-letter settings.
func completeDelivery(pb *pubsubpb.Subscription) error {
	if pb.PushConfig == nil {
		pb.PushConfig = &pubsubpb.PushConfig{}
	}
	if endpoint := pb.PushConfig.PushEndpoint; endpoint != "" {
		u, err := url.Parse(endpoint)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return invalid("Invalid push endpoint given (endpoint=%s). Refer to https://cloud.google.com/pubsub/docs/subscriber for more information.", endpoint)
		}
	}
	if p := pb.RetryPolicy; p != nil {
		if p.MinimumBackoff == nil {
			p.MinimumBackoff = durationpb.New(10 * time.Second)
		}
		if p.MaximumBackoff == nil {
			p.MaximumBackoff = durationpb.New(maxBackoff)
		}
		if least, most := p.MinimumBackoff.AsDuration(), p.MaximumBackoff.AsDuration(); least < 0 || least > most || most > maxBackoff {
			return invalid("Invalid retry policy given (minimum_backoff=%v, maximum_backoff=%v): want 0s to %v, the minimum first.", least, most, maxBackoff)
		}
	}
	if p := pb.DeadLetterPolicy; p != nil {
		if p.MaxDeliveryAttempts == 0 {
			p.MaxDeliveryAttempts = defaultAttempts
		}
		if n := p.MaxDeliveryAttempts; n < defaultAttempts || n > maxAttempts {
			return invalid("Invalid max delivery attempts given (max_delivery_attempts=%d): it must be between %d and %d.", n, defaultAttempts, maxAttempts)
		}
	}
	return nil
}

// queueConfig is what a subscription's settings mean for its queue.
func (s *Service) queueConfig(pb *pubsubpb.Subscription) queue.Config {
	cfg := queue.Config{Ordered: pb.EnableMessageOrdering, ExactlyOnce: pb.EnableExactlyOnceDelivery}
	switch {
	case pb.RetryPolicy != nil:
		cfg.MinBackoff = pb.RetryPolicy.MinimumBackoff.AsDuration()
		cfg.MaxBackoff = pb.RetryPolicy.MaximumBackoff.AsDuration()
	case pb.PushConfig.PushEndpoint != "":
		cfg.MinBackoff, cfg.MaxBackoff = 100*time.Millisecond, time.Minute
	}
	// As with Google, nothing is given up while there is nowhere to put it.
	if p := pb.DeadLetterPolicy; s.topics[p.GetDeadLetterTopic()] != nil {
		cfg.MaxAttempts = int(p.MaxDeliveryAttempts)
	}
	return cfg
}
