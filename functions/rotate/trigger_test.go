package rotate

import (
	"errors"
	"slices"
	"testing"
	"time"

	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
)

func TestDuplicateRotateRotatesOnce(t *testing.T) {
	e := newEnv(t)
	secret, _ := e.account("twice", rotation.Upload)
	after := 0
	c := event.Command{Verb: event.Rotate, Secret: secret, After: &after}
	e.do(c)
	e.clock.Advance(lag)
	e.do(c)
	wantSteps(t, e.do(c), "")
	if n := e.standing(secret).Rotation; n != 1 {
		t.Errorf("%d rotations after one command delivered three times", n)
	}
}

func TestSweepSendsWhatIsDueAndNothingElse(t *testing.T) {
	e := newEnv(t)
	due, _ := e.account("duenow", rotation.Upload)
	broken, _ := e.apiKey("broken")
	e.annotate(broken, rotation.AnnotationPolicy, `{"period":"1s"}`)
	e.clock.Advance(72 * time.Hour)
	e.apiKey("young")
	e.secret("plain", []byte("x"))
	e.published(event.TopicRotate)
	r := e.do(event.Command{Verb: event.Sweep})
	if r.Swept != 3 || r.Sent != 1 || !slices.Equal(r.Broken, []string{broken}) {
		t.Errorf("report %+v", r)
	}
	var sent []string
	for _, m := range e.published(event.TopicRotate) {
		if m.GetAttributes()["command"] != "" {
			sent = append(sent, m.GetAttributes()["secret"])
		}
	}
	if !slices.Equal(sent, []string{due}) {
		t.Errorf("sent %v, want %s", sent, due)
	}
	if got := e.milestones(); got != "refused" {
		t.Errorf("milestones %q", got)
	}
}

func TestBusyCredentialIsLeftToTheOtherTrigger(t *testing.T) {
	e := newEnv(t)
	secret, _ := e.account("busy", rotation.Upload)
	e.clock.Advance(72 * time.Hour)
	c, err := e.f.observe(e.ctx, secret)
	must(t, err)
	j, _ := c.cred.Journal.Claim("somebody", time.Now(), leaseFor(defaultTimeout))
	must(t, c.save(e.ctx, j))
	if _, err := e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret}); !errors.Is(err, ErrBusy) {
		t.Errorf("error %v, want %v", err, ErrBusy)
	}
	if err := e.deliver(map[string]string{"command": "continue", "secret": secret}, ""); err == nil {
		t.Error("the message was acknowledged: should the other trigger die, nobody would go on")
	}
	if s := e.standing(secret); s.Rotation != 0 {
		t.Error("a rotation began beside another trigger")
	}
}

func TestConcurrentTriggersMakeOneKey(t *testing.T) {
	e := newEnv(t)
	secret, account := e.account("race", rotation.Create)
	e.clock.Advance(72 * time.Hour)
	done := make(chan error, 8)
	for range cap(done) {
		go func() {
			_, err := e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
			done <- err
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil && !errors.Is(err, ErrBusy) {
			t.Errorf("error %v", err)
		}
	}
	e.clock.Advance(lag)
	if n := len(e.accountKeys(account)); n != 2 {
		t.Errorf("%d keys after one rotation by eight triggers at once, want 2", n)
	}
}
