package rotate

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// sweeps has keyturn look at a credential so often, one step of time after the other.
func (e *env) sweeps(secret string, times int, step time.Duration) {
	e.Helper()
	for range times {
		e.clock.Advance(step)
		e.try(secret)
	}
}

// stragglers are the reasons why keys were told to be in use since the last look.
func (e *env) stragglers() (reasons []string) {
	e.Helper()
	for _, m := range e.events() {
		if m.Milestone == event.Straggler {
			reasons = append(reasons, m.Reason)
		}
	}
	return reasons
}

// Nobody uses the credential but keyturn, which must not take itself for a straggler.
func TestIdleCredentialIsRotatedWithoutAWarning(t *testing.T) {
	for _, kind := range []string{"upload", "api-key"} {
		for name, disturb := range map[string]func(*env, string) func(){
			"undisturbed":                  func(*env, string) func() { return func() {} },
			"two tests at once":            testTwiceAtOnce,
			"the answer to a test is lost": loseTest,
		} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				e := newEnvOn(t, localgcp.Config{MetricLag: 3 * time.Hour}, nil)
				e.policy = rotation.DefaultPolicy
				secret, _ := e.credential(kind)
				e.replace(secret)
				e.clock.Advance(day) // the next sweep tests the key in use
				disturb(e, secret)()
				e.sweeps(secret, 2*31*12, 2*time.Hour)
				retired := 0
				for _, m := range e.events() {
					switch m.Milestone {
					case event.Straggler:
						t.Errorf("told: %s", m.Reason)
					case event.Retired:
						retired++
					}
				}
				if retired < 2 {
					t.Errorf("%d keys were retired", retired)
				}
			})
		}
	}
}

func testTwiceAtOnce(e *env, secret string) func() {
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() { e.try(secret) })
	}
	return both.Wait
}

// loseTest has keyturn use the key in use, and not hear of it.
func loseTest(e *env, secret string) func() {
	e.gcp.Faults.Set(func(m string, _ any) fault.Fault {
		if strings.HasSuffix(m, "/token") || strings.HasSuffix(m, "/models") {
			return fault.Fault{After: status.Error(codes.Internal, "the reply was lost")}
		}
		return fault.Fault{}
	})
	e.try(secret)
	e.gcp.Faults.Set(nil)
	return func() {}
}

// A probe URL that refuses a working key leaves a use of that key behind.
func TestFailedTestIsKeyturnsOwnUse(t *testing.T) {
	t.Parallel()
	p := newProbed(t)
	e := newEnvOn(t, localgcp.Config{DataAccess: true, MetricLag: 3 * time.Hour}, p.Client().Transport)
	e.policy = monthly
	e.policy.ProbeURL = p.URL + "/x"
	secret, _ := e.account("refused", rotation.Upload)
	e.replace(secret)
	e.clock.Advance(day)
	p.code.Store(http.StatusServiceUnavailable)
	e.try(secret)
	p.code.Store(http.StatusOK)
	e.sweeps(secret, 32*12, 2*time.Hour)
	if told := e.stragglers(); len(told) > 0 {
		t.Errorf("told: %q", told)
	}
}

// A rollback that does not work tries an old key, which is no use of anybody else's.
func TestFailedRollbackIsKeyturnsOwnUse(t *testing.T) {
	t.Parallel()
	p := newProbed(t)
	e := newEnvOn(t, localgcp.Config{DataAccess: true}, p.Client().Transport)
	e.policy = monthly
	e.policy.ProbeURL = p.URL + "/x"
	secret, _ := e.account("dud", rotation.Upload)
	e.clock.Advance(29 * day)
	e.replace(secret)
	e.clock.Advance(time.Hour)
	p.code.Store(http.StatusServiceUnavailable)
	_, _ = e.f.Do(e.ctx, e.rollBack(secret))
	e.sweeps(secret, 10, 5*time.Minute)
	p.code.Store(http.StatusOK)
	e.sweeps(secret, 4*24, time.Hour)
	if told := e.stragglers(); len(told) > 0 {
		t.Errorf("told: %q", told)
	}
}

