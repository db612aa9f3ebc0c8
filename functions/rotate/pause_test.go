package rotate

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/grpc/codes"
)

func pauseOf(secret string) event.Command {
	return event.Command{Verb: event.Pause, Secret: secret, Why: "freeze", By: "ada@example.com"}
}

// TestPausedCredentialIsLeftAlone for as long as the pause lasts, by every trigger of
// the schedule; a revocation is carried out all the same.
func TestPausedCredentialIsLeftAlone(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, account := e.account("frozen", rotation.Upload)
	e.replace(secret) // now there is an old key, too
	r := e.do(pauseOf(secret))
	if len(r.Steps) != 1 || r.Steps[0].Step != pausing || r.Paused == nil || r.Paused.By != "ada@example.com" || !strings.HasPrefix(r.Command, "keyturn resume frozen") {
		t.Errorf("the pause is answered with %+v", r)
	}
	for range 4 {
		e.clock.Advance(48 * time.Hour)
		if steps := e.proceed(secret).Steps; len(steps) > 0 {
			t.Fatalf("a paused credential is worked on: %+v", steps)
		}
		if swept := e.do(event.Command{Verb: event.Sweep}); swept.Sent > 0 {
			t.Error("a sweep sends a message for a paused credential")
		}
	}
	if n := len(e.accountKeys(account)); n != 2 {
		t.Errorf("%d keys, want both", n)
	}
	warnings := e.do(event.Command{Verb: event.Inspect, Secret: secret}).Warnings
	if len(warnings) != 1 || !strings.HasPrefix(warnings[0], rotation.PauseForgotten) || !strings.Contains(warnings[0], "ada@example.com paused it at 2030-01-01") {
		t.Errorf("warnings %q", warnings)
	}
	leaked := e.standing(secret).Current.ID
	e.do(event.Command{Verb: event.Revoke, Secret: secret, Key: leaked, By: "bob"})
	e.clock.Advance(lag)
	e.proceed(secret)
	s := e.standing(secret)
	if s.Current.ID == leaked || s.Retiring[1].Phase != rotation.Quarantined || s.Retiring[0].Phase != rotation.Overlapping {
		t.Errorf("after a revocation during the pause: %+v", s)
	}
	r = e.do(event.Command{Verb: event.Resume, Secret: secret, By: "bob", Why: "over"})
	if r.Paused != nil || r.Steps[0].Step != resuming {
		t.Errorf("the end of the pause is answered with %+v", r)
	}
	if steps := e.proceed(secret).Steps; len(steps) == 0 {
		t.Error("nothing is done although the old key is long due to go")
	}
	if told := e.askedBy(); told[event.Paused] != "ada@example.com" || told[event.Resumed] != "bob" {
		t.Errorf("told %v", told)
	}
}

// askedBy are who asked for what was told, by milestone.
func (e *env) askedBy() map[event.Milestone]string {
	e.Helper()
	by := map[event.Milestone]string{}
	for _, r := range e.events() {
		by[r.Milestone] = r.By
	}
	return by
}

// TestPauseEndsByItself when it was said to.
func TestPauseEndsByItself(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, _ := e.account("brief", rotation.Upload)
	c := pauseOf(secret)
	c.Until = e.clock.Now().Add(100 * time.Hour)
	if r := e.do(c); !r.Next.Equal(c.Until) || !strings.Contains(r.Then, "paused") {
		t.Errorf("next %v, %s", r.Next, r.Then)
	}
	e.clock.Advance(90 * time.Hour)
	if steps := e.proceed(secret).Steps; len(steps) > 0 {
		t.Errorf("worked on too early: %+v", steps)
	}
	e.clock.Advance(10 * time.Hour)
	if e.proceed(secret); e.standing(secret).Incoming == nil {
		t.Error("nothing begins when the pause is over")
	}
}

// TestPauseWithARotationInFlight lets consumers have the new key and keeps the old.
func TestPauseWithARotationInFlight(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, _ := e.account("flight", rotation.Upload)
	e.do(event.Command{Verb: event.Rotate, Secret: secret})
	if r := e.do(pauseOf(secret)); len(r.Left) != 2 || r.Left[1].Step != rotation.Promote {
		t.Errorf("left is %+v, want to verify and to promote", r.Left)
	}
	e.clock.Advance(lag)
	e.proceed(secret)
	e.clock.Advance(24 * time.Hour)
	e.proceed(secret)
	if s := e.standing(secret); s.Incoming != nil || len(s.Retiring) != 1 || s.Retiring[0].Phase != rotation.Overlapping {
		t.Errorf("in the pause it comes to %+v", s)
	}
}

