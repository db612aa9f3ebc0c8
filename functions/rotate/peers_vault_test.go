package rotate

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestPeersVault(t *testing.T) { runPeers(t, vault) }

var vault = []peer{
	{"vault 2: what recovery deletes is the lost key, and no other", func(t *testing.T) {
		e, secret, account := lostReply(t, rotation.Create)
		e.clock.Advance(lag)
		inUse := e.standing(secret).Current.ID
		lost := slices.DeleteFunc(e.accountKeys(account), func(id string) bool { return id == inUse })
		var deleted []string
		e.gcp.Faults.Set(func(m string, req any) fault.Fault {
			if named, ok := req.(interface{ GetName() string }); ok && strings.HasSuffix(m, "/DeleteServiceAccountKey") {
				deleted = append(deleted, path.Base(named.GetName()))
			}
			return fault.Fault{}
		})
		for range 3 {
			e.try(secret)
			e.clock.Advance(11 * time.Minute)
		}
		if len(lost) != 1 || !slices.Equal(deleted, lost) {
			t.Errorf("deleted %v, want %v", deleted, lost)
		}
		e.works(secret, "previous")
	}},
	{"vault 4: not allowed is not the same as not there", func(t *testing.T) {
		e := newEnv(t)
		secret, account := e.account("denied", rotation.Upload)
		old := e.standing(secret).Current.ID
		e.replace(secret)
		e.clock.Advance(6 * time.Hour)
		for _, step := range []string{"Disable", "Delete"} {
			e.events()
			lift := e.refuse(codes.PermissionDenied, "/"+step+"ServiceAccountKey")
			_, err := e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
			says(t, err, strings.ToLower(step), "refused on purpose")
			lift()
			if got := e.milestones(); got != "failed" || e.standing(secret).Retiring[0].ID != old || !slices.Contains(e.accountKeys(account), old) {
				t.Errorf("told %q; the key is forgotten", got)
			}
			wantSteps(t, e.proceed(secret), strings.ToLower(step))
			e.clock.Advance(day)
		}
	}},
	{"vault 5: who has gone starts nothing", func(t *testing.T) {
		e := newEnv(t)
		secret, account := e.account("gone", rotation.Create)
		ctx, cancel := context.WithCancel(e.ctx)
		happened := e.meanwhile("/CreateServiceAccountKey", cancel)
		_, err := e.f.Do(ctx, event.Command{Verb: event.Rotate, Secret: secret})
		if err == nil || !happened.Load() {
			t.Errorf("error %v", err)
		}
		if s := e.standing(secret); s.Incoming == nil || s.Incoming.Tried.IsZero() {
			t.Errorf("the attempt is not in the journal: %+v", s.Incoming)
		}
		for range 4 {
			e.clock.Advance(11 * time.Minute)
			e.try(secret)
		}
		if s := e.standing(secret); s.Incoming != nil || len(e.accountKeys(account)) != 2 {
			t.Errorf("in the end: %+v, keys %v", s, e.accountKeys(account))
		}
	}},
	{"vault 6: the old key lives until the new one has worked for an overlap", func(t *testing.T) {
		e := newEnv(t)
		secret, _ := e.account("overlap", rotation.Upload)
		old := e.consumer(secret)
		e.replace(secret)
		for range 5 {
			e.clock.Advance(time.Hour)
			e.proceed(secret)
			if !old.use() {
				t.Fatal("the old key does not work")
			}
		}
		e.clock.Advance(time.Hour)
		lift := e.refuse(codes.Unavailable, "/token")
		_, err := e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
		says(t, err, "its successor does not work")
		lift()
		wantSteps(t, e.proceed(secret), "disable")
	}},
	{"vault 7: what is refused is tried once, then minutes later", func(t *testing.T) {
		e := newEnv(t)
		secret, _ := e.account("backoff", rotation.Upload)
		e.clock.Advance(72 * time.Hour)
		var tries atomic.Int64
		e.gcp.Faults.Set(func(m string, _ any) fault.Fault {
			if strings.HasSuffix(m, "/UploadServiceAccountKey") {
				tries.Add(1)
				return fault.Fault{Before: status.Error(codes.PermissionDenied, "refused on purpose")}
			}
			return fault.Fault{}
		})
		for range 64 { // minutes
			e.try(secret)
			e.try(secret)
			e.clock.Advance(time.Minute)
		}
		if n := tries.Load(); n < 5 || n > 7 { // after 0, 1, 3, 7, 15, 31 and 63 minutes
			t.Errorf("%d tries in an hour", n)
		}
	}},
}

func TestPeersYale(t *testing.T) { runPeers(t, yale) }

