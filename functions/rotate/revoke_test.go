package rotate

import (
	"errors"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"example.com/keyturn/functions/door"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/grpc/codes"
)

func TestRevokeDisablesTheRightKeyAndNothingElse(t *testing.T) {
	e := newEnv(t)
	secret, account := e.account("leaky", rotation.Upload)
	leaked := e.standing(secret).Current.ID
	foreign, err := e.iam.CreateServiceAccountKey(e.ctx, &adminpb.CreateServiceAccountKeyRequest{Name: account})
	must(t, err)
	revoke := event.Command{Verb: event.Revoke, Secret: secret, Key: leaked}
	e.do(revoke)
	e.clock.Advance(lag)
	wantSteps(t, e.proceed(secret), "verify promote disable") // nobody repeats the command: the journal knows
	e.clock.Advance(lag)
	e.fails(secret, leaked)
	e.works(secret, "latest")
	keys, err := e.cloud.AccountKeys(e.ctx, account)
	must(t, err)
	for _, k := range keys {
		if k.Disabled != (k.ID == leaked) {
			t.Errorf("key %s: disabled %v", k.ID, k.Disabled)
		}
	}
	if !slices.Contains(e.accountKeys(account), path.Base(foreign.GetName())) {
		t.Error("the foreign key was touched")
	}
	wantSteps(t, e.do(revoke), "disable") // delivered again: makes sure, and no more
}

func TestTokensOfALeakedKeyAreKilled(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, account := e.account("leaky", rotation.Upload)
	thief := e.consumer(secret)
	token := thief.token()
	revoke := event.Command{Verb: event.Revoke, Secret: secret, Key: e.standing(secret).Current.ID, KillTokens: true}
	if got := steps(e.do(revoke)); !strings.HasPrefix(got, "hasten begin stage publish verify(") {
		t.Errorf("steps %q", got)
	}
	e.clock.Advance(lag)
	wantSteps(t, e.proceed(secret), "verify promote disable suspend")
	if got := e.milestones(); got != "started promoted disabled suspended" {
		t.Errorf("milestones %q", got)
	}
	if thief.present(token) || thief.token() != "" {
		t.Error("the thief still gets in")
	}
	lift := e.refuse(codes.PermissionDenied, "ServiceAccountKeys") // what Google says of the keys now means nothing
	for _, c := range []event.Command{revoke, {Verb: event.Continue, Secret: secret}, {Verb: event.Inspect, Secret: secret}} {
		if r := e.do(c); len(r.Steps) > 0 || len(r.Warnings) > 0 {
			t.Errorf("%s while nothing can authenticate: %+v", c.Verb, r)
		}
	}
	lift()
	for _, verb := range []event.Verb{event.Rotate, event.Rollback} {
		after := 1
		c := event.Command{Verb: verb, Secret: secret, After: &after}
		_, err := e.f.Do(e.ctx, c)
		says(t, err, "disabled until", "ask again")
		if statusOf(err) != http.StatusConflict {
			t.Errorf("%s is answered HTTP %d", verb, statusOf(err))
		}
		if err := e.byTopic(c); !errors.Is(err, door.ErrRedeliver) {
			t.Errorf("%s by topic: %v, want the message again", verb, err)
		}
	}
	e.clock.Advance(59 * time.Minute)
	wantSteps(t, e.proceed(secret), "")
	e.clock.Advance(time.Minute)
	wantSteps(t, e.proceed(secret), "reinstate")
	if told := e.told(event.Reinstated); told.Secret != secret {
		t.Errorf("told %+v", told)
	}
	e.works(secret, "latest")
	e.works(secret, "current")
	if len(e.accountKeys(account)) != 2 {
		t.Errorf("keys %v", e.accountKeys(account))
	}
}

func TestTokensOfAKeyInOverlapAreKilled(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, _ := e.account("overlap", rotation.Create)
	revoke := event.Command{Verb: event.Revoke, Secret: secret, Key: e.standing(secret).Current.ID, KillTokens: true}
	e.replace(secret)
	lift := e.refuse(codes.PermissionDenied, "/DisableServiceAccount")
	must(t, e.byTopic(revoke))
	lift()
	if s := e.standing(secret); s.Suspend == nil || s.Retiring[0].Phase != rotation.Quarantined {
		t.Errorf("while the account cannot be disabled: %+v", s)
	}
	wantSteps(t, e.proceed(secret), "suspend") // a sweep finishes what the message began
	must(t, e.gcp.IAM.Suspend(path.Base(e.target(secret))))
	e.clock.Advance(time.Hour)
	_, err := e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
	says(t, err, "reinstate", "enabling") // Google says no, and nobody else may
	if s := e.standing(secret); s.Suspend == nil {
		t.Error("the suspension was forgotten")
	}
}

func TestAPIKeyHasNoTokensToKill(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, key := e.apiKey("none")
	revoke := event.Command{Verb: event.Revoke, Secret: secret, Key: key, KillTokens: true}
	_, err := e.f.Do(e.ctx, revoke)
	says(t, err, "an API key mints none", "revoke it without")
	if statusOf(err) != http.StatusUnprocessableEntity {
		t.Errorf("answered HTTP %d", statusOf(err))
	}
	must(t, e.byTopic(revoke))
	if dead := e.published(event.TopicDead); len(dead) != 1 {
		t.Errorf("%d dead letters", len(dead))
	}
	if s := e.standing(secret); s.Current.Revoked || s.Rotation != 0 {
		t.Errorf("after the refusal: %+v", s)
	}
}

