package gcp

import (
	"context"
	"fmt"
	"slices"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"example.com/keyturn/shared/event"
)

// maxBatch is how many messages Pub/Sub takes at once.
const maxBatch = 1000

// Publish publishes messages and returns once Pub/Sub has them all: nothing is
// left for later, because a function may be frozen as soon as it has answered.
// Messages of topics that Config.Seals names are sealed. Messages for one topic go together. After an error some may be published.
func (c *Cloud) Publish(ctx context.Context, out ...event.Outgoing) error {
	client, err := c.topics(ctx)
	if err != nil {
		return err
	}
	byTopic := map[string][]*pubsubpb.PubsubMessage{}
	for _, o := range out {
		o, err := c.seal(ctx, o)
		if err != nil {
			return err
		}
		byTopic[o.Topic] = append(byTopic[o.Topic], &pubsubpb.PubsubMessage{Data: o.Data, Attributes: o.Attributes})
	}
	for topic, messages := range byTopic {
		for batch := range slices.Chunk(messages, maxBatch) {
			_, err := client.Publish(ctx, &pubsubpb.PublishRequest{Topic: "projects/" + c.config.Project + "/topics/" + topic, Messages: batch})
			if err != nil {
				return fmt.Errorf("publishing to topic %s: %w", topic, err)
			}
		}
	}
	return nil
}
