package rotate

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/functions/door"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// rollBack asks for a rollback after the latest rotation.
func (e *env) rollBack(secret string) event.Command {
	e.Helper()
	after := e.standing(secret).Rotation
	return event.Command{Verb: event.Rollback, Secret: secret, After: &after}
}

func TestRollback(t *testing.T) {
	for _, kind := range []string{"upload", "create", "api-key"} {
		for phase, wait := range map[rotation.Phase][]time.Duration{
			rotation.Overlapping: nil,
			rotation.Quarantined: {6 * time.Hour},
			rotation.Deleted:     {6 * time.Hour, day, lag},
		} {
			if phase == rotation.Deleted && kind != "api-key" {
				continue
			}
			t.Run(kind+"/"+string(phase), func(t *testing.T) {
				t.Parallel()
				testRollback(t, kind, wait)
			})
		}
	}
}

func testRollback(t *testing.T, kind string, wait []time.Duration) {
	e := newEnv(t)
	secret, _ := e.credential(kind)
	before, old := e.payload(secret, "latest"), e.standing(secret).Current.ID
	e.replace(secret)
	for _, d := range wait {
		e.clock.Advance(d)
		e.proceed(secret)
	}
	newer, command := e.standing(secret).Current, e.rollBack(secret)
	e.events()
	if got := steps(e.do(command)); !strings.HasPrefix(got, "recall verify") {
		t.Errorf("steps %q", got)
	}
	e.clock.Advance(time.Duration(policy.Propagation)) // enabling takes as long to be known as publishing
	e.proceed(secret)
	if got := e.milestones(); got != "rolled-back" {
		t.Errorf("milestones %q", got)
	}
	s := e.standing(secret)
	if s.Current.ID != old || len(s.Retiring) != 1 || s.Retiring[0].ID != newer.ID || s.Retiring[0].Phase != rotation.Overlapping {
		t.Fatalf("after the rollback: current %+v, retiring %+v", s.Current, s.Retiring)
	}
	for _, version := range []string{"latest", "current"} {
		e.works(secret, version)
		if after := e.payload(secret, version); string(after) != string(before) {
			t.Errorf("%s is not the payload that it was", version)
		}
	}
	e.works(secret, "previous")
	wantSteps(t, e.do(command), "") // delivered again
	e.clock.Advance(6 * time.Hour)
	wantSteps(t, e.proceed(secret), "disable")
	e.clock.Advance(lag)
	e.fails(secret, newer.ID)
	e.clock.Advance(day)
	wantSteps(t, e.proceed(secret), "delete")
	e.works(secret, "latest")
}

// A key that was brought back is in two versions: both go with it.
func TestKeyThatWasBroughtBackIsRetiredWithAllItsVersions(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, account := e.account("twoversions", rotation.Upload)
	e.replace(secret)
	e.do(e.rollBack(secret))
	if got := e.standing(secret).Current.Versions(); !slices.Equal(got, []string{"1", "3"}) {
		t.Fatalf("the key is in versions %v", got)
	}
	e.do(e.rollBack(secret)) // forward again: the newer key is the previous one now
	s := e.standing(secret)
	if got := s.Current.Versions(); !slices.Equal(got, []string{"2", "4"}) || s.Rotation != 3 {
		t.Errorf("after rolling back the rollback: rotation %d, versions %v", s.Rotation, got)
	}
	e.clock.Advance(6 * time.Hour)
	wantSteps(t, e.proceed(secret), "disable")
	if got := e.enabled(secret); !slices.Equal(got, []string{"4", "2"}) {
		t.Errorf("versions %v are enabled", got)
	}
	e.clock.Advance(day)
	wantSteps(t, e.proceed(secret), "delete")
	e.clock.Advance(lag)
	if got := e.accountKeys(account); !slices.Equal(got, []string{s.Current.ID}) {
		t.Errorf("keys %v", got)
	}
}

