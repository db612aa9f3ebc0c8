package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/keyturn/functions/door"
	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/state"
	"example.com/keyturn/shared/state/statetest"
)

// faulty is a store whose updates fail where a test wants it.
type faulty struct {
	Store

	mu     sync.Mutex
	before func(name string) error // nil lets all pass
	writes int                     // of shards
	bytes  int                     // in them
}

var errDown = errors.New("the store is down")

func (s *faulty) Update(ctx context.Context, name string, change func([]byte) ([]byte, time.Time, error)) error {
	s.mu.Lock()
	before := s.before
	s.mu.Unlock()
	if before != nil {
		if err := before(name); err != nil {
			return err
		}
	}
	return s.Store.Update(ctx, name, func(old []byte) ([]byte, time.Time, error) {
		data, expires, err := change(old)
		if strings.HasPrefix(name, "shard-") && string(data) != string(old) {
			s.mu.Lock()
			s.writes++
			s.bytes += len(data)
			s.mu.Unlock()
		}
		return data, expires, err
	})
}

// failing has updates of documents whose names begin like prefix fail; "none"
// lets all pass.
func (s *faulty) failing(prefix string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = func(name string) error {
		if strings.HasPrefix(name, prefix) {
			return errDown
		}
		return nil
	}
}

// fleet is instances of the function that share a store.
type fleet struct {
	*env
	store *faulty
	wall  *clock.Clock
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	return &fleet{newEnv(t), &faulty{Store: new(state.Memory)}, clock.NewFrozen(start)}
}

// instance is another one, which remembers nothing.
func (f *fleet) instance() *Function {
	c := f.f.config
	c.Store, c.Wall, c.Log = f.store, f.wall.Now, slog.New(slog.NewTextHandler(&f.log, nil))
	c.After = func(d time.Duration, do func()) { f.wall.At(f.wall.Now().Add(d), do) }
	return New(c)
}

// give delivers an entry and waits for the exchange that it may have begun.
func (f *fleet) give(to *Function, entry []byte) error {
	f.Helper()
	err := to.HandleEvent(f.Context(), wrapped(f, event.TopicLogs, entry, nil))
	to.settle()
	return err
}

// settle waits for the exchange under way, if there is one.
func (f *Function) settle() {
	f.exchanging.Lock()
	defer f.exchanging.Unlock()
}

func (f *fleet) mustGive(to *Function, entries ...[]byte) {
	f.Helper()
	for _, entry := range entries {
		must(f.T, f.give(to, entry))
	}
}

// nothing is an entry of no concern.
var nothing = []byte(`{"textPayload":"hello","logName":"projects/acme/logs/x"}`)

// wantOne checks that one finding of n denials was published, and nothing else.
func (f *fleet) wantOne(n int) {
	f.Helper()
	if found := f.findings(); len(found) != 1 || found[0].Count != n {
		f.Errorf("findings = %+v, want one of %d denials", found, n)
	}
}

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
	if want := "since=2030-01-01T11:56:00.000Z"; !strings.Contains(f.log.String(), want) {
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
	go func() { to.restore(t.Context()); close(first) }()
	<-asked
	go func() { to.restore(t.Context()); close(second) }()
	select {
	case <-second:
		t.Error("the second delivery did not wait")
	case <-time.After(50 * time.Millisecond): // a wrong one takes microseconds
	}
	close(answer)
	<-first
	<-second
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
	if f.findings(); a.memory.untold != 0 || b.memory.untold != 0 {
		t.Errorf("%d and %d findings wait", a.memory.untold, b.memory.untold)
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
	if found := f.findings(); len(found) != 0 || a.memory.untold != 0 {
		t.Errorf("told again: %+v; %d wait", found, a.memory.untold)
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
	if err := a.exchangeShard(t.Context(), 99, new(detect.Shard), start); err != nil {
		t.Errorf("error %v", err)
	}
}

// What somebody else wrote among the subjects of a shard costs no other subject.
func TestARecordThatCannotBeReadIsLeftOut(t *testing.T) {
	f := newFleet(t)
	f.mustGive(f.instance(), probe(7)...)
	f.wall.Advance(exchangeEvery)
	for i := range detect.Shards {
		must(t, f.store.Update(t.Context(), fmt.Sprintf("shard-%02d", i), func(old []byte) ([]byte, time.Time, error) {
			return append(old, "\x03abc"...), time.Time{}, nil
		}))
	}
	f.mustGive(f.instance(), probe(8)[7])
	f.mustGive(f.instance(), nothing)
	f.wantOne(8)
	if said := strings.Count(f.log.String(), "subjects in a shard are lost"); said != detect.Shards || !strings.Contains(f.log.String(), "subjects=1") {
		t.Errorf("said %d times, want once of each shard: %s", said, f.log.String())
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
