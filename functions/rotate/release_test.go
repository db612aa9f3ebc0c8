package rotate

import (
	"errors"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/grpc/codes"
)

// TestReleaseForgetsAndTouchesNothing: consumers go on, keyturn does not know the
// secret any more, and it can be adopted again.
func TestReleaseForgetsAndTouchesNothing(t *testing.T) {
	t.Parallel()
	e, calls := newCounted(t)
	secret, account := e.account("freed", rotation.Upload)
	e.edit(secret, "topics", func(s *secretmanagerpb.Secret) {
		s.Topics = append(s.Topics, &secretmanagerpb.Topic{Name: "projects/acme/topics/" + event.TopicDead}) // the owner's
	})
	e.replace(secret)
	keys, payload := e.accountKeys(account), e.payload(secret, "current")
	release := event.Command{Verb: event.Release, Secret: secret, ID: "once", By: "ada", Why: "it goes"}
	if _, err := e.f.Do(e.ctx, release); err == nil || !strings.Contains(err.Error(), "'keyturn release freed --leave'") || !strings.Contains(err.Error(), "(overlapping)") {
		t.Errorf("with an old key: error %v", err)
	}
	release.Leave = true
	calls.take()
	r := e.do(release)
	if changed := changes(calls.take()); strings.Join(changed, " ") != "Publish UpdateSecret" {
		t.Errorf("a release makes the calls %v", changed)
	}
	left := r.Released
	if left == nil || len(left.Keys) != 2 || left.Keys[1].Is != "in use" || left.Aliases["current"] == "" || left.Staging == "" || left.Unstaged != 0 || len(left.Topics) != 1 || len(left.Commands) != 1 {
		t.Errorf("left is %+v", left)
	}
	if got := e.accountKeys(account); len(got) != len(keys) || string(e.payload(secret, "current")) != string(payload) {
		t.Errorf("keys %v, before %v", got, keys)
	}
	s, err := e.secrets.GetSecret(e.ctx, &secretmanagerpb.GetSecretRequest{Name: secret})
	must(t, err)
	if len(s.GetLabels()) > 0 || s.GetRotation() != nil || len(s.GetTopics()) != 1 || len(s.GetAnnotations()) != 1 {
		t.Errorf("the secret is %v", s)
	}
	if _, err := e.f.Do(e.ctx, event.Command{Verb: event.Status, Secret: secret}); err == nil {
		t.Error("keyturn still knows it")
	}
	if again := e.do(release); again.Repeated == nil || again.Repeated.By != "ada" {
		t.Errorf("the same again is answered with %+v", again)
	}
	release.Leave = !release.Leave
	if _, err := e.f.Do(e.ctx, release); !errors.Is(err, errReused) {
		t.Errorf("its id for another release: error %v", err)
	}
	release.ID = "another"
	if _, err := e.f.Do(e.ctx, release); err == nil || !strings.Contains(err.Error(), "not managed") {
		t.Errorf("another release: error %v", err)
	}
	e.adopt(Adoption{Secret: secret, Kind: rotation.ServiceAccountKey, Target: account, Policy: e.policy})
	if e.standing(secret).Current.Version != left.Keys[1].Version {
		t.Error("adopted again with another key")
	}
	s, err = e.secrets.GetSecret(e.ctx, &secretmanagerpb.GetSecretRequest{Name: secret})
	must(t, err)
	if s.GetAnnotations()[annotationReleased] != "" || len(s.GetTopics()) != 2 || s.GetRotation() == nil {
		t.Errorf("adopted again, the secret is %v", s)
	}
	if by := e.askedBy(); by[event.Released] != "ada" {
		t.Errorf("told %v", by)
	}
}

func TestReleasesThatAreRefused(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, _ := e.account("kept", rotation.Upload)
	release := event.Command{Verb: event.Release, Secret: secret, Leave: true}
	refused := func(why, want string) {
		t.Helper()
		if _, err := e.f.Do(e.ctx, release); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that says %q", why, err, want)
		}
	}
	other, err := e.f.observe(e.ctx, event.Command{Secret: secret})
	must(t, err)
	must(t, other.claim(e.ctx, []rotation.Step{{Action: rotation.Disable}}))
	refused("beside another trigger", ErrBusy.Error())
	must(t, other.letGo(e.ctx))
	for _, denied := range []string{"/UpdateSecret", "/ListSecretVersions", "/GetSecret"} {
		e.do(event.Command{Verb: event.Rotate, Secret: secret}) // makes the staging sibling
		lift := e.refuse(codes.PermissionDenied, denied)
		refused(denied, "refused on purpose")
		lift()
	}
	e.clock.Advance(lag)
	e.proceed(secret)
	e.do(event.Command{Verb: event.Revoke, Secret: secret, Key: e.standing(secret).Current.ID, KillTokens: true})
	refused("tokens are to die", "nobody would enable it again")
	e.clock.Advance(lag)
	e.proceed(secret)
	e.clock.Advance(2 * time.Hour)
	e.proceed(secret)
	e.do(event.Command{Verb: event.Revoke, Secret: secret, Key: e.standing(secret).Current.ID})
	refused("a leaked key works", "nobody would disable it")
}
