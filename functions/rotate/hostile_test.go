package rotate

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"example.com/keyturn/functions/door"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// refuse makes a method fail for as long as it is in force.
func (e *env) refuse(code codes.Code, methods ...string) (lift func()) {
	e.gcp.Faults.Set(func(m string, _ any) fault.Fault {
		if slices.ContainsFunc(methods, func(name string) bool { return strings.HasSuffix(m, name) }) {
			return fault.Fault{Before: status.Error(code, "refused on purpose")}
		}
		return fault.Fault{}
	})
	return func() { e.gcp.Faults.Set(nil) }
}

// endLease does what time does: the lease of a turn that died runs out.
func (e *env) endLease(secret string) {
	e.Helper()
	turn, err := e.f.observe(e.ctx, event.Command{Secret: secret})
	must(e.T, err)
	must(e.T, turn.save(e.ctx, turn.cred.Journal.Released()))
}

// A promote whose journal write was lost has already given the key to readers
// of latest: it must not be discarded any more.
func TestKeyThatLatestGivesOutIsNotDiscarded(t *testing.T) {
	e := newEnv(t)
	secret, _ := e.account("given", rotation.Upload)
	e.clock.Advance(72 * time.Hour)
	e.proceed(secret)
	e.clock.Advance(lag)
	added := false
	e.gcp.Faults.Set(func(m string, _ any) fault.Fault {
		added = added || strings.HasSuffix(m, "/AddSecretVersion")
		if added && strings.HasSuffix(m, "/UpdateSecret") {
			return fault.Fault{Before: status.Error(codes.Internal, "outage")}
		}
		return fault.Fault{}
	})
	e.try(secret)
	e.clock.Advance(time.Hour)
	e.gcp.Faults.Set(nil)
	e.endLease(secret)
	lift := e.refuse(codes.Unavailable, "/token")
	e.try(secret)
	lift()
	e.clock.Advance(lag)
	e.works(secret, "latest")
	e.clock.Advance(time.Hour)
	e.proceed(secret)
	e.works(secret, "current")
}

func TestLateUnstageSparesTheNextKey(t *testing.T) {
	e := newEnv(t)
	secret, _ := e.account("spared", rotation.Upload)
	e.clock.Advance(72 * time.Hour)
	e.proceed(secret)
	e.clock.Advance(lag)
	lift := e.refuse(codes.Internal, "/DestroySecretVersion")
	e.try(secret)
	_, err := e.f.Do(e.ctx, event.Command{Verb: event.Rotate, Secret: secret})
	if !errors.Is(err, errRecorded) {
		t.Fatalf("error %v, want the unstage to fail", err)
	}
	lift()
	e.proceed(secret)
	e.clock.Advance(lag)
	e.proceed(secret)
	if s := e.standing(secret); s.Rotation != 2 || s.Incoming != nil {
		t.Errorf("the second rotation is stuck: %+v, incoming %+v", s, s.Incoming)
	}
}

func TestLostStagingSecretIsNoDeadEnd(t *testing.T) {
	e := newEnv(t)
	secret, account := e.account("stageless", rotation.Upload)
	e.clock.Advance(72 * time.Hour)
	e.proceed(secret)
	must(t, e.secrets.DeleteSecret(e.ctx, &secretmanagerpb.DeleteSecretRequest{Name: secret + rotation.StagingSuffix}))
	e.proceed(secret)
	for range 3 {
		e.clock.Advance(2 * time.Minute)
		e.try(secret)
	}
	e.works(secret, "current")
	if s := e.standing(secret); s.Rotation != 2 || s.Incoming != nil || len(e.accountKeys(account)) != 2 {
		t.Errorf("after the staging secret was deleted: %+v, incoming %+v, keys %v", s, s.Incoming, e.accountKeys(account))
	}
}

// After a refusal no key of keyturn's exists: one that appears is somebody else's.
func TestForeignKeyAfterARefusalIsLeftAlone(t *testing.T) {
	e := newEnv(t)
	secret, account := e.account("refused", rotation.Create)
	e.clock.Advance(72 * time.Hour)
	lift := e.refuse(codes.PermissionDenied, "/CreateServiceAccountKey")
	e.try(secret)
	lift()
	e.clock.Advance(5 * time.Minute)
	foreign, err := e.iam.CreateServiceAccountKey(e.ctx, &adminpb.CreateServiceAccountKeyRequest{Name: account})
	must(t, err)
	for range 4 {
		e.clock.Advance(5 * time.Minute)
		e.try(secret)
	}
	id := foreign.GetName()[strings.LastIndex(foreign.GetName(), "/")+1:]
	if !slices.Contains(e.accountKeys(account), id) {
		t.Error("a key that somebody else made was deleted")
	}
	e.works(secret, "current")
}

