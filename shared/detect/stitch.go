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

// judgeAll judges subjects by name, as of when their news begin.
func (g *Engine) judgeAll(news map[string]int64, into []Finding) []Finding {
	for _, name := range slices.Sorted(maps.Keys(news)) {
		into = g.judge(g.store.get(name), news[name], into)
	}
	return into
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
// then. If that was nobody, it is a stranger's, and looked at once more later.
func (g *Engine) stitch(c call, due int64, news map[string]int64, into []Finding) []Finding {
	t, after := c.Time.UnixMilli(), int64(spanAfter)
	again := due > dueAfter(t, spanAfter)
	if again {
		after = spanLater
	}
	who := g.places.who(g.places.of(&c.Entry), t, after)
	if s := g.store.known(who); who != several && s != nil && fits(c.Principal, s.name) {
		return g.attribute(&c.Entry, s.name, t, news, into)
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
	into = g.attribute(e, strangerSubject+e.stranger(), t, news, into)
	if !e.located() || !e.denied() || isPolicy(e) {
		return into
	}
	name := addressSubject + e.aiming(e.home())
	g.store.get(nameOf(name)).sight(sightingOf(disguise, hash(e.stranger()), e, t, "", ""))
	return g.attribute(e, name, t, news, into)
}
