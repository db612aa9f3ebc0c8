package rotate

import (
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/grpc/codes"
)

// A consumer that goes on with the old key keeps it, is named, and holds up nobody.
func TestKeyInUseIsKeptAndItsUserNamed(t *testing.T) {
	t.Parallel()
	e := newWatched(t)
	secret, account := e.account("straggler", rotation.Upload)
	old := e.standing(secret).Current.ID
	c := e.consumer(secret)
	c.every(2*time.Hour, 12*time.Hour)
	e.replace(secret)
	c.every(2*time.Hour, 6*time.Hour)
	e.events()
	wantSteps(t, e.proceed(secret), "examine")
	told := e.told(event.Straggler)
	if told.Key != old || told.Severity != "warning" {
		t.Errorf("told %+v", told)
	}
	for _, want := range []string{path.Base(account), "10.1.2.3", "payroll/2.1", "last used at"} {
		if !strings.Contains(told.Reason, want) {
			t.Errorf("reason %q does not name %q", told.Reason, want)
		}
	}
	c.every(2*time.Hour, 66*time.Hour)
	e.proceed(secret)
	if s := e.standing(secret); s.Rotation != 2 || s.Incoming == nil || s.Retiring[0].Phase != rotation.Overlapping {
		t.Errorf("when the next rotation is due: %+v, retiring %+v", s, s.Retiring)
	}
	if got := e.milestones(); got != "started" {
		t.Errorf("told %q: the straggler was told before", got)
	}
	c.every(lag, lag)
	e.proceed(secret)
	c.move()
	e.until(c, secret, "disable", 6*time.Hour)
	e.until(c, secret, "delete", 30*time.Hour)
	e.clock.Advance(lag)
	if keys := e.accountKeys(account); slices.Contains(keys, old) {
		t.Errorf("keys %v: the old one is still there", keys)
	}
}

// until sweeps every hour while a consumer is at work, until a step is done.
func (e *env) until(c *consumer, secret string, step rotation.Action, within time.Duration) {
	e.Helper()
	for range within / time.Hour {
		c.every(time.Hour, time.Hour)
		if strings.Contains(" "+steps(e.proceed(secret))+" ", " "+string(step)+" ") {
			return
		}
	}
	s := e.standing(secret)
	e.Fatalf("no %s within %v: retiring %+v", step, within, s.Retiring)
}

func TestUnknownIsNeverTakenForUnused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		cloud localgcp.Config
		code  codes.Code // with which Cloud Monitoring refuses
		why   string
	}{
		"Monitoring refuses": {localgcp.Config{}, codes.PermissionDenied, "Cloud Monitoring does not answer"},
		"no data":            {localgcp.Config{MetricLag: 40 * time.Hour}, codes.OK, "Cloud Monitoring has no record of this credential yet"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnvOn(t, tt.cloud, nil)
			e.policy = watched
			secret, _ := e.account("unknown", rotation.Upload)
			e.replace(secret)
			e.events()
			e.clock.Advance(6 * time.Hour)
			lift := func() {}
			if tt.code != codes.OK {
				lift = e.refuse(tt.code, "/ListTimeSeries")
			}
			wantSteps(t, e.proceed(secret), "examine")
			wantSteps(t, e.proceed(secret), "") // asked once an hour
			if told := e.events(); len(told) > 0 {
				t.Errorf("told before the record can be said to be missing: %+v", told)
			}
			e.clock.Advance(8 * time.Hour)
			wantSteps(t, e.proceed(secret), "examine")
			if told := e.told(event.Straggler); !strings.Contains(told.Reason, tt.why) {
				t.Errorf("reason %q does not say %q", told.Reason, tt.why)
			}
			e.clock.Advance(20 * time.Hour)
			wantSteps(t, e.proceed(secret), "examine")
			if told := e.events(); len(told) > 0 {
				t.Errorf("told again: %+v", told)
			}
			if tt.code == codes.OK {
				return // a record that comes so late never says what was used lately
			}
			lift()
			e.clock.Advance(24 * time.Hour)
			wantSteps(t, e.proceed(secret), "examine") // has keyturn use the key
			e.clock.Advance(time.Hour)
			wantSteps(t, e.proceed(secret), "examine disable")
		})
	}
}

// The only consumer moved and has nothing to do: nothing would ever be recorded
// any more, if keyturn did not use the new key itself.
func TestKeyturnMakesTheRecordGoOn(t *testing.T) {
	t.Parallel()
	e := newWatched(t)
	secret, account := e.account("canary", rotation.Create)
	c := e.consumer(secret)
	c.every(time.Hour, 6*time.Hour)
	e.replace(secret)
	c.every(time.Hour, time.Hour)
	e.clock.Advance(5 * time.Hour)
	uses := func() int {
		t.Helper()
		now, id := e.clock.Now(), e.standing(secret).Current.ID
		got, err := e.cloud.AccountKeyUses(e.ctx, account, []string{id}, now.Add(-time.Hour), now)
		must(t, err)
		return len(got.Of[id])
	}
	lift := e.refuse(codes.Unavailable, "/token")
	wantSteps(t, e.proceed(secret), "examine") // with a test that nobody sees
	lift()
	e.clock.Advance(time.Hour)
	wantSteps(t, e.proceed(secret), "examine") // waits for the test to show up
	e.clock.Advance(8 * time.Hour)
	if n := uses(); n != 0 {
		t.Fatalf("%d uses of the new key before keyturn's", n)
	}
	wantSteps(t, e.proceed(secret), "examine") // unknown: the record reaches to the consumer's last use only
	if r := e.standing(secret).Retiring[0].Evidence; r.Use != rotation.Unknown || !strings.Contains(r.Reason, "it has to reach to") {
		t.Errorf("evidence %+v", r)
	}
	e.clock.Advance(time.Hour)
	if n := uses(); n != 1 {
		t.Errorf("%d uses of the new key, want keyturn's", n)
	}
	wantSteps(t, e.proceed(secret), "examine disable")
}