// The only use of the month falls into the same ten minutes as keyturn's own.
func TestConsumerBesideKeyturnIsSeen(t *testing.T) {
	for name, wait := range map[string]time.Duration{"keyturn's test": day, "keyturn's verification": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnvOn(t, localgcp.Config{DataAccess: true, MetricLag: 3 * time.Hour}, nil)
			e.policy = monthly
			secret, _ := e.account("beside", rotation.Upload)
			e.replace(secret)
			c := e.consumer(secret)
			e.clock.Advance(wait)
			e.try(secret)
			if c.token() == "" {
				t.Fatal("refused")
			}
			e.sweeps(secret, 12*28, 2*time.Hour)
			e.replace(secret)
			e.sweeps(secret, 24, 2*time.Hour)
			if !c.use() {
				t.Error("its key was taken from a consumer who uses it once a month")
			}
		})
	}
}

// A key that comes back by a rollback has the users that it had.
func TestRolledBackKeyKeepsItsHistory(t *testing.T) {
	t.Parallel()
	e := newWatched(t)
	e.policy = monthly
	secret, _ := e.account("fortnight", rotation.Upload)
	c := e.consumer(secret)
	c.every(15*day, 15*day)
	e.clock.Advance(12 * day)
	e.replace(secret)
	e.clock.Advance(3 * time.Hour)
	e.do(e.rollBack(secret))
	e.clock.Advance(10 * time.Minute)
	e.proceed(secret)
	e.clock.Advance(3 * time.Hour)
	e.replace(secret)
	e.sweeps(secret, 24*2, time.Hour)
	if !c.use() {
		t.Error("its key was taken from a consumer who uses it twice a month")
	}
}

// A quarantine that is shorter than the record is late watches nothing: the key
// is not deleted before the record shows whether anybody misses it.
func TestShortQuarantineWaitsForTheRecord(t *testing.T) {
	for _, quarantine := range []time.Duration{0, time.Hour, 3 * time.Hour} {
		t.Run(fmt.Sprint(quarantine), func(t *testing.T) {
			t.Parallel()
			e := newEnvOn(t, localgcp.Config{DataAccess: true, MetricLag: 3 * time.Hour}, nil)
			e.policy = watched
			e.policy.Quarantine = rotation.Duration(quarantine)
			secret, _ := e.account("short", rotation.Upload)
			late := e.consumer(secret) // wakes up when its key is disabled
			e.replace(secret)
			busy := e.consumer(secret)
			for range 6 * 36 {
				e.clock.Advance(10 * time.Minute)
				busy.use()
				retiring := e.standing(secret).Retiring
				if len(retiring) == 0 {
					t.Fatal("deleted, although it was missed")
				}
				if k := retiring[0]; k.Phase == rotation.Quarantined && e.clock.Now().After(k.Since.Add(20*time.Minute)) {
					late.use()
				}
				e.try(secret)
				if slices.ContainsFunc(e.events(), func(m event.Rotation) bool { return m.Milestone == event.Restored }) {
					return
				}
			}
			t.Error("the key did not come back")
		})
	}
}

// As late as Google ever is, and some more, an idle key goes all the same.
func TestLateRecordHoldsNoIdleKey(t *testing.T) {
	for _, late := range []time.Duration{3 * time.Hour, 5*time.Hour + 40*time.Minute, 6 * time.Hour} {
		t.Run(late.String(), func(t *testing.T) {
			t.Parallel()
			e := newEnvOn(t, localgcp.Config{MetricLag: late}, nil)
			e.policy = rotation.DefaultPolicy
			secret, _ := e.account("late", rotation.Upload)
			e.replace(secret)
			e.sweeps(secret, 48, 65*time.Minute)
			if k := e.standing(secret).Retiring[0]; k.Phase != rotation.Quarantined {
				t.Errorf("two days after its successor came: %+v", k.Evidence)
			}
			if told := e.stragglers(); len(told) > 0 {
				t.Errorf("told: %q", told)
			}
		})
	}
}

// What could not be told is told later.
func TestStragglerThatCouldNotBeToldIsToldLater(t *testing.T) {
	t.Parallel()
	e := newWatched(t)
	secret, _ := e.account("untold", rotation.Upload)
	c := e.consumer(secret)
	c.every(2*time.Hour, 12*time.Hour)
	e.replace(secret)
	c.every(2*time.Hour, 6*time.Hour)
	e.events()
	lift := e.refuse(codes.PermissionDenied, "/Publish")
	e.try(secret)
	lift()
	c.every(time.Hour, 2*time.Hour)
	e.proceed(secret)
	if told := e.stragglers(); len(told) != 1 {
		t.Errorf("told: %q", told)
	}
}
