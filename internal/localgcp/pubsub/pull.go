package pubsub

import (
	"context"
	"errors"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"example.com/keyturn/internal/localgcp/pubsub/queue"
)

// A batch of messages ends when it has so many or reaches so many bytes.
const (
	maxBatch      = 1000
	maxBatchBytes = 1 << 20
)

var errClosed = status.Error(codes.Unavailable, "The service was unable to fulfill your request. Please try again.")

// Pull leases messages. It waits a while for a first one unless it is to return immediately.
func (s *Service) Pull(ctx context.Context, req *pubsubpb.PullRequest) (*pubsubpb.PullResponse, error) {
	if req.MaxMessages < 1 {
		return nil, invalid("The value for max_messages is too small. You passed %d in the request, but the minimum value is 1.", req.MaxMessages)
	}
	timeout := time.NewTimer(s.cfg.PullWait)
	defer timeout.Stop()
	for {
		messages, wake, err := s.take(req.Subscription, nil, 0, min(int(req.MaxMessages), maxBatch))
		//lint:ignore SA1019 deprecated, but gcloud and others send it
		if err != nil || len(messages) > 0 || req.ReturnImmediately {
			return &pubsubpb.PullResponse{ReceivedMessages: messages}, err
		}
		select {
		case <-wake:
		case <-timeout.C:
			return &pubsubpb.PullResponse{}, nil
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		case <-s.ctx.Done():
			return nil, errClosed
		}
	}
}

// take leases up to max messages for d, or, if that is zero, for the
// subscription's own deadline. When there are none, wake is closed once
// another look may be worth it.
func (s *Service) take(subscription string, h *queue.Holder, d time.Duration, max int) (messages []*pubsubpb.ReceivedMessage, wake <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub, err := s.pullable(subscription)
	if err != nil {
		return nil, nil, err
	}
	if d == 0 {
		d = time.Duration(sub.pb.AckDeadlineSeconds) * time.Second
	}
	now := time.Now()
	for _, d := range sub.queue.Take(now, h, d, max, maxBatchBytes) {
		messages = append(messages, sub.received(d))
	}
	if messages != nil {
		s.changed(sub, now)
		return messages, nil, nil
	}
	if sub.wake == nil {
		sub.wake = make(chan struct{})
	}
	return nil, sub.wake, nil
}

func (sub *subscription) received(d queue.Delivery) *pubsubpb.ReceivedMessage {
	r := &pubsubpb.ReceivedMessage{AckId: d.AckID, Message: d.Message}
	if sub.pb.DeadLetterPolicy != nil {
		r.DeliveryAttempt = int32(d.Attempt)
	}
	return r
}

func (s *Service) pullable(name string) (*subscription, error) {
	sub, err := s.sub(name)
	switch {
	case err != nil:
		return nil, err
	case sub.pb.Detached:
		return nil, status.Errorf(codes.FailedPrecondition, "The subscription is detached from its topic (subscription=%s).", name)
	case sub.pushes():
		return nil, status.Error(codes.FailedPrecondition, "This method is not supported for this subscription type.")
	}
	return sub, nil
}

// Acknowledge forgets messages.
func (s *Service) Acknowledge(_ context.Context, req *pubsubpb.AcknowledgeRequest) (*emptypb.Empty, error) {
	failed, err := s.settle(req.Subscription, req.AckIds, (*queue.Queue).Ack)
	return &emptypb.Empty{}, failure(failed, err)
}

// ModifyAckDeadline moves the end of leases to that many seconds from now; 0 gives messages back.
func (s *Service) ModifyAckDeadline(_ context.Context, req *pubsubpb.ModifyAckDeadlineRequest) (*emptypb.Empty, error) {
	if n := req.AckDeadlineSeconds; n < 0 || n > maxAckDeadline {
		return nil, invalid("Invalid ack deadline given (ack_deadline_seconds=%d): it must be between 0 and %d.", n, maxAckDeadline)
	}
	failed, err := s.settle(req.Subscription, req.AckIds, modify(req.AckDeadlineSeconds))
	return &emptypb.Empty{}, failure(failed, err)
}

// action acknowledges one ack id or moves its deadline.
type action func(q *queue.Queue, now time.Time, ackID string) error

func modify(seconds int32) action {
	return func(q *queue.Queue, now time.Time, ackID string) error {
		return q.Modify(now, ackID, time.Duration(seconds)*time.Second)
	}
}

// settle acts on every ack id. With exactly-once delivery, failed are those
// that are not valid any more; otherwise a malformed one is an error.
func (s *Service) settle(subscription string, ackIDs []string, do action) (failed []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub, err := s.sub(subscription)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	defer s.changed(sub, now)
	for _, id := range ackIDs {
		err := do(sub.queue, now, id)
		switch {
		case err == nil:
		case sub.pb.EnableExactlyOnceDelivery:
			failed = append(failed, id)
		case errors.Is(err, queue.ErrMalformed):
			return nil, invalid("You have passed an invalid ack ID to the service (ack_id=%s).", id)
		}
	}
	return failed, nil
}

// failure is the error by which Google tells, ack id by ack id, which ones are
// not valid any more.
func failure(ackIDs []string, err error) error {
	if err != nil || len(ackIDs) == 0 {
		return err
	}
	reasons := map[string]string{}
	for _, id := range ackIDs {
		reasons[id] = "PERMANENT_FAILURE_INVALID_ACK_ID"
	}
	st, err := status.New(codes.InvalidArgument, "Some acknowledgement ids in the request were invalid. "+
		"This could be because the acknowledgement ids have expired or the acknowledgement ids were malformed.").
		WithDetails(&errdetails.ErrorInfo{Reason: "EXACTLY_ONCE_ACKID_FAILURE", Domain: "pubsub.googleapis.com", Metadata: reasons})
	if err != nil {
		return status.Errorf(codes.Internal, "describing expired ack ids: %v", err)
	}
	return st.Err()
}
