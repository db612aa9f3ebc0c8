package granted

import (
	"context"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"example.com/keyturn/internal/localgcp"
)

// Identity has a program call the embedded cloud as a service account, as the
// account that a function runs as does on Google's own.
type Identity struct {
	cloud *localgcp.Cloud
	email string
}

// As is the identity of an account.
func As(cloud *localgcp.Cloud, email string) Identity { return Identity{cloud, email} }

// Unary carries the account's token with each call.
func (i Identity) Unary(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	token, err := i.cloud.IAM.AccessToken(i.email)
	if err != nil {
		return err
	}
	return invoke(metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token), method, req, reply, conn, opts...)
}

// Over carries it with each request by a transport, nil for net/http's, that goes to
// the cloud's REST APIs. What shows credentials of its own goes as it is.
func (i Identity) Over(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return carrier{i, base}
}

type carrier struct {
	Identity
	base http.RoundTripper
}

func (c carrier) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != c.cloud.Addr() || r.URL.Path == "/token" || r.Header.Get("Authorization") != "" || r.Header.Get("X-Goog-Api-Key") != "" {
		return c.base.RoundTrip(r)
	}
	token, err := c.cloud.IAM.AccessToken(c.email)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+token)
	return c.base.RoundTrip(r)
}
