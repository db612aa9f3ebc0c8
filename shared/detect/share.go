package detect

import (
	"maps"
	"slices"
	"strings"
)

// Share returns, by their numbers, the shards in which something changed since it
// was called last, and of their subjects those that may have; the first time of an
// Engine it is every shard, for others may know of them. What it leaves out stays
// with the Engine: who was where in the last minutes, and the sketch of the
// forgotten.
func (g *Engine) Share() map[int]*Shard {
	shared := make(map[int]*Shard)
	for i := range Shards {
		if g.visit>>i&1 == 1 {
			shared[i] = &Shard{born: g.born}
		}
	}
	g.visit = 0
	for key, i := range g.store.changed {
		if shared[int(i)] == nil {
			shared[int(i)] = &Shard{born: g.born}
		}
		g.store.share(key, shared[int(i)])
	}
	clear(g.store.changed)
	if len(shared) == 0 {
		return shared
	}
	for made := range g.changes {
		if s := shared[int(shardOf(made.actor))]; s != nil {
			s.changes = united(s.changes, changes{made: {}})
		}
	}
	g.shareQuestions(shared)
	return shared
}

// Unshared reports whether Share has something to return.
func (g *Engine) Unshared() bool { return g.visit != 0 || len(g.store.changed) > 0 }

// Reshare has the next Share return what this one returned as shard i, as after it
// could not be written.
func (g *Engine) Reshare(i int, s *Shard) {
	g.visit |= 1 << i
	for name := range s.subjects {
		g.store.changed[g.store.key(name)] = uint8(i)
	}
}

func (g *Engine) shareQuestions(shared map[int]*Shard) {
	maps.DeleteFunc(g.asked, func(q question, _ struct{}) bool { return q.by < g.clock.now-keepQuestions })
	for _, q := range g.waiting.questions {
		if s := shared[int(shardOf(q.name))]; s != nil {
			s.questions = united(s.questions, map[question]struct{}{q.question: {}})
			g.asked[q.question] = struct{}{}
		}
	}
}

// share gives a subject that is still known to its shard.
func (st *store) share(key uint64, s *Shard) {
	if hot := st.hot[key]; hot != nil {
		hot.changed = false
		st.cold[key] = string(hot.encode(nil))
	}
	if known := st.thaw(key); known != nil {
		s.put(record{known, st.cold[key]})
	}
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
	for _, name := range slices.Sorted(maps.Keys(s.subjects)) {
		told := len(into)
		if into = g.learn(s.subjects[name], into); len(into) > told && changed != nil {
			changed[g.store.key(name)] = shardOf(name)
		}
	}
	g.store.changed = changed
	return into
}

// Unread returns how many records of subjects the Engine could not read back, and
// forgot.
func (g *Engine) Unread() int { return g.store.unread }

// learn takes in one subject and judges it if it was denied what is news here.
// Strangers, whose names alone have a space, are left to the question about them.
func (g *Engine) learn(r record, into []Finding) []Finding {
	if key := g.store.key(r.name); g.store.hot[key] == nil && g.store.cold[key] == r.text {
		return into
	}
	s := g.store.get(r.name)
	t := s.news(r.subject)
	s.join(r.subject)
	if t == 0 || strings.Contains(s.name, " ") {
		return into
	}
	return g.judge(s, t, into)
}

// news is when other was last denied something that s does not know of; 0 if
// there is none.
func (s *subject) news(other *subject) (t int64) {
	for _, k := range []kind{deniedPermission, deniedToken} {
		for _, d := range other.of(k) {
			if _, known := place(s.sightings, d.mark); !known {
				t = max(t, d.first.at)
			}
		}
	}
	return t
}
