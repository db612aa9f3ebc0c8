package detect

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"example.com/keyturn/internal/raced"
)

// seed is of all who share here.
const seed = "seed"

// stored are encoded shards, as a store keeps them, and how often each was written.
type stored struct {
	shards  [Shards][]byte
	written [Shards]int
}

// instance is an Engine that shares what it knows, as an instance of the function
// does.
type instance struct {
	*Engine
	last  time.Time   // when it exchanged last
	taken [Shards]int // which of each shard it has learnt
}

func newInstance(c Config) *instance {
	c.Shared = true
	return &instance{Engine: New(c)}
}

// exchange gives what the instance learnt, and takes what others wrote.
func (g *instance) exchange(t *testing.T, kept *stored, into []Finding) []Finding {
	t.Helper()
	changed := g.Share(seed)
	for i := range kept.shards {
		mine := changed[i]
		if mine == nil && g.taken[i] == kept.written[i] {
			continue
		}
		s := new(Shard)
		if kept.written[i] > 0 {
			var err error
			if s, _, err = DecodeShard(kept.shards[i]); err != nil {
				t.Fatal(err)
			}
		}
		if mine != nil {
			s.Join(mine)
			kept.shards[i], kept.written[i] = s.Encode(), kept.written[i]+1
		}
		into, g.taken[i] = g.Learn(s, into), kept.written[i]
	}
	return into
}

// fleet returns what n instances find together, of which each entry goes to any one.
// Half a minute after an exchange, those that learnt something have the next one, and
// who did not has it before its next entry.
func fleet(t *testing.T, c Config, log []Entry, n int, r *rand.Rand) (found []Finding) {
	t.Helper()
	var kept stored
	instances := make([]*instance, n)
	for i := range instances {
		instances[i] = newInstance(c)
	}
	for i := range log {
		to := instances[r.IntN(n)]
		for _, g := range append(slices.DeleteFunc(slices.Clone(instances), func(g *instance) bool { return g == to }), to) {
			if (g == to || g.Unshared()) && log[i].Time.Sub(g.last) >= 30*time.Second {
				found, g.last = g.exchange(t, &kept, found), log[i].Time
			}
		}
		found = to.Observe(&log[i], found)
	}
	for range 2 { // what was held back is shared when it is known whose it is
		for range 3 {
			for _, g := range instances {
				found = g.exchange(t, &kept, found)
			}
		}
		for _, g := range instances {
			found = g.Flush(found)
		}
	}
	for _, g := range instances {
		found = g.exchange(t, &kept, found)
	}
	return found
}

// sharedLogs are those whose findings do not depend on who sees which entry, with
// what the engines are told beforehand.
func sharedLogs() map[string]struct {
	config Config
	log    []Entry
} {
	type logged = struct {
		config Config
		log    []Entry
	}
	logs := make(map[string]logged)
	for name, log := range attacks() {
		if name != "masked" && name != "reads only" { // who was where is known to one instance alone; and the other is as the slow probe
			logs[name] = logged{Config{}, log}
		}
	}
	for _, name := range []string{"straggler", "old key, another program", "undone key, but used", "key undone by the rotator", "current key from elsewhere", "broken", "unread\x00"} {
		logs["key: "+name] = logged{Config{Ledger: managed()}, whole(name, misuses()[name])}
	}
	rule := &Rule{Name: "my-rule", Severity: High, Window: 10 * time.Minute, Threshold: 5}
	for item, log := range map[string][]Entry{"": repeated("s.things.get", 6, 0, 20*time.Second), "permission": probe(6, 20*time.Second)} {
		logs["rule "+item] = logged{Config{Rules: rules{"s.googleapis.com": {Rule: rule, Item: item}}}, log}
	}
	logs["silence"] = logged{Config{}, inOrder(hourly("projects/p/logs/activity", 16*24, never), hourly(dataLog, 16*24, func(hour int) bool { return hour >= 10*24 }))}
	return logs
}

// Entries that go to any of some instances lead to the findings that one that saw
// them all comes to, by the first of each episode.
func TestAFleetFindsWhatOneInstanceFinds(t *testing.T) {
	if raced.Detector {
		t.Skip("one goroutine, many logs: the race detector has nothing to see")
	}
	for name, l := range sharedLogs() {
		g := New(l.config)
		var alone []Finding
		for i := range l.log {
			alone = g.Observe(&l.log[i], alone)
		}
		want := ids(g.Flush(alone))
		for seed := range uint64(1 + 300/len(l.log)) {
			n := 2 + int(seed+uint64(len(name)))%2
			if got := ids(fleet(t, l.config, l.log, n, rand.New(rand.NewPCG(seed, 12)))); !reflect.DeepEqual(got, want) {
				t.Errorf("%s, %d instances, split %d: %v, want %v", name, n, seed, got, want)
			}
		}
	}
}

