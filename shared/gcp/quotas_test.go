package gcp

import (
	"context"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp/fault"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	iamAPI     = "/google.iam.admin.v1.IAM/"
	secretsAPI = "/google.cloud.secretmanager.v1.SecretManagerService/"
	keysAPI    = "/google.api.apikeys.v2.ApiKeys/"
)

// stopped is a time at which quotas' clock stands still.
var stopped = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// TestQuotas drains each bucket at a standstill: half of Google's quota a minute,
// of which ten seconds' worth may go at once.
func TestQuotas(t *testing.T) {
	for method, google := range map[string]int{ // calls a minute, as Google documents them
		iamAPI + "ListServiceAccountKeys":                6000,
		iamAPI + "CreateServiceAccountKey":               600,
		secretsAPI + "AccessSecretVersion":               90_000,
		secretsAPI + "GetSecret":                         600,
		secretsAPI + "UpdateSecret":                      600,
		keysAPI + "GetKeyString":                         240,
		keysAPI + "DeleteKey":                            120,
		"/google.longrunning.Operations/GetOperation":    240,
		"/google.pubsub.v1.Publisher/Publish":            0,
		"/google.longrunning.Operations/WaitForever/New": 0,
		"": 0,
	} {
		q := newQuotas(func() time.Time { return stopped })
		burst := google / 2 / 6
		for n := range burst {
			if wait, _ := q.reserve(method, "acme"); wait != 0 {
				t.Fatalf("%s: call %d of %d waits %v", method, n+1, burst, wait)
			}
		}
		wait, _ := q.reserve(method, "acme")
		if google == 0 && wait != 0 || google > 0 && wait.Round(time.Microsecond) != (2*time.Minute/time.Duration(google)).Round(time.Microsecond) {
			t.Errorf("%s: the call after the burst waits %v with a quota of %d", method, wait, google)
		}
		if other, _ := q.reserve(method, "other"); other != 0 {
			t.Errorf("%s: a call about another project waits %v", method, other)
		}
	}
}

// TestClassesDoNotShareAQuota drains one and uses the others.
func TestClassesDoNotShareAQuota(t *testing.T) {
	q := newQuotas(func() time.Time { return stopped })
	drain := func(method string) {
		for wait := time.Duration(0); wait == 0; wait, _ = q.reserve(method, "acme") {
		}
	}
	drain(secretsAPI + "AddSecretVersion")
	for _, method := range []string{"GetSecret", "AccessSecretVersion"} {
		if wait, _ := q.reserve(secretsAPI+method, "acme"); wait != 0 {
			t.Errorf("%s waits %v for the writes", method, wait)
		}
	}
	if wait, _ := q.reserve(secretsAPI+"UpdateSecret", "acme"); wait == 0 {
		t.Error("one write does not count for the other")
	}
	drain(keysAPI + "GetKey")
	if wait, _ := q.reserve("/google.longrunning.Operations/GetOperation", "acme"); wait == 0 {
		t.Error("polling an operation does not count as a read")
	}
}

// TestCallsWaitForTheirTurn calls faster than allowed, and then out of time.
func TestCallsWaitForTheirTurn(t *testing.T) {
	cloud, rec := taped(t, "127.0.0.1:1")
	cloud.calls.quotas = newQuotas(func() time.Time { return stopped })
	calls := 0
	call := func(ctx context.Context) error {
		return cloud.calls.do(ctx, keysAPI+"DeleteKey", "projects/acme", func(context.Context) error { calls++; return nil })
	}
	for range 12 { // 10 are the burst
		must(t, call(t.Context()))
	}
	if len(rec.pauses) != 2 || rec.pauses[0] != time.Second || rec.pauses[1] != 2*time.Second {
		t.Errorf("pauses %v, want 1s and 2s", rec.pauses)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 { // the second waits no longer for the first's having been there
		err := call(ctx)
		fails(t, err, codes.ResourceExhausted)
		says(t, err, "DeleteKey is due only in 3s by half of Google's quota for project acme")
		if !IsRefusal(err) || calls != 12 {
			t.Errorf("error %v, %d calls: want a refusal before the call", err, calls)
		}
	}
}

// TestRetriesCountForTheQuota has each attempt take a turn.
func TestRetriesCountForTheQuota(t *testing.T) {
	w := newWorld(t, 0)
	w.inject("GetSecret", fault.Fault{Before: status.Error(codes.Unavailable, "outage")})
	w.calls.quotas = newQuotas(func() time.Time { return stopped })
	b := bucket{"Secret Manager", reads, testProject}
	_, err := w.Secret(t.Context(), someSecret)
	fails(t, err, codes.Unavailable)
	_, err = w.AccountKeyStates(t.Context(), someAccount) // over REST
	fails(t, err, codes.NotFound)
	if left := w.calls.quotas.limiters[b].TokensAt(stopped); left != 50-maxAttempts {
		t.Errorf("%v turns are left of 50 after %d attempts", left, maxAttempts)
	}
	if left := w.calls.quotas.limiters[bucket{"IAM", reads, testProject}].TokensAt(stopped); left != 499 {
		t.Errorf("%v turns are left of 500 after one call over REST", left)
	}
}
