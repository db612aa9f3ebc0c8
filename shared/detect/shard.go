package detect

import (
	"cmp"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
)

// Shards is how many parts the memory of an Engine is shared in, by the names of
// the subjects. It is the same everywhere and always, because shards are kept.
const Shards = 32

// Shard is what Engines know of one part of the subjects: the subjects, the
// policy changes that they made, the open questions about them, and since when
// anybody is known at all. It is a set of the sort that [Engine.Merge] takes in, so
// that what instances know joins in any order and more than once. The zero Shard
// knows nothing.
type Shard struct {
	born      int64
	changes   changes
	questions map[question]struct{}
	subjects  map[string]record // by name
}

// record is a subject and its encoding.
type record struct {
	*subject
	text string
}

// How long a shard remembers what concerns only recent entries: entries are late,
// and instances exchange what they know, by less.
const (
	keepQuestions = 2 * late            // after they could be answered
	keepChanges   = 3 * day             // for they explain what followed within a day or two
	keepSubjects  = 2 * retention * day // after they were seen last

	maxShare = 64 << 10 // bytes of a subject in a shard that is too large
	minShare = 2 << 10  // to which it is cut down at worst

	maxShardQuestions = maxWaiting / Shards / 4 // of one detector; of more, the later ones are not shared
	maxShardChanges   = maxChanges / Shards * 2 // of more, the older ones are forgotten
)

const shardMagic = "keyturn shard 1\n"

var errShard = errors.New("it is no shard of detectors' memory, or of another version: it is made anew from what instances know")

// shardOf is the shard that a subject belongs to. Who does not know the seed cannot
// choose names that crowd one shard.
func shardOf(seed, name string) int { return int(hash(seed, name) % Shards) }

// Join takes in what other knows.
func (s *Shard) Join(other *Shard) {
	s.born = earliest(s.born, other.born)
	s.changes = united(s.changes, other.changes)
	s.questions = united(s.questions, other.questions)
	for name, theirs := range other.subjects {
		if ours, known := s.subjects[name]; known && ours.text != theirs.text {
			both := &subject{name: name}
			both.join(ours.subject)
			both.join(theirs.subject)
			theirs = both.record()
		}
		s.put(theirs)
	}
}

func united[M ~map[K]struct{}, K comparable](a, b M) M {
	if a == nil && len(b) > 0 {
		a = make(M, len(b))
	}
	maps.Copy(a, b)
	return a
}

func (s *Shard) put(r record) {
	if s.subjects == nil {
		s.subjects = make(map[string]record)
	}
	s.subjects[r.name] = r
}

func (s *subject) record() record { return record{s, string(s.encode(nil))} }

// Bound forgets what is of no use any more at now. If the encoding then takes more
// than limit bytes, the largest subjects are cut down to what is most dangerous of
// them, to ever smaller shares, and at last the least suspicious and longest unseen
// are forgotten: nobody can crowd out others by what is large and harmless.
func (s *Shard) Bound(limit int, now time.Time) {
	t := now.UnixMilli()
	maps.DeleteFunc(s.questions, func(q question, _ struct{}) bool { return q.by < t-keepQuestions })
	maps.DeleteFunc(s.changes, func(made change, _ struct{}) bool { return made.at < t-keepChanges })
	maps.DeleteFunc(s.subjects, func(_ string, r record) bool { return r.seen < t-keepSubjects })
	s.changes.bound(maxShardChanges)
	s.boundQuestions(t)
	excess := len(s.Encode()) - limit
	for share := maxShare; excess > 0 && share >= minShare; share /= 2 {
		excess -= s.cutDown(share)
	}
	if excess <= 0 {
		return
	}
	for _, name := range slices.SortedFunc(maps.Keys(s.subjects), s.byWorth) {
		if excess <= 0 {
			return
		}
		excess -= s.subjects[name].size()
		delete(s.subjects, name)
	}
}

// cutDown has no subject take more than a share of bytes, if what is known of it
// besides sightings does not, and returns how many bytes that saved.
func (s *Shard) cutDown(share int) (saved int) {
	for name, r := range s.subjects {
		if r.size() > share && len(r.sightings) > 0 {
			less := r.within(share).record()
			saved += r.size() - less.size()
			s.subjects[name] = less
		}
	}
	return saved
}

// size is how many bytes a record takes in a shard.
func (r record) size() int { return len(binary.AppendUvarint(nil, uint64(len(r.text)))) + len(r.text) }

// boundQuestions drops of each detector what is too many: first what was to be
// answered already at t, and then the later ones.
func (s *Shard) boundQuestions(t int64) {
	if len(s.questions) <= maxShardQuestions {
		return
	}
	of := make(map[uint32]int)
	for _, q := range slices.SortedFunc(maps.Keys(s.questions), func(a, b question) int {
		return cmp.Or(cmp.Compare(max(t, a.by)-a.by, max(t, b.by)-b.by), a.order(b))
	}) {
		if of[q.detector]++; of[q.detector] > maxShardQuestions {
			delete(s.questions, q)
		}
	}
}

// byWorth orders names of subjects by what eviction goes by, the least first.
func (s *Shard) byWorth(a, b string) int {
	return cmp.Or(cmp.Compare(worthOf(s.subjects[a].text), worthOf(s.subjects[b].text)), cmp.Compare(a, b))
}

// Encode writes the shard down: the same bytes for the same knowledge.
func (s *Shard) Encode() []byte {
	b := binary.AppendVarint([]byte(shardMagic), s.born)
	b = appendText(b, string(s.changes.encode()))
	b = appendText(b, string(encodeQuestions(s.questions)))
	for _, name := range slices.Sorted(maps.Keys(s.subjects)) {
		b = appendText(b, s.subjects[name].text)
	}
	return b
}

// DecodeShard reads what Encode wrote. Subjects whose records cannot be read are
// left out, and counted in unread.
func DecodeShard(b []byte) (s *Shard, unread int, err error) {
	r := reader{rest: string(b)}
	if r.take(len(shardMagic)) != shardMagic {
		return nil, 0, errShard
	}
	s = &Shard{born: r.varint(), changes: make(changes), questions: make(map[question]struct{})}
	made, asked := reader{rest: r.text()}, reader{rest: r.text()}
	s.changes.decode(&made)
	for asked.rest != "" {
		s.questions[asked.question()] = struct{}{}
	}
	for r.rest != "" {
		text := strings.Clone(r.text()) // or whoever remembers the subject keeps all of the shard
		known, err := decodeSubject(text)
		if err != nil {
			unread++
			continue
		}
		s.put(record{known, text})
	}
	if r.broken || made.broken || asked.broken {
		return nil, 0, errShard
	}
	return s, unread, nil
}

func encodeQuestions(set map[question]struct{}) []byte {
	var b []byte
	for _, q := range slices.SortedFunc(maps.Keys(set), question.order) {
		b = q.encode(b)
	}
	return b
}
