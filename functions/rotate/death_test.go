package rotate

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/internal/raced"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// mortal counts the remote calls of a turn and lets it die at one of them: that
// call fails, or loses its reply, and so does every later one.
type mortal struct {
	calls   atomic.Int64
	dieAt   int64 // 1 is the first call; 0 is never
	replied bool  // the call at which it dies is carried out
}

var errDied = status.Error(codes.Internal, "the turn died")

func (m *mortal) hook(string, any) fault.Fault {
	n := m.calls.Add(1)
	switch {
	case m.dieAt == 0 || n < m.dieAt:
		return fault.Fault{}
	case n == m.dieAt && m.replied:
		return fault.Fault{After: errDied}
	}
	return fault.Fault{Before: errDied}
}

// dying is a world in which leases end by policy time, so that the sweep after a
// death takes over.
func dying(t *testing.T, kind string, p rotation.Policy) (e *env, secret, target string) {
	t.Helper()
	e = newEnv(t)
	e.policy = p
	e.f = New(Config{TrustTopic: true, Cloud: e.cloud, Now: e.clock.Now, Wall: e.clock.Now, Pair: e.pair, Timeout: 4 * time.Minute})
	secret, target = e.credential(kind)
	return e, secret, target
}

// atEveryCall runs a test of each kind without a death, and then with one at each
// of the calls, of which it must have so many, before and after it was carried out. With
// the race detector, which finds no more in the fortieth death, it is each sixth call.
func atEveryCall(t *testing.T, least int64, test func(*testing.T, string, *mortal) (calls int64), kinds ...string) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			calls := test(t, kind, new(mortal))
			if calls < least {
				t.Fatalf("there are %d calls only", calls)
			}
			step := int64(1)
			if raced.Detector {
				step = 6
			}
			for n := int64(1); n <= calls; n += step {
				for _, replied := range []bool{false, true} {
					t.Run(fmt.Sprintf("%d/%v", n, replied), func(t *testing.T) {
						test(t, kind, &mortal{dieAt: n, replied: replied})
					})
				}
			}
		})
	}
}

// TestDeathAtEveryCall kills a rotation at each of its remote calls, before and
// after the call was carried out. What remains must be one new key, given out
// once, and nothing else.
func TestDeathAtEveryCall(t *testing.T) {
	atEveryCall(t, 12, testDeath, "upload", "create", "api-key")
}

// testDeath rotates by sweeps of which the first ones share a life, and returns
// how many calls that life had.
func testDeath(t *testing.T, kind string, m *mortal) (calls int64) {
	e, secret, target := dying(t, kind, policy)
	e.clock.Advance(72 * time.Hour)
	e.gcp.Faults.Set(m.hook)
	e.try(secret)
	e.clock.Advance(lag)
	e.try(secret)
	e.gcp.Faults.Set(nil)
	for range 4 {
		e.bothWork(secret)
		e.clock.Advance(11 * time.Minute)
		e.try(secret)
	}
	s := e.standing(secret)
	if s.Incoming != nil || s.Failure != nil || len(s.Retiring) != 1 || s.Current.Version != "2" {
		t.Fatalf("the rotation has not ended: %+v, incoming %+v, failure %+v", s, s.Incoming, s.Failure)
	}
	if got := e.enabled(secret); !slices.Equal(got, []string{"2", "1"}) {
		t.Errorf("versions %v are enabled", got)
	}
	if kind != "api-key" {
		if keys := e.accountKeys(target); len(keys) != 2 {
			t.Errorf("keys %v", keys)
		}
		e.noneStaged(secret)
	}
	return m.calls.Load()
}

// TestDeathWhileAnotherKeyLeaves kills, at each of its remote calls, a turn that
// begins a rotation and takes an old key out: what it writes about the one must
// not hide what it does for the other. Google must know no key that the journal
// does not.
func TestDeathWhileAnotherKeyLeaves(t *testing.T) {
	atEveryCall(t, 15, testDeathWhileAnotherKeyLeaves, "upload", "create")
}

func testDeathWhileAnotherKeyLeaves(t *testing.T, kind string, m *mortal) (calls int64) {
	e, secret, target := dying(t, kind, watched)
	e.replace(secret)
	e.consumer(secret).every(time.Hour, 73*time.Hour) // the overlap has ended, the period has passed, and nobody uses the old key
	e.gcp.Faults.Set(m.hook)
	e.try(secret)
	calls = m.calls.Load()
	e.gcp.Faults.Set(nil)
	for range 8 {
		e.clock.Advance(20 * time.Minute)
		e.try(secret)
		e.works(secret, "current")
	}
	s := e.standing(secret)
	if s.Incoming != nil || s.Failure != nil || len(s.Retiring) == 0 {
		t.Fatalf("the rotation has not ended: %+v, incoming %+v, failure %+v", s, s.Incoming, s.Failure)
	}
	known := []string{s.Current.ID}
	for _, k := range s.Retiring {
		known = append(known, k.ID)
	}
	keys := e.accountKeys(target)
	slices.Sort(known)
	slices.Sort(keys)
	if !slices.Equal(keys, known) {
		t.Errorf("the account has the keys %v, and the journal knows %v", keys, known)
	}
	e.noneStaged(secret)
	return calls
}