func TestRollbackDiscardsWhatIsComingIn(t *testing.T) {
	for _, kind := range []string{"upload", "create", "api-key"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			secret, target := e.credential(kind)
			old := e.standing(secret).Current.ID
			e.replace(secret)
			newer := e.standing(secret).Current.ID
			e.do(event.Command{Verb: event.Rotate, Secret: secret})
			dropped := e.standing(secret).Incoming.ID
			if got := steps(e.do(e.rollBack(secret))); !strings.HasPrefix(got, "discard recall") {
				t.Errorf("steps %q", got)
			}
			e.proceed(secret)
			e.works(secret, "latest")
			if s := e.standing(secret); s.Current.ID != old || s.Incoming != nil || len(s.Retiring) != 1 || s.Retiring[0].ID != newer || s.Failure != nil {
				t.Errorf("after the rollback: %+v, failure %+v", s, s.Failure)
			}
			e.clock.Advance(lag)
			if kind == "api-key" {
				if usable, err := e.cloud.APIKeyUsable(e.ctx, dropped); usable || err != nil {
					t.Errorf("the dropped key: usable %v, %v", usable, err)
				}
				return
			}
			if got := e.accountKeys(target); slices.Contains(got, dropped) || len(got) != 2 {
				t.Errorf("keys %v, want those of the two rotations", got)
			}
			e.noneStaged(secret)
		})
	}
}

// byTopic delivers a command as a message.
func (e *env) byTopic(c event.Command) error {
	e.Helper()
	return e.deliver(c.Attributes(), "")
}

func TestRollbackThatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		scene func(e *env) (secret string)
		want  string
	}{
		"no previous key": {func(e *env) string {
			secret, _ := e.account("first", rotation.Upload)
			return secret
		}, "no superseded key that could be brought back"},
		"the previous key is revoked": {func(e *env) string {
			secret, _ := e.account("revoked", rotation.Upload)
			leaked := e.standing(secret).Current.ID
			e.replace(secret)
			e.do(event.Command{Verb: event.Revoke, Secret: secret, Key: leaked})
			return secret
		}, "its only previous key"},
		"the previous key is deleted": {func(e *env) string {
			secret, _ := e.account("gone", rotation.Upload)
			e.replace(secret)
			e.clock.Advance(6 * time.Hour)
			e.proceed(secret)
			e.clock.Advance(day)
			e.proceed(secret)
			return secret
		}, "no superseded key that could be brought back"},
		"its version is destroyed": {func(e *env) string {
			secret, _ := e.account("destroyed", rotation.Upload)
			e.replace(secret)
			must(e.T, e.cloud.DestroyVersion(e.ctx, secret, "1"))
			return secret
		}, "cannot be given to anybody"},
		"somebody deleted it": {func(e *env) string {
			secret, account := e.account("deleted", rotation.Upload)
			old := e.standing(secret).Current.ID
			e.replace(secret)
			must(e.T, e.cloud.DeleteAccountKey(e.ctx, account, old))
			return secret
		}, "does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			secret := tt.scene(e)
			before, command := e.standing(secret), e.rollBack(secret)
			_, err := e.f.Do(e.ctx, command)
			says(t, err, tt.want)
			must(t, e.byTopic(command))
			dead := e.published(event.TopicDead)
			if len(dead) != 1 || !strings.Contains(dead[0].GetAttributes()["keyturn-reason"], tt.want) {
				t.Errorf("dead letters %v", dead)
			}
			if diff := cmp.Diff(before, e.standing(secret)); diff != "" {
				t.Errorf("the credential is not what it was (-before +after):\n%s", diff)
			}
			e.works(secret, "latest")
		})
	}
}

