package rotate

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

func TestPeersInfisicalPsAws(t *testing.T) { runPeers(t, infisicalPsAws) }

var infisicalPsAws = []peer{
	{"infisical 3: who read before the other finished does nothing", func(t *testing.T) {
		for _, mode := range []rotation.KeyMode{rotation.Upload, rotation.Create} {
			e := newEnv(t)
			secret, account := e.account("stale", mode)
			stale, err := e.f.observe(e.ctx, event.Command{Secret: secret})
			must(t, err)
			e.replace(secret)
			if err := errors.Join(stale.rounds(e.ctx, rotation.Intent{Rotate: true})...); !errors.Is(err, ErrBusy) {
				t.Errorf("error %v, want %v", err, ErrBusy)
			}
			e.clock.Advance(lag)
			if s := e.standing(secret); s.Rotation != 1 || len(e.accountKeys(account)) != 2 {
				t.Errorf("after a stale trigger: %+v, keys %v", s, e.accountKeys(account))
			}
		}
	}},
	{"infisical 4: an account that is not there is said not to be there", func(t *testing.T) {
		e := newEnv(t)
		missing := "projects/" + project + "/serviceAccounts/nobody@acme.iam.gserviceaccount.com"
		_, err := e.f.Adopt(e.ctx, Adoption{Secret: e.secret("s"), Kind: rotation.ServiceAccountKey, Target: missing, Policy: policy})
		says(t, err, "nobody@acme")
		if !gcp.IsNotFound(err) {
			t.Errorf("error %v, want NOT_FOUND", err)
		}
	}},
	{"ps 1: a notice that comes twice rotates once, and both keys work after it", func(t *testing.T) {
		e := newEnv(t)
		secret, account := e.account("twice", rotation.Upload)
		e.clock.Advance(72 * time.Hour)
		for range 2 {
			must(t, e.deliver(map[string]string{"eventType": "SECRET_ROTATE", "secretId": secret}, "{}"))
			e.clock.Advance(lag)
		}
		e.works(secret, "current")
		e.works(secret, "previous")
		e.clock.Advance(lag)
		if n := len(e.accountKeys(account)); n != 2 || e.standing(secret).Rotation != 1 {
			t.Errorf("%d keys after rotation %d", n, e.standing(secret).Rotation)
		}
	}},
	{"ps 2: a first version in a list is not taken for the one in use", func(t *testing.T) {
		e := newEnv(t)
		_, account := e.account("model", rotation.Upload)
		k := e.newKey(account)
		e.clock.Advance(lag)
		secret := e.secret("listed", k.GetPrivateKeyData())
		must(t, e.cloud.DisableVersion(e.ctx, secret, "1"))
		_, err := e.f.Adopt(e.ctx, Adoption{Secret: secret, Kind: rotation.ServiceAccountKey, Target: account, Policy: policy})
		says(t, err, "newest version, 1, is not enabled")
	}},
	{"aws 1: what is tested is what the credential is for", func(t *testing.T) {
		e, p := newProbing(t)
		secret, _ := e.account("purpose", rotation.Upload)
		p.code.Store(http.StatusForbidden) // it authenticates, and may not do its work
		e.do(event.Command{Verb: event.Rotate, Secret: secret})
		e.clock.Advance(lag)
		_, err := e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
		says(t, err, "HTTP 403")
		if s := e.standing(secret); s.Current.Version != "1" {
			t.Error("it was given to consumers")
		}
	}},
	{"aws 2: the old credential works while the new one is tested", func(t *testing.T) {
		for _, kind := range []string{"upload", "create", "api-key"} {
			e := newEnv(t)
			secret, _ := e.credential(kind)
			old := e.consumer(secret)
			for range 8 {
				e.try(secret)
				if !old.use() {
					t.Fatalf("%s: the old credential does not work", kind)
				}
				e.clock.Advance(10 * time.Hour)
				if s := e.standing(secret); len(s.Retiring) > 0 && s.Retiring[0].Phase == rotation.Quarantined {
					break
				}
			}
		}
	}},
	{"aws 3: nothing stays staged of what failed", func(t *testing.T) {
		e := newEnv(t)
		secret, _ := e.account("pending", rotation.Create)
		lift := e.refuse(codes.Unavailable, "/token")
		e.do(event.Command{Verb: event.Rotate, Secret: secret})
		e.clock.Advance(31 * time.Minute)
		if got := steps(e.proceed(secret)); !strings.HasPrefix(got, "discard unstage") {
			t.Errorf("steps %q", got)
		}
		lift()
		e.noneStaged(secret)
	}},
}

// TestPeersWishes are what users of other rotators ask for.
func TestPeersWishes(t *testing.T) { runPeers(t, wishes) }

