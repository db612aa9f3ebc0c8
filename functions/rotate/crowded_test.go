package rotate

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/grpc/codes"
)

// TestLeakAmongManyOldKeys has nobody know whether any old key is used, for
// months; then the key in use leaks.
func TestLeakAmongManyOldKeys(t *testing.T) {
	t.Parallel()
	e := newEnvOn(t, localgcp.Config{}, nil)
	e.policy = watched
	secret, _ := e.apiKey("held")
	defer e.refuse(codes.PermissionDenied, "/ListTimeSeries")()
	const held = 10
	for range held + 2 {
		e.clock.Advance(72 * time.Hour)
		for range 2 {
			e.try(secret)
			e.clock.Advance(lag)
		}
	}
	s := e.standing(secret)
	if len(s.Retiring) != held || s.Incoming != nil {
		t.Fatalf("%d old keys are kept, incoming %+v; want %d", len(s.Retiring), s.Incoming, held)
	}
	_, err := e.f.Do(e.ctx, event.Command{Verb: event.Rotate, Secret: secret})
	if !errors.Is(err, errImpossible) || !strings.Contains(err.Error(), "10 superseded keys") {
		t.Errorf("rotating by hand: %v, want %v", err, errImpossible)
	}
	if r := e.inspect(secret); !slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.HasPrefix(w, rotation.RotationBlocked) }) {
		t.Errorf("warnings %q, none that rotations have stopped", r.Warnings)
	}

	leaked := s.Current
	e.do(event.Command{Verb: event.Revoke, Secret: secret, Key: leaked.ID})
	e.clock.Advance(lag)
	e.proceed(secret)
	e.clock.Advance(lag)
	if now := e.standing(secret); now.Current.ID == leaked.ID || now.Failure != nil {
		t.Errorf("current %+v, failure %+v: the leaked key is still given to consumers", now.Current, now.Failure)
	}
	e.fails(secret, leaked.ID)
	e.bothWork(secret)
}
