package rotate

import (
	"errors"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/shared/event"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestLostReplies loses the reply, or fails the call, of each remote method of
// a rotation once. The rotation must end all the same, with no key too many.
func TestLostReplies(t *testing.T) {
	secrets := []string{"GetSecret", "UpdateSecret", "AddSecretVersion", "AccessSecretVersion", "DisableSecretVersion", "DestroySecretVersion"}
	account := []string{"CreateSecret", "ListSecretVersions", "ListServiceAccountKeys", "DisableServiceAccountKey", "DeleteServiceAccountKey", "POST /token", "GET /v1/userinfo"}
	methods := map[string][]string{
		"upload":  slices.Concat(secrets, account, []string{"UploadServiceAccountKey"}),
		"create":  slices.Concat(secrets, account, []string{"CreateServiceAccountKey"}),
		"api-key": slices.Concat(secrets, []string{"CreateKey", "GetKey", "GetKeyString", "UpdateKey", "DeleteKey"}),
	}
	lost := status.Error(codes.Internal, "the reply was lost") // not Unavailable, which Google's clients retry by themselves
	for kind := range methods {
		for _, method := range methods[kind] {
			for name, f := range map[string]fault.Fault{"before": {Before: lost}, "after": {After: lost}} {
				t.Run(kind+"/"+strings.ReplaceAll(method, " /", "-")+"/"+name, func(t *testing.T) {
					t.Parallel()
					testLostReply(t, kind, method, f)
				})
			}
		}
	}
}

func testLostReply(t *testing.T, kind, method string, f fault.Fault) {
	e := newEnv(t)
	secret, target := e.credential(kind)
	e.clock.Advance(72 * time.Hour)
	pending := make(chan struct{}, 1)
	pending <- struct{}{}
	once := func(m string, _ any) fault.Fault {
		if path.Base(m) == path.Base(method) {
			select {
			case <-pending:
				return f
			default:
			}
		}
		return fault.Fault{}
	}
	for i := range 12 { // sweeps: often while the new key comes in, then as overlap and quarantine pass
		e.gcp.Faults.Set(once)
		_, err := e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
		e.gcp.Faults.Set(nil)
		if err != nil && !errors.Is(err, errRecorded) && !errors.Is(err, ErrBusy) && status.Code(err) != codes.Internal {
			t.Fatalf("unexpected error: %v", err)
		}
		e.bothWork(secret)
		if t.Failed() {
			t.FailNow()
		}
		if i < 5 {
			e.clock.Advance(12 * time.Minute)
		} else {
			e.clock.Advance(6 * time.Hour)
		}
	}
	s, begun := e.standing(secret), 1
	if method == "UploadServiceAccountKey" && f.Before != nil {
		begun = 2 // nobody knows that it was not uploaded, and a pair is uploaded once
	}
	if s.Rotation != begun || s.Incoming != nil || len(s.Retiring) > 0 {
		t.Fatalf("the rotation has not ended: %+v incoming %+v retiring %+v failure %+v", s, s.Incoming, s.Retiring, s.Failure)
	}
	if kind != "api-key" {
		if keys := e.accountKeys(target); !slices.Equal(keys, []string{s.Current.ID}) {
			t.Errorf("keys %v, want only %s", keys, s.Current.ID)
		}
	}
}
