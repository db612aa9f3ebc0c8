// Package fault makes calls to the embedded Google Cloud fail on purpose: fail
// before anything happened, succeed but lose the reply, or arrive late.
package fault

import (
	"context"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
)

// Fault says what goes wrong with one call. The zero Fault is no fault.
type Fault struct {
	Before error         // answered instead of doing the work
	After  error         // answered although the work was done
	Delay  time.Duration // waited, on the machine's clock, before the work
}

// Hook decides the fault of a call. method is the full gRPC method, such as
// "/google.iam.admin.v1.IAM/CreateServiceAccountKey", whichever way the call
// came in; for endpoints that are plain HTTP it is verb and path, such as "POST
// /token". req is the request message, or nil. A Hook is called concurrently.
type Hook func(method string, req any) Fault

// Injector holds the hook of one embedded cloud. The zero Injector injects nothing.
type Injector struct{ hook atomic.Pointer[Hook] }

// Set replaces the hook; nil removes it.
func (i *Injector) Set(h Hook) {
	if h == nil {
		i.hook.Store(nil)
		return
	}
	i.hook.Store(&h)
}

// Do runs work under the fault, if any, that the hook has for the call. A nil
// Injector has none.
func (i *Injector) Do(ctx context.Context, method string, req any, work func() error) error {
	if i == nil {
		return work()
	}
	h := i.hook.Load()
	if h == nil {
		return work()
	}
	f := (*h)(method, req)
	if err := wait(ctx, f.Delay); err != nil {
		return err
	}
	if f.Before != nil {
		return f.Before
	}
	if err := work(); err != nil {
		return err
	}
	return f.After
}

func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Unary is the interceptor that applies the hook to every gRPC (and transcoded) call.
func (i *Injector) Unary() grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		var resp any
		err := i.Do(ctx, info.FullMethod, req, func() (err error) {
			resp, err = next(ctx, req)
			return err
		})
		if err != nil {
			return nil, err
		}
		return resp, nil
	}
}
