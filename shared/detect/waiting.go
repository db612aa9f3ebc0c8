package detect

import (
	"cmp"
	"container/heap"
	"maps"
	"math"
)

// waiting holds the questions that can be answered only when later entries have
// come.
type waiting struct {
	questions map[wait]*open
	soonest   agenda
	of        map[uint32]int // how many of a detector's are open
	dropped   map[uint32]int // how many of a detector's were not asked
	wake      int64          // when the first of them is due
}

func newWaiting() waiting {
	return waiting{questions: make(map[wait]*open), of: make(map[uint32]int), dropped: make(map[uint32]int), wake: math.MaxInt64}
}

// wait is one question about one subject.
type wait struct {
	name     string
	detector uint32
	what     uint64
	day      int32 // of Unix time, or another part of it, where each is a question of its own
}

// question is one that waits, with when it arose and when it can be answered.
type question struct {
	wait
	at, by int64
}

// open is a question that waits, and where in the agenda it is.
type open struct {
	question
	place int
}

// maxWaiting bounds the questions of one detector, so that who floods one leaves the
// others alone; of more, the later ones are not asked.
const maxWaiting = 1 << 14

// add asks a question. Asked again, it is the one that arose first.
func (w *waiting) add(q wait, at, by int64) {
	known := w.questions[q]
	switch {
	case known != nil:
		known.at, known.by = min(known.at, at), min(known.by, by)
		heap.Fix(&w.soonest, known.place)
	case w.of[q.detector] >= maxWaiting:
		w.dropped[q.detector]++
		return
	default:
		known = &open{question: question{q, at, by}}
		w.questions[q] = known
		w.of[q.detector]++
		heap.Push(&w.soonest, known)
	}
	w.wake = w.soonest[0].by
}

// answerable takes out the questions that can be answered now, in the order in which they
// became due.
func (w *waiting) answerable(now int64) (list []question) {
	for len(w.soonest) > 0 && w.soonest[0].by <= now {
		q := heap.Pop(&w.soonest).(*open)
		delete(w.questions, q.wait)
		w.of[q.detector]--
		list = append(list, q.question)
	}
	w.wake = math.MaxInt64
	if len(w.soonest) > 0 {
		w.wake = w.soonest[0].by
	}
	return list
}

// agenda is a heap of questions, the first to be answered on top.
type agenda []*open

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].order(a[j].question) < 0 }
func (a agenda) Swap(i, j int)      { a[i], a[j], a[i].place, a[j].place = a[j], a[i], j, i }

// Push implements heap.Interface.
func (a *agenda) Push(q any) {
	q.(*open).place = len(*a)
	*a = append(*a, q.(*open))
}

// Pop implements heap.Interface.
func (a *agenda) Pop() any {
	last := len(*a) - 1
	q := (*a)[last]
	(*a)[last], *a = nil, (*a)[:last]
	return q
}

func (q question) order(other question) int {
	return cmp.Or(cmp.Compare(q.by, other.by), cmp.Compare(q.at, other.at), cmp.Compare(q.name, other.name),
		cmp.Compare(q.detector, other.detector), cmp.Compare(q.what, other.what), cmp.Compare(q.day, other.day))
}

// Unasked returns how many questions could not wait for the entries that answer them,
// by the names of detectors that had too many open: what they would have found by them
// is missing unless the subjects give rise to more. By "callers-without-a-name" it
// returns how many calls were taken for strangers' although they may have been
// somebody's, and by "successes-after-failures" how many successes were looked at
// although denials before them may come late.
func (g *Engine) Unasked() map[string]int {
	unasked := make(map[string]int)
	for id, n := range g.waiting.dropped {
		unasked[nameOfDetector(id)] = n
	}
	maps.Copy(unasked, g.backlog.refused)
	return unasked
}

// answer answers the questions that are due.
func (g *Engine) answer(now int64, into []Finding) []Finding {
	for _, q := range g.waiting.answerable(now) {
		if s := g.store.find(q.name); s != nil {
			into = g.judgeAsked(q, s, into)
		}
	}
	return into
}

// judgeAsked has the detector that asked judge.
func (g *Engine) judgeAsked(q question, s *subject, into []Finding) []Finding {
	switch q.detector {
	case turned.id:
		return g.judgeTurn(s, q.what, q.at, into)
	case crown.id:
		return g.judgeDecisive(s, q.what, int64(q.day), into)
	case policies.id:
		return g.judgePolicy(s, q.what, q.day, into)
	case stolen.id:
		return g.judgeUse(s, mark{keyUse, q.what, q.day}, into)
	case foreign.id:
		if q.day == ownBirth && !g.ledger.knows(q.at) && !g.config.Final {
			g.waiting.add(q.wait, q.at, g.clock.now+patient) // keyturn's own account is not accused by an old ledger
			return into
		}
		return g.judgeForeign(s, into)
	case unread.id:
		return g.judgeUnread(s, q.what, into)
	case silence.id:
		return g.judgeSilence(s, into)
	case broken.id:
		return g.judgeBroken(s, q.at, into)
	}
	return into
}