var yale = []peer{
	{"yale 2: keys that wait to be retired are not forgotten for newer ones", func(t *testing.T) {
		e := newEnv(t)
		secret, account := e.account("many", rotation.Upload)
		for range 3 {
			e.replace(secret)
		}
		if n := len(e.standing(secret).Retiring); n != 3 {
			t.Fatalf("the journal has %d old keys", n)
		}
		e.clock.Advance(6 * time.Hour)
		wantSteps(t, e.proceed(secret), "disable disable disable")
		e.clock.Advance(day)
		wantSteps(t, e.proceed(secret), "delete delete delete")
		e.clock.Advance(lag)
		if keys := e.accountKeys(account); len(keys) != 1 {
			t.Errorf("keys %v", keys)
		}
	}},
	{"yale 3: a key in use, or one that somebody deleted, blocks no rotation", func(t *testing.T) {
		e := newWatched(t)
		secret, account := e.account("stuck", rotation.Upload)
		stuck, gone := e.consumer(secret), ""
		e.replace(secret)
		gone = e.standing(secret).Current.ID
		e.replace(secret)
		must(t, e.cloud.DeleteAccountKey(e.ctx, account, gone))
		stuck.every(2*time.Hour, 74*time.Hour)
		e.proceed(secret)
		e.clock.Advance(lag)
		e.proceed(secret)
		if s := e.standing(secret); s.Rotation != 3 || s.Incoming != nil {
			t.Errorf("%+v, failure %+v", s, s.Failure)
		}
	}},
	{"yale 4: no record is not no use", func(t *testing.T) {
		e := newEnvOn(t, localgcp.Config{MetricLag: 1000 * time.Hour}, nil)
		e.policy = watched
		secret, _ := e.account("blind", rotation.Upload)
		e.replace(secret)
		for range 20 {
			e.clock.Advance(3 * time.Hour)
			e.proceed(secret)
		}
		e.works(secret, "previous")
	}},
	{"yale 4: what another account left in the metrics says nothing", func(t *testing.T) {
		e := newWatched(t)
		secret, _ := e.account("alone", rotation.Upload)
		e.replace(secret)
		e.gcp.Monitoring.Count("iam.googleapis.com/service_account/key/authn_events_count", map[string]string{"key_id": "gone"},
			"iam_service_account", map[string]string{"project_id": project, "unique_id": "404"}, 1)
		e.clock.Advance(6 * time.Hour)
		wantSteps(t, e.proceed(secret), "examine disable")
	}},
	{"yale 5: of two who write, the later one is stopped", func(t *testing.T) {
		e := newEnv(t)
		secret, account := e.account("two", rotation.Create)
		first, err := e.f.observe(e.ctx, event.Command{Secret: secret})
		must(t, err)
		second, err := e.f.observe(e.ctx, event.Command{Secret: secret})
		must(t, err)
		want := rotation.Intent{Rotate: true}
		must(t, errors.Join(first.rounds(e.ctx, want)...))
		if err := errors.Join(second.rounds(e.ctx, want)...); !errors.Is(err, ErrBusy) {
			t.Errorf("error %v, want %v", err, ErrBusy)
		}
		e.clock.Advance(lag)
		if n := len(e.accountKeys(account)); n != 2 {
			t.Errorf("%d keys", n)
		}
	}},
	{"yale 6: a secret of a similar name is another one, and what cannot be read is not empty", func(t *testing.T) {
		e := newEnv(t)
		secret, _ := e.account("foo", rotation.Upload)
		other := e.secret("foo-bar", []byte("theirs"))
		e.replace(secret)
		if s, err := e.cloud.Secret(e.ctx, other); err != nil || len(s.Annotations) > 0 || len(e.enabled(other)) != 1 {
			t.Errorf("the other secret: %+v, %v", s, err)
		}
		e.clock.Advance(72 * time.Hour)
		e.proceed(secret)
		lift := e.refuse(codes.Internal, "/AddSecretVersion")
		e.clock.Advance(lag)
		_, err := e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
		says(t, err, "promote")
		lift()
		lift = e.refuse(codes.PermissionDenied, "/AccessSecretVersion")
		e.clock.Advance(time.Hour)
		_, err = e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
		says(t, err, "promote", "refused on purpose")
		lift()
		if got := e.enabled(secret); slices.Contains(got, "3") {
			t.Errorf("a version was added although it was not known what is there: %v", got)
		}
	}},
	{"yale 7: whom nobody can be told of is rotated all the same", func(t *testing.T) {
		e := newEnv(t)
		secret, _ := e.account("mute", rotation.Upload)
		e.refuse(codes.PermissionDenied, "/Publish")
		e.replace(secret)
		e.clock.Advance(6 * time.Hour)
		wantSteps(t, e.proceed(secret), "disable")
	}},
}