func TestPausesThatAreRefused(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, _ := e.account("refused", rotation.Upload)
	past, nobody := pauseOf(secret), pauseOf(secret)
	past.Until, nobody.By = e.clock.Now(), ""
	for name, tt := range map[string]struct {
		c    event.Command
		want string
	}{
		"nobody":      {nobody, "say who pauses it"},
		"over":        {past, "is over"},
		"not paused":  {event.Command{Verb: event.Resume, Secret: secret}, "it is not paused"},
		"not managed": {pauseOf(e.secret("plain", []byte("x"))), "keyturn adopt"},
	} {
		if _, err := e.f.Do(e.ctx, tt.c); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one that says %q", name, err, tt.want)
		}
	}
	other, err := e.f.observe(e.ctx, event.Command{Secret: secret})
	must(t, err)
	must(t, other.claim(e.ctx, []rotation.Step{{Action: rotation.Disable}}))
	if _, err := e.f.Do(e.ctx, pauseOf(secret)); !errors.Is(err, ErrBusy) {
		t.Errorf("beside another trigger: error %v", err)
	}
	must(t, other.letGo(e.ctx))
	lift := e.refuse(codes.PermissionDenied, "/UpdateSecret")
	if _, err := e.f.Do(e.ctx, pauseOf(secret)); err == nil {
		t.Error("a pause that could not be written is taken for one")
	}
	lift()
	if e.do(event.Command{Verb: event.Status, Secret: secret}).Paused != nil {
		t.Error("it is paused")
	}
}

// TestSameRequestIsCarriedOutOnce, and answered with what was done the first time.
func TestSameRequestIsCarriedOutOnce(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, account := e.account("twice", rotation.Upload)
	rotate := event.Command{Verb: event.Rotate, Secret: secret, ID: "INC-7/1", By: "ada", Why: "drill"}
	first := e.do(rotate)
	again := e.do(rotate)
	if again.Repeated == nil || len(again.Steps) > 0 || again.Repeated.By != "ada" || again.Repeated.Rotation != 1 || len(again.Repeated.Did) != len(first.Steps) {
		t.Errorf("the first time %+v, again %+v", first.Steps, again)
	}
	if again.Repeated.Did[0] != "begin done" || again.Repeated.Did[len(first.Steps)-1] != "verify waiting" {
		t.Errorf("the first time was done %q", again.Repeated.Did)
	}
	e.clock.Advance(lag)
	must(t, e.deliver(event.Command{Verb: event.Rotate, Secret: secret, ID: "INC-7/1", After: new(int)}.Attributes(), "")) // a message goes on with what is due
	e.clock.Advance(time.Hour)
	e.do(rotate) // long after
	if s := e.standing(secret); s.Rotation != 1 || s.Incoming != nil || len(e.accountKeys(account)) != 2 {
		t.Errorf("it comes to %+v", s)
	}
	if told := e.askedBy(); told[event.Started] != "ada" || told[event.Promoted] != "ada" {
		t.Errorf("told %v", told)
	}
	_, err := e.f.Do(e.ctx, event.Command{Verb: event.Rollback, Secret: secret, ID: "INC-7/1"})
	if !errors.Is(err, errReused) {
		t.Errorf("the id of another request: error %v", err)
	}
	if requests := e.standing(secret).Requests; len(requests) != 1 || requests[0].Why != "drill" {
		t.Errorf("remembered %+v", requests)
	}
}

// TestRequestThatWasNotCarriedOutIsNotRemembered: the same again is carried out.
func TestRequestThatWasNotCarriedOutIsNotRemembered(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, _ := e.account("unmet", rotation.Upload)
	rotate := event.Command{Verb: event.Rotate, Secret: secret, ID: "1", By: "ada"}
	lift := e.refuse(codes.PermissionDenied, "/UpdateSecret")
	if _, err := e.f.Do(e.ctx, rotate); err == nil {
		t.Fatal("nothing could be written, and that is no error")
	}
	lift()
	if r := e.do(rotate); r.Repeated != nil || len(r.Steps) == 0 {
		t.Errorf("the same again is answered with %+v", r)
	}
}

// TestIDOfAnotherRequestIsRefused, so that nobody takes what was not done for done.
func TestIDOfAnotherRequestIsRefused(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, _ := e.account("reused", rotation.Upload)
	e.replace(secret)
	s := e.standing(secret)
	revoke := event.Command{Verb: event.Revoke, Secret: secret, Key: s.Retiring[0].ID, ID: "INC-7", By: "ada", Why: "leaked"}
	e.do(revoke)
	again := revoke
	again.By, again.Why, again.DryRun = "mallory", "", true
	if r := e.do(again); r.Repeated == nil || r.Repeated.Key != s.Retiring[0].ID {
		t.Errorf("the same of somebody else: %+v", r)
	}
	other, killing := revoke, revoke
	other.Key, killing.KillTokens = s.Current.ID, true
	for _, c := range []event.Command{other, killing} {
		if r, err := e.f.Do(e.ctx, c); !errors.Is(err, errReused) || r.Repeated != nil || statusOf(err) != http.StatusConflict {
			t.Errorf("%+v: %+v, %v", c, r, err)
		}
	}
	first, second := 2, 3
	e.do(event.Command{Verb: event.Rotate, Secret: secret, ID: "2"})
	for _, after := range []*int{&first, &second} { // which the first time did not say
		if r := e.do(event.Command{Verb: event.Rotate, Secret: secret, ID: "2", After: after}); r.Repeated == nil {
			t.Errorf("after %d: %+v", *after, r)
		}
	}
	hold := pauseOf(secret)
	hold.ID = "3"
	e.do(hold)
	hold.Why = "another"
	if _, err := e.f.Do(e.ctx, hold); !errors.Is(err, errReused) {
		t.Errorf("a pause for another reason: %v", err)
	}
}
