package detect

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/internal/raced"
)

// anySubject is one that may have seen anything, of few things so that two meet.
func anySubject(r *rand.Rand) *subject {
	s := &subject{name: thief}
	for range r.IntN(60) {
		t := start.UnixMilli() + r.Int64N(40)*day + r.Int64N(3)*hour
		s.meet(t)
		switch r.IntN(5) {
		case 0:
			s.grant(r.Uint64N(700)*0x9e3779b9, t)
			s.refuse(r.Uint64N(700)*0x9e3779b9, t)
		case 1:
			s.tell(told{uint32(r.IntN(3)), r.Uint64N(2), start.UnixMilli() + r.Int64N(100)*day, int8(r.IntN(5)), int8(r.IntN(4))})
		case 2:
			s.noted(r.IntN(noteKinds), t, fmt.Sprint("text", r.IntN(4)))
		default:
			what := r.Uint64N(5)
			n := sighting{mark: mark{kind(1 + r.IntN(int(kinds)-1)), what, dayOf(t)}, name: fmt.Sprint("name", what), first: stamp{t, fmt.Sprint(r.IntN(9)), "target"}, last: t}
			if n.kind == readSecret {
				n.day = 0
			}
			n.events.add(r.Uint64())
			n.targets.add(r.Uint64())
			if r.IntN(3) == 0 {
				n.won = stamp{t + hour, fmt.Sprint(r.IntN(9)), "target"}
			}
			s.sight(n)
		}
	}
	return s
}

// crowded is a subject beyond every bound.
func crowded(r *rand.Rand) *subject {
	s := &subject{name: thief}
	for i := range 1500 {
		t := start.UnixMilli() + r.Int64N(35)*day
		s.meet(t)
		s.grant(r.Uint64(), t)
		s.refuse(r.Uint64(), t)
		s.tell(told{detector: r.Uint32(), start: t})
		s.sight(sighting{mark: mark{kind(1 + i%(int(kinds)-1)), r.Uint64N(2000), dayOf(t)}, first: stamp{t, "id", ""}, last: t})
	}
	return s
}

func union(subjects ...*subject) *subject {
	s := &subject{name: thief}
	for _, other := range subjects {
		copied, err := decodeSubject(string(other.encode(nil)))
		if err != nil {
			panic(err)
		}
		s.join(copied)
	}
	return s
}

func equal(t *testing.T, law string, a, b *subject) {
	t.Helper()
	if x, y := a.encode(nil), b.encode(nil); !bytes.Equal(x, y) {
		t.Fatalf("%s:\n%+v\n%+v", law, a, b)
	}
}

// What instances saw can be put together in any order, in any groups and more
// than once, also where it exceeds the bounds.
func TestSubjectsAreASemilattice(t *testing.T) {
	raced.SkipPure(t)
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		made := anySubject
		if seed%30 == 0 {
			made = crowded
		}
		a, b, c := made(r), made(r), anySubject(r)
		equal(t, "idempotent", union(a, a), union(a))
		equal(t, "commutative", union(a, b), union(b, a))
		equal(t, "associative", union(union(a, b), c), union(a, union(b, c)))
		equal(t, "absorbing", union(union(a, b), a), union(a, b))
	}
}

func TestSubjectsSurviveTheirEncoding(t *testing.T) {
	for seed := range uint64(300) {
		s := anySubject(rand.New(rand.NewPCG(seed, 2)))
		back, err := decodeSubject(string(s.encode(nil)))
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeSubject(string(back.encode(nil)))
		if err != nil || !reflect.DeepEqual(back, again) {
			t.Fatalf("%+v\n%+v, %v", back, again, err)
		}
		equal(t, "encoding", s, back)
	}
}

func TestBrokenRecordsAreRefused(t *testing.T) {
	whole := anySubject(rand.New(rand.NewPCG(5, 3))).encode(nil)
	for n := range whole {
		if _, err := decodeSubject(string(whole[:n])); err == nil {
			t.Errorf("took the first %d of %d bytes", n, len(whole))
		}
	}
	broken := func(change func(*subject)) string {
		s := anySubject(rand.New(rand.NewPCG(5, 3)))
		change(s)
		return string(s.encode(nil))
	}
	for name, record := range map[string]string{
		"another version":          "\x01" + string(whole[1:]),
		"more":                     string(whole) + "x",
		"permissions out of order": broken(func(s *subject) { s.granted = []grant{{2, 1}, {1, 1}} }),
		"sightings out of order":   broken(func(s *subject) { s.sightings = append(s.sightings, s.sightings[0]) }),
		"a sighting of no kind":    broken(func(s *subject) { s.sightings[0].kind = 0 }),
		"a sighting at no time":    broken(func(s *subject) { s.sightings[0].first = stamp{} }),
		"episodes out of order":    broken(func(s *subject) { s.told = []told{{start: 1}, {start: 2}} }),
		"too many permissions":     broken(func(s *subject) { s.granted = make([]grant, maxGranted+1) }),
	} {
		if _, err := decodeSubject(record); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func FuzzDecodeSubject(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(anySubject(rand.New(rand.NewPCG(seed, 4))).encode(nil))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, record []byte) {
		s, err := decodeSubject(string(record))
		if err != nil {
			return
		}
		back, err := decodeSubject(string(s.encode(nil)))
		if err != nil || !reflect.DeepEqual(s, back) {
			t.Errorf("%+v became %+v, %v", s, back, err)
		}
		s.join(back)
		equal(t, "idempotent", s, back)
	})
}

