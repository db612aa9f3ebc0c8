// Package wire puts Google Cloud services on one port: gRPC and, transcoded by
// the services' own google.api.http annotations, REST as Google's clients and
// gcloud speak it.
package wire

import (
	"fmt"
	"net/http"
	"strings"
	"sync"

	"connectrpc.com/vanguard"
	"connectrpc.com/vanguard/vanguardgrpc"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/reflection"
	"google.golang.org/protobuf/encoding/protojson"
)

// NewHandler serves the services that register adds. It answers gRPC (also in
// clear text over HTTP/2), REST and server reflection. rules add REST bindings
// that the services' annotations lack; it is an error if one is of a method
// that was not registered.
//
// What REST takes is built by the first REST call: it is most of the cost of a
// handler, and those who only speak gRPC do without.
func NewHandler(register func(grpc.ServiceRegistrar), rules []*annotations.HttpRule, opts ...grpc.ServerOption) (http.Handler, error) {
	server := grpc.NewServer(append([]grpc.ServerOption{grpc.ChainUnaryInterceptor(noteDecoded)}, opts...)...)
	register(server)
	reflection.Register(server)
	if err := checkRules(server, rules); err != nil {
		return nil, err
	}
	rest := lazyREST(server, rules)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isGRPC(r) {
			server.ServeHTTP(w, r)
			return
		}
		rest.ServeHTTP(w, r)
	}), nil
}

func checkRules(server *grpc.Server, rules []*annotations.HttpRule) error {
	methods := map[string]bool{}
	for service, info := range server.GetServiceInfo() {
		for _, m := range info.Methods {
			methods[service+"."+m.Name] = true
		}
	}
	for _, rule := range rules {
		if !methods[rule.GetSelector()] {
			return fmt.Errorf("adding a REST binding: there is no method %s; register its service", rule.GetSelector())
		}
	}
	return nil
}

// lazyREST transcodes REST to gRPC, from the first call on.
func lazyREST(server *grpc.Server, rules []*annotations.HttpRule) http.Handler {
	build := sync.OnceValues(func() (http.Handler, error) {
		transcoder, err := vanguardgrpc.NewTranscoder(server,
			vanguard.WithRules(rules...),
			vanguard.WithCodec(jsonCodec),
		)
		if err != nil {
			return nil, fmt.Errorf("transcoding REST to gRPC: %w", err)
		}
		return googleREST(transcoder), nil
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, err := build()
		if err != nil {
			WriteError(w, 0, codes.Internal, err.Error())
			return
		}
		rest.ServeHTTP(w, r)
	})
}

func isGRPC(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
}

// jsonCodec leaves empty fields out, as Google does.
func jsonCodec(res vanguard.TypeResolver) vanguard.Codec {
	return vanguard.JSONCodec{
		MarshalOptions:   protojson.MarshalOptions{Resolver: res},
		UnmarshalOptions: protojson.UnmarshalOptions{Resolver: res, DiscardUnknown: true},
	}
}
