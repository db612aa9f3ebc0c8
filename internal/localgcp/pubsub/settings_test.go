package pubsub_test

import (
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"example.com/keyturn/internal/localgcp/pubsub"
)

func TestSettingsThatAreRefused(t *testing.T) {
	w := start(t, pubsub.Config{})
	w.topic(topicT)
	for _, tc := range []struct {
		name   string
		change func(*pubsubpb.Subscription)
		code   codes.Code
		text   string
	}{
		{"name", func(s *pubsubpb.Subscription) { s.Name = "sss" }, codes.InvalidArgument, "Invalid resource name given (name=sss)"},
		{"topic", func(s *pubsubpb.Subscription) { s.Topic = "ttt" }, codes.NotFound, "Resource not found (resource=ttt)."},
		{"deadline", func(s *pubsubpb.Subscription) { s.AckDeadlineSeconds = 9 }, codes.InvalidArgument, "between 10 and 600"},
		{"deadline", func(s *pubsubpb.Subscription) { s.AckDeadlineSeconds = 601 }, codes.InvalidArgument, "between 10 and 600"},
		{"filter", func(s *pubsubpb.Subscription) { s.Filter = "nonsense >" }, codes.InvalidArgument, `(filter=nonsense >): column 10: ">"`},
		{"filter", func(s *pubsubpb.Subscription) { s.Filter = strings.Repeat("x", 257) }, codes.InvalidArgument, "at most 256"},
		{"endpoint", func(s *pubsubpb.Subscription) { pushTo("ftp://h")(s) }, codes.InvalidArgument, "Invalid push endpoint given (endpoint=ftp://h)"},
		{"endpoint", func(s *pubsubpb.Subscription) { pushTo("http://")(s) }, codes.InvalidArgument, "Invalid push endpoint given"},
		{"retry", func(s *pubsubpb.Subscription) { s.RetryPolicy = backoff(2, 1) }, codes.InvalidArgument, "Invalid retry policy"},
		{"retry", func(s *pubsubpb.Subscription) { s.RetryPolicy = backoff(1, 601) }, codes.InvalidArgument, "Invalid retry policy"},
		{"retry", func(s *pubsubpb.Subscription) { s.RetryPolicy = backoff(-1, 1) }, codes.InvalidArgument, "Invalid retry policy"},
		{"attempts", func(s *pubsubpb.Subscription) { s.DeadLetterPolicy = deadLetter(4) }, codes.InvalidArgument, "between 5 and 100"},
		{"attempts", func(s *pubsubpb.Subscription) { s.DeadLetterPolicy = deadLetter(101) }, codes.InvalidArgument, "between 5 and 100"},
		{"dead-letter topic", func(s *pubsubpb.Subscription) { s.DeadLetterPolicy = deadLetter(5) }, codes.NotFound, "(resource=dead)"},
		{"export", func(s *pubsubpb.Subscription) { s.BigqueryConfig = &pubsubpb.BigQueryConfig{} }, codes.Unimplemented, "pull or push"},
	} {
		sub := &pubsubpb.Subscription{Name: subS, Topic: topicT}
		tc.change(sub)
		_, err := w.sub.CreateSubscription(w.ctx, sub)
		w.code(tc.name, err, tc.code, tc.text)
	}
}

func backoff(least, most int) *pubsubpb.RetryPolicy {
	return &pubsubpb.RetryPolicy{MinimumBackoff: seconds(least), MaximumBackoff: seconds(most)}
}

func seconds(n int) *durationpb.Duration { return durationpb.New(time.Duration(n) * time.Second) }

func deadLetter(attempts int32) *pubsubpb.DeadLetterPolicy {
	return &pubsubpb.DeadLetterPolicy{DeadLetterTopic: "projects/local/topics/dead", MaxDeliveryAttempts: attempts}
}

