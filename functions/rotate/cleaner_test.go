package rotate

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestRollbackByHandIsRespected adds the old payload again, as people do to roll
// back: the old key must then not be taken away.
func TestRollbackByHandIsRespected(t *testing.T) {
	e := newEnv(t)
	secret, _ := e.account("rollback", rotation.Upload)
	oldPayload, err := e.cloud.AccessVersion(e.ctx, secret, "latest")
	must(t, err)
	e.clock.Advance(72 * time.Hour)
	e.proceed(secret)
	e.clock.Advance(lag)
	e.proceed(secret)
	e.add(secret, oldPayload)
	e.clock.Advance(7 * time.Hour)
	wantSteps(t, e.proceed(secret), "keep")
	e.works(secret, "latest")
	if k := e.standing(secret).Retiring[0]; !k.Since.Equal(e.clock.Now()) || !k.Evidence.Handed || !strings.Contains(k.Evidence.Reason, "version 3") {
		t.Errorf("after a rollback by hand the old key stands so: %+v, evidence %+v", k, k.Evidence)
	}
	e.clock.Advance(72 * time.Hour) // the next rotation is given out instead, and the overlap begins then
	e.proceed(secret)
	e.clock.Advance(lag)
	wantSteps(t, e.proceed(secret), "verify promote")
	if k := e.standing(secret).Retiring[0]; !k.Since.Equal(e.clock.Now()) {
		t.Errorf("its overlap began at %v, not when consumers were given another key at %v", k.Since, e.clock.Now())
	}
	e.clock.Advance(6 * time.Hour)
	wantSteps(t, e.proceed(secret), "keep disable") // version 3 is still enabled
	e.works(secret, "3")
	must(t, e.cloud.DisableVersion(e.ctx, secret, "3"))
	e.clock.Advance(6 * time.Hour)
	wantSteps(t, e.proceed(secret), "disable")
}

// handOuts are the ways in which somebody beside keyturn gives consumers the key
// of version 1 after it was superseded, and stops doing so.
var handOuts = map[string]struct {
	handOut, takeBack func(e *env, secret string)
	named             string
}{
	"a newer version": {
		func(e *env, secret string) { e.add(secret, e.payload(secret, "1")) },
		func(e *env, secret string) { must(e.T, e.cloud.DestroyVersion(e.ctx, secret, "4")) },
		"version 4",
	},
	"an older version": {
		func(e *env, secret string) { must(e.T, e.cloud.EnableVersion(e.ctx, secret, "2")) },
		func(e *env, secret string) { must(e.T, e.cloud.DisableVersion(e.ctx, secret, "2")) },
		"version 2",
	},
	"an alias": {
		func(e *env, secret string) { e.alias(secret, "stable", 1) },
		func(e *env, secret string) { e.alias(secret, "stable", 3) },
		`alias "stable"`,
	},
	"an alias that is nearly keyturn's": {
		func(e *env, secret string) { e.alias(secret, "Previous", 1) },
		func(e *env, secret string) { e.alias(secret, "Previous", 3) },
		`alias "Previous"`,
	},
}

// copied is a credential whose old key stands in version 1, which is keyturn's,
// and in version 2, which is not and is disabled; version 3 is in use.
func copied(e *env, kind string) (secret, old string) {
	e.Helper()
	secret, _ = e.credential(kind)
	e.add(secret, e.payload(secret, "1"))
	must(e.T, e.cloud.DisableVersion(e.ctx, secret, "2"))
	old = e.standing(secret).Current.ID
	e.replace(secret)
	e.events()
	return secret, old
}

func TestKeyThatIsHandedOutIsNotDisabled(t *testing.T) {
	for name, tt := range handOuts {
		for _, kind := range []string{"upload", "api-key"} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				e := newEnv(t)
				secret, old := copied(e, kind)
				tt.handOut(e, secret)
				e.add(secret, []byte("not a key")) // concerns nobody
				e.clock.Advance(6 * time.Hour)
				wantSteps(t, e.proceed(secret), "keep")
				if told := e.told(event.Straggler); told.Key != old || !strings.Contains(told.Reason, tt.named) {
					t.Errorf("told %+v", told)
				}
				e.works(secret, "1")
				tt.takeBack(e, secret)
				e.clock.Advance(6 * time.Hour)
				wantSteps(t, e.proceed(secret), "disable")
				e.clock.Advance(lag)
				e.fails(secret, old)
			})
		}
	}
}

