package detect

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
)

// unnamed takes in a call whose caller is not told. It is looked at when it is
// known who else was at the same place, or at once if the entry tells no place.
func (g *Engine) unnamed(e *Entry, t int64, into []Finding) []Finding {
	if e.Code == 0 {
		return into // nobody did something
	}
	if record, err := json.Marshal(e); err == nil && e.located() && g.backlog.holdCall(string(record), dueAfter(t, spanAfter)) {
		return into
	}
	news := make(map[string]int64)
	into = g.stranger(e, t, news, into)
	return g.judgeAll(news, into)
}

// identify looks at unnamed calls that are due, at all of them before anybody is
// judged.
func (g *Engine) identify(records []string, due int64, into []Finding) []Finding {
	calls := make([]call, 0, len(records))
	for _, record := range records {
		c := call{record: record}
		if json.Unmarshal([]byte(record), &c.Entry) == nil {
			calls = append(calls, c)
		}
	}
	slices.SortFunc(calls, call.order)
	news := make(map[string]int64)
	for _, c := range calls {
		into = g.stitch(c, due, news, into)
	}
	return g.judgeAll(news, into)
}

// judgeAll judges subjects by name, as of when their news begin: those who have one
// first, for a place tells only what they do not.
func (g *Engine) judgeAll(news map[string]int64, into []Finding) []Finding {
	for _, name := range slices.SortedFunc(maps.Keys(news), placesLast) {
		into = g.judge(g.store.get(name), news[name], into)
	}
	return into
}

func placesLast(a, b string) int {
	rank := func(name string) int {
		if isPlace(name) {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
}

// call is an unnamed one.
type call struct {
	Entry
	record string // the entry, as JSON
}

func (c call) order(other call) int {
	return cmp.Or(c.Time.Compare(other.Time), cmp.Compare(c.record, other.record))
}

// stitch takes a call for that of the one who was seen at the same place about
// then. If that was nobody, it is looked at once more later. It always counts for
// the place, too: no harmless call from there makes less of it.
func (g *Engine) stitch(c call, due int64, news map[string]int64, into []Finding) []Finding {
	t, after := c.Time.UnixMilli(), int64(spanAfter)
	again := due > dueAfter(t, spanAfter)
	if again {
		after = spanLater
	}
	who := g.places.who(g.places.of(&c.Entry), t, after)
	if s := g.store.known(who); who != several && s != nil && fits(c.Principal, s.name) {
		into = g.attribute(&c.Entry, s.name, t, news, into)
		return g.shadow(&c.Entry, s.name, t, news, into)
	}
	if again {
		return into
	}
	if who == 0 {
		g.backlog.holdCall(c.record, dueAfter(t, spanLater))
	}
	return g.stranger(&c.Entry, t, news, into)
}

// attribute takes an unnamed call for that of a subject.
func (g *Engine) attribute(e *Entry, name string, t int64, news map[string]int64, into []Finding) []Finding {
	into, is := g.consider(e, name, t, into)
	if is {
		news[nameOf(name)] = earliest(news[nameOf(name)], t)
	}
	return into
}

// disguises are the user agents and masked names from which an address is judged as
// a whole: with fewer, one of them was denied half as much as that takes.
const disguises = 3

// stranger takes in a call of somebody who is not known, and counts it for its
// address, too: whoever changes the user agent with each call is still there.
func (g *Engine) stranger(e *Entry, t int64, news map[string]int64, into []Finding) []Finding {
	into = g.attribute(e, e.place(), t, news, into)
	if !e.located() || !e.denied() || isPolicy(e) {
		return into
	}
	name := e.address()
	g.store.get(nameOf(name)).sight(sightingOf(disguise, hash(e.stranger()), e, t, "", ""))
	return g.attribute(e, name, t, news, into)
}

// shadow takes in for its place a call that was taken for somebody's. What policies
// refuse is told by one call, so the name is enough.
func (g *Engine) shadow(e *Entry, who string, t int64, news map[string]int64, into []Finding) []Finding {
	if !e.denied() || isPolicy(e) {
		return into
	}
	for _, name := range []string{e.place(), e.address()} {
		g.store.get(nameOf(name)).sight(sightingOf(stitched, hash(who), e, t, who, ""))
	}
	return g.stranger(e, t, news, into)
}

// named reports whether an episode of a place is told, as bad as it is, of somebody
// for whose its calls were taken.
func (g *Engine) named(s *subject, v verdict, t told) bool {
	for _, n := range s.of(stitched) {
		who := g.store.known(g.store.key(n.name))
		if who == nil {
			continue
		}
		if i := who.episode(v); i >= 0 && !t.worse(who.told[i]) {
			return true
		}
	}
	return false
}
