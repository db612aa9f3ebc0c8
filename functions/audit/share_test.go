package audit

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/state"
	"example.com/keyturn/shared/state/statetest"
)

func TestAProbeSpreadOverInstancesIsFound(t *testing.T) {
	f := newFleet(t)
	instances := [2]*Function{f.instance(), f.instance()}
	for i := range 9 {
		f.wall.Advance(10 * time.Minute)
		f.mustGive(instances[i%2], denial(fmt.Sprintf("s.things%02d.create", i), time.Duration(i)*10*time.Minute))
	}
	f.wantOne(8)
}

// The denials that make the finding have all come when instances exchange.
func TestAProbeThatHasEndedIsFound(t *testing.T) {
	f := newFleet(t)
	a, b := f.instance(), f.instance()
	for i, entry := range probe(8) {
		f.mustGive([]*Function{a, b}[i%2], entry)
	}
	if found := f.findings(); len(found) != 0 {
		t.Fatalf("findings = %+v before anything was exchanged", found)
	}
	f.wall.Advance(exchangeEvery)
	f.mustGive(a, nothing)
	f.mustGive(b, nothing)
	f.wantOne(8)
}

func TestARestartForgetsNothing(t *testing.T) {
	f := newFleet(t)
	path := t.TempDir()
	f.store.Store = &state.Directory{Path: path}
	before := f.instance()
	f.mustGive(before, probe(7)...)
	f.wall.Advance(exchangeEvery)
	f.mustGive(before, nothing)
	f.store.Store = &state.Directory{Path: path}
	f.mustGive(f.instance(), probe(8)[7])
	f.wantOne(8)
}

// What comes while an instance still learns what others know waits for it.
func TestNothingIsJudgedBeforeTheOthersAreAsked(t *testing.T) {
	f := newFleet(t)
	asked, answer := make(chan struct{}), make(chan struct{})
	var once sync.Once
	f.store.before = func(string) error {
		once.Do(func() { close(asked); <-answer })
		return nil
	}
	to := f.instance()
	first, second := make(chan struct{}), make(chan struct{})
	go func() { to.refresh(t.Context()); close(first) }()
	<-asked
	go func() { to.refresh(t.Context()); close(second) }()
	select {
	case <-second:
		t.Error("the second delivery did not wait")
	case <-time.After(50 * time.Millisecond): // a wrong one takes microseconds
	}
	close(answer)
	<-first
	<-second
}

// An instance that has rested learns what others saw meanwhile before it accuses
// anybody, and does not ask for it again with every entry.
func TestAnInstanceThatRestedLearnsFirst(t *testing.T) {
	f := newFleet(t)
	rested, busy := f.instance(), f.instance()
	f.mustGive(rested, nothing)
	for i := range 8 {
		f.mustGive(busy, grant(fmt.Sprintf("s.things%02d.create", i)))
	}
	f.wall.Advance(time.Hour)
	for i := range 8 {
		f.mustGive(rested, denial(fmt.Sprintf("s.things%02d.create", i), time.Hour+time.Duration(i)*time.Second))
	}
	if found := f.findings(); len(found) != 0 {
		t.Errorf("findings = %+v of permissions that the subject has", found)
	}
	asked := f.store.updates
	f.wall.Advance(exchangeSoon)
	f.mustGive(rested, denial("s.things00.create", 2*time.Hour))
	if n := f.store.updates - asked; n == 0 || n >= detect.Shards {
		t.Errorf("%d documents for one more denial", n)
	}
}

// What could not be learnt is asked for again when the next exchange is due, not with
// each entry.
func TestAnInstanceGoesOnByWhatItKnows(t *testing.T) {
	f := newFleet(t)
	f.store.failing("shard-")
	a := f.instance()
	f.mustGive(a, nothing, nothing, nothing)
	if n := f.store.updates; n != detect.Shards {
		t.Errorf("%d documents were asked for, want each once", n)
	}
	f.store.failing("none")
	f.mustGive(f.instance(), probe(7)...)
	f.wall.Advance(exchangeEvery)
	f.mustGive(a, nothing, probe(8)[7])
	f.wantOne(8)
}

func TestAShardThatCannotBeReadIsMadeAnew(t *testing.T) {
	f := newFleet(t)
	for i := range detect.Shards {
		must(t, f.store.Update(t.Context(), fmt.Sprintf("shard-%02d", i), statetest.Set("no shard", time.Time{})))
	}
	a := f.instance()
	f.mustGive(a, probe(7)...)
	f.wall.Advance(exchangeEvery)
	f.mustGive(a, nothing)
	f.mustGive(f.instance(), probe(8)[7])
	f.wantOne(8)
	if !strings.Contains(f.log.String(), "a shard is lost and begun anew") {
		t.Errorf("log = %s", f.log.String())
	}
	if err := a.exchangeShard(t.Context(), 0, new(detect.Shard), start); err != nil {
		t.Errorf("error %v", err)
	}
}

// What somebody else wrote among the subjects of a shard costs no other subject, and
// is gone when the shard is written next.
func TestARecordThatCannotBeReadIsLeftOut(t *testing.T) {
	f := newFleet(t)
	f.mustGive(f.instance(), probe(7)...)
	f.wall.Advance(exchangeEvery)
	for i := range detect.Shards {
		must(t, f.store.Update(t.Context(), fmt.Sprintf("shard-%02d", i), func(old []byte) ([]byte, time.Time, error) {
			if old != nil {
				old = append(old, "\x03abc"...)
			}
			return old, time.Time{}, nil
		}))
	}
	f.mustGive(f.instance(), probe(8)[7])
	f.wantOne(8)
	const lost = "subjects in a shard are lost"
	said := strings.Count(f.log.String(), lost)
	f.mustGive(f.instance(), nothing)
	if again := strings.Count(f.log.String(), lost); said == 0 || again != said || !strings.Contains(f.log.String(), "subjects=1") {
		t.Errorf("said %d times, and then %d times: %s", said, again-said, f.log.String())
	}
}

func TestWhatCouldNotBeSharedIsSharedLater(t *testing.T) {
	f := newFleet(t)
	a := f.instance()
	f.mustGive(a, probe(7)...)
	f.store.failing("shard-")
	f.wall.Advance(exchangeEvery)
	f.mustGive(a, nothing)
	f.store.failing("none")
	f.wall.Advance(exchangeEvery)
	f.mustGive(a, nothing)
	f.mustGive(f.instance(), probe(8)[7])
	f.wantOne(8)
}

// All instances agree on who is in which shard, and other stores have it otherwise.
func TestInstancesAgreeOnTheShards(t *testing.T) {
	f, other := newFleet(t), newFleet(t)
	a, b, c := f.instance(), f.instance(), other.instance()
	f.mustGive(a, nothing)
	f.mustGive(b, nothing)
	other.mustGive(c, nothing)
	if a.shards == "" || a.shards != b.shards || a.shards == c.shards {
		t.Errorf("seeds %q and %q, elsewhere %q", a.shards, b.shards, c.shards)
	}
}
