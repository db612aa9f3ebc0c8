package gcp

import (
	"context"
	"math/rand/v2"
	"path"
	"strings"
	"time"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	maxAttempts    = 5                      // of one call
	maxAsked       = time.Minute            // the longest pause that a server may ask for and be waited for
	attemptTimeout = time.Minute            // of one attempt
	refusedBackoff = time.Second            // first pause after RESOURCE_EXHAUSTED; it doubles
	lostBackoff    = 100 * time.Millisecond // first pause after UNAVAILABLE and ABORTED; it doubles
)

// caller sends the calls: no faster than the quotas allow, and again where that
// may help and does no harm. The Google clients' own retries are off, so that
// each attempt passes here and there is one place that decides. It knows calls by
// their full gRPC method, also those that go over REST.
type caller struct {
	quotas *quotas // nil is no limit
	one    bool    // the calls about all projects count together
	pause  func(context.Context, time.Duration) error
	jitter func(time.Duration) time.Duration // a random time below
}

func newCaller(config Config) *caller {
	c := &caller{pause: pause, jitter: rand.N[time.Duration], one: config.Quotas == QuotasOfCaller}
	if config.halved() {
		now := time.Now
		if config.Wire != nil && config.Wire.Now != nil {
			now = config.Wire.Now
		}
		c.quotas = newQuotas(now)
		c.quotas.steady = c.one
	}
	return c
}

// unary is the interceptor of the gRPC clients.
func (c *caller) unary(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return c.do(ctx, method, resourceOf(req), func(ctx context.Context) error {
		return invoke(ctx, method, req, reply, conn, opts...)
	})
}

// do makes a call about a resource. The error of an attempt has a gRPC status.
func (c *caller) do(ctx context.Context, method, resource string, attempt func(context.Context) error) error {
	for n := 1; ; n++ {
		if err := c.admit(ctx, method, ProjectOf(resource)); err != nil {
			return err
		}
		err := try(ctx, attempt)
		err = refusal(err, method, resource)
		again, after := c.again(method, err, n)
		if !again || c.pause(ctx, after) != nil {
			return err
		}
	}
}

func try(ctx context.Context, attempt func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	return attempt(ctx)
}

// admit waits for the call's turn.
func (c *caller) admit(ctx context.Context, method, project string) error {
	if c.quotas == nil {
		return nil
	}
	if c.one {
		project = "that calls"
	}
	wait, giveBack := c.quotas.reserve(method, project)
	if wait == 0 {
		return nil
	}
	if err := c.pause(ctx, wait); err != nil {
		giveBack()
		return status.Errorf(codes.ResourceExhausted, "not called: %s is due only in %v by half of Google's quota for project %s: %v", path.Base(method), wait.Round(time.Millisecond), project, err)
	}
	return nil
}

// again decides whether the nth attempt of a call is followed by another, and
// after what pause.
func (c *caller) again(method string, err error, n int) (bool, time.Duration) {
	if err == nil || n == maxAttempts || !Diagnose(err).Retry {
		return false, 0
	}
	switch status.Code(err) {
	case codes.ResourceExhausted: // refused before anything happened
		asked := askedPause(err)
		return asked <= maxAsked, asked + c.jitter(refusedBackoff<<(n-1))
	case codes.Unavailable, codes.Aborted:
		return repeatable(method), c.jitter(lostBackoff << (n - 1))
	}
	return false, 0
}

// askedPause is how long the server asks to wait; zero if it does not.
func askedPause(err error) time.Duration {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok {
			return max(0, info.GetRetryDelay().AsDuration())
		}
	}
	return 0
}

// repeatable reports whether a call whose reply was lost does no harm when it is
// made again. Left out are the calls that make a second thing (a key, a version)
// and those that compare an etag, which the first attempt may have changed.
func repeatable(method string) bool {
	switch verb := path.Base(method); verb {
	case "AccessSecretVersion", "Publish", "UpdateJob", "CreateSecret", "CreateKey", "CreateJob": // the latter three have an id of ours
		return true
	default:
		for _, prefix := range []string{"Get", "List", "Search", "Test", "Enable", "Disable", "Delete", "Destroy", "Query"} {
			if strings.HasPrefix(verb, prefix) {
				return true
			}
		}
		return false
	}
}

// pause waits, or fails at once if the context would end first.
func pause(ctx context.Context, d time.Duration) error {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return context.DeadlineExceeded
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// resourceOf is the name of what a request is about.
func resourceOf(req any) string {
	switch r := req.(type) {
	case interface{ GetResource() string }: // of allow policies
		return r.GetResource()
	case interface{ GetParent() string }:
		return r.GetParent()
	case interface{ GetName() string }:
		return r.GetName()
	case *pubsubpb.PublishRequest:
		return r.GetTopic()
	case *secretmanagerpb.UpdateSecretRequest:
		return r.GetSecret().GetName()
	case *apikeyspb.UpdateKeyRequest:
		return r.GetKey().GetName()
	}
	return ""
}

// ProjectOf is the project in a resource's name; empty if there is none.
func ProjectOf(name string) string {
	rest, ok := strings.CutPrefix(name, "projects/")
	if !ok {
		return ""
	}
	project, _, _ := strings.Cut(rest, "/")
	return project
}
