package detect

import (
	"cmp"
	"hash/maphash"
	"time"
)

// Config is what an Engine works with. Its zero value is good for a log of up to
// a million subjects, of which nothing is known beforehand.
type Config struct {
	Subjects int           // that are remembered at most, whatever is known of each; 0 is 1,000,000
	Hot      int           // subjects of them that are kept decoded; 0 is 4096
	Patience time.Duration // how late a grant may come that explains a success after failures; 0 is 10 minutes
	Ledger   *Ledger       // what the rotator knows of its credentials; nil is nothing
	Rules    RuleSet       // custom rules; nil is none
	Final    bool          // whether the log has an end, as of a replay: no newer Ledger comes, so that keys which may be newer than it are not judged, and Flush tells what episodes came to; false judges keys when the Ledger is overdue, and tells no ends
	Shared   bool          // whether Share is to tell what changes; false spares the time and the memory
}

// Engine runs all detectors over a stream of entries. It is not safe for
// concurrent use.
type Engine struct {
	config   Config
	patience int64 // in milliseconds
	ledger   *ledgerIndex
	prints   *prints
	wanted   int64 // time of the earliest entry that waits for a newer ledger; 0 for none
	born     int64 // time of the earliest entry, in milliseconds of Unix time
	clock    clock
	store    *store
	places   *places
	familiar *familiar
	changes  changes
	waiting  waiting
	backlog  backlog
	asked    map[question]struct{} // that were shared, by this Engine or with it
	hits     []Hit
	endings  map[episode]*ending // of a log that has an end
}

// New returns an Engine that has seen nothing yet.
func New(c Config) *Engine {
	c.Subjects, c.Hot = cmp.Or(max(c.Subjects, 0), 1_000_000), cmp.Or(max(c.Hot, 0), 4096)
	seed := maphash.MakeSeed()
	g := &Engine{
		config: c, patience: cmp.Or(max(c.Patience, 0), 10*time.Minute).Milliseconds(), ledger: c.Ledger.index(), prints: newPrints(seed),
		store: newStore(seed, c.Subjects, c.Hot), places: newPlaces(seed), familiar: newFamiliar(seed), changes: make(changes), waiting: newWaiting(), backlog: newBacklog(), asked: make(map[question]struct{}), endings: make(map[episode]*ending),
	}
	if c.Shared {
		g.store.changed = make(map[uint64]struct{})
	}
	return g
}

// Observe takes one entry into account and appends to into what it brought to
// light. Entries may come late, twice and out of order. Nothing of e is kept:
// its texts may change after the call. Entries of no plausible time, and those
// that are no audit entries, change nothing.
func (g *Engine) Observe(e *Entry, into []Finding) []Finding {
	t := e.Time.UnixMilli()
	if !e.Audit || !plausible(t) {
		return into
	}
	g.born = earliest(g.born, t)
	if g.clock.advance(t) && g.clock.now >= min(g.waiting.wake, g.backlog.wake) {
		into = g.settle(g.clock.now, into)
	}
	if g.config.Rules != nil {
		into = g.apply(e, t, into)
	}
	place := g.places.of(e)
	into = g.consult(e, place, t, into)
	name := nameOf(e.identity())
	if name == "" {
		return g.unnamed(e, t, into)
	}
	who := g.store.key(name)
	if e.located() {
		g.places.note(place, who, t, g.clock.now)
	}
	if e.Code == 0 && g.familiar.knows(e, who, t) {
		return into
	}
	into, news := g.consider(e, name, t, into)
	if news {
		into = g.judge(g.store.get(name), t, into)
	}
	return into
}

// Advance tells the Engine that all entries up to about now have come, as a
// schedule can when nothing is logged, and appends what was held back until then.
func (g *Engine) Advance(now time.Time, into []Finding) []Finding {
	if t := now.UnixMilli(); plausible(t) {
		g.clock.set(t)
	}
	return g.settle(g.clock.now, into)
}

// Flush appends what is still held back, such as a failure that turned into a
// success and may yet be explained by a grant that comes late. Call it at the
// end of a log; a stream that goes on brings everything to light by itself. If the
// Engine is Final, what has grown since it was told is told once more, as an update.
func (g *Engine) Flush(into []Finding) []Finding {
	return g.conclude(g.settle(latestTime, into))
}

// consider takes in an entry that may matter, of the subject of a name. It reports
// whether the subject is to be judged, for what was denied to it is news.
func (g *Engine) consider(e *Entry, name string, t int64, into []Finding) (found []Finding, news bool) {
	policy, denied := isPolicy(e), e.denied()
	if !policy && !denied && e.Code != 0 {
		return into, false // it failed for another reason
	}
	s := g.store.get(nameOf(name))
	s.meet(t)
	switch {
	case policy:
		return g.refused(e, s, t, into), false
	case denied:
		return g.denied(e, s, t, into)
	}
	return g.allowed(e, s, t, into), false
}

// denied takes in a call that was refused for lack of permission, and reports
// whether that is news.
func (g *Engine) denied(e *Entry, s *subject, t int64, into []Finding) (found []Finding, news bool) {
	into, broken := g.brokeDown(e, s, t, into)
	if broken {
		return into, false
	}
	strange := g.strange(e, t)
	s = g.store.get(s.name)
	news = s.sightDenial(e, t)
	if strange {
		news = s.sightStrange(e, t) || news
	}
	s.describe(e, t)
	g.familiar.doubt(e, s.key)
	g.awaitDecisive(e, s, t)
	return into, news
}

// allowed takes in a call that succeeded.
func (g *Engine) allowed(e *Entry, s *subject, t int64, into []Finding) []Finding {
	if changesPolicy(e) {
		g.changes.add(e, s.name, t)
	}
	g.awaitTurn(e, s, t)
	s.sightGrants(e, t)
	g.familiar.learn(e, s.key, t)
	if isSecretRead(e) {
		into = g.read(e, s, t, into)
	}
	if len(e.Tested) > 0 {
		into = g.tested(e, s, t, into)
	}
	return into
}

// judge asks the detectors that go by denials.
func (g *Engine) judge(s *subject, t int64, into []Finding) []Finding {
	if s.address() && distinct(s.of(disguise)) < disguises {
		return into
	}
	for _, ask := range []func(*Engine, *subject, int64) (verdict, bool){probed, burstOut, minted} {
		if v, ok := ask(g, s, t); ok {
			into = g.tell(s, v, into)
		}
	}
	return into
}
