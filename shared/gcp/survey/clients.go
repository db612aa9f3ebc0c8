package survey

import (
	"context"
	"errors"
	"fmt"
	"io"

	functions "cloud.google.com/go/functions/apiv2"
	iam "cloud.google.com/go/iam/admin/apiv1"
	logging "cloud.google.com/go/logging/apiv2"
	monitoring "cloud.google.com/go/monitoring/apiv3/v2"
	pubsub "cloud.google.com/go/pubsub/v2/apiv1"
	run "cloud.google.com/go/run/apiv2"
	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	serviceusage "cloud.google.com/go/serviceusage/apiv1"
	"google.golang.org/api/cloudresourcemanager/v1"
	resourcemanager "google.golang.org/api/cloudresourcemanager/v3"
	"google.golang.org/api/option"

	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/gcp/jobs"
)

// clients are Google's, one for each API that is asked. Their own retries and those
// of the Cloud, through which they call, come to the same.
type clients struct {
	usage         *serviceusage.Client
	iam           *iam.IamClient
	topics        *pubsub.TopicAdminClient
	subscriptions *pubsub.SubscriptionAdminClient
	functions     *functions.FunctionClient
	services      *run.ServicesClient
	logs          *logging.ConfigClient
	jobs          *jobs.Client
	secrets       *secretmanager.Client
	metrics       *monitoring.MetricClient
	projects      *cloudresourcemanager.Service
	above         *resourcemanager.Service // of folders and organisations

	open []io.Closer
}

// dial makes the clients, which connect when they are used.
func dial(ctx context.Context, cloud *gcp.Cloud) (*clients, error) {
	k, opts := &clients{}, cloud.Options()
	err := errors.Join(
		create(ctx, k, &k.usage, serviceusage.NewClient, opts),
		create(ctx, k, &k.iam, iam.NewIamClient, opts),
		create(ctx, k, &k.topics, pubsub.NewTopicAdminClient, opts),
		create(ctx, k, &k.subscriptions, pubsub.NewSubscriptionAdminClient, opts),
		create(ctx, k, &k.functions, functions.NewFunctionClient, opts),
		create(ctx, k, &k.services, run.NewServicesClient, opts),
		create(ctx, k, &k.logs, logging.NewConfigClient, opts),
		create(ctx, k, &k.jobs, jobs.New, opts),
		create(ctx, k, &k.secrets, secretmanager.NewClient, opts),
		create(ctx, k, &k.metrics, monitoring.NewMetricClient, opts),
	)
	if err == nil {
		k.projects, err = cloudresourcemanager.NewService(ctx, cloud.RESTOptions()...)
	}
	if err == nil {
		k.above, err = resourcemanager.NewService(ctx, cloud.RESTOptions()...)
	}
	if err != nil {
		k.close()
		return nil, fmt.Errorf("making Google's clients: %w", err)
	}
	return k, nil
}

func create[C io.Closer](ctx context.Context, k *clients, into *C, constructor func(context.Context, ...option.ClientOption) (C, error), opts []option.ClientOption) error {
	c, err := constructor(ctx, opts...)
	if err != nil {
		return err
	}
	*into = c
	k.open = append(k.open, c)
	return nil
}

func (k *clients) close() {
	for _, c := range k.open {
		_ = c.Close() // nothing is under way
	}
}
