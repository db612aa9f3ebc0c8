package wire

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	apikeys "cloud.google.com/go/apikeys/apiv2"
	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
)

// keys is an API Keys service whose methods, of those that it has, answer as a
// test says.
type keys struct {
	apikeyspb.UnimplementedApiKeysServer
	answer func(ctx context.Context, req proto.Message) (*apikeyspb.Key, error)
}

func (k keys) GetKey(ctx context.Context, req *apikeyspb.GetKeyRequest) (*apikeyspb.Key, error) {
	return k.answer(ctx, req)
}

func (k keys) ListKeys(ctx context.Context, req *apikeyspb.ListKeysRequest) (*apikeyspb.ListKeysResponse, error) {
	key, err := k.answer(ctx, req)
	return &apikeyspb.ListKeysResponse{Keys: []*apikeyspb.Key{key}}, err
}

func (k keys) UpdateKey(ctx context.Context, req *apikeyspb.UpdateKeyRequest) (*longrunningpb.Operation, error) {
	key, err := k.answer(ctx, req)
	return &longrunningpb.Operation{Name: "operations/" + key.GetDisplayName()}, err
}

const keyName = "projects/local/locations/global/keys/k"

// start serves keys on a port of its own.
func start(t *testing.T, answer func(context.Context, proto.Message) (*apikeyspb.Key, error), opts ...grpc.ServerOption) *Server {
	t.Helper()
	h, err := NewHandler(func(r grpc.ServiceRegistrar) { apikeyspb.RegisterApiKeysServer(r, keys{answer: answer}) }, nil, opts...)
	must(t, err)
	s, err := Listen("127.0.0.1:0", h)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// recorder answers with an empty key and hands each request to the test.
func recorder() (requests chan proto.Message, answer func(context.Context, proto.Message) (*apikeyspb.Key, error)) {
	requests = make(chan proto.Message, 1)
	return requests, func(_ context.Context, req proto.Message) (*apikeyspb.Key, error) {
		requests <- req
		return &apikeyspb.Key{}, nil
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// clients are Google's own, over gRPC and over REST.
func clients(t *testing.T, s *Server) map[string]*apikeys.Client {
	t.Helper()
	overGRPC, err := apikeys.NewClient(t.Context(), option.WithEndpoint(s.Addr), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	must(t, err)
	t.Cleanup(func() { overGRPC.Close() })
	overREST, err := apikeys.NewRESTClient(t.Context(), option.WithEndpoint(s.URL()), option.WithoutAuthentication())
	must(t, err)
	t.Cleanup(func() { overREST.Close() })
	return map[string]*apikeys.Client{"gRPC": overGRPC, "REST": overREST}
}

// call is a REST call: "GET /v2/…", with a JSON body where there is one.
func call(t *testing.T, s *Server, line, body string, headers ...string) (code int, header http.Header, answer string) {
	t.Helper()
	method, path, _ := strings.Cut(line, " ")
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, strings.NewReader(body))
	must(t, err)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, resp.Header, string(data)
}

// failure is Google's error form.
type failure struct {
	Error struct {
		Code    int               `json:"code"`
		Message string            `json:"message"`
		Status  string            `json:"status"`
		Details []json.RawMessage `json:"details"`
	} `json:"error"`
}

func failureOf(t *testing.T, answer string) failure {
	t.Helper()
	var f failure
	if err := json.Unmarshal([]byte(answer), &f); err != nil || f.Error.Status == "" {
		t.Fatalf("%s is not in Google's error form: %v", answer, err)
	}
	return f
}