func TestRevokeByTopicIsNotForgotten(t *testing.T) {
	for name, prepare := range map[string]func(e *env, secret string) (lift func()){
		"busy": func(e *env, secret string) func() {
			other, err := e.f.observe(e.ctx, event.Command{Secret: secret})
			must(e.T, err)
			j, _ := other.cred.Journal.Claim("somebody", time.Now(), leaseFor(defaultTimeout))
			must(e.T, other.save(e.ctx, j))
			return func() { must(e.T, other.save(e.ctx, other.cred.Journal.Released())) }
		},
		"outage": func(e *env, _ string) func() { return e.refuse(codes.Internal, "/UpdateSecret") },
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			secret, _ := e.account("wanted", rotation.Upload)
			leaked := e.standing(secret).Current.ID
			e.clock.Advance(time.Hour)
			lift := prepare(e, secret)
			attributes := map[string]string{"command": "revoke", "secret": secret, "key": leaked}
			if err := e.deliver(attributes, ""); !errors.Is(err, door.ErrRedeliver) {
				t.Fatalf("error %v, want the message again", err)
			}
			lift()
			must(t, e.deliver(attributes, ""))
			e.clock.Advance(lag)
			e.proceed(secret)
			e.clock.Advance(lag)
			e.fails(secret, leaked)
		})
	}
}

func TestRevokeInOverlapSurvivesAnOutage(t *testing.T) {
	e := newEnv(t)
	secret, _ := e.account("overlap", rotation.Upload)
	old := e.standing(secret).Current.ID
	e.clock.Advance(72 * time.Hour)
	e.proceed(secret)
	e.clock.Advance(lag)
	e.proceed(secret)
	lift := e.refuse(codes.Internal, "/DisableServiceAccountKey")
	must(t, e.deliver(map[string]string{"command": "revoke", "secret": secret, "key": old}, ""))
	lift()
	wantSteps(t, e.proceed(secret), "disable") // a sweep finishes what the message began
	e.clock.Advance(lag)
	e.fails(secret, old)
	e.works(secret, "latest")
}

func TestLastWorkingKeyIsLeftAlone(t *testing.T) {
	e := newEnv(t)
	secret, account := e.account("last", rotation.Upload)
	e.clock.Advance(72 * time.Hour)
	e.proceed(secret)
	e.clock.Advance(lag)
	e.proceed(secret)
	must(t, e.cloud.DeleteAccountKey(e.ctx, account, e.standing(secret).Current.ID))
	e.clock.Advance(7 * time.Hour)
	_, err := e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
	if err == nil || !strings.Contains(err.Error(), "successor does not work") {
		t.Errorf("error %v, want a refusal", err)
	}
	e.works(secret, "previous")
}

func TestJournalIsNeverGuessed(t *testing.T) {
	e := newEnv(t)
	secret, account := e.account("guess", rotation.Upload)
	s, err := e.cloud.Secret(e.ctx, secret)
	must(t, err)
	journal := s.Annotations[rotation.AnnotationJourn]
	e.annotate(secret, rotation.AnnotationJourn, "")
	if _, err := e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret}); !errors.Is(err, rotation.ErrJournal) {
		t.Errorf("error %v, want %v", err, rotation.ErrJournal)
	}
	e.annotate(secret, rotation.AnnotationJourn, journal)
	if _, err := e.f.Adopt(e.ctx, Adoption{Secret: secret, Kind: rotation.ServiceAccountKey, Target: account, Policy: policy}); err != nil {
		t.Errorf("adopting again: %v", err)
	}
}

func TestStagingSiblingOfSomebodyElseIsRespected(t *testing.T) {
	e := newEnv(t)
	_, account := e.account("owner", rotation.Upload)
	e.secret("own"+rotation.StagingSuffix, []byte("precious"))
	for secret, want := range map[string]string{
		e.secret("own"):                    "not keyturn's",
		e.secret(strings.Repeat("x", 240)): "no room",
	} {
		_, err := e.f.Adopt(e.ctx, Adoption{Secret: secret, Kind: rotation.ServiceAccountKey, Target: account, Policy: policy})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}