var wishes = []peer{
	{"wish: an overlap in which both keys work", func(t *testing.T) {
		e := newEnv(t)
		secret, _ := e.account("both", rotation.Upload)
		e.replace(secret)
		e.clock.Advance(6*time.Hour - time.Second)
		wantSteps(t, e.proceed(secret), "")
		e.works(secret, "previous")
		e.works(secret, "current")
	}},
	{"wish: nothing is handed out before Google knows it", func(t *testing.T) {
		e := newEnvOn(t, localgcp.Config{KeyLag: 7 * time.Minute}, nil)
		secret, _ := e.account("slowly", rotation.Upload)
		e.do(event.Command{Verb: event.Rotate, Secret: secret})
		for range 8 {
			e.bothWork(secret)
			e.clock.Advance(time.Minute)
			e.proceed(secret)
		}
		e.bothWork(secret)
		if s := e.standing(secret); s.Current.Version != "2" {
			t.Errorf("%+v", s.Incoming)
		}
	}},
	{"wish: ten years of rotations leave room among the ten keys", func(t *testing.T) {
		e := newEnv(t)
		secret, account := e.account("years", rotation.Upload)
		for range 30 {
			e.replace(secret)
			e.clock.Advance(6 * time.Hour)
			e.proceed(secret)
			e.clock.Advance(day)
			e.proceed(secret)
		}
		e.clock.Advance(lag)
		if n := len(e.accountKeys(account)); n != 1 {
			t.Errorf("%d keys after 30 rotations", n)
		}
	}},
	{"wish: API keys are rotated with all that they may do, and the old one stays a while", func(t *testing.T) {
		e := newEnv(t)
		secret, old := e.apiKey("billing")
		e.replace(secret)
		before, err := e.keys.GetKey(e.ctx, &apikeyspb.GetKeyRequest{Name: old})
		must(t, err)
		after, err := e.keys.GetKey(e.ctx, &apikeyspb.GetKeyRequest{Name: e.standing(secret).Current.ID})
		must(t, err)
		if !proto.Equal(before.GetRestrictions(), after.GetRestrictions()) || before.GetDisplayName() != after.GetDisplayName() || after.GetAnnotations()["team"] != "sec" {
			t.Errorf("before %v, after %v", before, after)
		}
		e.works(secret, "previous")
	}},
	{"wish: latest and current can always be read, whatever Google calls the newest", func(t *testing.T) {
		e := newEnv(t)
		secret, _ := e.account("newest", rotation.Upload)
		for range 40 {
			e.clock.Advance(5 * time.Hour)
			e.try(secret)
			e.bothWork(secret)
		}
	}},
	{"wish: to revoke is urgent, and to rotate is not", func(t *testing.T) {
		e := newEnv(t)
		for id, wish := range map[string]event.Command{"calm": {Verb: event.Rotate}, "urgent": {Verb: event.Revoke}} {
			secret, _ := e.account(id, rotation.Upload)
			old := e.standing(secret).Current.ID
			wish.Secret = secret
			if wish.Verb == event.Revoke {
				wish.Key = old
			}
			e.do(wish)
			e.clock.Advance(lag)
			e.proceed(secret)
			if k := e.standing(secret).Retiring[0]; (k.Phase == rotation.Quarantined) != (wish.Verb == event.Revoke) {
				t.Errorf("after %s the old key is %s", wish.Verb, k.Phase)
			}
			e.works(secret, "latest")
		}
	}},
	{"wish: a revocation that fails is neither forgotten nor taken for done", func(t *testing.T) {
		e := newEnv(t)
		secret, _ := e.account("alive", rotation.Upload)
		leaked := e.standing(secret).Current.ID
		e.replace(secret)
		lift := e.refuse(codes.PermissionDenied, "/DisableServiceAccountKey")
		r, err := e.f.Do(e.ctx, event.Command{Verb: event.Revoke, Secret: secret, Key: leaked})
		says(t, err, "disable", "refused on purpose")
		if r.Alive != leaked {
			t.Errorf("the report does not say that %s still works: %+v", leaked, r)
		}
		lift()
		wantSteps(t, e.proceed(secret), "disable")
		if r := e.do(event.Command{Verb: event.Status, Secret: secret}); r.Alive != "" {
			t.Errorf("still alive: %+v", r)
		}
	}},
	{"wish: unattended, a key is replaced days before it expires", func(t *testing.T) {
		e := newEnv(t)
		e.policy = rotation.DefaultPolicy
		secret, _ := e.account("unattended", rotation.Upload)
		e.replace(secret)
		s := e.standing(secret)
		if left := s.Current.Expires.Sub(s.Due); left < 5*day {
			t.Errorf("the key expires %v after its rotation is due", left)
		}
		e.clock.Advance(s.Due.Sub(e.clock.Now()))
		e.commands()
		e.do(event.Command{Verb: event.Sweep})
		for _, c := range e.commands() {
			must(t, e.byTopic(c))
		}
		e.clock.Advance(lag)
		e.proceed(secret)
		e.bothWork(secret)
		if s := e.standing(secret); s.Rotation != 2 || s.Incoming != nil {
			t.Errorf("%+v", s)
		}
	}},
}
