package rotate

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/grpc/codes"
)

// newSlow is a world in which the machine's clock jumps when a call is made, so that
// the time of the trigger runs out there.
func newSlow(t *testing.T, at string, by time.Duration) (e *env, calls *counter) {
	t.Helper()
	e, calls = newCounted(t)
	wall := time.Unix(0, 0)
	calls.during = func(call string) {
		if call == at {
			wall = wall.Add(by)
		}
	}
	e.f = New(Config{TrustTopic: true, Cloud: e.cloud, Now: e.clock.Now, Pair: e.pair, Timeout: 2 * time.Minute, Wall: func() time.Time { return wall }})
	return e, calls
}

// TestRestIsHandedOver when the time does not suffice, wherever it runs out: as much
// as is left, and what was asked for even if nothing was begun.
func TestRestIsHandedOver(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		at    string
		by    time.Duration
		over  bool
		steps int // done before
		sends event.Verb
	}{
		"at once":           {"GetSecret", 100 * time.Second, true, 0, event.Rotate},
		"after its intent":  {"AddSecretVersion", 100 * time.Second, true, 2, event.Continue},
		"with time to go":   {"AddSecretVersion", 40 * time.Second, false, 3, ""},
		"when it has begun": {"UpdateSecret", 100 * time.Second, true, 1, event.Continue},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := newSlow(t, tt.at, tt.by)
			secret, _ := e.account("slow", rotation.Upload)
			e.do(event.Command{Verb: event.Status, Secret: secret})
			r := e.do(event.Command{Verb: event.Rotate, Secret: secret, By: "ada", ID: "1"})
			if r.HandedOver != tt.over || len(stepsOf(r, "done")) != tt.steps {
				t.Fatalf("handed over %v after %+v", r.HandedOver, r.Steps)
			}
			sent := e.commands()
			if !tt.over {
				if len(sent) > 0 {
					t.Errorf("sent %+v", sent)
				}
				return
			}
			if len(sent) != 1 || sent[0].Verb != tt.sends || sent[0].Secret != secret {
				t.Fatalf("sent %+v, want %s", sent, tt.sends)
			}
			if tt.sends == event.Rotate && (sent[0].After == nil || *sent[0].After != 0 || sent[0].By != "ada" || sent[0].ID != "1") {
				t.Errorf("sent %+v", sent[0])
			}
			e.f = New(Config{TrustTopic: true, Cloud: e.cloud, Now: e.clock.Now, Pair: e.pair})
			must(t, e.deliver(sent[0].Attributes(), ""))
			e.clock.Advance(lag)
			e.proceed(secret)
			if s := e.standing(secret); s.Rotation != 1 || s.Incoming != nil || len(s.Requests) != 1 || s.Requests[0].By != "ada" {
				t.Errorf("it comes to %+v", s)
			}
		})
	}
}

// TestRevocationIsHandedOver although nothing of it was written yet.
func TestRevocationIsHandedOver(t *testing.T) {
	t.Parallel()
	e, _ := newSlow(t, "GetSecret", 100*time.Second)
	secret, _ := e.account("slow", rotation.Upload)
	key := e.standing(secret).Current.ID
	r := e.do(event.Command{Verb: event.Revoke, Secret: secret, Key: key, KillTokens: true})
	if sent := e.commands(); !r.HandedOver || len(sent) != 1 || sent[0].Verb != event.Revoke || sent[0].Key != key || !sent[0].KillTokens {
		t.Errorf("handed over %v: %+v", r.HandedOver, sent)
	}
}

func TestRestThatCannotBeHandedOver(t *testing.T) {
	t.Parallel()
	e, _ := newSlow(t, "GetSecret", 100*time.Second)
	secret, _ := e.account("slow", rotation.Upload)
	lift := e.refuse(codes.PermissionDenied, "/Publish")
	defer lift()
	r, err := e.f.Do(e.ctx, event.Command{Verb: event.Rotate, Secret: secret})
	if err == nil || r.HandedOver || !strings.Contains(err.Error(), "could not be handed over") || !strings.Contains(err.Error(), "keyturn status") {
		t.Errorf("%+v, error %v", r, err)
	}
}

// TestDeadlineOfTheCallerCounts, if it is earlier than the function's own.
func TestDeadlineOfTheCallerCounts(t *testing.T) {
	t.Parallel()
	f := New(Config{Wall: func() time.Time { return time.Unix(1000, 0) }})
	if got := f.deadline(t.Context()); !got.Equal(time.Unix(1000, 0).Add(9 * time.Minute)) {
		t.Errorf("without one it is %v", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if got := f.deadline(ctx).Sub(time.Unix(1000, 0)); got > time.Minute || got < 50*time.Second {
		t.Errorf("with a minute it is %v", got)
	}
	cancel()
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Error("canceled")
	}
}
