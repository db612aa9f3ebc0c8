package quota_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	pb "cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	"example.com/keyturn/internal/localgcp/quota"
	localsecrets "example.com/keyturn/internal/localgcp/secretmanager"
	"example.com/keyturn/internal/localgcp/wire"
)

// world is a Secret Manager with quotas and Google's clients of it.
type world struct {
	*testing.T
	now        atomic.Int64 // nanoseconds
	grpc, rest *secretmanager.Client
}

func start(t *testing.T, limits quota.Limits) *world {
	t.Helper()
	w := &world{T: t}
	q := quota.New(quota.Config{
		Limits: limits, Now: func() time.Time { return time.Unix(1_900_000_000, w.now.Load()) },
		Number: func(project string) string { return map[string]string{"acme": "123", "other": "456"}[project] },
	})
	h, err := wire.NewHandler(localsecrets.New(localsecrets.Config{}).Register, nil, grpc.ChainUnaryInterceptor(q.Unary()))
	w.must(err)
	server, err := wire.Listen("127.0.0.1:0", h)
	w.must(err)
	w.grpc, err = secretmanager.NewClient(t.Context(), option.WithEndpoint(server.Addr), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	w.must(err)
	w.rest, err = secretmanager.NewRESTClient(t.Context(), option.WithEndpoint(server.URL()), option.WithoutAuthentication())
	w.must(err)
	t.Cleanup(func() {
		w.must(errors.Join(w.grpc.Close(), w.rest.Close(), server.Close()))
	})
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) advance(d time.Duration) { w.now.Add(int64(d)) }

// get reads a secret that does not exist, which a quota that lets it through tells.
func get(ctx context.Context, c *secretmanager.Client, project string) codes.Code {
	_, err := c.GetSecret(ctx, &pb.GetSecretRequest{Name: "projects/" + project + "/secrets/s"})
	return status.Code(err)
}

func (w *world) want(what string, got, want codes.Code) {
	w.Helper()
	if got != want {
		w.Errorf("%s: %v, want %v", what, got, want)
	}
}

var two = quota.Limits{"secretmanager.googleapis.com": {quota.Read: 2}}

func TestEachProjectHasItsMinute(t *testing.T) {
	w := start(t, two)
	ctx := t.Context()
	w.want("first", get(ctx, w.grpc, "acme"), codes.NotFound)
	w.advance(59 * time.Second)
	w.want("second", get(ctx, w.grpc, "123"), codes.NotFound) // the same project
	w.want("third", get(ctx, w.grpc, "acme"), codes.ResourceExhausted)
	w.want("of another project", get(ctx, w.grpc, "other"), codes.NotFound)
	_, err := w.grpc.CreateSecret(ctx, &pb.CreateSecretRequest{Parent: "projects/acme"})
	w.want("of another class", status.Code(err), codes.InvalidArgument)
	w.advance(time.Second)
	w.want("in the next minute", get(ctx, w.grpc, "acme"), codes.NotFound)
	w.want("in the next minute", get(ctx, w.grpc, "acme"), codes.NotFound)
	w.want("in the next minute", get(ctx, w.grpc, "acme"), codes.ResourceExhausted)
}

const text = "Quota exceeded for quota metric 'Read requests' and limit 'Read requests per minute' of service 'secretmanager.googleapis.com' for consumer 'project_number:123'."

func TestRefusalIsGoogles(t *testing.T) {
	w := start(t, two)
	get(t.Context(), w.grpc, "acme")
	get(t.Context(), w.grpc, "acme")
	w.advance(20 * time.Second)
	_, err := w.grpc.GetSecret(t.Context(), &pb.GetSecretRequest{Name: "projects/acme/secrets/s"})
	s := status.Convert(err)
	if s.Code() != codes.ResourceExhausted || s.Message() != text {
		t.Errorf("answered %v", err)
	}
	want := []any{
		&errdetails.ErrorInfo{Reason: "RATE_LIMIT_EXCEEDED", Domain: "googleapis.com", Metadata: map[string]string{
			"consumer": "projects/123", "quota_limit": "ReadRequestsPerMinutePerProject", "quota_limit_value": "2", "quota_location": "global",
			"quota_metric": "secretmanager.googleapis.com/read_requests", "service": "secretmanager.googleapis.com",
		}},
		&errdetails.Help{Links: []*errdetails.Help_Link{{Description: "Request a higher quota limit.", Url: "https://cloud.google.com/docs/quota#requesting_higher_quota"}}},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(40 * time.Second)},
	}
	if diff := cmp.Diff(want, s.Details(), protocmp.Transform()); diff != "" {
		t.Errorf("details (-want +got):\n%s", diff)
	}
	_, err = w.rest.GetSecret(t.Context(), &pb.GetSecretRequest{Name: "projects/acme/secrets/s"})
	var refused *googleapi.Error
	if !errors.As(err, &refused) || refused.Code != http.StatusTooManyRequests || refused.Message != text || len(refused.Details) != 3 {
		t.Errorf("over REST: %+v", refused)
	}
}

func TestWithoutLimits(t *testing.T) {
	w := start(t, nil)
	for range 10 {
		w.want("unlimited", get(t.Context(), w.grpc, "acme"), codes.NotFound)
	}
}

// The time of a machine is what counts where no other is given.
func TestConcurrentCallsTakeEachOneOnce(t *testing.T) {
	q := quota.New(quota.Config{Limits: quota.Limits{"secretmanager.googleapis.com": {quota.Access: 50}}, Number: func(string) string { return "1" }})
	var passed atomic.Int64
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			_, err := q.Unary()(t.Context(), &pb.AccessSecretVersionRequest{Name: "projects/p/secrets/s/versions/1"},
				&grpc.UnaryServerInfo{FullMethod: "/google.cloud.secretmanager.v1.SecretManagerService/AccessSecretVersion"},
				func(context.Context, any) (any, error) { passed.Add(1); return nil, nil })
			if err != nil && status.Code(err) != codes.ResourceExhausted {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if passed.Load() != 50 {
		t.Errorf("%d of 50 passed", passed.Load())
	}
}

func TestWhatNamesNoProjectIsUnlimited(t *testing.T) {
	q := quota.New(quota.Config{Limits: quota.Limits{"secretmanager.googleapis.com": {quota.Read: 0}}})
	for _, req := range []any{"no message", &pb.GetSecretRequest{Name: "secrets/s"}} {
		answer, err := q.Unary()(t.Context(), req, &grpc.UnaryServerInfo{FullMethod: "/google.cloud.secretmanager.v1.SecretManagerService/GetSecret"},
			func(context.Context, any) (any, error) { return "answer", nil })
		if answer != "answer" || err != nil {
			t.Errorf("%v: %v, %v", req, answer, err)
		}
	}
}

func TestGooglesFigures(t *testing.T) {
	want := quota.Limits{
		"iam.googleapis.com":           {"Read requests": 6000, "Write requests": 600},
		"secretmanager.googleapis.com": {"Access requests": 90000, "Read requests": 600, "Write requests": 600},
		"apikeys.googleapis.com":       {"Read requests": 240, "Write requests": 120},
		"monitoring.googleapis.com":    {"Read requests": 6000},
		"logging.googleapis.com":       {"Read requests": 60},
	}
	if diff := cmp.Diff(want, quota.Google()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
