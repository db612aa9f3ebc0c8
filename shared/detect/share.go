package detect

import (
	"maps"
	"slices"
)

// Share returns, by their numbers, the shards in which something changed since it
// was called last, and of their subjects those that may have. The seed settles who
// is in which shard: it is the same for all who share, and nobody else's business.
// What Share leaves out stays with the Engine: who was where in the last minutes, the
// unnamed calls of them, and the sketch of the forgotten.
func (g *Engine) Share(seed string) map[int]*Shard {
	shared := make(map[int]*Shard)
	for key := range g.store.changed {
		if r, ok := g.store.share(key); ok {
			i := shardOf(seed, r.name)
			if shared[i] == nil {
				shared[i] = &Shard{born: g.born}
			}
			shared[i].put(r)
		}
	}
	clear(g.store.changed)
	if len(shared) == 0 {
		return shared
	}
	for made := range g.changes {
		if s := shared[shardOf(seed, made.actor)]; s != nil {
			s.changes = united(s.changes, changes{made: {}})
		}
	}
	g.shareQuestions(seed, shared)
	return shared
}

// Unshared reports whether Share has something to return.
func (g *Engine) Unshared() bool { return len(g.store.changed) > 0 }

// Reshare has the next Share return the subjects of a shard again, as after it could
// not be written.
func (g *Engine) Reshare(s *Shard) {
	for name := range s.subjects {
		g.store.changed[g.store.key(name)] = struct{}{}
	}
}

func (g *Engine) shareQuestions(seed string, shared map[int]*Shard) {
	maps.DeleteFunc(g.asked, func(q question, _ struct{}) bool { return q.by < g.clock.now-keepQuestions })
	for _, q := range g.waiting.questions {
		if s := shared[shardOf(seed, q.name)]; s != nil {
			s.questions = united(s.questions, map[question]struct{}{q.question: {}})
			g.asked[q.question] = struct{}{}
		}
	}
}

// share returns a subject that is still known.
func (st *store) share(key uint64) (r record, ok bool) {
	if hot := st.hot[key]; hot != nil {
		hot.changed = false
		st.cold[key] = string(hot.encode(nil))
	}
	known := st.thaw(key)
	return record{known, st.cold[key]}, known != nil
}

// Learn takes in what other instances know, and appends what it brought to light
// together with what was known here: denials that went to one instance each may be
// too few for any of them.
func (g *Engine) Learn(s *Shard, into []Finding) []Finding {
	changed := g.store.changed
	g.store.changed = nil // others know what they told
	g.born = earliest(g.born, s.born)
	maps.Copy(g.changes, s.changes)
	g.changes.bound(maxChanges)
	for q := range s.questions {
		if _, ok := g.asked[q]; !ok {
			g.asked[q] = struct{}{}
			g.waiting.add(q.wait, q.at, q.by)
		}
	}
	for _, name := range slices.SortedFunc(maps.Keys(s.subjects), placesLast) {
		told := len(into)
		if into = g.learn(s.subjects[name], into); len(into) > told && changed != nil {
			changed[g.store.key(name)] = struct{}{}
		}
	}
	g.store.changed = changed
	return into
}

// Unread returns how many records of subjects the Engine could not read back, and
// forgot.
func (g *Engine) Unread() int { return g.store.unread }

// learn takes in one subject and judges what is news here.
func (g *Engine) learn(r record, into []Finding) []Finding {
	if key := g.store.key(r.name); g.store.hot[key] == nil && g.store.cold[key] == r.text {
		return into
	}
	s := g.store.get(r.name)
	last := s.news(r.subject)
	s.join(r.subject)
	g.turnNews(s)
	return g.judgeNews(s, last, into)
}

// news is, for each kind, when other was last sighted at something that s does not
// know of, or knows of only since later; 0 if there is nothing.
func (s *subject) news(other *subject) (last [kinds]int64) {
	for i := range other.sightings {
		n := &other.sightings[i]
		if at, known := place(s.sightings, n.mark); !known || n.first.at < s.sightings[at].first.at {
			last[n.kind] = max(last[n.kind], n.first.at)
		}
	}
	return last
}

// judgeNews asks the detectors that count about a subject of whom it was learnt what
// others saw last of each kind. Those that wait have shared their questions.
func (g *Engine) judgeNews(s *subject, last [kinds]int64, into []Finding) []Finding {
	if t := max(last[deniedPermission], last[deniedToken]); t != 0 {
		into = g.judge(s, t, into)
	}
	if t := last[testedPermission]; t != 0 {
		into = g.swept(s, t, into)
	}
	if t := last[readSecret]; t != 0 {
		into = g.harvested(s, t, into)
	}
	if t := last[brokenGrant]; t != 0 {
		into = g.judgeBroken(s, t, into)
	}
	if t := last[ruleHit]; t != 0 {
		if r := g.ruleOf(s); r != nil {
			into = g.ruled(r, s, t, into)
		}
	}
	return into
}

// turnNews notes the successes that one instance saw of what another saw denied. The
// first of them is known to the second.
func (g *Engine) turnNews(s *subject) {
	for _, d := range s.of(deniedPermission) {
		if i, ok := findGrant(s.granted, d.what); ok && d.won.at == 0 {
			won := int64(s.granted[i].since)*second + second - 1
			g.turn(win{name: s.name, what: d.what, stamp: stamp{at: won, target: d.first.target}})
		}
	}
}