// monthly is a policy under which a key that is used twice a month is seen once.
var monthly = rotation.Policy{
	Period: rotation.Duration(30 * day), Overlap: rotation.Duration(day), Quarantine: rotation.Duration(7 * day),
	StragglerLimit: rotation.Duration(2 * day),
}

const day = 24 * time.Hour

// fortnight is a credential whose consumer ran once, 15 days ago, and has a new
// key for a day.
func fortnight(t *testing.T, rule rotation.StragglerRule) (*env, string, *consumer) {
	t.Helper()
	e := newWatched(t)
	e.policy = monthly
	e.policy.Stragglers = rule
	secret, _ := e.account("fortnight", rotation.Upload)
	c := e.consumer(secret)
	c.every(15*day, 15*day)
	e.clock.Advance(15 * day)
	e.replace(secret)
	e.clock.Advance(day)
	e.events()
	wantSteps(t, e.proceed(secret), "examine")
	if told := e.told(event.Straggler); !strings.Contains(told.Reason, "it pauses for up to 360h") {
		t.Errorf("reason %q does not know the job's cadence", told.Reason)
	}
	return e, secret, c
}

func TestMonthlyJobIsNotUnusedAfterTheOverlap(t *testing.T) {
	t.Parallel()
	e, secret, c := fortnight(t, rotation.Hold)
	e.clock.Advance(13 * day)
	wantSteps(t, e.proceed(secret), "examine")
	c.move()
	e.until(c, secret, rotation.Disable, 26*time.Hour)
	if quiet := e.clock.Now().Sub(e.standing(secret).Current.Since); quiet < 15*day {
		t.Errorf("the key of a job that pauses for 15 days was disabled after %v", quiet)
	}
}

func TestForcedKeyIsNotBroughtBack(t *testing.T) {
	t.Parallel()
	e, secret, c := fortnight(t, rotation.Force)
	e.clock.Advance(2*day - time.Hour)
	wantSteps(t, e.proceed(secret), "examine")
	e.clock.Advance(time.Hour)
	wantSteps(t, e.proceed(secret), "examine disable")
	if told := e.told(event.Disabled); !strings.Contains(told.Reason, "so has the straggler limit") {
		t.Errorf("reason %q does not say why a key in use was taken", told.Reason)
	}
	e.clock.Advance(day)
	if c.use() {
		t.Fatal("the disabled key still works")
	}
	e.clock.Advance(time.Hour)
	wantSteps(t, e.proceed(secret), "")
	if k := e.standing(secret).Retiring[0]; !k.Forced || k.Phase != rotation.Quarantined {
		t.Errorf("the key that was forced out: %+v", k)
	}
	e.clock.Advance(6 * day)
	wantSteps(t, e.proceed(secret), "delete")
}

func TestWhoUsesAKeyIsNotAlwaysKnown(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		kind    string
		logging bool   // Data Access logs are on
		refused string // method
		want    string
	}{
		"logs are off":        {"upload", false, "", "Data Access logs may be off"},
		"logs are out of use": {"upload", true, "/ListLogEntries", "who it was is not known"},
		"API key":             {"api-key", true, "", "names nobody"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnvOn(t, localgcp.Config{DataAccess: tt.logging}, nil)
			e.policy = watched
			secret, _ := e.credential(tt.kind)
			c := e.consumer(secret)
			c.every(time.Hour, 3*time.Hour)
			e.replace(secret)
			c.every(time.Hour, 6*time.Hour)
			e.events()
			if tt.refused != "" {
				e.refuse(codes.PermissionDenied, tt.refused)
			}
			wantSteps(t, e.proceed(secret), "examine")
			if told := e.told(event.Straggler); !strings.Contains(told.Reason, tt.want) {
				t.Errorf("reason %q does not say %q", told.Reason, tt.want)
			}
		})
	}
}

// The audit log cannot show that nobody used a key, but it can show that somebody did.
func TestAuditLogIsBelievedWhereTheRecordIsMissing(t *testing.T) {
	t.Parallel()
	e := newWatched(t)
	secret, _ := e.account("logged", rotation.Upload)
	c := e.consumer(secret)
	e.replace(secret)
	c.every(time.Hour, 6*time.Hour)
	e.events()
	e.refuse(codes.PermissionDenied, "/ListTimeSeries")
	wantSteps(t, e.proceed(secret), "examine")
	if told := e.told(event.Straggler); !strings.Contains(told.Reason, "the audit log shows a use") || !strings.Contains(told.Reason, c.agent) {
		t.Errorf("told %+v", told)
	}
	if k := e.standing(secret).Retiring[0]; k.Evidence.Use != rotation.Used {
		t.Errorf("evidence %+v", k.Evidence)
	}
	e.clock.Advance(7 * time.Hour) // since which nobody is seen in the log
	wantSteps(t, e.proceed(secret), "examine")
	if k := e.standing(secret).Retiring[0]; k.Evidence.Use != rotation.Unknown {
		t.Errorf("evidence %+v", k.Evidence)
	}
}
