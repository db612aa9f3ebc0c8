package pubsub_test

import (
	"context"
	"io"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/pubsub"
)

func TestPullWaits(t *testing.T) {
	w := start(t, pubsub.Config{PullWait: 50 * time.Millisecond})
	w.subscribe(nil)
	began := time.Now()
	resp, err := w.sub.Pull(w.ctx, &pubsubpb.PullRequest{Subscription: subS, MaxMessages: 1})
	if err != nil || len(resp.ReceivedMessages) != 0 || time.Since(began) < 50*time.Millisecond {
		t.Errorf("after %v: %v, %v", time.Since(began), resp, err)
	}
	short, cancel := context.WithTimeout(w.ctx, 10*time.Millisecond)
	defer cancel()
	_, err = w.Pull(short, &pubsubpb.PullRequest{Subscription: subS, MaxMessages: 1})
	w.code("a client that gave up", err, codes.DeadlineExceeded, "")
}

func TestPullIsWokenByAMessage(t *testing.T) {
	w := start(t, pubsub.Config{PullWait: time.Hour})
	w.subscribe(nil)
	got := make(chan error, 1)
	go func() {
		_, err := w.sub.Pull(w.ctx, &pubsubpb.PullRequest{Subscription: subS, MaxMessages: 1})
		got <- err
	}()
	w.until("the pull", func() bool { return goroutines("pubsub.(*Service).Pull") == 1 })
	w.publish("x")
	if err := <-got; err != nil {
		t.Error(err)
	}
}

func TestPullsThatAreRefused(t *testing.T) {
	w := start(t, pubsub.Config{})
	w.subscribe(pushTo("http://127.0.0.1:9/"))
	_, err := w.sub.Pull(w.ctx, &pubsubpb.PullRequest{Subscription: subS})
	w.code("no messages", err, codes.InvalidArgument, "max_messages is too small")
	_, err = w.sub.Pull(w.ctx, &pubsubpb.PullRequest{Subscription: subS, MaxMessages: 1})
	w.code("a push subscription", err, codes.FailedPrecondition, "not supported for this subscription type")
	_, err = w.sub.Acknowledge(w.ctx, &pubsubpb.AcknowledgeRequest{Subscription: subS, AckIds: []string{"x"}})
	w.code("malformed ack id", err, codes.InvalidArgument, "invalid ack ID to the service (ack_id=x)")
	for _, n := range []int32{-1, 601} {
		_, err = w.sub.ModifyAckDeadline(w.ctx, &pubsubpb.ModifyAckDeadlineRequest{Subscription: subS, AckDeadlineSeconds: n})
		w.code("deadline", err, codes.InvalidArgument, "between 0 and 600")
	}
}

func exactlyOnce(s *pubsubpb.Subscription) { s.EnableExactlyOnceDelivery = true }

func TestExactlyOnceTellsWhichAckIDsAreInvalid(t *testing.T) {
	w := start(t, pubsub.Config{})
	w.subscribe(exactlyOnce)
	w.publish("x")
	good := w.pull().AckId
	_, err := w.sub.Acknowledge(w.ctx, &pubsubpb.AcknowledgeRequest{Subscription: subS, AckIds: []string{"malformed", good, "7:7"}})
	w.code("acknowledging", err, codes.InvalidArgument, "Some acknowledgement ids in the request were invalid.")
	info, _ := status.Convert(err).Details()[0].(*errdetails.ErrorInfo)
	const invalid = "PERMANENT_FAILURE_INVALID_ACK_ID"
	if m := info.GetMetadata(); len(m) != 2 || m["malformed"] != invalid || m["7:7"] != invalid || info.Reason != "EXACTLY_ONCE_ACKID_FAILURE" {
		t.Errorf("details: %v", info)
	}
	if n := w.Outstanding("")[subS]; n != 0 {
		t.Errorf("%d messages left: the valid id was not acknowledged", n)
	}
}

func (w *world) stream(first *pubsubpb.StreamingPullRequest) pubsubpb.Subscriber_StreamingPullClient {
	w.Helper()
	st, err := w.sub.StreamingPull(w.ctx)
	if err != nil {
		w.Fatal(err)
	}
	if err := st.Send(first); err != nil {
		w.Fatal(err)
	}
	return st
}

