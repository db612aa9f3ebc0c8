package detect

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// flood is of callers without a name who each raise a question, all within a minute.
func flood(n int) []Entry {
	return each(n, 0, time.Minute/time.Duration(n), func(i int, at time.Duration) Entry {
		e := denied("storage.buckets.list", at)
		e.Principal, e.CallerIP, e.UserAgent = "", "192.0.2.9", fmt.Sprint("x/", i)
		return e
	})
}

func TestAFloodOfQuestionsStarvesNoOtherDetector(t *testing.T) {
	const more = 1000
	known := by(robot, each(30, -3*oneDay, oneDay/20, func(_ int, at time.Duration) Entry { return allowed("a.b.get", at) }))
	attack := append(repeated("s.x.create", 7, 90*time.Second, time.Second), allowed("s.x.create", 110*time.Second), denied("iam.serviceAccountKeys.create", 100*time.Second))
	g, found := seen(slices.Concat(known, flood(maxWaiting+more), attack))
	if n := g.Unasked(); len(n) != 1 || n["callers-without-a-name"] != more {
		t.Errorf("unasked: %v, want %d of strangers", n, more)
	}
	found = g.Flush(found)
	if len(of(FailureThenSuccess, found)) != 1 || len(of(CrownJewelDenial, found)) != 1 {
		t.Errorf("found %v", ids(found))
	}
}

func TestWhatIsNotAskedIsNamed(t *testing.T) {
	g := New(Config{})
	for i := range maxWaiting + 2 {
		g.waiting.add(wait{name: thief, detector: crown.id, what: uint64(i)}, 0, int64(i))
	}
	if n := g.Unasked(); len(n) != 1 || n[CrownJewelDenial] != 2 {
		t.Errorf("unasked: %v", n)
	}
}

// The questions come as if all were looked through each time.
func TestQuestionsComeInOrder(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 11))
		w, all := newWaiting(), map[wait]question{}
		for now := range int64(60) {
			for range r.IntN(8) {
				at := r.Int64N(100)
				q := question{wait{name: fmt.Sprint(r.IntN(3)), detector: r.Uint32N(3), what: r.Uint64N(3)}, at, now + r.Int64N(30)}
				w.add(q.wait, q.at, q.by)
				if known, ok := all[q.wait]; ok {
					q.at, q.by = min(q.at, known.at), min(q.by, known.by)
				}
				all[q.wait] = q
			}
			var want []question
			for key, q := range all {
				if q.by <= now {
					want = append(want, q)
					delete(all, key)
				}
			}
			slices.SortFunc(want, question.order)
			if got := w.answerable(now); !slices.Equal(got, want) || len(w.questions) != len(all) || w.wake <= now {
				t.Fatalf("seed %d, at %d: %v, want %v; %d wait until %d", seed, now, got, want, len(w.questions), w.wake)
			}
		}
	}
}

// BenchmarkWaiting is of one question that comes and one that is answered, while
// many others wait.
func BenchmarkWaiting(b *testing.B) {
	w, now := newWaiting(), int64(0)
	ask := func() {
		now++
		w.add(wait{name: thief, detector: crown.id, what: uint64(now)}, now, now+maxWaiting)
	}
	for range maxWaiting {
		ask()
	}
	for b.Loop() {
		w.answerable(now)
		ask()
	}
}
