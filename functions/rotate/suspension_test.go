package rotate

import (
	"path"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func (e *env) accountDisabled(account string) bool {
	e.Helper()
	a, err := e.iam.GetServiceAccount(e.ctx, &adminpb.GetServiceAccountRequest{Name: account})
	must(e.T, err)
	return a.GetDisabled()
}

// killed is a credential whose old key is to be revoked together with its tokens.
func killed(e *env, id string) (secret, account string, c event.Command) {
	e.Helper()
	secret, account = e.account(id, rotation.Upload)
	old := e.standing(secret).Current.ID
	e.replace(secret)
	return secret, account, event.Command{Verb: event.Revoke, Secret: secret, Key: old, KillTokens: true}
}

func TestAccountDisabledByHandIsNotEnabled(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, account, kill := killed(e, "hand")
	must(t, e.iam.DisableServiceAccount(e.ctx, &adminpb.DisableServiceAccountRequest{Name: account}))
	e.events()
	e.do(kill)
	if told := e.events(); told[len(told)-1].Milestone != event.Suspended || told[len(told)-1].Reason != foreignSuspension {
		t.Errorf("told %+v", told)
	}
	e.clock.Advance(2 * time.Hour)
	e.try(secret)
	if !e.accountDisabled(account) {
		t.Error("keyturn has enabled an account that somebody had disabled")
	}
}

// A turn that dies between disabling the account and saying so is no stranger.
func TestAccountThatADeadTurnDisabledIsEnabledAgain(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, account, kill := killed(e, "dead")
	var disabled atomic.Bool
	e.gcp.Faults.Set(func(m string, _ any) fault.Fault {
		switch path.Base(m) {
		case "DisableServiceAccount":
			disabled.Store(true)
		case "UpdateSecret":
			if disabled.Load() {
				return fault.Fault{Before: status.Error(codes.PermissionDenied, "the turn is dead")}
			}
		}
		return fault.Fault{}
	})
	_, err := e.f.Do(e.ctx, kill)
	says(t, err, "the turn is dead")
	e.gcp.Faults.Set(nil)
	e.endLease(secret)
	e.proceed(secret)
	if !e.accountDisabled(account) {
		t.Fatal("the tokens live")
	}
	e.clock.Advance(time.Hour)
	e.proceed(secret)
	if e.accountDisabled(account) {
		t.Error("the account stays disabled")
	}
}

func TestLateDuplicateKillsNoTokensTwice(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, account, kill := killed(e, "twice")
	must(t, e.byTopic(kill))
	e.clock.Advance(time.Hour)
	e.proceed(secret)
	e.clock.Advance(time.Hour)
	must(t, e.byTopic(kill))
	if e.accountDisabled(account) {
		t.Error("the account is disabled again")
	}
}

// While another credential's revocation has the account disabled nothing of it
// can be verified, and nothing is given up for that.
func TestRollbackOutlivesTheSuspensionOfItsAccount(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	a, account, kill := killed(e, "shared")
	b := e.secret("shared-b", e.newKey(account).GetPrivateKeyData())
	e.clock.Advance(10 * time.Minute)
	e.adopt(Adoption{Secret: b, Kind: rotation.ServiceAccountKey, Target: account, Policy: policy})
	first := e.standing(b).Current.ID
	e.replace(b)
	e.do(kill)
	_, _ = e.f.Do(e.ctx, e.rollBack(b))
	for range 30 {
		e.clock.Advance(5 * time.Minute)
		e.try(a)
		e.try(b)
	}
	if got := e.standing(b).Current.ID; got != first {
		t.Errorf("the rollback was given up: %s is in use, want %s", got, first)
	}
}
