// Package traffic says which revisions of a Cloud Run service get its requests. No
// function needs it: it is apart so that none carries its client.
package traffic

import (
	"context"
	"fmt"
	"path"
	"time"

	run "cloud.google.com/go/run/apiv2"
	"cloud.google.com/go/run/apiv2/runpb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/api/option"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// Service is a service, and where its requests go to.
type Service struct {
	Name    string   // full
	URL     string   // of the service, by which tokens have to be for it
	URLs    []string // all of them
	Latest  string   // short name of the latest revision that is ready
	Newest  string   // short name of the latest revision, ready or not
	Targets []Target
	etag    string
}

// Target is one that requests go to.
type Target struct {
	Revision string // short name; empty is the latest that is ready, whichever that is
	Percent  int
	Tag      string
	URL      string // by which what is tagged is called alone; Google's to say
}

// Client is Google's, for services. Close closes it. It is safe for concurrent use.
type Client struct {
	google *run.ServicesClient
	pause  func(context.Context, time.Duration) error
}

// New makes a client, which connects when it is used. The options are those of a
// gcp.Cloud, which makes calls again where that may help.
func New(ctx context.Context, opts ...option.ClientOption) (*Client, error) {
	c, err := run.NewServicesClient(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("making the client of Cloud Run: %w", err)
	}
	c.CallOptions = &run.ServicesCallOptions{}
	return &Client{google: c, pause: gax.Sleep}, nil
}

// Close closes the connection.
func (c *Client) Close() error { return c.google.Close() }

// Get returns a service, by its full name.
func (c *Client) Get(ctx context.Context, name string) (Service, error) {
	s, err := c.google.GetService(ctx, &runpb.GetServiceRequest{Name: name})
	if err != nil {
		return Service{}, fmt.Errorf("reading where the requests to %s go: %w", path.Base(name), err)
	}
	return of(s), nil
}

// Set sends the requests of a service, as it was read, to the targets and returns once
// they go there. It fails if somebody has changed the service since.
func (c *Client) Set(ctx context.Context, s Service, targets []Target) (Service, error) {
	_, err := c.google.UpdateService(ctx, &runpb.UpdateServiceRequest{
		Service:    &runpb.Service{Name: s.Name, Etag: s.etag, Traffic: wire(targets)},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"traffic"}}, // which makes no new revision
	})
	if err == nil {
		s, err = c.settled(ctx, s.Name)
	}
	if err != nil {
		return Service{}, fmt.Errorf("changing where the requests to %s go: %w", path.Base(s.Name), err)
	}
	return s, nil
}

// interval is how often a service is looked at until a change is made.
const interval = 2 * time.Second

// settled waits until a service is what it was last told to be. The operation could
// tell that, too, but only whoever may read all operations of the project.
func (c *Client) settled(ctx context.Context, name string) (Service, error) {
	for {
		s, err := c.google.GetService(ctx, &runpb.GetServiceRequest{Name: name})
		switch last := s.GetTerminalCondition(); {
		case err != nil:
			return Service{Name: name}, err
		case s.GetReconciling() || s.GetObservedGeneration() < s.GetGeneration():
		case last.GetState() == runpb.Condition_CONDITION_FAILED:
			return Service{Name: name}, fmt.Errorf("refused by Cloud Run: %s", last.GetMessage())
		default:
			return of(s), nil
		}
		if err := c.pause(ctx, interval); err != nil {
			return Service{Name: name}, err
		}
	}
}

const (
	latest   = runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST
	revision = runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
)

func wire(targets []Target) []*runpb.TrafficTarget {
	var all []*runpb.TrafficTarget
	for _, t := range targets {
		kind := revision
		if t.Revision == "" {
			kind = latest
		}
		all = append(all, &runpb.TrafficTarget{Type: kind, Revision: t.Revision, Percent: int32(t.Percent), Tag: t.Tag})
	}
	return all
}

func of(pb *runpb.Service) Service {
	s := Service{Name: pb.GetName(), URL: pb.GetUri(), URLs: pb.GetUrls(), Latest: short(pb.GetLatestReadyRevision()), Newest: short(pb.GetLatestCreatedRevision()), etag: pb.GetEtag()}
	urls := map[string]string{}
	for _, t := range pb.GetTrafficStatuses() {
		urls[t.GetTag()] = t.GetUri()
	}
	for _, t := range pb.GetTraffic() {
		one := Target{Revision: short(t.GetRevision()), Percent: int(t.GetPercent()), Tag: t.GetTag(), URL: urls[t.GetTag()]}
		if t.GetType() == latest {
			one.Revision = ""
		}
		s.Targets = append(s.Targets, one)
	}
	if len(s.Targets) == 0 {
		s.Targets = []Target{{Percent: 100}} // Google's default
	}
	return s
}

// short is a revision's name without what it is of; "" stays so.
func short(name string) string {
	if name == "" {
		return ""
	}
	return path.Base(name)
}
