package audit

import (
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/state/statetest"
)

func TestASweepBeginsWhereAnyInstanceEnded(t *testing.T) {
	f := newFleet(t)
	f.write(probe(7)...)
	f.f = f.instance()
	must(t, f.sweep())
	f.write(probe(8)[7])
	f.clock.Advance(24 * time.Hour)
	f.f = f.instance()
	must(t, f.sweep())
	f.wantOne(8)
	if want := "since=2030-01-01T11:41:00.000Z"; !strings.Contains(f.log.String(), want) {
		t.Errorf("log = %s, want %s", f.log.String(), want)
	}
}

func TestTheCheckpointNeverMovesBack(t *testing.T) {
	f := newFleet(t)
	a, b := f.instance(), f.instance()
	must(t, a.shareSwept(t.Context(), start))
	must(t, b.shareSwept(t.Context(), start.Add(-time.Minute)))
	if at := b.sweptUntil(t.Context(), start.Add(time.Hour)); !at.Equal(start) {
		t.Errorf("swept until %v, want %v", at, start)
	}
	b.swept = start.Add(time.Hour)
	if at := b.sweptUntil(t.Context(), start.Add(time.Hour)); !at.Equal(b.swept) {
		t.Errorf("swept until %v, want what it did itself", at)
	}
	must(t, f.store.Update(t.Context(), checkpoint, statetest.Set("yesterday", time.Time{})))
	if at := a.sweptUntil(t.Context(), start.Add(time.Hour)); !at.IsZero() {
		t.Errorf("swept until %v by a checkpoint that is none", at)
	}
}

// One machine's wrong clock must not have all others sweep nothing.
func TestACheckpointAheadOfTimeIsNotBelieved(t *testing.T) {
	f := newFleet(t)
	must(t, f.instance().shareSwept(t.Context(), start.Add(48*time.Hour)))
	f.write(probe(8)...)
	f.f = f.instance()
	must(t, f.sweep())
	f.wantOne(8)
	if at := f.instance().sweptUntil(t.Context(), f.clock.Now()); at.After(f.clock.Now()) || at.IsZero() {
		t.Errorf("the checkpoint stands at %v", at)
	}
}

func TestASweepIsSharedOnlyWithWhatItFound(t *testing.T) {
	for document, want := range map[string]string{"shard-": "sharing what detectors know: the store is down", checkpoint: "moving the checkpoint of sweeps: the store is down"} {
		f := newFleet(t)
		f.write(probe(8)...)
		f.f = f.instance()
		f.store.failing(document)
		must(t, f.sweep())
		f.wantOne(8)
		if !strings.Contains(f.log.String(), want) {
			t.Errorf("log = %s, want %q", f.log.String(), want)
		}
		f.store.failing("none")
		if at := f.instance().sweptUntil(t.Context(), start.Add(time.Hour)); !at.IsZero() {
			t.Errorf("the checkpoint moved to %v, although %s could not be written", at, document)
		}
		must(t, f.sweep())
		if at := f.instance().sweptUntil(t.Context(), start.Add(time.Hour)); !at.Equal(f.clock.Now()) {
			t.Errorf("the checkpoint is %v, want %v", at, f.clock.Now())
		}
	}
}

// What the detectors held back when a sweep's instance ended is read by the next one.
func TestASweepMakesGoodWhatAnInstanceHeldBack(t *testing.T) {
	for _, after := range []time.Duration{3 * time.Minute, 5 * time.Minute, 330 * time.Second, 14 * time.Minute} {
		f := newFleet(t)
		for i := range 8 {
			f.write(stranger(i))
		}
		f.clock.Advance(after)
		f.f = f.instance()
		must(t, f.sweep())
		found := f.findings()
		f.clock.Advance(time.Hour)
		f.f = f.instance()
		must(t, f.sweep())
		if found = append(found, f.findings()...); len(found) != 1 || found[0].Detector != detect.TokenMinting {
			t.Errorf("swept %v after the calls: findings = %+v, want one", after, found)
		}
	}
}