// The numbers of a crowd are told in reasons, so they must be about right.
func TestCrowdsAreCounted(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 5, 15, 100, 1000, 10_000} {
		var worst float64
		for trial := range 20 {
			var c crowd
			for i := range n {
				for range 3 {
					c.add(hash(fmt.Sprint(trial), fmt.Sprint(i)))
				}
			}
			worst = max(worst, float64(max(c.size()-n, n-c.size()))/float64(max(n, 1)))
		}
		if limit := map[bool]float64{true: 0.5, false: 0.6}[n <= 15]; worst > limit {
			t.Errorf("a crowd of %d is told %.0f%% wrong", n, 100*worst)
		}
	}
}

// shuffled is a log whose entries come up to 3 minutes out of order, some twice.
func shuffled(entries []Entry, r *rand.Rand) []Entry {
	type arrival struct {
		e  Entry
		at time.Time
	}
	var arrivals []arrival
	for _, e := range entries {
		for range 1 + r.IntN(2) {
			arrivals = append(arrivals, arrival{e, e.Time.Add(time.Duration(r.Int64N(int64(3 * time.Minute))))})
		}
	}
	slices.SortStableFunc(arrivals, func(a, b arrival) int { return a.at.Compare(b.at) })
	out := make([]Entry, len(arrivals))
	for i, a := range arrivals {
		out[i] = a.e
	}
	return out
}

// ids are what was told first of each episode, with who and how.
func ids(found []Finding) map[string]string {
	m := make(map[string]string)
	for _, f := range found {
		if !f.Update {
			m[f.ID] = f.Detector + " " + f.Subject
		}
	}
	return m
}

func TestOrderChangesNoFinding(t *testing.T) {
	raced.SkipPure(t)
	for name, log := range attacks() {
		want := ids(observe(log))
		for seed := range uint64(8) {
			if got := ids(observe(shuffled(log, rand.New(rand.NewPCG(seed, 5))))); !reflect.DeepEqual(got, want) {
				t.Errorf("%s, order %d: %v, want %v", name, seed, got, want)
				break
			}
		}
	}
}

func TestReadingAgainFindsNothingNew(t *testing.T) {
	raced.SkipPure(t)
	for name, log := range attacks() {
		if once, twice := ids(observe(log)), ids(observe(log, log)); !reflect.DeepEqual(once, twice) {
			t.Errorf("%s: %v, read twice %v", name, once, twice)
		}
	}
}

// snapshot of an engine that has seen the entries.
func snapshot(t *testing.T, g *Engine) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	if err := g.Snapshot(&b); err != nil {
		t.Fatal(err)
	}
	return &b
}

func seen(entries []Entry) (*Engine, []Finding) {
	g := New(Config{})
	var found []Finding
	for i := range entries {
		found = g.Observe(&entries[i], found)
	}
	return g, found
}

// An engine that is stopped anywhere and restored goes on as if nothing was.
func TestSnapshotsGoOn(t *testing.T) {
	raced.SkipPure(t)
	for name, log := range attacks() {
		want := ids(observe(log))
		for part := range 4 {
			half := len(log) * part / 4
			g, found := seen(log[:half])
			restored := New(Config{})
			if err := restored.Merge(snapshot(t, g)); err != nil {
				t.Fatal(err)
			}
			for i := range log[half:] {
				found = restored.Observe(&log[half:][i], found)
			}
			if got := ids(restored.Flush(found)); !reflect.DeepEqual(got, want) {
				t.Errorf("%s, stopped at %d: %v, want %v", name, half, got, want)
			}
		}
	}
}

// Two instances that saw half of the entries each know together what one that
// saw all knows.
func TestInstancesMerge(t *testing.T) {
	for name, log := range attacks() {
		r := rand.New(rand.NewPCG(1, 6))
		var a, b []Entry
		for _, e := range log {
			if r.IntN(2) == 0 {
				a = append(a, e)
			} else {
				b = append(b, e)
			}
		}
		ab, _ := seen(a)
		ba, _ := seen(b)
		left, right := snapshot(t, ab).String(), snapshot(t, ba).String()
		for _, g := range []struct {
			*Engine
			other string
		}{{ab, right}, {ba, left}} {
			for range 2 {
				if err := g.Merge(strings.NewReader(g.other)); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
		}
		for _, key := range ab.store.keys {
			s := ab.store.known(key)
			other := ba.store.find(s.name)
			if other == nil {
				t.Fatalf("%s: only one knows %q", name, s.name)
			}
			equal(t, name, union(s), union(other))
		}
	}
}

func TestSnapshotsThatCannotBeRead(t *testing.T) {
	g, _ := seen(probe(20, time.Minute))
	whole := snapshot(t, g).Bytes()
	for n := range whole {
		if err := New(Config{Subjects: 10}).Merge(bytes.NewReader(whole[:n])); err == nil {
			t.Errorf("took the first %d of %d bytes", n, len(whole))
		}
		if n > 200 {
			break // an engine takes a millisecond to make
		}
	}
	for name, s := range map[string]string{
		"another file":  "\x10PNG             \x00\x00\x00\x00",
		"a broken part": strings.Replace(string(whole), thief, "x", 1),
	} {
		if err := New(Config{}).Merge(strings.NewReader(s)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// failing refuses what is beyond its room.
type failing struct{ room int }

func (f *failing) Write(b []byte) (int, error) {
	if f.room -= len(b); f.room < 0 {
		return 0, fmt.Errorf("no room")
	}
	return len(b), nil
}

func TestSnapshotsThatCannotBeWritten(t *testing.T) {
	g, _ := seen(probe(300, time.Minute))
	size := snapshot(t, g).Len()
	for room := 0; room < size; room += 4096 {
		if err := g.Snapshot(&failing{room}); err == nil || !strings.Contains(err.Error(), "writing a snapshot: no room") {
			t.Errorf("error %v with room for %d of %d bytes", err, room, size)
		}
	}
}
