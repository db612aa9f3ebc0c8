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
	logging "cloud.google.com/go/logging/apiv2"
	longrunning "cloud.google.com/go/longrunning/autogen"
	monitoring "cloud.google.com/go/monitoring/apiv3/v2"
	orgpolicy "cloud.google.com/go/orgpolicy/apiv2"
	pubsub "cloud.google.com/go/pubsub/v2/apiv1"
	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"golang.org/x/oauth2"
	apikeysrest "google.golang.org/api/apikeys/v2"
	"google.golang.org/api/cloudasset/v1"
	cloudresourcemanager "google.golang.org/api/cloudresourcemanager/v1"
	resourcemanager "google.golang.org/api/cloudresourcemanager/v3"
	iamrest "google.golang.org/api/iam/v1"
	"google.golang.org/api/option"
	"google.golang.org/api/policyanalyzer/v1"
	"google.golang.org/api/storage/v1"
)

type clients struct {
	secrets  lazy[*secretmanager.Client]
	iam      lazy[*iam.IamClient]
	keys     lazy[*apikeys.Client]
	pubsub   lazy[*pubsub.TopicAdminClient]
	logging  lazy[*logging.Client]
	metrics  lazy[*monitoring.MetricClient]
	policies lazy[*orgpolicy.Client]
	docs     lazy[*firestore.Client]
	iamREST  lazy[*iamrest.Service]
	keysREST lazy[*apikeysrest.Service]
	projects lazy[*cloudresourcemanager.Service]
	folders  lazy[*resourcemanager.Service]
	assets   lazy[*cloudasset.Service]
	storage  lazy[*storage.Service]
	activity lazy[*policyanalyzer.Service]
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

func (c *Cloud) cloudLogging(ctx context.Context) (*logging.Client, error) {
	return connect(ctx, c, &c.clients.logging, "Cloud Logging", func(ctx context.Context) (*logging.Client, error) {
		client, err := logging.NewClient(ctx, c.options()...)
		if err != nil {
			return nil, err
		}
		client.CallOptions = &logging.CallOptions{}
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

func (c *Cloud) orgPolicies(ctx context.Context) (*orgpolicy.Client, error) {
	return connect(ctx, c, &c.clients.policies, "Organization Policy", func(ctx context.Context) (*orgpolicy.Client, error) {
		client, err := orgpolicy.NewClient(ctx, c.options()...)
		if err != nil {
			return nil, err
		}
		client.CallOptions = &orgpolicy.CallOptions{}
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

// iamOverREST has the fields of keys that the gRPC API lacks.
func (c *Cloud) iamOverREST(ctx context.Context) (*iamrest.Service, error) {
	return connect(ctx, c, &c.clients.iamREST, "IAM over REST", func(ctx context.Context) (*iamrest.Service, error) {
		return iamrest.NewService(ctx, c.restOptions()...)
	})
}

// apiKeysOverREST has the fields and parameters that the gRPC API lacks.
func (c *Cloud) apiKeysOverREST(ctx context.Context) (*apikeysrest.Service, error) {
	return connect(ctx, c, &c.clients.keysREST, "API Keys over REST", func(ctx context.Context) (*apikeysrest.Service, error) {
		return apikeysrest.NewService(ctx, c.restOptions()...)
	})
}

// resourceManager is over REST: version 1 has no gRPC.
func (c *Cloud) resourceManager(ctx context.Context) (*cloudresourcemanager.Service, error) {
	return connect(ctx, c, &c.clients.projects, "Resource Manager", func(ctx context.Context) (*cloudresourcemanager.Service, error) {
		return cloudresourcemanager.NewService(ctx, c.restOptions()...)
	})
}

// resourceHierarchy is version 3, which knows folders.
func (c *Cloud) resourceHierarchy(ctx context.Context) (*resourcemanager.Service, error) {
	return connect(ctx, c, &c.clients.folders, "Resource Manager", func(ctx context.Context) (*resourcemanager.Service, error) {
		return resourcemanager.NewService(ctx, c.restOptions()...)
	})
}

func (c *Cloud) cloudAsset(ctx context.Context) (*cloudasset.Service, error) {
	return connect(ctx, c, &c.clients.assets, "Cloud Asset", func(ctx context.Context) (*cloudasset.Service, error) {
		return cloudasset.NewService(ctx, c.restOptions()...)
	})
}

func (c *Cloud) cloudStorage(ctx context.Context) (*storage.Service, error) {
	return connect(ctx, c, &c.clients.storage, "Cloud Storage", func(ctx context.Context) (*storage.Service, error) {
		client, err := storage.NewService(ctx, c.restOptions()...)
		if err == nil && c.config.Endpoint != "" {
			client.BasePath += "storage/v1/" // which the other APIs have in their paths
		}
		return client, err
	})
}

// policyAnalyzer is that of recent activities, not Cloud Asset's of the same name.
func (c *Cloud) policyAnalyzer(ctx context.Context) (*policyanalyzer.Service, error) {
	return connect(ctx, c, &c.clients.activity, "Policy Analyzer", func(ctx context.Context) (*policyanalyzer.Service, error) {
		return policyanalyzer.NewService(ctx, c.restOptions()...)
	})
}

func (c *Cloud) apiKeysBothWays(ctx context.Context) (*apikeys.Client, *apikeysrest.Service, error) {
	client, err := c.apiKeys(ctx)
	if err != nil {
		return nil, nil, err
	}
	rest, err := c.apiKeysOverREST(ctx)
	return client, rest, err
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
	return errors.Join(closing(&k.secrets), closing(&k.iam), closing(&k.keys), closing(&k.pubsub), closing(&k.logging), closing(&k.metrics), closing(&k.policies), closing(&k.docs))
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
