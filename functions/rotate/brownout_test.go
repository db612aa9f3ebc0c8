package rotate

import (
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/grpc/codes"
)

// brownOut is a credential whose old key was disabled while one of its consumers
// slept: one that has moved, and the sleeper.
func brownOut(t *testing.T, kind string, p rotation.Policy) (e *env, secret string, awake, sleeper *consumer) {
	t.Helper()
	e = newWatched(t)
	e.policy = p
	secret, _ = e.credential(kind)
	sleeper = e.consumer(secret)
	sleeper.every(time.Hour, 6*time.Hour)
	e.replace(secret)
	awake = e.consumer(secret)
	e.until(awake, secret, rotation.Disable, time.Duration(p.Overlap)+2*time.Hour)
	e.events()
	return e, secret, awake, sleeper
}

func TestDisabledKeyThatIsMissedComesBack(t *testing.T) {
	for _, kind := range []string{"upload", "create", "api-key"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			e, secret, awake, sleeper := brownOut(t, kind, watched)
			old, current := e.standing(secret).Retiring[0], e.standing(secret).Current.ID
			e.clock.Advance(30 * time.Minute)
			if sleeper.use() {
				t.Fatal("the disabled key works")
			}
			awake.every(30*time.Minute, 30*time.Minute)
			wantSteps(t, e.proceed(secret), "examine restore")
			if told := e.told(event.Restored); told.Key != old.ID || told.Severity != "high" || !strings.Contains(told.Reason, "somebody tried to use it") {
				t.Errorf("told %+v", told)
			}
			e.clock.Advance(lag)
			if !sleeper.use() || !slices.Contains(e.enabled(secret), old.Version) {
				t.Errorf("the key is not back: versions %v are enabled", e.enabled(secret))
			}
			if s := e.standing(secret); s.Current.ID != current || s.Retiring[0].Phase != rotation.Overlapping {
				t.Errorf("after the restoration: %+v, retiring %+v", s, s.Retiring)
			}
			if got := e.aliases(secret)["current"]; got != e.standing(secret).Current.Version {
				t.Errorf("current is version %s", got)
			}
			sleeper.move()
			e.until(awake, secret, rotation.Disable, 24*time.Hour)
			if got := e.milestones(); got != "straggler disabled" {
				t.Errorf("milestones %q, want the key waited for and disabled again", got)
			}
			e.until(awake, secret, rotation.Delete, 25*time.Hour)
		})
	}
}

// Metrics come late, and tell of uses that succeeded before all of Google knew
// that the key was disabled.
func TestUseBeforeTheDisablingSettledBringsNothingBack(t *testing.T) {
	t.Parallel()
	e, secret, awake, sleeper := brownOut(t, "upload", watched)
	if !sleeper.use() {
		t.Fatal("the key was disabled everywhere at once")
	}
	awake.every(time.Hour, 2*time.Hour)
	wantSteps(t, e.proceed(secret), "examine")
	if k := e.standing(secret).Retiring[0]; k.Phase != rotation.Quarantined || k.Evidence.Use != rotation.Unused {
		t.Errorf("key %+v, evidence %+v", k, k.Evidence)
	}
}

// Google knows better whether an API key was used in the last 7 days.
func TestAPIKeyThatGoogleSawUsedIsNotDeleted(t *testing.T) {
	t.Parallel()
	long := watched
	long.Quarantine, long.Period = rotation.Duration(7*day), rotation.Duration(20*day)
	e, secret, awake, sleeper := brownOut(t, "api-key", long)
	disabled := e.standing(secret).Retiring[0]
	e.clock.Advance(15 * time.Minute)
	sleeper.use()
	e.clock.Advance(7*day - 45*time.Minute)
	awake.every(10*time.Minute, 40*time.Minute)
	wantSteps(t, e.proceed(secret), "examine delete(waiting)")
	if k := e.standing(secret).Retiring; len(k) != 1 || k[0].ID != disabled.ID {
		t.Errorf("the key is not kept: %+v", k)
	}
	e.clock.Advance(15 * time.Minute)
	wantSteps(t, e.proceed(secret), "delete")
}

// A restoration that fails half-way is finished by the next look.
func TestRestorationIsFinished(t *testing.T) {
	t.Parallel()
	e, secret, awake, sleeper := brownOut(t, "upload", watched)
	e.clock.Advance(30 * time.Minute)
	sleeper.use()
	awake.every(30*time.Minute, 30*time.Minute)
	for _, method := range []string{"/EnableServiceAccountKey", "/EnableSecretVersion"} {
		lift := e.refuse(codes.PermissionDenied, method)
		_, err := e.f.Do(e.ctx, event.Command{Verb: event.Continue, Secret: secret})
		says(t, err, "restore", "refused on purpose")
		lift()
	}
	wantSteps(t, e.proceed(secret), "restore")
	e.clock.Advance(lag)
	if !sleeper.use() {
		t.Error("the key is not back")
	}
}

// Somebody destroyed the version of the disabled key: whoever has it in memory is
// helped all the same.
func TestKeyComesBackWithoutItsVersion(t *testing.T) {
	t.Parallel()
	e, secret, awake, sleeper := brownOut(t, "upload", watched)
	must(t, e.cloud.DestroyVersion(e.ctx, secret, "1"))
	e.clock.Advance(30 * time.Minute)
	sleeper.use()
	awake.every(30*time.Minute, 30*time.Minute)
	wantSteps(t, e.proceed(secret), "examine restore")
	e.clock.Advance(lag)
	if !sleeper.use() {
		t.Error("the key is not back")
	}
}