// answer sends a request on a stream and returns the next response.
func (w *world) answer(st pubsubpb.Subscriber_StreamingPullClient, r *pubsubpb.StreamingPullRequest) *pubsubpb.StreamingPullResponse {
	w.Helper()
	if err := st.Send(r); err != nil {
		w.Fatal(err)
	}
	resp, err := st.Recv()
	if err != nil {
		w.Fatal(err)
	}
	return resp
}

func TestStreamConfirmsWithExactlyOnceDelivery(t *testing.T) {
	w := start(t, pubsub.Config{})
	w.subscribe(exactlyOnce)
	st := w.stream(&pubsubpb.StreamingPullRequest{Subscription: subS, StreamAckDeadlineSeconds: 10, ProtocolVersion: 1})
	w.publish("x")
	resp, err := st.Recv()
	if err != nil || !resp.SubscriptionProperties.ExactlyOnceDeliveryEnabled || resp.SubscriptionProperties.MessageOrderingEnabled {
		t.Fatalf("%v, %v", resp, err)
	}
	id := resp.ReceivedMessages[0].AckId
	extended := w.answer(st, &pubsubpb.StreamingPullRequest{ModifyDeadlineAckIds: []string{id, "7:7"}, ModifyDeadlineSeconds: []int32{60, 60}}).ModifyAckDeadlineConfirmation
	if len(extended.AckIds) != 1 || extended.AckIds[0] != id || len(extended.InvalidAckIds) != 1 {
		t.Errorf("extended: %v", extended)
	}
	acked := w.answer(st, &pubsubpb.StreamingPullRequest{AckIds: []string{"7:7", id}}).AcknowledgeConfirmation
	if len(acked.AckIds) != 1 || acked.AckIds[0] != id || len(acked.InvalidAckIds) != 1 {
		t.Errorf("acknowledged: %v", acked)
	}
	if resp := w.answer(st, &pubsubpb.StreamingPullRequest{}); len(resp.ReceivedMessages) != 0 {
		t.Errorf("a sign of life was answered with %v", resp)
	}
	if err := st.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Recv(); err != io.EOF {
		t.Errorf("after CloseSend: %v", err)
	}
}

func TestStreamsThatAreRefused(t *testing.T) {
	w := start(t, pubsub.Config{})
	w.subscribe(nil)
	first := func() *pubsubpb.StreamingPullRequest {
		return &pubsubpb.StreamingPullRequest{Subscription: subS, StreamAckDeadlineSeconds: 10}
	}
	for _, tc := range []struct {
		change func(*pubsubpb.StreamingPullRequest)
		code   codes.Code
		text   string
	}{
		{func(r *pubsubpb.StreamingPullRequest) { r.Subscription = "no" }, codes.NotFound, "(resource=no)"},
		{func(r *pubsubpb.StreamingPullRequest) { r.StreamAckDeadlineSeconds = 0 }, codes.InvalidArgument, "must be set"},
		{func(r *pubsubpb.StreamingPullRequest) { r.StreamAckDeadlineSeconds = 9 }, codes.InvalidArgument, "between 10 and 600"},
		{func(r *pubsubpb.StreamingPullRequest) { r.StreamAckDeadlineSeconds = 601 }, codes.InvalidArgument, "between 10 and 600"},
		{func(r *pubsubpb.StreamingPullRequest) { r.ModifyDeadlineAckIds = []string{"1:1"} }, codes.InvalidArgument, "1 ack ids to modify, but 0 deadlines"},
		{func(r *pubsubpb.StreamingPullRequest) { r.AckIds = []string{"x"} }, codes.InvalidArgument, "invalid ack ID"},
		{func(r *pubsubpb.StreamingPullRequest) {
			r.ModifyDeadlineAckIds, r.ModifyDeadlineSeconds = []string{"x"}, []int32{1}
		}, codes.InvalidArgument, "invalid ack ID"},
	} {
		r := first()
		tc.change(r)
		_, err := w.stream(r).Recv()
		w.code(r.String(), err, tc.code, tc.text)

		if r.Subscription == subS && r.StreamAckDeadlineSeconds != 0 { // the same in a later request
			st := w.stream(first())
			r.Subscription = ""
			if err := st.Send(r); err != nil {
				t.Fatal(err)
			}
			_, err := st.Recv()
			w.code("later: "+r.String(), err, tc.code, tc.text)
		}
	}
	st, err := w.sub.StreamingPull(w.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Recv(); err == nil {
		t.Error("a stream without a request went on")
	}
}
