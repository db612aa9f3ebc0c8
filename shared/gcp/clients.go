package gcp

import (
	"context"
	"errors"
	"io"

	apikeys "cloud.google.com/go/apikeys/apiv2"
	iam "cloud.google.com/go/iam/admin/apiv1"
	logging "cloud.google.com/go/logging/apiv2"
	pubsub "cloud.google.com/go/pubsub/v2/apiv1"
	secretmanager "cloud.google.com/go/secretmanager/apiv1"
)

type clients struct {
	secrets lazy[*secretmanager.Client]
	iam     lazy[*iam.IamClient]
	keys    lazy[*apikeys.Client]
	pubsub  lazy[*pubsub.TopicAdminClient]
	logging lazy[*logging.Client]
}

func (c *Cloud) secretManager(ctx context.Context) (*secretmanager.Client, error) {
	return c.clients.secrets.get(ctx, "Secret Manager", func(ctx context.Context) (*secretmanager.Client, error) {
		return secretmanager.NewClient(ctx, c.options()...)
	})
}

func (c *Cloud) iamAdmin(ctx context.Context) (*iam.IamClient, error) {
	return c.clients.iam.get(ctx, "IAM", func(ctx context.Context) (*iam.IamClient, error) {
		return iam.NewIamClient(ctx, c.options()...)
	})
}

func (c *Cloud) apiKeys(ctx context.Context) (*apikeys.Client, error) {
	return c.clients.keys.get(ctx, "API Keys", func(ctx context.Context) (*apikeys.Client, error) {
		return apikeys.NewClient(ctx, c.options()...)
	})
}

func (c *Cloud) topics(ctx context.Context) (*pubsub.TopicAdminClient, error) {
	return c.clients.pubsub.get(ctx, "Pub/Sub", func(ctx context.Context) (*pubsub.TopicAdminClient, error) {
		return pubsub.NewTopicAdminClient(ctx, c.options()...)
	})
}

func (c *Cloud) cloudLogging(ctx context.Context) (*logging.Client, error) {
	return c.clients.logging.get(ctx, "Cloud Logging", func(ctx context.Context) (*logging.Client, error) {
		return logging.NewClient(ctx, c.options()...)
	})
}

// Close closes every client that was dialled.
func (c *Cloud) Close() error {
	k := &c.clients
	return errors.Join(closing(&k.secrets), closing(&k.iam), closing(&k.keys), closing(&k.pubsub), closing(&k.logging))
}

func closing[C io.Closer](l *lazy[C]) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.dialed {
		return nil
	}
	l.dialed = false
	return l.client.Close()
}
