package rotate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/keyturn/functions/door"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
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
	c, err := e.f.observe(e.ctx, event.Command{Secret: secret})
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

func TestSweepThatCannotSend(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.account("due", rotation.Upload)
	e.clock.Advance(72 * time.Hour)
	e.refuse(codes.PermissionDenied, "/Publish")
	r, err := e.f.Do(e.ctx, event.Command{Verb: event.Sweep})
	says(t, err, "refused on purpose")
	if r.Swept != 1 || r.Sent != 0 {
		t.Errorf("report %+v", r)
	}
	if err := e.deliver(map[string]string{"command": "sweep"}, ""); !errors.Is(err, door.ErrRedeliver) {
		t.Errorf("error %v, want the message again", err)
	}
}

// TestJournalThatCannotBeWritten loses all writes of a turn's journal from one of
// them on. The message comes again, and nothing is done twice.
func TestJournalThatCannotBeWritten(t *testing.T) {
	for _, kind := range []string{"upload", "create", "api-key"} {
		for first := range 5 {
			t.Run(fmt.Sprint(kind, first), func(t *testing.T) {
				t.Parallel()
				e, secret, target := dying(t, kind, policy)
				var writes atomic.Int64
				e.gcp.Faults.Set(func(m string, _ any) fault.Fault {
					if strings.HasSuffix(m, "/UpdateSecret") && writes.Add(1) > int64(first) {
						return fault.Fault{Before: status.Error(codes.PermissionDenied, "refused on purpose")}
					}
					return fault.Fault{}
				})
				c := event.Command{Verb: event.Rotate, Secret: secret, After: new(int)}
				for range 3 {
					if err := e.byTopic(c); writes.Load() > int64(first) && !errors.Is(err, door.ErrRedeliver) {
						t.Errorf("error %v, want the message again", err)
					}
					e.bothWork(secret)
					e.clock.Advance(lag)
				}
				e.gcp.Faults.Set(nil)
				for range 4 {
					e.clock.Advance(6 * time.Minute)
					must(t, e.byTopic(c))
				}
				s := e.standing(secret)
				if s.Rotation != 1 || s.Incoming != nil || s.Current.Version != "2" {
					t.Errorf("in the end: %+v, incoming %+v, failure %+v", s, s.Incoming, s.Failure)
				}
				if kind != "api-key" && len(e.accountKeys(target)) != 2 {
					t.Errorf("keys %v", e.accountKeys(target))
				}
				e.bothWork(secret)
			})
		}
	}
}

// A journal that would be larger than Secret Manager takes stops a rotation
// before anything was made.
func TestJournalThatIsFull(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, account := e.account("full", rotation.Upload)
	turn, err := e.f.observe(e.ctx, event.Command{Secret: secret})
	must(t, err)
	full, more := turn.cred.Journal, turn.cred.Journal
	for i := range 200 {
		more = full
		more.Retiring = append(slices.Clone(full.Retiring), rotation.Key{
			ID: fmt.Sprintf("%040x", i), Version: "1", Phase: rotation.Overlapping, Since: e.clock.Now(),
		})
		if _, err := more.Encode(); err != nil {
			break
		}
		full = more
	}
	says(t, turn.save(e.ctx, more), "keys wait to be retired", "keyturn status")
	must(t, turn.save(e.ctx, full))
	_, err = e.f.Do(e.ctx, event.Command{Verb: event.Rotate, Secret: secret})
	says(t, err, "rotating", "superseded keys", "keyturn status")
	if n := len(e.accountKeys(account)); n != 1 {
		t.Errorf("%d keys", n)
	}
}
