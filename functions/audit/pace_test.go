package audit

import (
	"testing"
	"time"

	"example.com/keyturn/shared/event"
)

// The last entries before a quiet spell are shared although no other comes.
func TestATimerSharesWhatTheLastEntryLeft(t *testing.T) {
	f := newFleet(t)
	dies := f.instance()
	f.mustGive(dies, probe(7)...)
	f.wall.Advance(exchangeEvery - time.Second)
	before := f.store.writes
	f.wall.Advance(time.Second)
	timed := f.store.writes
	f.wall.Advance(time.Hour)
	if before == 0 || timed <= before || f.store.writes != timed {
		t.Errorf("%d writes before the timer, %d by it, %d an hour later", before, timed, f.store.writes)
	}
	f.mustGive(f.instance(), probe(8)[7])
	f.wantOne(8)
}

func TestTheTimerGoesOnUntilAllIsShared(t *testing.T) {
	f := newFleet(t)
	dies := f.instance()
	f.mustGive(dies, probe(7)...)
	f.store.failing("shard-")
	f.wall.Advance(2 * exchangeEvery)
	f.store.failing("none")
	f.wall.Advance(exchangeEvery)
	f.mustGive(f.instance(), probe(8)[7])
	f.wantOne(8)
}

func TestADenialIsSharedAtOnce(t *testing.T) {
	f := newFleet(t)
	dies := f.instance()
	f.mustGive(dies, nothing)
	f.wall.Advance(exchangeSoon)
	f.mustGive(dies, nothing)
	before := f.store.writes
	f.mustGive(dies, probe(1)...)
	if before != 0 || f.store.writes == 0 {
		t.Errorf("%d writes for an entry of no concern, %d with the denial", before, f.store.writes)
	}
}

// A denial that comes while an exchange goes on is not in it.
func TestADenialDuringAnExchangeSetsTheTimer(t *testing.T) {
	f := newFleet(t)
	a := f.instance()
	f.mustGive(a, nothing)
	f.wall.Advance(exchangeSoon)
	a.exchanging.Lock()
	must(t, a.HandleEvent(t.Context(), pushed(event.TopicLogs, probe(1)[0], nil)))
	a.exchanging.Unlock()
	before := f.store.writes
	f.wall.Advance(exchangeEvery)
	if f.store.writes == before {
		t.Error("it is not shared")
	}
}

func TestPace(t *testing.T) {
	p := pace{last: start}
	for i := range exchangeAfter - 1 {
		if p.due(start.Add(exchangeEvery-1), false) {
			t.Fatalf("due after %d entries", i+1)
		}
	}
	if !p.due(start.Add(time.Second), false) {
		t.Errorf("not due after %d entries", exchangeAfter)
	}
	if p.due(start.Add(exchangeEvery), false) || !p.due(start.Add(exchangeEvery+time.Second), false) {
		t.Error("due by another time than that of the last exchange")
	}
	p = pace{last: start}
	if p.due(start.Add(exchangeSoon-1), true) || !p.due(start.Add(exchangeSoon), true) {
		t.Error("a denial is due by another time")
	}
	p = pace{last: start}
	for after, want := range map[time.Duration]time.Duration{0: exchangeEvery, time.Second: exchangeEvery - time.Second, time.Hour: 0, -time.Hour: exchangeEvery} {
		if got := p.wait(start.Add(after)); got != want {
			t.Errorf("%v after the last exchange the timer is set to %v, want %v", after, got, want)
		}
	}
}

func TestTheMachinesTimerIsTheDefault(t *testing.T) {
	fired := make(chan struct{})
	New(Config{}).after(time.Nanosecond, func() { close(fired) })
	<-fired
}