// Entries that go to either of two instances lead to the findings that one that
// saw them all comes to, by the first of each episode.
func TestWhatInstancesShareIsJudgedTogether(t *testing.T) {
	history := by(robot, ordinaryDays(10))
	rule := &Rule{Name: "my-rule", Severity: High, Threshold: 5}
	for name, c := range map[string]struct {
		log    []Entry
		config Config
		want   string
	}{
		"probe":            {shift(probe(8, time.Second), 10*oneDay), Config{}, PermissionProbing},
		"one with a space": {by("ci job 7", shift(probe(8, time.Second), 10*oneDay)), Config{}, PermissionProbing},
		"harvest":          {each(12, 10*oneDay, time.Second, reading), Config{}, MassSecretRead},
		"sweep":            {each(3, 10*oneDay, time.Second, testing100), Config{}, PermissionSweep},
		"rule":             {repeated("s.things.get", 5, 10*oneDay, time.Second), Config{Rules: rules{"s.googleapis.com": {Rule: rule}}}, "my-rule"},
		"turned":           {append(repeated("s.x.create", 9, 10*oneDay, 10*time.Second), allowed("s.x.create", 10*oneDay+2*time.Minute)), Config{}, FailureThenSuccess},
	} {
		var kept stored
		instances := [2]*instance{newInstance(c.config), newInstance(c.config)}
		for i := range history {
			instances[0].Observe(&history[i], nil)
		}
		var found []Finding
		for _, g := range instances {
			found = g.exchange(t, &kept, found)
		}
		for i := range c.log {
			found = instances[i%2].Observe(&c.log[i], found)
		}
		if found := of(c.want, found); len(found) != 0 {
			t.Errorf("%s: one instance alone found %+v", name, found)
		}
		for range 3 {
			for _, g := range instances {
				found = g.exchange(t, &kept, found)
			}
		}
		for _, g := range instances {
			found = g.Advance(start.Add(10*oneDay+30*time.Minute), found)
		}
		if told := ids(of(c.want, found)); len(told) != 1 {
			t.Errorf("%s: found %v, want one by %s", name, ids(found), c.want)
		}
	}
}

// An engine that begins with what was shared goes on as if it had been there, when
// the unnamed calls of the last minutes are read again.
func TestWhatWasSharedIsNotForgotten(t *testing.T) {
	raced.SkipPure(t)
	for name, log := range attacks() {
		want := ids(observe(log))
		for part := range 4 {
			half := len(log) * part / 4
			g, found := newInstance(Config{}), []Finding(nil)
			for i := range log[:half] {
				found = g.Observe(&log[i], found)
			}
			var kept stored
			found = g.exchange(t, &kept, found)
			next := newInstance(Config{})
			found = next.exchange(t, &kept, found)
			for i := range log {
				if i >= half || log[i].identity() == "" {
					found = next.Observe(&log[i], found)
				}
			}
			if got := ids(next.Flush(found)); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s, stopped at %d: %v, want %v", name, half, got, want)
			}
		}
	}
}

func TestOnlyWhatChangedIsShared(t *testing.T) {
	g := New(Config{Shared: true, Hot: 1})
	if n := len(g.Share(seed)); n != 0 {
		t.Errorf("began with %d shards", n)
	}
	log := probe(3, time.Minute)
	for i := range log {
		g.Observe(&log[i], nil)
	}
	shared, subjects := g.Share(seed), 0
	for _, s := range shared {
		subjects += len(s.subjects)
	}
	if subjects != 2 {
		t.Errorf("shared %d subjects, want the one and the log", subjects)
	}
	if again := g.Share(seed); len(again) != 0 {
		t.Errorf("shared again: %v", again)
	}
	for _, s := range shared {
		g.Reshare(s)
	}
	if again := g.Share(seed); !sameShards(again, shared) {
		t.Errorf("shared %v, want what was not written", again)
	}
	g.Learn(anyShard(rand.New(rand.NewPCG(2, 9))), nil)
	if n := len(g.Share(seed)); n != 0 {
		t.Errorf("%d shards were changed by what others shared", n)
	}
	if alone, _ := seen(log); len(alone.Share(seed)) != 0 {
		t.Error("an engine of nobody else shares")
	}
}

// What an instance knows already, as it does most of what it learns, changes nothing.
func TestLearningAgainChangesNothing(t *testing.T) {
	log := append(probe(20, time.Minute), crowdOf(20, time.Hour)...)
	g, next := New(Config{Shared: true, Hot: 1}), New(Config{Shared: true, Hot: 1})
	for i := range log {
		g.Observe(&log[i], nil)
	}
	shared := g.Share(seed)
	for _, s := range shared {
		next.Learn(s, nil)
	}
	for _, s := range shared {
		if found := next.Learn(s, nil); len(found) != 0 {
			t.Errorf("found %+v again", found)
		}
	}
	if n := len(next.store.keys); n != len(g.store.keys) || next.Unshared() {
		t.Errorf("%d subjects, want %d; something to share: %v", n, len(g.store.keys), next.Unshared())
	}
}

// Who shares a shard depends on the seed, and on nothing else.
func TestTheSeedSettlesTheShards(t *testing.T) {
	alike := 0
	for i := range 1000 {
		name := fmt.Sprint("caller", i)
		if n := shardOf(seed, name); n != shardOf(seed, name) || n < 0 || n >= Shards {
			t.Fatalf("%s is in shard %d", name, n)
		}
		if shardOf(seed, name) == shardOf(seed, thief) && shardOf("another", name) == shardOf("another", thief) {
			alike++
		}
	}
	if alike > 10 {
		t.Errorf("of 1000 subjects %d share one's shard by two seeds, want about one", alike)
	}
}

func sameShards(a, b map[int]*Shard) bool {
	return maps.EqualFunc(a, b, func(a, b *Shard) bool { return bytes.Equal(a.Encode(), b.Encode()) })
}
