package gcp

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"

	apikeys "cloud.google.com/go/apikeys/apiv2"
	firestore "cloud.google.com/go/firestore/apiv1"
	iam "cloud.google.com/go/iam/admin/apiv1"
	longrunning "cloud.google.com/go/longrunning/autogen"
	monitoring "cloud.google.com/go/monitoring/apiv3/v2"
	pubsub "cloud.google.com/go/pubsub/v2/apiv1"
	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"golang.org/x/oauth2"
	"google.golang.org/api/option"
)

type clients struct {
	secrets lazy[*secretmanager.Client]
	iam     lazy[*iam.IamClient]
	keys    lazy[*apikeys.Client]
	pubsub  lazy[*pubsub.TopicAdminClient]
	metrics lazy[*monitoring.MetricClient]
	docs    lazy[*firestore.Client]
	rest    lazy[*http.Client]
}

// The clients are stripped of their call options, which are timeouts and
// retries: both are caller's.

func (c *Cloud) secretManager(ctx context.Context) (*secretmanager.Client, error) {
	return connect(ctx, c, &c.clients.secrets, "Secret Manager", func(ctx context.Context) (*secretmanager.Client, error) {
		client, err := secretmanager.NewClient(ctx, c.options()...)
		if err != nil {
			return nil, err
		}
		client.CallOptions = &secretmanager.CallOptions{}
		return client, nil
	})
}

func (c *Cloud) iamAdmin(ctx context.Context) (*iam.IamClient, error) {
	return connect(ctx, c, &c.clients.iam, "IAM", func(ctx context.Context) (*iam.IamClient, error) {
		client, err := iam.NewIamClient(ctx, c.options()...)
		if err != nil {
			return nil, err
		}
		client.CallOptions = &iam.IamCallOptions{}
		return client, nil
	})
}

func (c *Cloud) apiKeys(ctx context.Context) (*apikeys.Client, error) {
	return connect(ctx, c, &c.clients.keys, "API Keys", func(ctx context.Context) (*apikeys.Client, error) {
		client, err := apikeys.NewClient(ctx, c.options()...)
		if err != nil {
			return nil, err
		}
		client.CallOptions = &apikeys.CallOptions{}
		client.LROClient.CallOptions = &longrunning.OperationsCallOptions{}
		return client, nil
	})
}

func (c *Cloud) topics(ctx context.Context) (*pubsub.TopicAdminClient, error) {
	return connect(ctx, c, &c.clients.pubsub, "Pub/Sub", func(ctx context.Context) (*pubsub.TopicAdminClient, error) {
		client, err := pubsub.NewTopicAdminClient(ctx, c.options()...)
		if err != nil {
			return nil, err
		}
		client.CallOptions = &pubsub.TopicAdminCallOptions{}
		return client, nil
	})
}

func (c *Cloud) cloudMonitoring(ctx context.Context) (*monitoring.MetricClient, error) {
	return connect(ctx, c, &c.clients.metrics, "Cloud Monitoring", func(ctx context.Context) (*monitoring.MetricClient, error) {
		client, err := monitoring.NewMetricClient(ctx, c.options()...)
		if err != nil {
			return nil, err
		}
		client.CallOptions = &monitoring.MetricCallOptions{}
		return client, nil
	})
}

func (c *Cloud) firestore(ctx context.Context) (*firestore.Client, error) {
	return connect(ctx, c, &c.clients.docs, "Firestore", func(ctx context.Context) (*firestore.Client, error) {
		client, err := firestore.NewClient(ctx, c.optionsAt(cmp.Or(c.config.Firestore, c.config.Endpoint))...)
		if err != nil {
			return nil, err
		}
		client.CallOptions = &firestore.CallOptions{}
		return client, nil
	})
}

// restOptions are those of the REST clients, which Application Default
// Credentials need none of.
func (c *Cloud) restOptions() []option.ClientOption {
	if c.config.Endpoint == "" {
		return c.acting()
	}
	client := c.http
	if c.actor != nil {
		client = &http.Client{Transport: &oauth2.Transport{Source: c.actor, Base: c.http.Transport}, Timeout: c.http.Timeout, CheckRedirect: refuseRedirect}
	}
	return []option.ClientOption{option.WithHTTPClient(client), option.WithEndpoint("http://" + c.config.Endpoint + "/")}
}

// Close closes every client that was dialled. Those of REST hold nothing open.
func (c *Cloud) Close() error {
	k := &c.clients
	return errors.Join(closing(&k.secrets), closing(&k.iam), closing(&k.keys), closing(&k.pubsub), closing(&k.metrics), closing(&k.docs))
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
