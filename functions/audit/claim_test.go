package audit

import (
	"errors"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/functions/door"
)

func TestAFindingOfTwoInstancesIsPublishedOnce(t *testing.T) {
	f := newFleet(t)
	a, b := f.instance(), f.instance()
	f.mustGive(a, nothing)
	f.mustGive(b, nothing) // both begin with nothing
	f.mustGive(a, probe(8)...)
	f.mustGive(b, probe(8)...)
	f.wantOne(8)
	f.wall.Advance(time.Hour)
	f.mustGive(a, nothing)
	f.mustGive(b, nothing)
	f.mustGive(f.instance(), probe(8)...)
	if found := f.findings(); len(found) != 0 {
		t.Errorf("told again: %+v", found)
	}
}

func TestAnInstanceThatDiesAfterItsClaimLosesNothing(t *testing.T) {
	f := newFleet(t)
	dies, lives := f.instance(), f.instance()
	f.mustGive(lives, nothing)
	f.mustGive(dies, probe(8)[:7]...)
	f.failing("/google.pubsub.v1.Publisher/Publish")
	if err := f.give(dies, probe(8)[7]); err != door.ErrRedeliver {
		t.Fatalf("error %v, want the fixed one", err)
	}
	f.wall.Advance(exchangeEvery - time.Second)
	if err := dies.exchange(t.Context()); !errors.Is(err, errUntold) {
		t.Errorf("error %v: others would take the finding for told", err)
	}
	f.faults.Set(nil)
	f.mustGive(lives, probe(8)...)
	if found := f.findings(); len(found) != 0 {
		t.Fatalf("findings = %+v while another instance has claimed it", found)
	}
	f.wall.Advance(2 * time.Second)
	f.mustGive(lives, nothing)
	f.wantOne(8)
}

// A finding that could not be published is told by the timer, if no entry comes.
func TestAFindingThatWaitsIsToldByTheTimer(t *testing.T) {
	f := newFleet(t)
	a := f.instance()
	f.mustGive(a, probe(7)...)
	f.failing("/google.pubsub.v1.Publisher/Publish")
	_ = f.give(a, probe(8)[7]) // fails, as tested above
	f.faults.Set(nil)
	f.wall.Advance(exchangeEvery)
	f.wantOne(8)
}

// If the instance that came to a finding never wakes, a sweep by another one tells it.
func TestASweepTellsWhatARestingInstanceKeeps(t *testing.T) {
	f := newFleet(t)
	rests := f.instance()
	rests.after = func(time.Duration, func()) {}
	f.write(probe(8)...)
	f.failing("/google.pubsub.v1.Publisher/Publish")
	for _, entry := range probe(8) {
		_ = f.give(rests, entry) // the last one fails, as tested above
	}
	f.faults.Set(nil)
	f.wall.Advance(lease)
	f.f = f.instance()
	must(t, f.sweep())
	f.wantOne(8)
}

func TestWithoutTheStoreAFindingIsHeldBack(t *testing.T) {
	f := newFleet(t)
	f.store.failing("")
	a, b := f.instance(), f.instance()
	for _, instance := range []*Function{a, b} {
		f.mustGive(instance, probe(8)[:7]...)
		if err := f.give(instance, probe(8)[7]); err != door.ErrRedeliver {
			t.Fatalf("error %v, want the fixed one", err)
		}
		f.mustGive(instance, probe(8)[7], nothing)
	}
	if found := f.findings(); len(found) != 0 {
		t.Fatalf("findings = %+v that nobody has claimed", found)
	}
	for _, want := range []string{"going by what this instance knows", "claiming finding", "the store is down"} {
		if !strings.Contains(f.log.String(), want) {
			t.Errorf("log = %s, want %q", f.log.String(), want)
		}
	}
	f.store.failing("none")
	f.wall.Advance(claimRetry)
	f.mustGive(a, nothing)
	f.mustGive(b, nothing)
	f.wantOne(8)
	f.wall.Advance(exchangeEvery)
	f.mustGive(a, nothing)
	f.mustGive(f.instance(), denial("s.things20.create", time.Minute))
	if f.findings(); a.memory().untold != 0 || b.memory().untold != 0 {
		t.Errorf("%d and %d findings wait", a.memory().untold, b.memory().untold)
	}
}

func TestAFindingIsNotHeldBackForEver(t *testing.T) {
	f := newFleet(t)
	f.store.failing("finding-")
	a := f.instance()
	f.mustGive(a, probe(7)...)
	_ = f.give(a, probe(8)[7]) // tested above
	f.wall.Advance(claimPatience)
	f.mustGive(a, nothing)
	f.wantOne(8)
	if !strings.Contains(f.log.String(), "published unclaimed") {
		t.Errorf("log = %s", f.log.String())
	}
	f.store.failing("none")
	f.wall.Advance(claimRetry)
	f.mustGive(a, nothing)
	f.mustGive(f.instance(), probe(8)...)
	if found := f.findings(); len(found) != 0 || a.memory().untold != 0 {
		t.Errorf("told again: %+v; %d wait", found, a.memory().untold)
	}
}

func TestAFindingWhoseConfirmationWasLostIsConfirmedLater(t *testing.T) {
	f := newFleet(t)
	a, b := f.instance(), f.instance()
	f.mustGive(b, nothing)
	f.mustGive(a, probe(7)...)
	claims := 0
	f.store.before = func(name string) error {
		if strings.HasPrefix(name, "finding-") {
			if claims++; claims > 1 {
				return errDown
			}
		}
		return nil
	}
	f.mustGive(a, probe(8)[7])
	f.wantOne(8)
	f.store.failing("none")
	f.wall.Advance(claimRetry)
	f.mustGive(a, nothing)
	f.wall.Advance(time.Hour)
	f.mustGive(b, probe(8)...)
	if found := f.findings(); len(found) != 0 || !strings.Contains(f.log.String(), "not confirmed yet") {
		t.Errorf("told again: %+v; log = %s", found, f.log.String())
	}
}

func TestClaims(t *testing.T) {
	mine := claim{Owner: "me", Until: start.Add(lease)}
	for name, tt := range map[string]struct {
		data string
		want claim
		ok   bool
	}{
		"nobody's":                    {"", mine, true},
		"broken":                      {"{", mine, true},
		"mine":                        {`{"owner":"me","until":"2030-01-01T12:00:01Z"}`, mine, true},
		"another's":                   {`{"owner":"other","until":"2030-01-01T12:00:01Z"}`, claim{Owner: "other", Until: start.Add(time.Second)}, false},
		"another's, over":             {`{"owner":"other","until":"2030-01-01T12:00:00Z"}`, mine, true},
		"another's, by a wrong clock": {`{"owner":"other","until":"2040-01-01T12:00:00Z"}`, mine, true},
		"published":                   {`{"owner":"me","published":true}`, claim{Owner: "me", Published: true}, false},
	} {
		if got, ok := parseClaim([]byte(tt.data)).by("me", start); got != tt.want || ok != tt.ok {
			t.Errorf("%s: %+v, %v; want %+v, %v", name, got, ok, tt.want, tt.ok)
		}
	}
}
