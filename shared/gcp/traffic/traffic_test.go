package traffic

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/run/apiv2/runpb"
	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/clock"
	runlocal "example.com/keyturn/internal/localgcp/run"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

const name = "projects/acme/locations/us-central1/services/one"

// open starts an embedded cloud with a service of two revisions, and a client that sees
// each service as change leaves it.
func open(t *testing.T, change func(*runpb.Service)) (*localgcp.Cloud, *Client) {
	t.Helper()
	cloud, err := localgcp.Start(localgcp.Config{Addr: "127.0.0.1:0", ProjectID: "acme", Clock: clock.NewFrozen(time.Unix(2e9, 0))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cloud.Close() })
	for _, revision := range []string{"one-1", "one-2"} {
		cloud.Run.Deployed(runlocal.Revision{Service: name, Name: revision, URL: "https://one", Address: "https://" + revision})
	}
	seen := grpc.WithUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		err := invoke(ctx, method, req, reply, cc, opts...)
		if s, ok := reply.(*runpb.Service); ok && err == nil {
			change(s)
		}
		return err
	})
	c, err := New(t.Context(), option.WithEndpoint(cloud.Addr()), option.WithoutAuthentication(), option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())), option.WithGRPCDialOption(seen))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return cloud, c
}

func TestTrafficIsReadAndSet(t *testing.T) {
	cloud, c := open(t, func(*runpb.Service) {})
	s, err := c.Get(t.Context(), name)
	if err != nil || s.Latest != "one-2" || s.Newest != "one-2" || s.URL != "https://one" || !slices.Equal(s.Targets, []Target{{Percent: 100}}) {
		t.Fatalf("%+v, %v", s, err)
	}
	split := []Target{{Revision: "one-1", Percent: 90}, {Revision: "one-2", Percent: 10, Tag: "canary"}}
	now, err := c.Set(t.Context(), s, split)
	split[1].URL = "https://one-2"
	if err != nil || !slices.Equal(now.Targets, split) || cloud.Run.Route(name, 0) != "https://one-1" {
		t.Errorf("%+v, %v", now, err)
	}
	if _, err := c.Set(t.Context(), s, []Target{{Percent: 100}}); status.Code(err) != codes.Aborted || !strings.Contains(err.Error(), "changing where the requests to one go") {
		t.Errorf("as it was read before: %v", err)
	}
	if _, err := c.Get(t.Context(), name+"-more"); status.Code(err) != codes.NotFound {
		t.Errorf("no such service: %v", err)
	}
}

// TestServiceWithoutTrafficSendsAllToTheLatest, which is Google's default.
func TestServiceWithoutTrafficSendsAllToTheLatest(t *testing.T) {
	_, c := open(t, func(s *runpb.Service) { s.Traffic, s.LatestCreatedRevision = nil, "" })
	if s, err := c.Get(t.Context(), name); err != nil || !slices.Equal(s.Targets, []Target{{Percent: 100}}) || s.Newest != "" {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestChangeIsWaitedFor(t *testing.T) {
	looks := 0
	_, c := open(t, func(s *runpb.Service) {
		switch looks++; looks {
		case 2:
			s.Reconciling = true
		case 3:
			s.ObservedGeneration--
		}
	})
	pauses := 0
	c.pause = func(context.Context, time.Duration) error { pauses++; return nil }
	s, err := c.Get(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.Set(t.Context(), s, []Target{{Revision: "one-1", Percent: 100}}); err != nil || pauses != 2 {
		t.Errorf("after %d pauses: %v", pauses, err)
	}
	looks = 1
	c.pause = func(context.Context, time.Duration) error { return errors.New("no time left") }
	if s, err = c.Get(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	looks = 1
	if _, err = c.Set(t.Context(), s, []Target{{Percent: 100}}); err == nil || !strings.Contains(err.Error(), "no time left") {
		t.Errorf("out of time: %v", err)
	}
}

func TestChangeThatCloudRunCannotMake(t *testing.T) {
	_, c := open(t, func(s *runpb.Service) {
		s.TerminalCondition = &runpb.Condition{State: runpb.Condition_CONDITION_FAILED, Message: "the revision is gone"}
	})
	s, err := c.Get(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Set(t.Context(), s, []Target{{Percent: 100}}); err == nil || !strings.Contains(err.Error(), "the revision is gone") {
		t.Errorf("set: %v", err)
	}
}
