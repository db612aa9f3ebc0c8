// Package wire puts Google Cloud services on one port: gRPC and, transcoded by
// the services' own google.api.http annotations, REST as Google's clients and
// gcloud speak it.
package wire

import (
	"fmt"
	"net/http"

	"connectrpc.com/vanguard"
	"connectrpc.com/vanguard/vanguardgrpc"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/grpc/reflection"
	"google.golang.org/protobuf/encoding/protojson"
)

// NewHandler serves the services that register adds. It answers gRPC (also in
// clear text over HTTP/2), REST and server reflection. rules add REST bindings
// that the services' annotations lack.
func NewHandler(register func(grpc.ServiceRegistrar), rules []*annotations.HttpRule, opts ...grpc.ServerOption) (http.Handler, error) {
	server := grpc.NewServer(append([]grpc.ServerOption{grpc.ChainUnaryInterceptor(noteDecoded)}, opts...)...)
	register(server)
	reflection.Register(server)
	transcoder, err := vanguardgrpc.NewTranscoder(server,
		vanguard.WithRules(rules...),
		vanguard.WithCodec(jsonCodec),
	)
	if err != nil {
		return nil, fmt.Errorf("transcoding REST to gRPC: %w", err)
	}
	return googleREST(transcoder), nil
}

// jsonCodec leaves empty fields out, as Google does.
func jsonCodec(res vanguard.TypeResolver) vanguard.Codec {
	return vanguard.JSONCodec{
		MarshalOptions:   protojson.MarshalOptions{Resolver: res},
		UnmarshalOptions: protojson.UnmarshalOptions{Resolver: res, DiscardUnknown: true},
	}
}