func TestDefaults(t *testing.T) {
	w := start(t, pubsub.Config{})
	w.topic("projects/local/topics/dead")
	got := w.subscribe(func(s *pubsubpb.Subscription) {
		s.RetryPolicy, s.DeadLetterPolicy = &pubsubpb.RetryPolicy{}, deadLetter(0)
	})
	want := &pubsubpb.Subscription{
		Name: subS, Topic: topicT, AckDeadlineSeconds: 10, State: pubsubpb.Subscription_ACTIVE, PushConfig: &pubsubpb.PushConfig{},
		MessageRetentionDuration: seconds(7 * 24 * 3600), ExpirationPolicy: &pubsubpb.ExpirationPolicy{Ttl: seconds(31 * 24 * 3600)},
		RetryPolicy: backoff(10, 600), DeadLetterPolicy: deadLetter(5),
	}
	if d := cmp.Diff(want, got, protocmp.Transform()); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestUpdateSubscription(t *testing.T) {
	w := start(t, pubsub.Config{})
	w.subscribe(func(s *pubsubpb.Subscription) { s.Labels, s.RetryPolicy = map[string]string{"a": "b"}, backoff(1, 2) })
	change := func(to *pubsubpb.Subscription, mask ...string) (*pubsubpb.Subscription, error) {
		to.Name = subS
		return w.sub.UpdateSubscription(w.ctx, &pubsubpb.UpdateSubscriptionRequest{Subscription: to, UpdateMask: &fieldmaskpb.FieldMask{Paths: mask}})
	}
	got, err := change(&pubsubpb.Subscription{RetryPolicy: backoff(9, 5)}, "labels", "retry_policy.maximum_backoff")
	if err != nil || len(got.Labels) != 0 || got.RetryPolicy.MinimumBackoff.Seconds != 1 || got.RetryPolicy.MaximumBackoff.Seconds != 5 {
		t.Errorf("only what the mask names changes, and is cleared where it is empty: %v, %v", got, err)
	}
	for what, mask := range map[string][]string{
		"must contain a non-empty paths list":                         nil,
		"'pushConfig' is not a known field. Note that field paths":    {"pushConfig"},
		"'topic' is not mutable.":                                     {"topic"},
		"'filter' is not mutable.":                                    {"filter"},
		"'retry_policy.nope' is not a known field.":                   {"retry_policy.nope"},
		"'labels.a' is not a known field.":                            {"labels.a"},
		"Invalid ack deadline given (ack_deadline_seconds=1)":         {"ack_deadline_seconds"},
		"'enable_message_ordering' is not mutable.":                   {"enable_message_ordering"},
		"'ack_deadline_seconds.x' is not a known field.":              {"ack_deadline_seconds.x"},
		"in the UpdateSubscriptionRequest: 'detached' is not mutable": {"detached"},
	} {
		_, err := change(&pubsubpb.Subscription{AckDeadlineSeconds: 1}, mask...)
		w.code(what, err, codes.InvalidArgument, what)
	}
	_, err = change(&pubsubpb.Subscription{DeadLetterPolicy: deadLetter(5)}, "dead_letter_policy")
	w.code("no dead-letter topic", err, codes.NotFound, "(resource=dead)")
	_, err = w.sub.ModifyPushConfig(w.ctx, &pubsubpb.ModifyPushConfigRequest{Subscription: subS, PushConfig: &pubsubpb.PushConfig{PushEndpoint: "x"}})
	w.code("push config", err, codes.InvalidArgument, "Invalid push endpoint")
	_, err = w.pub.UpdateTopic(w.ctx, &pubsubpb.UpdateTopicRequest{Topic: &pubsubpb.Topic{Name: topicT}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"name"}}})
	w.code("topic", err, codes.InvalidArgument, "in the UpdateTopicRequest: 'name' is not mutable.")
}

// TestNotFound calls every method with a name that does not exist.
func TestNotFound(t *testing.T) {
	w := start(t, pubsub.Config{})
	const no, text = "projects/local/x/no", "Resource not found (resource=no)."
	for name, call := range map[string]func() error{
		"GetTopic": func() error { _, err := w.pub.GetTopic(w.ctx, &pubsubpb.GetTopicRequest{Topic: no}); return err },
		"UpdateTopic": func() error {
			_, err := w.pub.UpdateTopic(w.ctx, &pubsubpb.UpdateTopicRequest{Topic: &pubsubpb.Topic{Name: no}})
			return err
		},
		"DeleteTopic": func() error { _, err := w.pub.DeleteTopic(w.ctx, &pubsubpb.DeleteTopicRequest{Topic: no}); return err },
		"ListTopicSubs": func() error {
			_, err := w.pub.ListTopicSubscriptions(w.ctx, &pubsubpb.ListTopicSubscriptionsRequest{Topic: no})
			return err
		},
		"ListTopicSnapshots": func() error {
			_, err := w.pub.ListTopicSnapshots(w.ctx, &pubsubpb.ListTopicSnapshotsRequest{Topic: no})
			return err
		},
		"DetachSubscription": func() error {
			_, err := w.pub.DetachSubscription(w.ctx, &pubsubpb.DetachSubscriptionRequest{Subscription: no})
			return err
		},
		"GetSubscription": func() error {
			_, err := w.sub.GetSubscription(w.ctx, &pubsubpb.GetSubscriptionRequest{Subscription: no})
			return err
		},
		"DeleteSubscription": func() error {
			_, err := w.sub.DeleteSubscription(w.ctx, &pubsubpb.DeleteSubscriptionRequest{Subscription: no})
			return err
		},
		"UpdateSubscription": func() error {
			_, err := w.sub.UpdateSubscription(w.ctx, &pubsubpb.UpdateSubscriptionRequest{Subscription: &pubsubpb.Subscription{Name: no}})
			return err
		},
		"ModifyPushConfig": func() error {
			_, err := w.sub.ModifyPushConfig(w.ctx, &pubsubpb.ModifyPushConfigRequest{Subscription: no})
			return err
		},
		"Acknowledge": func() error {
			_, err := w.sub.Acknowledge(w.ctx, &pubsubpb.AcknowledgeRequest{Subscription: no})
			return err
		},
		"ModifyAckDeadline": func() error {
			_, err := w.sub.ModifyAckDeadline(w.ctx, &pubsubpb.ModifyAckDeadlineRequest{Subscription: no})
			return err
		},
		"GetSnapshot": func() error {
			_, err := w.sub.GetSnapshot(w.ctx, &pubsubpb.GetSnapshotRequest{Snapshot: no})
			return err
		},
		"UpdateSnapshot": func() error {
			_, err := w.sub.UpdateSnapshot(w.ctx, &pubsubpb.UpdateSnapshotRequest{Snapshot: &pubsubpb.Snapshot{Name: no}})
			return err
		},
		"DeleteSnapshot": func() error {
			_, err := w.sub.DeleteSnapshot(w.ctx, &pubsubpb.DeleteSnapshotRequest{Snapshot: no})
			return err
		},
	} {
		w.code(name, call(), codes.NotFound, text)
	}
	_, err := w.sub.Seek(w.ctx, &pubsubpb.SeekRequest{Subscription: subS})
	w.code("Seek", err, codes.Unimplemented, "cannot seek")
	_, err = w.sub.CreateSnapshot(w.ctx, &pubsubpb.CreateSnapshotRequest{Name: "projects/local/snapshots/sss"})
	w.code("CreateSnapshot", err, codes.Unimplemented, "cannot seek")
}
