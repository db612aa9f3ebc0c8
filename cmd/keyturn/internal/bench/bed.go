// Package bench measures keyturn against an embedded Google Cloud of its own,
// side by side with how others rotate.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	apikeys "cloud.google.com/go/apikeys/apiv2"
	iam "cloud.google.com/go/iam/admin/apiv1"
	pubsub "cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/quota"
	"example.com/keyturn/shared/event"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Progress is told how far a measurement has come.
type Progress interface {
	// Stage begins a part of it that has total units of work.
	Stage(name string, total int)
	// Advance says how many units are done by now.
	Advance(done int)
}

const project = "bench"

// start is when policy time starts. It moves only where a measurement moves it.
var start = time.Date(2030, 1, 7, 8, 0, 0, 0, time.UTC)

// keyLag is how long Google takes to know a new key everywhere.
const keyLag = time.Minute

// bed is a test bed: an embedded Google Cloud, its clock, and Google's clients.
type bed struct {
	cloud   *localgcp.Cloud
	clock   *clock.Clock
	http    *http.Client
	secrets *secretmanager.Client
	iam     *iam.IamClient
	keys    *apikeys.Client
	pubsub  *pubsub.Client
	closers []io.Closer // in the order of their making
}

// newBed boots a cloud that refuses calls beyond limits; nil is none.
func newBed(ctx context.Context, limits quota.Limits) (*bed, error) {
	c := clock.NewFrozen(start)
	cloud, err := localgcp.Start(localgcp.Config{Addr: "127.0.0.1:0", ProjectID: project, Clock: c, KeyLag: keyLag, Quotas: limits})
	if err != nil {
		return nil, err
	}
	b, err := newBedOn(ctx, cloud, c)
	if err != nil {
		return nil, errors.Join(err, cloud.Close())
	}
	b.closers = append([]io.Closer{cloud}, b.closers...)
	if err := b.makeTopics(ctx); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// newBedOn uses a cloud that somebody else runs, and its clock.
func newBedOn(ctx context.Context, cloud *localgcp.Cloud, c *clock.Clock) (*bed, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 256
	b := &bed{cloud: cloud, clock: c, http: &http.Client{Transport: transport, Timeout: 20 * time.Second}}
	if err := b.dial(ctx); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

func (b *bed) options() []option.ClientOption {
	return []option.ClientOption{
		option.WithEndpoint(b.cloud.Addr()), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
	}
}

func (b *bed) dial(ctx context.Context) (err error) {
	if b.secrets, err = secretmanager.NewClient(ctx, b.options()...); err != nil {
		return err
	}
	b.closers = append(b.closers, b.secrets)
	if b.iam, err = iam.NewIamClient(ctx, b.options()...); err != nil {
		return err
	}
	b.closers = append(b.closers, b.iam)
	if b.keys, err = apikeys.NewClient(ctx, b.options()...); err != nil {
		return err
	}
	b.closers = append(b.closers, b.keys)
	if b.pubsub, err = pubsub.NewClient(ctx, project, b.options()...); err != nil {
		return err
	}
	b.closers = append(b.closers, b.pubsub)
	return nil
}

func (b *bed) makeTopics(ctx context.Context) error {
	for _, id := range event.Topics {
		if _, err := b.pubsub.TopicAdminClient.CreateTopic(ctx, &pubsubpb.Topic{Name: topicName(id)}); err != nil {
			return fmt.Errorf("creating topic %s: %w", id, err)
		}
	}
	return nil
}

func topicName(id string) string { return "projects/" + project + "/topics/" + id }

// Close ends the clients, then the cloud if it is the bed's own.
func (b *bed) Close() error {
	b.http.CloseIdleConnections()
	var problems []error
	for i := len(b.closers) - 1; i >= 0; i-- {
		problems = append(problems, b.closers[i].Close())
	}
	return errors.Join(problems...)
}