// A key that is enabled and yet never authenticates again is given up.
func TestRollbackThatDoesNotWorkGivesUp(t *testing.T) {
	for name, sabotage := range map[string]func(e *env, secret string) (lift func()){
		"it does not authenticate": func(e *env, _ string) func() { return e.refuse(codes.Unavailable, "/token") },
		"its version is destroyed": func(e *env, secret string) func() {
			must(e.T, e.cloud.DestroyVersion(e.ctx, secret, "1"))
			return func() {}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			secret, _ := e.account("dud", rotation.Upload)
			old := e.standing(secret).Current.ID
			e.replace(secret)
			current := e.standing(secret).Current
			e.clock.Advance(6 * time.Hour)
			e.proceed(secret)
			e.clock.Advance(lag)
			e.do(e.rollBack(secret))
			if in := e.standing(secret).Incoming; in == nil || !in.Back {
				t.Fatalf("the key on its way back: %+v", in)
			}
			lift := sabotage(e, secret)
			e.clock.Advance(31 * time.Minute)
			e.try(secret)
			lift()
			e.clock.Advance(lag)
			s := e.standing(secret)
			s.Current.Tests = current.Tests // keyturn's own uses of it
			if !cmp.Equal(s.Current, current) || s.Incoming != nil || len(s.Retiring) != 1 || s.Retiring[0].ID != old || s.Failure != nil {
				t.Errorf("after giving up: %+v, incoming %+v, retiring %+v", s, s.Incoming, s.Retiring)
			}
			e.works(secret, "latest")
			e.clock.Advance(6 * time.Hour)
			wantSteps(t, e.proceed(secret), "disable")
		})
	}
}

// The wish to roll back stands nowhere but in its message.
func TestRollbackByTopicIsNotForgotten(t *testing.T) {
	for name, tt := range map[string]struct {
		refused  string
		incoming bool
	}{
		"recall": {"/EnableServiceAccountKey", false},
		"enable": {"/EnableSecretVersion", false},
		"claim":  {"/UpdateSecret", false},
		"way":    {"/DeleteServiceAccountKey", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			secret, _ := e.account("wanted", rotation.Upload)
			old := e.standing(secret).Current.ID
			e.replace(secret)
			if tt.incoming {
				e.do(event.Command{Verb: event.Rotate, Secret: secret})
			}
			command := e.rollBack(secret)
			lift := e.refuse(codes.PermissionDenied, tt.refused)
			if err := e.byTopic(command); !errors.Is(err, door.ErrRedeliver) {
				t.Fatalf("error %v, want the message again", err)
			}
			lift()
			must(t, e.byTopic(command))
			e.clock.Advance(lag)
			e.proceed(secret)
			e.works(secret, "latest")
			if s := e.standing(secret); s.Current.ID != old {
				t.Errorf("after the message came again: %+v", s)
			}
		})
	}
}

// A key that was about to be created leaves no private half behind.
func TestRollbackDiscardsWhatWasOnlyIntended(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, account := e.account("intended", rotation.Create)
	old := e.standing(secret).Current.ID
	e.replace(secret)
	e.gcp.Faults.Set(func(m string, req any) fault.Fault {
		if strings.HasSuffix(m, "/AddSecretVersion") {
			return fault.Fault{After: status.Error(codes.Internal, "the reply was lost")}
		}
		return fault.Fault{}
	})
	_, err := e.f.Do(e.ctx, event.Command{Verb: event.Rotate, Secret: secret})
	says(t, err, "the reply was lost")
	e.gcp.Faults.Set(nil)
	wantSteps(t, e.do(e.rollBack(secret)), "discard recall unstage verify promote")
	e.noneStaged(secret)
	e.clock.Advance(lag)
	if s := e.standing(secret); s.Current.ID != old || len(e.accountKeys(account)) != 2 {
		t.Errorf("after the rollback: %+v, keys %v", s, e.accountKeys(account))
	}
}

func TestDeletedAPIKeyThatCannotBeUndeleted(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, _ := e.apiKey("gone")
	e.replace(secret)
	e.clock.Advance(6 * time.Hour)
	e.proceed(secret)
	e.clock.Advance(day)
	e.proceed(secret)
	lift := e.refuse(codes.PermissionDenied, "/UndeleteKey")
	command := e.rollBack(secret)
	_, err := e.f.Do(e.ctx, command)
	says(t, err, "recall", "undeleting", "refused on purpose")
	lift()
	e.clock.Advance(29 * day)
	_, err = e.f.Do(e.ctx, command)
	says(t, err, "no superseded key that could be brought back") // Google keeps it for 30 days
}
