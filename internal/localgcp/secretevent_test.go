package localgcp

import (
	"strings"
	"testing"
	"time"

	logging "cloud.google.com/go/logging/apiv2"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	pubsub "cloud.google.com/go/pubsub/v2/apiv1"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// secretEvents selects what Secret Manager tells of notifications that were lost.
const secretEvents = `log_id("secretmanager.googleapis.com/secret_event") AND jsonPayload.type=~"^TOPIC_"`

// rotating makes a secret that is due every day.
func (w *world) rotating(topic string) *secretmanagerpb.Secret {
	w.Helper()
	s, err := open(w, secretmanager.NewClient, w.overGRPC()).CreateSecret(w.Context(), &secretmanagerpb.CreateSecretRequest{Parent: project, SecretId: "s", Secret: &secretmanagerpb.Secret{
		Replication: &secretmanagerpb.Replication{Replication: &secretmanagerpb.Replication_Automatic_{Automatic: &secretmanagerpb.Replication_Automatic{}}},
		Topics:      []*secretmanagerpb.Topic{{Name: topic}},
		Rotation:    &secretmanagerpb.Rotation{NextRotationTime: timestamppb.New(t0.Add(24 * time.Hour)), RotationPeriod: durationpb.New(24 * time.Hour)},
	}})
	w.must(err)
	return s
}

// exporting makes a sink of secret events and returns a subscription to it.
func (w *world) exporting() (pull func() string) {
	w.Helper()
	topic := w.topic("events")
	subscriber := open(w, pubsub.NewSubscriptionAdminClient, w.overGRPC())
	sub, err := subscriber.CreateSubscription(w.Context(), &pubsubpb.Subscription{Name: project + "/subscriptions/events", Topic: topic})
	w.must(err)
	_, err = open(w, logging.NewConfigClient, w.overGRPC()).CreateSink(w.Context(), &loggingpb.CreateSinkRequest{
		Parent: project, Sink: &loggingpb.LogSink{Name: "events", Destination: "pubsub.googleapis.com/" + topic, Filter: secretEvents},
	})
	w.must(err)
	return func() string {
		w.Helper()
		got, err := subscriber.Pull(w.Context(), &pubsubpb.PullRequest{Subscription: sub.GetName(), MaxMessages: 10})
		w.must(err)
		if len(got.GetReceivedMessages()) != 1 {
			w.Fatalf("exported %v", got.GetReceivedMessages())
		}
		return string(got.GetReceivedMessages()[0].GetMessage().GetData())
	}
}

func TestLostRotationNoticesCanBeReadAndExported(t *testing.T) {
	for want, lose := range map[string]func(w *world, topic string){
		"TOPIC_NOT_FOUND": func(w *world, topic string) {
			w.must(open(w, pubsub.NewTopicAdminClient, w.overGRPC()).DeleteTopic(w.Context(), &pubsubpb.DeleteTopicRequest{Topic: topic}))
		},
		"TOPIC_PERMISSION_DENIED": func(w *world, topic string) { w.cloud.PubSub.Forbid(topic, true) },
	} {
		t.Run(want, func(t *testing.T) {
			w := start(t)
			topic := w.topic("rotate")
			secret, exported := w.rotating(topic), w.exporting()
			lose(w, topic)
			w.clock.Advance(24 * time.Hour)
			var read []*loggingpb.LogEntry
			for e, err := range open(w, logging.NewClient, w.overGRPC()).ListLogEntries(t.Context(), &loggingpb.ListLogEntriesRequest{ResourceNames: []string{project}, Filter: secretEvents}).All() {
				w.must(err)
				read = append(read, e)
			}
			if len(read) != 1 || read[0].GetJsonPayload().GetFields()["type"].GetStringValue() != want || read[0].GetJsonPayload().GetFields()["name"].GetStringValue() != secret.GetName() {
				t.Fatalf("read %v", read)
			}
			if data := exported(); !strings.Contains(data, want) || !strings.Contains(data, read[0].GetInsertId()) {
				t.Errorf("exported %s", data)
			}
			now, err := open(w, secretmanager.NewClient, w.overGRPC()).GetSecret(t.Context(), &secretmanagerpb.GetSecretRequest{Name: secret.GetName()})
			w.must(err)
			if next := now.GetRotation().GetNextRotationTime().AsTime(); !next.Equal(t0.Add(48 * time.Hour)) {
				t.Errorf("next rotation at %v", next)
			}
		})
	}
}
