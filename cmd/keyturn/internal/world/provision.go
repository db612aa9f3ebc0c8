package world

import (
	"context"
	"fmt"

	logging "cloud.google.com/go/logging/apiv2"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	pubsub "cloud.google.com/go/pubsub/v2/apiv1"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	keyturn "example.com/keyturn"
	"example.com/keyturn/internal/granted"
	"example.com/keyturn/internal/schedule"
	"example.com/keyturn/shared/deployment"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/gcp/jobs"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Options dials the world's Google Cloud with any of Google's gRPC clients.
func (w *World) Options() []option.ClientOption {
	return []option.ClientOption{
		option.WithEndpoint(w.Cloud.Addr()),
		option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
	}
}

// Topic is a topic's full name.
func (w *World) Topic(id string) string { return w.site().Topic(id) }

// provision makes what a deployment would: topics, triggers, log sink, jobs.
func (w *World) provision(ctx context.Context, c Config) error {
	if err := w.makeTopics(ctx); err != nil {
		return err
	}
	if err := w.makeSeals(ctx); err != nil {
		return err
	}
	if err := granted.Accounts(w.Cloud, w.site()); err != nil {
		return err
	}
	for _, f := range deployment.Functions {
		if err := w.deploy(f, c); err != nil {
			return err
		}
	}
	if err := w.makeSink(ctx); err != nil {
		return err
	}
	if err := w.grant(ctx); err != nil {
		return err
	}
	return w.makeJobs(ctx)
}

func (w *World) makeTopics(ctx context.Context) error {
	client, err := pubsub.NewTopicAdminClient(ctx, w.Options()...)
	if err != nil {
		return fmt.Errorf("connecting to Pub/Sub: %w", err)
	}
	defer client.Close()
	for _, id := range event.Topics {
		if _, err := client.CreateTopic(ctx, &pubsubpb.Topic{Name: w.Topic(id)}); err != nil {
			return fmt.Errorf("creating topic %s: %w", id, err)
		}
	}
	return w.keepDeadLetters(ctx)
}

// keepDeadLetters lets people look at what no function took.
func (w *World) keepDeadLetters(ctx context.Context) error {
	client, err := pubsub.NewSubscriptionAdminClient(ctx, w.Options()...)
	if err != nil {
		return fmt.Errorf("connecting to Pub/Sub: %w", err)
	}
	defer client.Close()
	_, err = client.CreateSubscription(ctx, &pubsubpb.Subscription{
		Name: w.site().Resource() + "/subscriptions/" + deployment.DeadLetters, Topic: w.Topic(event.TopicDead), ExpirationPolicy: &pubsubpb.ExpirationPolicy{},
	})
	if err != nil {
		return fmt.Errorf("keeping dead letters: %w", err)
	}
	return nil
}

// makeSink sends the audit entries that the detectors read to the audit function.
func (w *World) makeSink(ctx context.Context) error {
	client, err := logging.NewConfigClient(ctx, w.Options()...)
	if err != nil {
		return fmt.Errorf("connecting to Cloud Logging: %w", err)
	}
	defer client.Close()
	_, err = client.CreateSink(ctx, &loggingpb.CreateSinkRequest{
		Parent: w.site().Resource(), UniqueWriterIdentity: true,
		Sink: &loggingpb.LogSink{Name: event.TopicLogs, Destination: "pubsub.googleapis.com/" + w.Topic(event.TopicLogs), Filter: gcp.AuditFilter},
	})
	if err != nil {
		return fmt.Errorf("creating the log sink: %w", err)
	}
	return nil
}

// makeJobs applies scheduler.yaml.
func (w *World) makeJobs(ctx context.Context) error {
	wanted, err := schedule.Parse(keyturn.Schedule, map[string]string{"PROJECT_ID": w.Project, "REGION": Region})
	if err != nil {
		return err
	}
	client, err := jobs.New(ctx, w.Options()...)
	if err != nil {
		return err
	}
	defer client.Close()
	for _, job := range wanted {
		if err := client.Create(ctx, job); err != nil {
			return err
		}
	}
	return nil
}
