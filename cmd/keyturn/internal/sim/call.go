package sim

import (
	"context"
	"net/http"
	"path"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"example.com/keyturn/shared/gcp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// call is one remote call.
type call struct {
	method string // short name, such as AddSecretVersion, POST /token or GET /v1/userinfo
	req    any    // the request message; nil over HTTP
	reply  any    // the message that the answer is read into; nil over HTTP
}

// faultKind is what goes wrong with a call.
type faultKind int

const (
	noFault     faultKind = iota
	failsBefore           // it fails and does nothing
	replyLost             // it succeeds and the reply is an error
	diesBefore            // the process is killed before it
	diesAfter             // the process is killed after it
)

func (k faultKind) String() string {
	return [...]string{"", "fails before", "its reply is lost", "dies before", "the process is killed after it"}[k]
}

// fault is what goes wrong with one call, and the code that the caller sees.
type fault struct {
	kind faultKind
	code codes.Code
}

func (f fault) err() error { return status.Error(f.code, "a fault of the simulation") }

// wire numbers and judges every remote call of the world's actors.
func (w *world) wire() *gcp.Wire { return &gcp.Wire{GRPC: w.overGRPC, HTTP: overHTTP{w}} }

func (w *world) overGRPC(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return w.pass(call{path.Base(method), req, reply}, func() error {
		err := w.invoke(ctx, method, req, reply, conn, invoke, opts...)
		if p, ok := req.(*pubsubpb.PublishRequest); ok && err == nil {
			w.published(p)
		}
		return err
	})
}

// invoke calls the embedded cloud, past the network unless that is asked for.
func (w *world) invoke(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if w.network {
		return invoke(ctx, method, req, reply, conn, opts...)
	}
	return w.inside.Invoke(ctx, method, req, reply)
}

// overHTTP is the wire of what speaks HTTP.
type overHTTP struct{ world *world }

// RoundTrip makes one call. What would be a code over gRPC is a lost
// connection here.
func (o overHTTP) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	fault := o.world.pass(call{method: r.Method + " " + r.URL.Path}, func() error {
		resp, err = o.world.transport.RoundTrip(r)
		return err
	})
	if fault != nil && resp != nil {
		_ = resp.Body.Close() // its reply is lost
	}
	if fault != nil {
		return nil, fault
	}
	return resp, nil
}
