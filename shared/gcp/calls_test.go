package gcp

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"example.com/keyturn/internal/localgcp/fault"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// tape records what passes the wire and which pauses are taken.
type tape struct {
	attempts []string // verbs
	pauses   []time.Duration
}

// trip is a function as a transport.
type trip func(*http.Request) (*http.Response, error)

func (t trip) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// taped is a Cloud at an endpoint whose wire is recorded and whose jitter is all
// of the backoff.
func taped(t *testing.T, endpoint string) (*Cloud, *tape) {
	t.Helper()
	rec := &tape{}
	cloud, err := New(Config{Project: testProject, Endpoint: endpoint, Wire: &Wire{
		GRPC: func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			rec.attempts = append(rec.attempts, method[strings.LastIndex(method, "/")+1:])
			return invoke(ctx, method, req, reply, conn, opts...)
		},
		HTTP: trip(func(r *http.Request) (*http.Response, error) {
			verb := map[string]string{"GET": "GetKey", "POST": "CreateKey", "DELETE": "DeleteKey"}[r.Method]
			if strings.HasPrefix(r.URL.Path, "/v1/") {
				verb = "ListServiceAccountKeys"
			}
			if strings.HasSuffix(r.URL.Path, "/entries:list") {
				verb = "ListLogEntries"
			}
			if strings.HasSuffix(r.URL.Path, ":getIamPolicy") {
				verb = "GetIamPolicy"
			}
			rec.attempts = append(rec.attempts, verb)
			return http.DefaultTransport.RoundTrip(r)
		}),
		Pause: func(ctx context.Context, d time.Duration) error {
			rec.pauses = append(rec.pauses, d)
			return ctx.Err()
		},
	}})
	must(t, err)
	cloud.calls.jitter = func(d time.Duration) time.Duration { return d }
	t.Cleanup(func() { must(t, cloud.Close()) })
	return cloud, rec
}

// exhausted is a refusal that asks to wait.
func exhausted(t *testing.T, wait time.Duration) error {
	t.Helper()
	s, err := status.New(codes.ResourceExhausted, "quota").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(wait)})
	must(t, err)
	return s.Err()
}

const ms = time.Millisecond

func TestRetries(t *testing.T) {
	unavailable, aborted := status.Error(codes.Unavailable, "outage"), status.Error(codes.Aborted, "race")
	lost := []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms}
	refused := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}
	for name, tt := range map[string]struct {
		verb string
		err  error
		want []time.Duration // pauses between attempts
	}{
		"read, outage":                 {"GetSecret", unavailable, lost},
		"list, race":                   {"ListServiceAccountKeys", aborted, lost},
		"access, outage":               {"AccessSecretVersion", unavailable, lost},
		"idempotent write, outage":     {"DisableServiceAccountKey", unavailable, lost},
		"publication, outage":          {"Publish", unavailable, lost},
		"creation by id, outage":       {"CreateKey", unavailable, lost},
		"quota":                        {"GetSecret", status.Error(codes.ResourceExhausted, "quota"), refused},
		"new key, quota":               {"CreateServiceAccountKey", status.Error(codes.ResourceExhausted, "quota"), refused},
		"new version, quota":           {"AddSecretVersion", status.Error(codes.ResourceExhausted, "quota"), refused},
		"upload, quota, asked to wait": {"UploadServiceAccountKey", exhausted(t, 30*time.Second), []time.Duration{31 * time.Second, 32 * time.Second, 34 * time.Second, 38 * time.Second}},
		"asked to wait a minute":       {"GetSecret", exhausted(t, time.Minute), []time.Duration{61 * time.Second, 62 * time.Second, 64 * time.Second, 68 * time.Second}},
		"asked to wait negatively":     {"GetSecret", exhausted(t, -time.Hour), refused},
		"asked to wait a day":          {"GetSecret", exhausted(t, 24*time.Hour), nil},
		"cap of keys":                  {"CreateServiceAccountKey", status.Error(codes.ResourceExhausted, "Maximum number of keys on account reached."), nil},
		"new key, outage":              {"CreateServiceAccountKey", unavailable, nil},
		"upload, race":                 {"UploadServiceAccountKey", aborted, nil},
		"new version, outage":          {"AddSecretVersion", unavailable, nil},
		"compare and swap, outage":     {"UpdateSecret", unavailable, nil},
		"compare and swap of a key":    {"UpdateKey", aborted, nil},
		"call that is not known":       {"FrobnicateKey", unavailable, nil},
		"read, denied":                 {"GetSecret", status.Error(codes.PermissionDenied, "no"), nil},
		"read, internal":               {"GetSecret", status.Error(codes.Internal, "bug"), nil},
		"read, too late":               {"GetSecret", status.Error(codes.DeadlineExceeded, "late"), nil},
		"no status":                    {"GetSecret", errors.New("odd"), nil},
		"success":                      {"GetSecret", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			cloud, rec := taped(t, "127.0.0.1:1")
			attempts := 0
			err := cloud.calls.do(t.Context(), "/some.Service/"+tt.verb, "acme", func(context.Context) error { attempts++; return tt.err })
			if !errors.Is(err, tt.err) || !slices.Equal(rec.pauses, tt.want) || attempts != 1+len(tt.want) {
				t.Errorf("error %v after %d attempts with the pauses %v, want pauses %v", err, attempts, rec.pauses, tt.want)
			}
		})
	}
}

