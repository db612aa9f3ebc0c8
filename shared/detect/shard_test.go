package detect

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// anyShard knows anything, of few things so that two meet.
func anyShard(r *rand.Rand) *Shard {
	s := &Shard{born: start.UnixMilli() + r.Int64N(3)*day}
	for range r.IntN(5) {
		at := start.UnixMilli() + r.Int64N(5)*hour
		s.changes = united(s.changes, changes{change{at: at, actor: fmt.Sprint("actor", r.IntN(2))}: {}})
		q := question{wait{name: thief, detector: turned.id, what: r.Uint64N(3)}, at, at + hour}
		s.questions = united(s.questions, map[question]struct{}{q: {}})
		known := anySubject(r)
		known.name = fmt.Sprint("subject", r.IntN(4))
		s.put(known.record())
	}
	return s
}

func joinedShards(t *testing.T, shards ...*Shard) *Shard {
	t.Helper()
	all := new(Shard)
	for _, s := range shards {
		copied, unread, err := DecodeShard(s.Encode())
		if unread > 0 || err != nil {
			t.Fatalf("%d subjects could not be read; %v", unread, err)
		}
		all.Join(copied)
	}
	return all
}

func TestShardsAreASemilattice(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 7))
		a, b, c := anyShard(r), anyShard(r), anyShard(r)
		for law, pair := range map[string][2]*Shard{
			"idempotent":  {joinedShards(t, a, a), joinedShards(t, a)},
			"commutative": {joinedShards(t, a, b), joinedShards(t, b, a)},
			"associative": {joinedShards(t, joinedShards(t, a, b), c), joinedShards(t, a, joinedShards(t, b, c))},
			"absorbing":   {joinedShards(t, joinedShards(t, a, b), a), joinedShards(t, a, b)},
		} {
			if !bytes.Equal(pair[0].Encode(), pair[1].Encode()) {
				t.Fatalf("%s, seed %d:\n%+v\n%+v", law, seed, pair[0], pair[1])
			}
		}
	}
}

