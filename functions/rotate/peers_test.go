package rotate

import (
	"strings"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/shared/event"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The tests of these files are named after the failures of other rotators:
// ckr is ovotech/cloud-key-rotator, skr jsiebens/sa-key-rotator, kyma
// kyma-project/test-infra, vault hashicorp/vault-plugin-secrets-gcp, yale
// broadinstitute/yale, infisical Infisical's rotation of service-account keys, ps
// the sample in Google's professional-services, aws the template of AWS Secrets
// Manager. None of them happens here.

// peer is one failure of another rotator, and the test that it is not keyturn's.
type peer struct {
	name string
	test func(t *testing.T)
}

func runPeers(t *testing.T, all []peer) {
	t.Helper()
	for _, p := range all {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			p.test(t)
		})
	}
}

var notApplicable = map[string]string{
	"ckr 3 (Kubernetes)":          "keyturn writes to Secret Manager only; see 'ckr 3' for what others put on the secret",
	"ckr 6 (files, Datadog)":      "keyturn writes no file and calls no metrics service; see 'ckr 6' for URLs",
	"kyma 6 (README)":             "the command line's tests compare what the documentation says with the defaults",
	"kyma 8 (grants)":             "grants are made at deployment; see 'kyma 8' for whom the calls concern",
	"vault 2 (WAL kinds)":         "there is one journal, of one type; 'vault 1' runs the recovery",
	"yale 6 (Vault, GitHub)":      "one place is written; consumers read it there",
	"blackwell (emulator)":        "not a rotator; 'wish: latest' runs the one of its errors that matters here",
	"wish: keyturn's own key":     "the functions run as a service account and have no key",
	"ps (versions destroyed)":     "covered by 'kyma 3', which is the same order of calls",
	"aws (AWSPENDING, database)":  "no database is called; see 'aws 3' for what is left in staging",
	"googlearchive#228 (catalog)": "keys belong to secrets, and secrets are not bound to instances",
}

func TestPeersThatCannotApply(t *testing.T) {
	for name, why := range notApplicable {
		t.Logf("%s: %s", name, why)
	}
}

// TestPeersUnderRefusal has one method fail for half an hour, while the rotation
// is asked for again and again. All that time the old key works and there is at
// most one more; in the end there is one new key.
func TestPeersUnderRefusal(t *testing.T) {
	for _, tt := range []struct {
		name   string
		kind   string
		method string
		lost   bool // the call is carried out, but its reply is lost
	}{
		{"ckr 1: a payload that was not stored costs no key", "upload", "/AddSecretVersion", false},
		{"ckr 1: nor does one whose storing was not heard of", "create", "/AddSecretVersion", true},
		{"ckr 4: a write that fails is no reason to make another key", "upload", "/UpdateSecret", false},
		{"skr 1: an upload that fails leaves no key without its private half", "upload", "/UploadServiceAccountKey", false},
		{"skr 2: an upload that was not heard of is not repeated", "upload", "/UploadServiceAccountKey", true},
		{"kyma 1: fifteen deliveries make no fifteen keys", "create", "/AddSecretVersion", false},
		{"vault 1: a created key whose reply was lost is found and deleted", "create", "/CreateServiceAccountKey", true},
		{"vault 3: a create that fails deletes nothing", "create", "/CreateServiceAccountKey", false},
		{"vault 6: a key that was never seen to work replaces none", "upload", "/token", false},
		{"yale 1: a journal that cannot be written stops the making of keys", "create", "/UpdateSecret", false},
		{"infisical 1: nothing is deleted before the new key is committed", "api-key", "/AddSecretVersion", false},
		{"infisical 2: nor is the commit forgotten that was not heard of", "api-key", "/UpdateSecret", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			testPeerUnderRefusal(t, tt.kind, tt.method, tt.lost)
		})
	}
}

func testPeerUnderRefusal(t *testing.T, kind, method string, lost bool) {
	e, secret, target := dying(t, kind, policy)
	c := event.Command{Verb: event.Rotate, Secret: secret, After: new(int)}
	old := e.consumer(secret)
	failed := status.Error(codes.Internal, "failed on purpose")
	fails := func(m string, _ any) fault.Fault {
		switch {
		case !strings.HasSuffix(m, method):
			return fault.Fault{}
		case lost:
			return fault.Fault{After: failed}
		}
		return fault.Fault{Before: failed}
	}
	for n := range 15 {
		e.gcp.Faults.Set(fails)
		_ = e.byTopic(c) // nil if the journal has the failure
		e.gcp.Faults.Set(nil)
		e.clock.Advance(2 * time.Minute)
		if n%5 == 0 {
			e.bothWork(secret)
		}
		if !old.use() {
			t.Fatal("the old key does not work")
		}
		if kind != "api-key" && len(e.accountKeys(target)) > 2 {
			t.Fatalf("keys %v", e.accountKeys(target))
		}
	}
	for range 5 {
		e.clock.Advance(11 * time.Minute)
		_ = e.byTopic(c)
		e.clock.Advance(lag)
		e.try(secret)
	}
	e.bothWork(secret)
	s := e.standing(secret)
	if s.Incoming != nil || s.Current.Version != "2" || len(s.Retiring) != 1 {
		t.Errorf("in the end: %+v, incoming %+v, failure %+v", s, s.Incoming, s.Failure)
	}
	if kind == "api-key" {
		return
	}
	if n := len(e.accountKeys(target)); n != 2 {
		t.Errorf("%d keys", n)
	}
	e.noneStaged(secret)
}