// TestOneSuccessEndsTheRetries has two failures before it.
func TestOneSuccessEndsTheRetries(t *testing.T) {
	cloud, rec := taped(t, "127.0.0.1:1")
	must(t, cloud.calls.do(t.Context(), "/some.Service/GetX", "", func(context.Context) error {
		if len(rec.pauses) < 2 {
			return status.Error(codes.Unavailable, "outage")
		}
		return nil
	}))
	if len(rec.pauses) != 2 {
		t.Errorf("pauses %v", rec.pauses)
	}
}

// TestEachAttemptPassesTheWire and nothing else repeats calls: were the Google
// clients' own retries on, there would be more.
func TestEachAttemptPassesTheWire(t *testing.T) {
	w := somewhere(t)
	for name, a := range adapters() {
		for _, method := range a.methods {
			t.Run(name+"/"+method, func(t *testing.T) {
				cloud, rec := taped(t, w.gcp.Addr())
				w.inject(method, fault.Fault{Before: status.Error(codes.Unavailable, "outage")})
				if err := a.do(t.Context(), cloud); !IsUnavailable(err) {
					t.Errorf("error %v", err)
				}
				want := 1
				if repeatable(method) {
					want = maxAttempts
				}
				if len(rec.pauses) != want-1 {
					t.Errorf("%d pauses, want %d", len(rec.pauses), want-1)
				}
				if got := times(rec.attempts, method); got != want {
					t.Errorf("%d attempts of %s passed the wire, want %d", got, method, want)
				}
			})
		}
	}
}

// times counts how often an attempt of a method was made.
func times(attempts []string, method string) (n int) {
	for _, a := range attempts {
		if a == method {
			n++
		}
	}
	return n
}

func TestPauseEndsWithTheContext(t *testing.T) {
	must(t, pause(t.Context(), 0))
	soon, cancel := context.WithTimeout(t.Context(), time.Hour)
	if err := pause(soon, 2*time.Hour); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a pause beyond the deadline: error %v", err)
	}
	waiting := make(chan error)
	go func() { waiting <- pause(soon, time.Minute) }()
	cancel()
	if err := <-waiting; !errors.Is(err, context.Canceled) {
		t.Errorf("a pause that was given up: error %v", err)
	}
}

// TestGivenUpPauseKeepsTheError of the call rather than that of the pause.
func TestGivenUpPauseKeepsTheError(t *testing.T) {
	cloud, _ := taped(t, "127.0.0.1:1")
	ctx, cancel := context.WithCancel(t.Context())
	attempts := 0
	err := cloud.calls.do(ctx, "/some.Service/GetX", "", func(context.Context) error {
		attempts++
		cancel()
		return status.Error(codes.Unavailable, "outage")
	})
	if attempts != 1 || !IsUnavailable(err) {
		t.Errorf("error %v after %d attempts", err, attempts)
	}
}

func TestEveryAttemptHasADeadline(t *testing.T) {
	cloud, _ := taped(t, "127.0.0.1:1")
	must(t, cloud.calls.do(t.Context(), "/some.Service/GetX", "", func(ctx context.Context) error {
		if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > attemptTimeout {
			t.Errorf("deadline %v, %v", deadline, ok)
		}
		return nil
	}))
}

func TestNewCaller(t *testing.T) {
	for name, tt := range map[string]struct {
		c      Config
		halved bool
	}{
		"Google's own":            {Config{}, true},
		"Google's own, unlimited": {Config{Quotas: QuotasUnlimited}, false},
		"embedded":                {Config{Endpoint: "127.0.0.1:1"}, false},
		"embedded, bench":         {Config{Endpoint: "127.0.0.1:1", Quotas: QuotasHalved}, true},
		"of the caller":           {Config{Endpoint: "127.0.0.1:1", Quotas: QuotasOfCaller}, true},
	} {
		t.Run(name, func(t *testing.T) {
			tt.c.Project = testProject
			cloud, err := New(tt.c)
			must(t, err)
			if (cloud.calls.quotas != nil) != tt.halved {
				t.Errorf("held back: %v, want %v", !tt.halved, tt.halved)
			}
			for range 100 {
				if d := cloud.calls.jitter(time.Second); d < 0 || d >= time.Second {
					t.Fatalf("jitter %v", d)
				}
			}
		})
	}
}

func TestProjectOfRequests(t *testing.T) {
	for want, req := range map[string]any{
		"p1": &adminpb.GetServiceAccountKeyRequest{Name: "projects/p1/serviceAccounts/e/keys/k"},
		"p2": &secretmanagerpb.CreateSecretRequest{Parent: "projects/p2"},
		"p3": &secretmanagerpb.UpdateSecretRequest{Secret: &secretmanagerpb.Secret{Name: "projects/p3/secrets/s"}},
		"p4": &apikeyspb.UpdateKeyRequest{Key: &apikeyspb.Key{Name: "projects/p4/locations/global/keys/k"}},
		"p5": &apikeyspb.CreateKeyRequest{Parent: "projects/p5/locations/global", Key: &apikeyspb.Key{Name: "projects/p6"}},
		"":   &apikeyspb.LookupKeyRequest{KeyString: canary},
	} {
		if got := ProjectOf(resourceOf(req)); got != want {
			t.Errorf("%T is about project %q, want %q", req, got, want)
		}
	}
	if got := ProjectOf("operations/akmf.p7-1"); got != "" {
		t.Errorf("an operation is of project %q", got)
	}
}
