package pubsub

import (
	"errors"
	"io"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"example.com/keyturn/internal/localgcp/pubsub/queue"
)

// stream is one StreamingPull after its first request.
type stream struct {
	pubsubpb.Subscriber_StreamingPullServer
	s            *Service
	subscription string
	deadline     time.Duration
	holder       *queue.Holder
	keepalive    bool // the client wants an answer to empty requests
}

// StreamingPull leases messages as they come, within the bounds that the first
// request sets, and takes acknowledgements and deadline changes. What a stream
// held when it breaks comes back when its leases end.
func (s *Service) StreamingPull(server pubsubpb.Subscriber_StreamingPullServer) error {
	first, err := server.Recv()
	if err != nil {
		return err
	}
	st := &stream{
		Subscriber_StreamingPullServer: server, s: s, subscription: first.Subscription, keepalive: first.ProtocolVersion > 0,
		holder: &queue.Holder{MaxMessages: int(first.MaxOutstandingMessages), MaxBytes: int(first.MaxOutstandingBytes)},
	}
	if first.StreamAckDeadlineSeconds == 0 {
		return invalid("The stream_ack_deadline_seconds must be set in the first request of a stream.")
	}
	if err := st.handle(first); err != nil {
		return err
	}
	return st.serve()
}

// serve sends messages and handles requests until the client is done.
func (st *stream) serve() error {
	requests, ended := st.receive()
	for {
		wake, err := st.send()
		if err != nil {
			return err
		}
		select {
		case <-wake:
		case r := <-requests:
			if err := st.handle(r); err != nil {
				return err
			}
		case err := <-ended:
			return err
		case <-st.s.ctx.Done():
			return errClosed
		}
	}
}

// receive reads requests until the stream ends, for which it gives the reason.
func (st *stream) receive() (<-chan *pubsubpb.StreamingPullRequest, <-chan error) {
	requests, ended := make(chan *pubsubpb.StreamingPullRequest), make(chan error, 1)
	go func() {
		for {
			r, err := st.Recv()
			if errors.Is(err, io.EOF) {
				err = nil
			}
			if r == nil {
				ended <- err
				return
			}
			select {
			case requests <- r:
			case <-st.Context().Done():
				return
			}
		}
	}()
	return requests, ended
}

// send sends one batch, if there is one. wake is closed when another look is worth it.
func (st *stream) send() (wake <-chan struct{}, err error) {
	messages, wake, err := st.s.take(st.subscription, st.holder, st.deadline, maxBatch)
	if err != nil || messages == nil {
		return wake, err
	}
	return alreadyAwake, st.Send(st.response(messages))
}

var alreadyAwake = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

func (st *stream) response(messages []*pubsubpb.ReceivedMessage) *pubsubpb.StreamingPullResponse {
	return &pubsubpb.StreamingPullResponse{ReceivedMessages: messages, SubscriptionProperties: st.s.properties(st.subscription)}
}

// properties are what a stream tells of its subscription; nil when that is gone.
func (s *Service) properties(subscription string) *pubsubpb.StreamingPullResponse_SubscriptionProperties {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := s.subs[subscription]
	if sub == nil {
		return nil
	}
	return &pubsubpb.StreamingPullResponse_SubscriptionProperties{
		ExactlyOnceDeliveryEnabled: sub.pb.EnableExactlyOnceDelivery,
		MessageOrderingEnabled:     sub.pb.EnableMessageOrdering,
	}
}

// handle does what a request says and, with exactly-once delivery, confirms it.
func (st *stream) handle(r *pubsubpb.StreamingPullRequest) error {
	if n := r.StreamAckDeadlineSeconds; n != 0 {
		if n < defaultAckDeadline || n > maxAckDeadline {
			return invalid("Invalid stream ack deadline given (stream_ack_deadline_seconds=%d): it must be between %d and %d.", n, defaultAckDeadline, maxAckDeadline)
		}
		st.deadline = time.Duration(n) * time.Second
	}
	if len(r.ModifyDeadlineAckIds) != len(r.ModifyDeadlineSeconds) {
		return invalid("A stream request names %d ack ids to modify, but %d deadlines.", len(r.ModifyDeadlineAckIds), len(r.ModifyDeadlineSeconds))
	}
	resp := st.response(nil)
	if err := st.acknowledge(r, resp); err != nil {
		return err
	}
	if err := st.modify(r, resp); err != nil {
		return err
	}
	empty := len(r.AckIds)+len(r.ModifyDeadlineAckIds) == 0 && r.Subscription == ""
	if resp.AcknowledgeConfirmation != nil || resp.ModifyAckDeadlineConfirmation != nil || empty && st.keepalive {
		return st.Send(resp)
	}
	return nil
}

func (st *stream) acknowledge(r *pubsubpb.StreamingPullRequest, resp *pubsubpb.StreamingPullResponse) error {
	if len(r.AckIds) == 0 {
		return nil
	}
	failed, err := st.s.settle(st.subscription, r.AckIds, (*queue.Queue).Ack)
	if resp.SubscriptionProperties.GetExactlyOnceDeliveryEnabled() {
		resp.AcknowledgeConfirmation = &pubsubpb.StreamingPullResponse_AcknowledgeConfirmation{
			AckIds: without(r.AckIds, failed), InvalidAckIds: failed,
		}
	}
	return err
}

func (st *stream) modify(r *pubsubpb.StreamingPullRequest, resp *pubsubpb.StreamingPullResponse) error {
	var failed []string
	for i, id := range r.ModifyDeadlineAckIds {
		bad, err := st.s.settle(st.subscription, []string{id}, modify(r.ModifyDeadlineSeconds[i]))
		if err != nil {
			return err
		}
		failed = append(failed, bad...)
	}
	if len(r.ModifyDeadlineAckIds) > 0 && resp.SubscriptionProperties.GetExactlyOnceDeliveryEnabled() {
		resp.ModifyAckDeadlineConfirmation = &pubsubpb.StreamingPullResponse_ModifyAckDeadlineConfirmation{
			AckIds: without(r.ModifyDeadlineAckIds, failed), InvalidAckIds: failed,
		}
	}
	return nil
}

// without returns the ids that are not among the failed.
func without(ids, failed []string) (ok []string) {
	bad := map[string]bool{}
	for _, id := range failed {
		bad[id] = true
	}
	for _, id := range ids {
		if !bad[id] {
			ok = append(ok, id)
		}
	}
	return ok
}
