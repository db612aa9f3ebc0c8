package rotate

import (
	"errors"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/functions/door"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/grpc/codes"
)

func TestPeersKyma(t *testing.T) { runPeers(t, kyma) }

var kyma = []peer{
	{"kyma 1: a delivery after success makes no key", func(t *testing.T) {
		e := newEnv(t)
		secret, account := e.account("again", rotation.Create)
		e.replace(secret)
		for range 5 {
			must(t, e.byTopic(event.Command{Verb: event.Rotate, Secret: secret, After: new(int)}))
			must(t, e.deliver(map[string]string{"eventType": "SECRET_ROTATE", "secretId": secret}, "{}"))
		}
		e.clock.Advance(lag)
		if n := len(e.accountKeys(account)); n != 2 {
			t.Errorf("%d keys", n)
		}
	}},
	{"kyma 2: a delivery beside a slow one makes no key", func(t *testing.T) {
		e := newEnv(t)
		secret, account := e.account("slow", rotation.Create)
		c := event.Command{Verb: event.Rotate, Secret: secret, After: new(int)}
		happened := e.meanwhile("/CreateServiceAccountKey", func() {
			if err := e.byTopic(c); !errors.Is(err, door.ErrRedeliver) {
				t.Errorf("the second delivery: %v, want it again later", err)
			}
		})
		must(t, e.byTopic(c))
		e.clock.Advance(lag)
		must(t, e.byTopic(c))
		if n := len(e.accountKeys(account)); n != 2 || !happened.Load() || e.standing(secret).Rotation != 1 {
			t.Errorf("%d keys", n)
		}
	}},
	{"kyma 3: a failed delete never destroys the version", func(t *testing.T) {
		e := newEnv(t)
		secret, account := e.account("named", rotation.Upload)
		old := e.standing(secret).Current.ID
		e.replace(secret)
		e.clock.Advance(6 * time.Hour)
		e.proceed(secret)
		e.clock.Advance(day)
		lift := e.refuse(codes.Internal, "/DeleteServiceAccountKey")
		_, err := e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
		says(t, err, "delete")
		lift()
		must(t, e.cloud.EnableVersion(e.ctx, secret, "1")) // a destroyed one could not be
		if keys := e.accountKeys(account); !slices.Contains(keys, old) || e.standing(secret).Retiring[0].ID != old {
			t.Errorf("keys %v", keys)
		}
		must(t, e.cloud.DisableVersion(e.ctx, secret, "1"))
		wantSteps(t, e.proceed(secret), "delete")
	}},
	{"kyma 4: a rollback by hand costs nobody the key", func(t *testing.T) {
		e := newEnv(t)
		secret, _ := e.account("byhand", rotation.Create)
		before := e.payload(secret, "latest")
		e.replace(secret)
		e.add(secret, before)
		for range 20 {
			e.clock.Advance(12 * time.Hour)
			e.try(secret)
			e.works(secret, "latest")
		}
	}},
	{"kyma 5: a version of another form stops nothing", func(t *testing.T) {
		e := newEnv(t)
		secret, _ := e.account("forms", rotation.Upload)
		e.add(secret, []byte("{not json"))
		e.add(secret, []byte(""+"\x00\xff"))
		e.replace(secret)
		e.clock.Advance(6 * time.Hour)
		wantSteps(t, e.proceed(secret), "disable")
		e.clock.Advance(day)
		wantSteps(t, e.proceed(secret), "delete")
	}},
	{"kyma 6: a command names a secret and changes no setting", func(t *testing.T) {
		e := newEnv(t)
		secret, _ := e.account("own", rotation.Upload)
		for _, other := range []string{"projects/other/secrets/own", "projects/other/secrets/x"} {
			_, err := e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: other})
			says(t, err, "projects/other")
		}
		if e.cloud.Project() != project || e.do(event.Command{Verb: event.Sweep}).Swept != 1 || e.standing(secret) == nil {
			t.Error("the function works for another project now")
		}
	}},
	{"kyma 7: a newest version that is disabled is replaced, not waited for", func(t *testing.T) {
		e := newEnv(t)
		secret, _ := e.account("newest", rotation.Upload)
		must(t, e.cloud.DisableVersion(e.ctx, secret, "1"))
		e.clock.Advance(72 * time.Hour)
		e.proceed(secret)
		e.clock.Advance(lag)
		e.proceed(secret)
		e.works(secret, "latest")
		e.works(secret, "current")
	}},
	{"kyma 8: nothing is asked about any other account", func(t *testing.T) {
		e := newEnv(t)
		e.account("other", rotation.Upload)
		secret, account := e.account("mine", rotation.Create)
		e.gcp.Faults.Set(func(m string, req any) fault.Fault {
			named, ok := req.(interface{ GetName() string })
			if ok && strings.HasPrefix(m, "/google.iam.admin.v1.") && !strings.HasPrefix(named.GetName(), account) {
				t.Errorf("%s of %s", path.Base(m), named.GetName())
			}
			return fault.Fault{}
		})
		e.replace(secret)
		e.clock.Advance(6 * time.Hour)
		e.proceed(secret)
		e.inspect(secret)
		e.clock.Advance(day)
		e.proceed(secret)
	}},
}
