package detect

import (
	"cmp"
	"math"
	"slices"
)

// waiting holds the questions that can be answered only when later entries have
// come.
type waiting struct {
	questions map[wait]due
	wake      int64 // when the first of them is due, or earlier
}

func newWaiting() waiting { return waiting{make(map[wait]due), math.MaxInt64} }

// wait is one question about one subject.
type wait struct {
	name     string
	detector uint32
	what     uint64
	day      int32 // of Unix time, where every day is a question of its own
}

// due is when a question arose and when it can be answered.
type due struct {
	at, by int64
}

// maxWaiting bounds the questions; of more, the later ones are not asked.
const maxWaiting = 1 << 16

// add asks a question. Asked again, it is the one that arose first.
func (w *waiting) add(q wait, at, by int64) {
	known, ok := w.questions[q]
	switch {
	case ok:
		at, by = min(known.at, at), min(known.by, by)
	case len(w.questions) >= maxWaiting:
		return
	}
	w.questions[q] = due{at, by}
	w.wake = min(w.wake, by)
}

// due returns the questions that can be answered now, in the order in which they arose.
func (w *waiting) due(now int64) []wait {
	if now < w.wake {
		return nil
	}
	var questions []wait
	w.wake = math.MaxInt64
	for q, d := range w.questions {
		if d.by <= now {
			questions = append(questions, q)
		} else {
			w.wake = min(w.wake, d.by)
		}
	}
	slices.SortFunc(questions, func(a, b wait) int {
		return cmp.Or(cmp.Compare(w.questions[a].by, w.questions[b].by), cmp.Compare(a.name, b.name), cmp.Compare(a.detector, b.detector), cmp.Compare(a.what, b.what), cmp.Compare(a.day, b.day))
	})
	return questions
}

// settle answers the questions that are due.
func (g *Engine) settle(now int64, into []Finding) []Finding {
	for _, q := range g.waiting.due(now) {
		at := g.waiting.questions[q].at
		delete(g.waiting.questions, q)
		s := g.store.find(q.name)
		if s == nil {
			continue
		}
		switch q.detector {
		case strangers:
			into = g.judgeStranger(s, at, into)
		case turned.id:
			into = g.judgeTurn(s, q.what, at, into)
		case crown.id:
			into = g.judgeDecisive(s, q.what, at, into)
		case policies.id:
			into = g.judgePolicy(s, q.what, q.day, into)
		case stolen.id:
			into = g.judgeUse(s, mark{keyUse, q.what, q.day}, into)
		case foreign.id:
			if q.day == ownBirth && !g.ledger.knows(at) && !g.config.Final {
				g.waiting.add(q, at, g.clock.now+patient) // keyturn's own account is not accused by an old ledger
				continue
			}
			into = g.judgeForeign(s, into)
		case unread.id:
			into = g.judgeUnread(s, q.what, into)
		case silence.id:
			into = g.judgeSilence(s, into)
		case broken.id:
			into = g.judgeBroken(s, at, into)
		}
	}
	return into
}