// A key that is handed out again while it is disabled comes back: whoever did
// that needs it.
func TestKeyThatIsHandedOutIsNotDeleted(t *testing.T) {
	for name, tt := range handOuts {
		for _, kind := range []string{"create", "api-key"} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				e := newEnv(t)
				secret, old := copied(e, kind)
				payload := e.payload(secret, "1")
				e.clock.Advance(6 * time.Hour)
				wantSteps(t, e.proceed(secret), "disable")
				e.events()
				if name == "a newer version" {
					e.add(secret, payload)
				} else {
					tt.handOut(e, secret)
				}
				e.clock.Advance(day)
				wantSteps(t, e.proceed(secret), "keep restore")
				if got := e.milestones(); got != "straggler restored" {
					t.Errorf("milestones %q", got)
				}
				e.clock.Advance(lag)
				e.works(secret, "1")
				tt.takeBack(e, secret)
				e.clock.Advance(6 * time.Hour)
				wantSteps(t, e.proceed(secret), "disable")
				e.clock.Advance(day)
				wantSteps(t, e.proceed(secret), "delete")
				if k := e.standing(secret).Retiring; len(k) > 0 {
					t.Errorf("key %s is still there: %+v", old, k)
				}
			})
		}
	}
}

// What cannot be looked through may hold the key.
func TestVersionsThatCannotBeReadKeepTheKey(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, old := copied(e, "upload")
	must(t, e.cloud.EnableVersion(e.ctx, secret, "2"))
	e.clock.Advance(6 * time.Hour)
	for method, refused := range map[string]func(name string) bool{
		"/ListSecretVersions": func(string) bool { return true },
		"/AccessSecretVersion": func(name string) bool {
			return strings.HasSuffix(name, "/versions/2")
		},
	} {
		e.gcp.Faults.Set(func(m string, req any) fault.Fault {
			named, _ := req.(interface{ GetName() string })
			if strings.HasSuffix(m, method) && (named == nil || refused(named.GetName())) {
				return fault.Fault{Before: status.Error(codes.PermissionDenied, "refused on purpose")}
			}
			return fault.Fault{}
		})
		_, err := e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
		says(t, err, "disable", "looking what consumers", "refused on purpose")
		e.gcp.Faults.Set(nil)
	}
	if k := e.standing(secret).Retiring[0]; k.ID != old || k.Phase != rotation.Overlapping {
		t.Errorf("key %+v", k)
	}
}

func TestAliasMovedByHandIsPutBack(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, _ := e.account("moved", rotation.Upload)
	e.replace(secret)
	e.alias(secret, "theirs", 1)
	e.alias(secret, "current", 1)
	wantSteps(t, e.proceed(secret), "repoint")
	if got := e.aliases(secret); !maps.Equal(got, map[string]string{"current": "2", "previous": "1", "theirs": "1"}) {
		t.Errorf("aliases %v", got)
	}
	e.alias(secret, "theirs", 2)
	e.alias(secret, "previous", 2)
	e.alias(secret, "current", 1)
	e.clock.Advance(6 * time.Hour)
	wantSteps(t, e.proceed(secret), "repoint disable") // both are due at once: the alias is not taken for a consumer's
	if got := e.aliases(secret); !maps.Equal(got, map[string]string{"current": "2", "previous": "1", "theirs": "2"}) {
		t.Errorf("aliases %v", got)
	}
}

// A list of versions may be older than what it lists.
func TestVersionThatIsListedButGone(t *testing.T) {
	t.Parallel()
	e := newEnvOn(t, localgcp.Config{EventualLag: 30 * time.Minute}, nil)
	secret, _ := copied(e, "upload")
	must(t, e.cloud.EnableVersion(e.ctx, secret, "2"))
	e.clock.Advance(6*time.Hour - time.Minute)
	must(t, e.cloud.DestroyVersion(e.ctx, secret, "2"))
	e.clock.Advance(time.Minute)
	if got := e.enabled(secret); !slices.Contains(got, "2") {
		t.Fatalf("the list is up to date: %v", got)
	}
	wantSteps(t, e.proceed(secret), "disable")
}

// An API key that is gone is held by nothing, and is in nobody's way.
func TestOldAPIKeyThatSomebodyPurged(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, _ := copied(e, "api-key")
	must(t, e.cloud.EnableVersion(e.ctx, secret, "2"))
	e.clock.Advance(6 * time.Hour)
	e.spoil("/GetKeyString", status.Error(codes.NotFound, "purged"))
	wantSteps(t, e.proceed(secret), "disable")
}
