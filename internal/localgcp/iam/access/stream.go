package access

import (
	"context"

	"google.golang.org/grpc"
)

// guardStreams puts streams behind the gate: what their first message asks for is
// checked when the service receives it.
func (g *Gate) guardStreams(streams []grpc.StreamDesc) []grpc.StreamDesc {
	guarded := make([]grpc.StreamDesc, len(streams))
	for i, d := range streams {
		if rule, ok := g.Rules[d.StreamName]; ok {
			handler := d.Handler
			d.Handler = func(srv any, s grpc.ServerStream) error {
				return handler(srv, &guardedStream{ServerStream: s, check: func(ctx context.Context, req any) error {
					c, err := g.check(ctx, d.StreamName, rule.of(req), req)
					if err != nil && c.located {
						c.Err = err
						g.Log.Write(ctx, c.Call)
					}
					return err
				}})
			}
		}
		guarded[i] = d
	}
	return guarded
}

type guardedStream struct {
	grpc.ServerStream
	check func(ctx context.Context, req any) error // nil once the first message is through
}

func (s *guardedStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil || s.check == nil {
		return err
	}
	check := s.check
	s.check = nil
	return check(s.Context(), m)
}
