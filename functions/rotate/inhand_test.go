package rotate

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestRotateWhileOneIsInHand begins no other one, says so, and is no failure, whether
// the one in hand has to wait or comes to its end.
func TestRotateWhileOneIsInHand(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, _ := e.account("twice", rotation.Upload)
	rotate := event.Command{Verb: event.Rotate, Secret: secret, By: "ada", ID: "1"}
	if r := e.do(rotate); r.Instead != "" {
		t.Errorf("the first says %q", r.Instead)
	}
	rotate.ID = "2"
	if r := e.do(rotate); !strings.Contains(r.Instead, "it goes on, and none was begun") {
		t.Errorf("while it waits: %q", r.Instead)
	}
	e.clock.Advance(lag)
	rotate.ID = "3"
	r := e.do(rotate)
	if !strings.Contains(r.Instead, "it was finished, and none was begun; ask again") || !strings.Contains(steps(r), "promote") {
		t.Errorf("when it is finished: %q, steps %q", r.Instead, steps(r))
	}
	s := e.standing(secret)
	if s.Rotation != 1 || s.Incoming != nil || len(s.Requests) != 3 {
		t.Errorf("after it: %+v", s)
	}
	if r := e.do(rotate); r.Repeated == nil {
		t.Error("the request that finished it is not known again")
	}
}

// TestRotateWhileARollbackIsInHand finishes that one first, which is no rotation.
func TestRotateWhileARollbackIsInHand(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, _ := e.credential("api-key")
	e.replace(secret)
	e.clock.Advance(6 * time.Hour)
	e.proceed(secret)
	e.do(e.rollBack(secret))
	if r := e.do(event.Command{Verb: event.Rotate, Secret: secret}); !strings.Contains(r.Instead, "a rollback was in hand already: it goes on") {
		t.Errorf("while it waits: %q", r.Instead)
	}
	e.clock.Advance(time.Duration(policy.Propagation))
	r, err := e.f.Do(e.ctx, event.Command{Verb: event.Rotate, Secret: secret})
	says(t, err, "it was not carried out: what was in hand came first (verify, promote); ask again")
	if !errors.Is(err, errUnmet) || r.Instead != "" {
		t.Errorf("error %v, instead %q", err, r.Instead)
	}
	if _, err := e.f.Do(e.ctx, event.Command{Verb: event.Rotate, Secret: secret}); err != nil {
		t.Errorf("asked again: %v", err)
	}
}

// TestRotateWhereTheKeyComingInIsGivenUp begins another one at once: a person does not
// wait for the back-off.
func TestRotateWhereTheKeyComingInIsGivenUp(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, account := e.account("spent", rotation.Upload)
	ctx, cancel := context.WithCancel(e.ctx)
	e.gcp.Faults.Set(func(m string, _ any) fault.Fault {
		if strings.HasSuffix(m, "/UploadServiceAccountKey") {
			cancel() // whoever asks is gone before there is an answer
			return fault.Fault{Before: status.Error(codes.Canceled, "gone")}
		}
		return fault.Fault{}
	})
	_, err := e.f.Do(ctx, event.Command{Verb: event.Rotate, Secret: secret})
	says(t, err, "publish")
	e.gcp.Faults.Set(nil)
	e.clock.Advance(20 * time.Minute)
	r := e.do(event.Command{Verb: event.Rotate, Secret: secret})
	if got := steps(r); !strings.HasPrefix(got, "discard ") || !strings.Contains(got, " begin unstage stage publish ") || r.Instead != "" {
		t.Errorf("steps %q, instead %q", got, r.Instead)
	}
	e.clock.Advance(20 * time.Minute)
	e.proceed(secret)
	if s := e.standing(secret); s.Rotation != 2 || s.Incoming != nil || len(e.accountKeys(account)) != 2 {
		t.Errorf("in the end: %+v, keys %v", s, e.accountKeys(account))
	}
}

// TestOverdueStepIsSaid with the time at which it was due, once sweeps should have come.
func TestOverdueStepIsSaid(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, _ := e.account("late", rotation.Upload)
	e.do(event.Command{Verb: event.Rotate, Secret: secret})
	status := event.Command{Verb: event.Status, Secret: secret}
	due := e.do(status).Next
	if !due.Equal(e.clock.Now().Add(10*time.Minute)) || e.do(status).Overdue != 0 {
		t.Errorf("due at %v, %d s over", due, e.do(status).Overdue)
	}
	e.clock.Advance(3 * time.Hour)
	if r := e.do(status); !r.Next.Equal(due) || r.Overdue != int((2*time.Hour+50*time.Minute).Seconds()) {
		t.Errorf("due at %v, %d s over", r.Next, r.Overdue)
	}
}