func TestBrokenShardsAreRefused(t *testing.T) {
	s := anyShard(rand.New(rand.NewPCG(1, 8)))
	whole := s.Encode()
	ends := 0
	for n := range whole {
		if _, _, err := DecodeShard(whole[:n]); err == nil {
			ends++
		}
	}
	if most := 1 + len(s.subjects); ends > most {
		t.Errorf("took %d beginnings of a shard, want those that end behind a subject, %d at most", ends, most)
	}
	for name, b := range map[string][]byte{
		"nothing":         nil,
		"another version": []byte("keyturn shard 0\n" + string(whole[len(shardMagic):])),
		"half a question": append([]byte(shardMagic), 0, 0, 1, 9),
		"half a change":   append([]byte(shardMagic), 0, 2, 1, 9),
	} {
		if s, _, err := DecodeShard(b); err == nil || s != nil {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

// What somebody else wrote into a shard costs what it stands in the place of, and
// nothing more.
func TestBrokenRecordsInAShardAreLeftOut(t *testing.T) {
	s := anyShard(rand.New(rand.NewPCG(1, 8)))
	whole := s.Encode()
	far := &subject{name: thief, born: -1 << 62, seen: 1 << 62}
	noted := &subject{name: thief}
	noted.notes[noteKey] = note{1 << 60, "key"}
	told := &subject{name: thief, told: []told{{start: 1 << 60}}}
	sighted := &subject{name: thief, sightings: []sighting{{mark: mark{kind: keyUse}, first: stamp{at: 1}, last: 1 << 60}}}
	broken := appendText(appendText(bytes.Clone(whole), ""), "abc")
	for _, s := range []*subject{far, noted, told, sighted, {}, {name: strings.Repeat("x", maxSubject+1)}} {
		broken = appendText(broken, string(s.encode(nil)))
	}
	got, unread, err := DecodeShard(broken)
	if err != nil || unread != 8 || !bytes.Equal(got.Encode(), whole) {
		t.Errorf("%d unread, %v: %+v", unread, err, got)
	}
}

func TestAShardIsBounded(t *testing.T) {
	now := start.Add(100 * 24 * time.Hour)
	s := &Shard{}
	for i := range 3000 {
		at := now.UnixMilli() - int64(i)*minute
		known := &subject{name: fmt.Sprint("subject", i), born: at, seen: at}
		if i%10 == 0 {
			known.sight(sighting{mark: mark{deniedPermission, 1, dayOf(at)}, first: stamp{at: at}, last: at})
		}
		s.put(known.record())
		s.questions = united(s.questions, map[question]struct{}{{wait{name: thief, what: uint64(i)}, at, at + 60*day}: {}})
		s.changes = united(s.changes, changes{change{at: at, actor: thief}: {}})
	}
	open := question{wait{name: thief, detector: crown.id}, now.UnixMilli(), now.UnixMilli() + hour}
	s.questions[open] = struct{}{}
	for i := range maxShardQuestions {
		s.questions[question{wait{name: thief, detector: crown.id, what: uint64(i)}, 0, now.UnixMilli() - minute}] = struct{}{}
	}
	s.put((&subject{name: "long gone", born: 1, seen: start.UnixMilli()}).record())
	s.questions[question{by: now.UnixMilli() - day}] = struct{}{}
	s.changes[change{at: now.UnixMilli() - 4*day}] = struct{}{}
	const limit = 100_000
	s.Bound(limit, now)
	if size := len(s.Encode()); size > limit || size < limit-200 {
		t.Errorf("%d bytes, want just below %d", size, limit)
	}
	if _, kept := s.questions[open]; !kept || len(s.questions) != 2*maxShardQuestions || len(s.changes) > maxShardChanges {
		t.Errorf("%d questions, %d changes", len(s.questions), len(s.changes))
	}
	suspects := 0
	for name, r := range s.subjects {
		if r.suspicion() > 0 {
			suspects++
		}
		if name == "long gone" {
			t.Error("kept a subject of months ago")
		}
	}
	if suspects != 300 {
		t.Errorf("%d suspects kept, want all 300", suspects)
	}
	before := s.Encode()
	if s.Bound(limit, now); !bytes.Equal(s.Encode(), before) {
		t.Error("bounding again changed it")
	}
}

// What is large but harmless, of however many subjects, crowds nobody out who was
// denied something dangerous. A stranger is as many as it likes.
func TestNoiseCrowdsNoThiefOut(t *testing.T) {
	tests := func(name string) *subject { // as much as three calls can ask about
		s := &subject{name: name}
		for i := range 249 {
			e := Entry{InsertID: strings.Repeat("i", maxName)}
			s.sight(sightingOf(testedPermission, uint64(i), &e, start.UnixMilli(), strings.Repeat("x", maxName), strings.Repeat("o", maxName)))
		}
		return s
	}
	reads := func(name string) *subject {
		s := &subject{name: name}
		for i := range 12 {
			s.sight(sightingOf(deniedPermission, uint64(i), &Entry{}, start.UnixMilli(), fmt.Sprintf("storage.things%d.list", i), "r"))
		}
		return s
	}
	for noise, c := range map[string]struct {
		subjects int
		of       func(name string) *subject
		name     string
	}{
		"permissions asked about": {400, tests, "n%d@evil.iam.gserviceaccount.com"},
		"denials of strangers":    {2500, reads, strangerSubject + "192.0.2.9 x/%d on p"},
	} {
		s := &Shard{}
		for i := range c.subjects {
			known := c.of(fmt.Sprintf(c.name, i))
			known.meet(start.UnixMilli() + hour)
			s.put(known.record())
		}
		suspect := &subject{name: thief}
		suspect.meet(start.UnixMilli())
		for i := range 5 {
			suspect.sight(sightingOf(deniedPermission, uint64(i), &Entry{}, start.UnixMilli(), fmt.Sprintf("s.things%d.create", i), "r"))
		}
		want := suspect.record()
		s.put(want)
		s.Bound(900<<10, start)
		if got := s.subjects[thief]; got.text != want.text || len(s.Encode()) > 900<<10 {
			t.Errorf("%s: of the thief's 5 denials %d are left, among %d subjects in %d bytes", noise, len(got.text), len(s.subjects), len(s.Encode()))
		}
	}
}

func TestSubjectsAreCutDownToTheDangerous(t *testing.T) {
	s := crowded(rand.New(rand.NewPCG(3, 13)))
	s.sight(sighting{mark: mark{deniedPermission, 1, dayOf(start.UnixMilli()) + 36}, name: "resourcemanager.projects.setIamPolicy", first: stamp{at: start.UnixMilli() + 36*day}, last: start.UnixMilli() + 36*day})
	whole := s.record()
	for size := maxShare; size >= minShare; size /= 2 {
		less := s.within(size).record()
		back, err := decodeSubject(less.text)
		if err != nil || len(less.text) > max(size, len((&subject{name: s.name, born: s.born, seen: s.seen, granted: s.granted, refused: s.refused, told: s.told}).encode(nil))) {
			t.Fatalf("%d bytes of %d, want %d at most; %v", len(less.text), len(whole.text), size, err)
		}
		if i, ok := place(back.sightings, mark{deniedPermission, 1, dayOf(start.UnixMilli()) + 36}); size > 16<<10 && (!ok || back.sightings[i].name == "") {
			t.Errorf("in %d bytes the crown jewel is forgotten", size)
		}
		again := &subject{name: s.name}
		again.join(back)
		again.join(s)
		if again.within(size).record().text != less.text {
			t.Errorf("in %d bytes, joined with the whole again, it is another", size)
		}
	}
}

func FuzzDecodeShard(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(anyShard(rand.New(rand.NewPCG(seed, 10))).Encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, _, err := DecodeShard(b)
		if err != nil {
			return
		}
		back, unread, err := DecodeShard(s.Encode())
		if err != nil || unread > 0 || !bytes.Equal(back.Encode(), s.Encode()) {
			t.Errorf("%+v became %+v, %d unread, %v", s, back, unread, err)
		}
		s.Join(back)
		g := New(Config{Subjects: 100, Hot: 1, Shared: true})
		g.Flush(g.Learn(anyShard(rand.New(rand.NewPCG(1, 10))), g.Learn(s, nil)))
		g.Share(seed)
		if n := g.Unread(); n > 0 {
			t.Errorf("%d subjects cannot be read back", n)
		}
	})
}

// BenchmarkShare is of an Engine of 200,000 subjects, of which 10,000 changed, as
// after 10 seconds of the traffic of a large organisation.
func BenchmarkShare(b *testing.B) {
	g := New(Config{Subjects: 200_000, Shared: true})
	for i := range 200_000 {
		e := Entry{Audit: true, Time: start.Add(time.Duration(i) * time.Millisecond), Service: "s", Method: "m", Principal: fmt.Sprintf("caller%d@example.com", i),
			Permissions: []Permission{{Name: "s.things.get", Granted: true}}}
		g.Observe(&e, nil)
	}
	shard := g.Share(seed)[0]
	b.Run("share", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			for i := range 10_000 {
				g.store.get(fmt.Sprintf("caller%d@example.com", i))
			}
			b.StartTimer()
			g.Share(seed)
		}
	})
	b.Run("learn one of the same", func(b *testing.B) {
		for b.Loop() {
			g.Learn(shard, nil)
		}
	})
	b.Run("learn one of others", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			fresh := New(Config{Subjects: 200_000})
			b.StartTimer()
			fresh.Learn(shard, nil)
		}
		b.ReportMetric(float64(len(shard.subjects)), "subjects")
	})
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			shard.Encode()
		}
		b.ReportMetric(float64(len(shard.Encode())), "bytes")
	})
}
