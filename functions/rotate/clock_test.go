package rotate

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/shared/event"
)

// off is a rotate function on a machine whose clock is off by that.
func (e *env) off(by time.Duration) *Function {
	return New(Config{Cloud: e.cloud, Pair: e.pair, Now: func() time.Time { return e.clock.Now().Add(by) }})
}

// TestWrongClock has a person rotate from a laptop whose clock is wrong, from the
// start or for the second half of it.
func TestWrongClock(t *testing.T) {
	for _, kind := range []string{"upload", "create", "api-key"} {
		for _, by := range []time.Duration{-25 * time.Hour, 6 * time.Minute, 3 * day} {
			for _, begun := range []bool{false, true} {
				t.Run(fmt.Sprint(kind, by, begun), func(t *testing.T) {
					t.Parallel()
					e := newEnvOn(t, localgcp.Config{DataAccess: true, MetricLag: 3 * time.Hour}, nil)
					e.policy = watched
					secret, target := e.credential(kind)
					old := e.standing(secret).Current.ID
					laptop := e.off(by)
					_, err := map[bool]*Function{false: laptop, true: e.f}[begun].Do(e.ctx, event.Command{Verb: event.Rotate, Secret: secret})
					e.clock.Advance(lag)
					if err == nil {
						_, err = laptop.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
					}
					way := map[bool]string{false: " ahead of Google's", true: " behind Google's"}[by < 0]
					if err == nil || !strings.Contains(err.Error(), "the clock of this machine is "+by.Abs().String()+way) || !strings.Contains(err.Error(), "set the clock") {
						t.Fatalf("error %v", err)
					}
					s := e.standing(secret)
					if s.Current.ID != old || s.Incoming == nil || s.Failure != nil || s.Incoming.Since.After(e.clock.Now()) {
						t.Fatalf("current %+v, incoming %+v, failure %+v", s.Current, s.Incoming, s.Failure)
					}
					e.bothWork(secret)

					for range 3 { // a key that was made and is not listed yet has its time
						e.proceed(secret)
						e.clock.Advance(10 * time.Minute)
					}
					s = e.standing(secret)
					if s.Incoming != nil || s.Current.ID == old || s.Rotation != 1 || e.clock.Now().Sub(s.Current.Given) > time.Hour {
						t.Errorf("rotation %d, incoming %+v, current %+v", s.Rotation, s.Incoming, s.Current)
					}
					e.bothWork(secret)
					if kind != "api-key" {
						e.noneStaged(secret)
						if keys := e.accountKeys(target); len(keys) != 2 {
							t.Errorf("keys %v", keys)
						}
					}
				})
			}
		}
	}
}

// TestCheckClock knows only that Google's time lay between two of the machine's.
func TestCheckClock(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		took, google time.Duration
		wrong        bool
	}{
		{0, 0, false},
		{0, -maxSkew, false},
		{0, -maxSkew - 1, true},
		{0, maxSkew, false},
		{0, maxSkew + 1, true},
		{72 * time.Hour, 70 * time.Hour, false}, // a clock that is made to run fast
		{72 * time.Hour, 73 * time.Hour, true},
	} {
		if err := checkClock(now, now.Add(tt.took), now.Add(tt.google)); isClock(err) != tt.wrong {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}
