package survey

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/shared/deployment"
	"example.com/keyturn/shared/gcp"
)

func TestWhyThereIsNoToken(t *testing.T) {
	refused := func(code int) error {
		return fmt.Errorf("minting: %w", &oauth2.RetrieveError{Response: &http.Response{StatusCode: code}, Body: []byte(`{"error":"invalid_grant","error_description":"Invalid JWT\nSignature."}`)})
	}
	for name, tt := range map[string]struct {
		err         error
		unreachable bool
		lacks       string
	}{
		"none is missing":       {nil, false, ""},
		"refused":               {refused(400), false, "invalid_grant Invalid JWT; Signature."},
		"Google is down":        {refused(503), true, ""},
		"no route":              {&url.Error{Op: "Post", URL: "x", Err: errors.New("no route")}, true, "no route"},
		"no name":               {fmt.Errorf("x: %w", &net.DNSError{Err: "no such host"}), true, "no such host"},
		"an error that is text": {errors.New("oauth2: cannot fetch token: Post: refused"), true, "refused"},
		"none at all":           {errors.New("google: could not find default credentials. See https://x"), false, "there are no credentials on this machine"},
		"a broken file":         {errors.New("invalid character"), false, "cannot be used: invalid character"},
	} {
		got := callerOf(tt.err)
		if got.Unreachable != tt.unreachable || !strings.Contains(got.Lacks, tt.lacks) || (got.Lacks == "") != (tt.err == nil) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestWhyAPartIsNotRead(t *testing.T) {
	disabled, err := status.New(codes.PermissionDenied, "long text").WithDetails(&errdetails.ErrorInfo{Reason: "SERVICE_DISABLED", Metadata: map[string]string{"service": "x.googleapis.com"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		err  error
		want deployment.Unread
	}{
		"disabled": {disabled.Err(), deployment.Unread{Why: "x.googleapis.com is not enabled", API: "x.googleapis.com"}},
		"denied":   {status.Error(codes.PermissionDenied, "no\n\nway"), deployment.Unread{Why: "no; way", Denied: true}},
		"down":     {status.Error(codes.Unavailable, strings.Repeat("x", 1000)), deployment.Unread{Why: strings.Repeat("x", 300)}},
	} {
		if got := unread(tt.err); *got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, *got, tt.want)
		}
	}
	if unread(nil) != nil {
		t.Error("no error is one")
	}
}

// keyFile writes a service-account key whose tokens are made at an address.
func keyFile(t *testing.T, tokenURL string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	file, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "ada@acme.iam.gserviceaccount.com", "private_key_id": "1", "private_key": string(pem.EncodeToMemory(block)), "token_uri": tokenURL,
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", path)
}

// TestCredentialsThatDoNotWork stops at the first thing that is wrong.
func TestCredentialsThatDoNotWork(t *testing.T) {
	answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_grant","error_description":"Invalid JWT Signature."}`)
	})
	server := httptest.NewServer(answer)
	cloud, err := gcp.New(gcp.Config{Project: "acme", AllowKeyFile: true})
	if err != nil {
		t.Fatal(err)
	}
	defer cloud.Close()
	look := func() deployment.Caller {
		_, o, err := Look(t.Context(), Config{Cloud: cloud, Region: "us-central1"})
		if err != nil {
			t.Fatal(err)
		}
		return o.Caller.Value
	}
	keyFile(t, server.URL)
	if c := look(); c.Unreachable || !strings.Contains(c.Lacks, "Invalid JWT Signature.") || c.KeyFile == "" {
		t.Errorf("of a disabled key: %+v", c)
	}
	server.Close()
	if cloud, err = gcp.New(gcp.Config{Project: "acme", AllowKeyFile: true}); err != nil { // which has looked for no credentials yet
		t.Fatal(err)
	}
	keyFile(t, server.URL)
	if c := look(); !c.Unreachable {
		t.Errorf("without a network: %+v", c)
	}
}

// embedded is a cloud where keyturn was never set up.
func embedded(t *testing.T) (*localgcp.Cloud, *gcp.Cloud) {
	t.Helper()
	local, err := localgcp.Start(localgcp.Config{Addr: "127.0.0.1:0", ProjectID: "acme", Clock: clock.NewFrozen(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { local.Close() })
	cloud, err := gcp.New(gcp.Config{Project: "acme", Endpoint: local.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cloud.Close() })
	return local, cloud
}

func accept([]string) error { return nil }

func TestWhatDoesNotExistIsNotUnread(t *testing.T) {
	_, cloud := embedded(t)
	site, o, err := Look(t.Context(), Config{Cloud: cloud, Region: "us-central1", Check: accept})
	if err != nil || site.Number == "" {
		t.Fatal(site, err)
	}
	for _, p := range deployment.Diagnose(deployment.Wanted{Site: site, Filter: "F", Endpoint: cloud.Endpoint()}, o) {
		if p.Kind == deployment.Unchecked {
			t.Errorf("%s", p.Problem)
		}
	}
	if o.Sink.Value != nil || len(o.Topics.Value)+len(o.Functions.Value)+len(o.Accounts.Value) != 0 || len(o.Seals) != 2 {
		t.Errorf("%+v", o)
	}
}

// TestEveryPartMayFail has each call fail in turn: its part must say why, and no
// other part.
func TestEveryPartMayFail(t *testing.T) {
	local, cloud := embedded(t)
	for _, method := range []string{
		"/google.api.serviceusage.v1.ServiceUsage/BatchGetServices", "/google.iam.admin.v1.IAM/GetServiceAccount", "/google.pubsub.v1.Publisher/ListTopics",
		"/google.cloud.functions.v2.FunctionService/ListFunctions", "/google.pubsub.v1.Subscriber/ListSubscriptions", "/google.logging.v2.ConfigServiceV2/GetSink",
		"/google.cloud.scheduler.v1.CloudScheduler/ListJobs", "/google.cloud.secretmanager.v1.SecretManagerService/GetSecret",
		"/google.cloud.secretmanager.v1.SecretManagerService/ListSecrets", "/google.monitoring.v3.MetricService/ListTimeSeries", "/google.iam.admin.v1.IAM/GetRole",
	} {
		local.Faults.Set(func(called string, _ any) fault.Fault {
			if called == method {
				return fault.Fault{Before: status.Error(codes.PermissionDenied, "denied: "+method)}
			}
			return fault.Fault{}
		})
		site, o, err := Look(t.Context(), Config{Cloud: cloud, Region: "us-central1", Check: accept})
		if err != nil {
			t.Fatal(err)
		}
		told := 0
		for _, p := range deployment.Diagnose(deployment.Wanted{Site: site, Filter: "F", Endpoint: cloud.Endpoint()}, o) {
			switch {
			case p.Kind != deployment.Unchecked:
			case strings.Contains(p.Problem, "denied: "+method):
				told++
			default:
				t.Errorf("%s fails, and this is told: %s", method, p.Problem)
			}
		}
		if told == 0 {
			t.Errorf("%s fails, and that is not told", method)
		}
	}
}

func TestAClockWithoutADate(t *testing.T) {
	for _, address := range []string{"http://127.0.0.1:1/", "://"} {
		if _, err := dateAt(t.Context(), address); err == nil {
			t.Errorf("%s tells the date", address)
		}
	}
}
