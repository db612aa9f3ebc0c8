package wire

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

func TestGRPCAndRESTOnOnePort(t *testing.T) {
	const megabytes = 10 << 20
	s := start(t, func(_ context.Context, req proto.Message) (*apikeyspb.Key, error) {
		return &apikeyspb.Key{DisplayName: strings.Repeat("x", megabytes)}, nil
	}, grpc.MaxRecvMsgSize(megabytes+1000))
	for name, c := range clients(t, s) {
		t.Run(name, func(t *testing.T) {
			key, err := c.GetKey(t.Context(), &apikeyspb.GetKeyRequest{Name: keyName})
			if err != nil || len(key.GetDisplayName()) != megabytes {
				t.Fatalf("answer of %d bytes, %v", len(key.GetDisplayName()), err)
			}
			op, err := c.UpdateKey(t.Context(), &apikeyspb.UpdateKeyRequest{Key: &apikeyspb.Key{Name: keyName, DisplayName: key.GetDisplayName()}})
			if err != nil || len(op.Name()) < megabytes {
				t.Fatalf("request: %v", err)
			}
		})
	}
}

func TestRESTOverBothVersionsOfHTTP(t *testing.T) {
	s := start(t, func(context.Context, proto.Message) (*apikeyspb.Key, error) { return &apikeyspb.Key{Uid: "u"}, nil })
	for want, set := range map[string]func(*http.Protocols, bool){
		"HTTP/1.1": (*http.Protocols).SetHTTP1, "HTTP/2.0": (*http.Protocols).SetUnencryptedHTTP2,
	} {
		transport := &http.Transport{Protocols: new(http.Protocols)}
		set(transport.Protocols, true)
		resp, err := (&http.Client{Transport: transport}).Get(s.URL() + "/v2/" + keyName)
		must(t, err)
		body, err := io.ReadAll(resp.Body)
		must(t, err)
		must(t, resp.Body.Close())
		if resp.Proto != want || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), `"u"`) {
			t.Errorf("%s %d %s, want %s", resp.Proto, resp.StatusCode, body, want)
		}
		transport.CloseIdleConnections()
	}
}

func dial(t *testing.T, s *Server) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(s.Addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestReflectionOnTheSamePort(t *testing.T) {
	stream, err := grpc_reflection_v1.NewServerReflectionClient(dial(t, start(t, nil))).ServerReflectionInfo(t.Context())
	must(t, err)
	must(t, stream.Send(&grpc_reflection_v1.ServerReflectionRequest{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_FileContainingSymbol{
		FileContainingSymbol: "google.api.apikeys.v2.ApiKeys",
	}}))
	resp, err := stream.Recv()
	if err != nil || len(resp.GetFileDescriptorResponse().GetFileDescriptorProto()) == 0 {
		t.Errorf("%v, %v", resp, err)
	}
}

func TestUnknownGRPCService(t *testing.T) {
	err := dial(t, start(t, nil)).Invoke(t.Context(), "/google.nothing.v1.Nothing/Get", &apikeyspb.GetKeyRequest{}, &apikeyspb.Key{})
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("error %v", err)
	}
}

func TestListenOnLoopbackOnly(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "example.com:0"} {
		if _, err := Listen(addr, nil); err == nil || !strings.Contains(err.Error(), "not on loopback") || !strings.Contains(err.Error(), "use 127.0.0.1") {
			t.Errorf("%s: error %v", addr, err)
		}
	}
	for _, addr := range []string{"", "127.0.0.1", "nonsense", "[::1"} {
		if _, err := Listen(addr, nil); err == nil || !strings.Contains(err.Error(), "give host:port") {
			t.Errorf("%s: error %v", addr, err)
		}
	}
	for _, addr := range []string{"127.0.0.1:0", "localhost:0", "127.1.2.3:0"} {
		s, err := Listen(addr, http.NotFoundHandler())
		must(t, err)
		must(t, s.Close())
	}
}

func TestListenOnAPortInUse(t *testing.T) {
	s := start(t, nil)
	if _, err := Listen(s.Addr, nil); err == nil || !strings.Contains(err.Error(), "listen tcp "+s.Addr) {
		t.Errorf("error %v", err)
	}
}

func TestCloseCutsWhatIsOpen(t *testing.T) {
	reached, gone := make(chan struct{}, 2), make(chan struct{}, 2)
	h, err := NewHandler(func(r grpc.ServiceRegistrar) {
		apikeyspb.RegisterApiKeysServer(r, keys{answer: func(ctx context.Context, _ proto.Message) (*apikeyspb.Key, error) {
			reached <- struct{}{}
			<-ctx.Done()
			gone <- struct{}{}
			return nil, ctx.Err()
		}})
	}, nil)
	must(t, err)
	s, err := Listen("127.0.0.1:0", h)
	must(t, err)
	failed := make(chan error, 2)
	for _, c := range clients(t, s) {
		go func() {
			_, err := c.ListKeys(t.Context(), &apikeyspb.ListKeysRequest{Parent: "projects/p/locations/global"}).Next()
			failed <- err
		}()
	}
	for range 2 {
		<-reached
	}
	must(t, s.Close())
	for range 2 {
		<-gone
		if err := <-failed; err == nil {
			t.Error("a call succeeded although the server was closed")
		}
	}
	if _, err := http.Get(s.URL()); err == nil {
		t.Error("the port is still open")
	}
}

func TestCloseTellsWhyServingEnded(t *testing.T) {
	broken := errors.New("broken")
	s := &Server{http: &http.Server{}, done: make(chan struct{}), served: broken}
	close(s.done)
	if err := s.Close(); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}