func TestRevokeNamesTheKeysThereAre(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, account := e.account("known", rotation.Upload)
	empty := e.secret("empty")
	e.adopt(Adoption{Secret: empty, Kind: rotation.ServiceAccountKey, Target: account, Policy: policy})
	for secret, want := range map[string]string{secret: e.standing(secret).Current.ID, empty: "no keys yet"} {
		_, err := e.f.Do(e.ctx, event.Command{Verb: event.Revoke, Secret: secret, Key: "nosuch"})
		says(t, err, "nosuch", want, "keyturn status")
		if !errors.Is(err, ErrUnknownKey) {
			t.Errorf("error %v, want %v", err, ErrUnknownKey)
		}
	}
}

// TestTheShortIDOfAnAPIKeyWillDo takes what status shows and people type.
func TestTheShortIDOfAnAPIKeyWillDo(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, key := e.apiKey("leaky")
	for _, c := range []event.Command{
		{Verb: event.Revoke, Secret: secret, Key: "leak"},
		{Verb: event.Revoke, Secret: secret, Key: "keys/leaky"},
	} {
		if _, err := e.f.Do(e.ctx, c); !errors.Is(err, ErrUnknownKey) {
			t.Errorf("key %s: %v, want %v", c.Key, err, ErrUnknownKey)
		}
	}
	r := e.do(event.Command{Verb: event.Revoke, Secret: secret, Key: "leaky"})
	if r.Alive != key || r.Steps[0].Key != key {
		t.Errorf("alive %q, steps %+v", r.Alive, r.Steps)
	}
}

// TestWhatIsStillToComeIsTold until the leaked key, and then its tokens, are dead.
func TestWhatIsStillToComeIsTold(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, account := e.account("leaky", rotation.Upload)
	second := e.secret("second", e.newKey(account).GetPrivateKeyData())
	e.clock.Advance(lag)
	e.adopt(Adoption{Secret: second, Kind: rotation.ServiceAccountKey, Target: account, Policy: policy})
	revoke := event.Command{Verb: event.Revoke, Secret: secret, Key: e.standing(secret).Current.ID, KillTokens: true}
	status := event.Command{Verb: event.Status, Secret: secret}
	e.do(revoke)
	known := e.clock.Now().Add(10 * time.Minute)
	e.clock.Advance(lag / 2)
	if r := e.do(status); r.Suspend == nil || !r.Suspend.Pending || !r.Journal.Suspend.Pending || !r.Until.Equal(known) || !r.Next.Equal(known) {
		t.Errorf("before: %+v, suspension %+v", r, r.Suspend)
	}
	e.clock.Advance(lag / 2)
	if r := e.proceed(secret); r.Alive != "" || !r.Until.IsZero() || r.Suspend.Pending || !r.Suspend.Until.Equal(e.clock.Now().Add(time.Hour)) {
		t.Errorf("while the account is disabled: %+v, suspension %+v", r, r.Suspend)
	}
	all, err := e.f.StatusAll(e.ctx)
	must(t, err)
	for _, r := range all {
		if r.Suspend == nil || r.Suspend.Pending { // it is down as well
			t.Errorf("%s: suspension %+v", r.Secret, r.Suspend)
		}
	}
	e.clock.Advance(time.Hour)
	if r := e.proceed(secret); r.Suspend != nil {
		t.Errorf("afterwards: suspension %+v", r.Suspend)
	}
}

// TestNoRollbackWhileTokensAreToDie would disable the account on the spot, because
// the previous key takes the place of the leaked one.
func TestNoRollbackWhileTokensAreToDie(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, _ := e.account("leaky", rotation.Upload)
	e.replace(secret)
	e.do(event.Command{Verb: event.Revoke, Secret: secret, Key: e.standing(secret).Current.ID, KillTokens: true})
	after := e.standing(secret).Rotation
	back := event.Command{Verb: event.Rollback, Secret: secret, After: &after}
	_, err := e.f.Do(e.ctx, back)
	says(t, err, "about to be disabled", "tokens of a revoked key are to die", "ask again")
	if statusOf(err) != http.StatusConflict {
		t.Errorf("answered HTTP %d", statusOf(err))
	}
	if err := e.byTopic(back); !errors.Is(err, door.ErrRedeliver) {
		t.Errorf("by topic: %v, want the message again", err)
	}
	if s := e.standing(secret); s.Incoming == nil || s.Incoming.Back || !s.Suspend.Pending {
		t.Errorf("after the refusal: %+v", s)
	}
}

// TestARevokedKeyNeverComesBack by a rollback, which says why.
func TestARevokedKeyNeverComesBack(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, _ := e.account("leaky", rotation.Upload)
	var revoked []string
	for _, want := range []string{"its only previous key, ", "its previous keys, "} {
		revoked = append(revoked, e.standing(secret).Current.ID)
		e.do(event.Command{Verb: event.Revoke, Secret: secret, Key: e.standing(secret).Current.ID})
		e.clock.Advance(lag)
		e.proceed(secret)
		_, err := e.f.Do(e.ctx, event.Command{Verb: event.Rollback, Secret: secret})
		says(t, err, want+strings.Join(revoked, " and ")+", w", "revoked", "'keyturn status' shows")
	}
}
