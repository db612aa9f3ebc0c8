package gcp

import (
	"context"
	"fmt"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"example.com/keyturn/shared/event"
)

// Publish publishes one message and returns once Pub/Sub has it: nothing is
// batched, because a function may be frozen as soon as it has answered.
func (c *Cloud) Publish(ctx context.Context, out event.Outgoing) error {
	client, err := c.topics(ctx)
	if err != nil {
		return err
	}
	_, err = client.Publish(ctx, &pubsubpb.PublishRequest{
		Topic:    "projects/" + c.config.Project + "/topics/" + out.Topic,
		Messages: []*pubsubpb.PubsubMessage{{Data: out.Data, Attributes: out.Attributes}},
	})
	if err != nil {
		return fmt.Errorf("publishing to topic %s: %w", out.Topic, err)
	}
	return nil
}
