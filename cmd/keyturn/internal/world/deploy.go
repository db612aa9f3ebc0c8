package world

import (
	"cmp"
	"fmt"
	"time"

	"cloud.google.com/go/functions/apiv2/functionspb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	pubsublocal "example.com/keyturn/internal/localgcp/pubsub"
	"example.com/keyturn/shared/deployment"
	"example.com/keyturn/shared/event"
	"google.golang.org/protobuf/types/known/durationpb"
)

// deploy makes a function known to the cloud, and what starts it.
func (w *World) deploy(f deployment.Function, c Config) error {
	address := w.FunctionsURL + "/" + f.Entry
	deployed := &functionspb.Function{
		Name:   w.site().Function(f.Name),
		Labels: map[string]string{"deployment-tool": "cli-gcloud"},
		BuildConfig: &functionspb.BuildConfig{
			EntryPoint: f.Entry, Runtime: "go126",
		},
		ServiceConfig: &functionspb.ServiceConfig{
			Service: w.site().Service(f.Name), Uri: address, Revision: f.Name + "-00001-abc",
			ServiceAccountEmail: w.site().Email(f.Account), TimeoutSeconds: int32(f.TimeLimit() / time.Second),
			EnvironmentVariables:       c.variables(w.Cloud.Addr()),
			IngressSettings:            functionspb.ServiceConfig_ALLOW_ALL,
			AllTrafficOnLatestRevision: true, MaxInstanceRequestConcurrency: 1,
		},
	}
	if f.Topic != "" {
		deployed.EventTrigger = &functionspb.EventTrigger{
			Trigger: w.site().Resource() + "/locations/" + w.site().Region + "/triggers/" + f.Name, TriggerRegion: w.site().Region,
			EventType: "google.cloud.pubsub.topic.v1.messagePublished", PubsubTopic: w.site().Topic(f.Topic),
			ServiceAccountEmail: w.site().Email(deployment.Trigger), RetryPolicy: functionspb.EventTrigger_RETRY_POLICY_RETRY,
		}
		if err := w.trigger(f, address, c); err != nil {
			return err
		}
	}
	w.Cloud.Functions.Put(deployed)
	return nil
}

// retry is how soon an event comes again.
func (c Config) retry() *pubsubpb.RetryPolicy {
	if c.Retry != nil {
		return c.Retry
	}
	return &pubsubpb.RetryPolicy{MinimumBackoff: durationpb.New(100 * time.Millisecond), MaximumBackoff: durationpb.New(time.Minute)}
}

// trigger has the messages of a topic start a function.
func (w *World) trigger(f deployment.Function, address string, c Config) error {
	_, err := w.Cloud.PubSub.TriggerFunction(pubsublocal.Trigger{
		Topic: w.site().Topic(f.Topic), URL: address, ServiceAccount: w.site().Email(deployment.Trigger), AckDeadline: deployment.AckDeadline, Retry: c.retry(),
		DeadLetter: &pubsubpb.DeadLetterPolicy{DeadLetterTopic: w.site().Topic(event.TopicDead), MaxDeliveryAttempts: cmp.Or(c.Attempts, deployment.Attempts)},
	})
	if err != nil {
		return fmt.Errorf("connecting topic %s to function %s: %w", f.Topic, f.Name, err)
	}
	return nil
}
