package detect

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
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
	subjects  map[string]string // encoded, by name
}

// How long a shard remembers what concerns only recent entries: entries are late,
// and instances exchange what they know, by less.
const (
	keepQuestions = 2 * late            // after they could be answered
	keepChanges   = 3 * day             // for they explain what followed within a day or two
	keepSubjects  = 2 * retention * day // after they were seen last

	maxShardQuestions = maxWaiting / Shards / 4 // of one detector; of more, the later ones are not shared
	maxShardChanges   = maxChanges / Shards * 2 // of more, the older ones are forgotten
)

const shardMagic = "keyturn shard 1\n"

var errShard = errors.New("it is no shard of detectors' memory, or of another version: it is made anew from what instances know")

// shardOf is the shard that a subject belongs to.
func shardOf(name string) uint8 { return uint8(hash(name) % Shards) }

// Join takes in what other knows. When it fails, s is as it was or knows more.
func (s *Shard) Join(other *Shard) error {
	s.born = earliest(s.born, other.born)
	s.changes = united(s.changes, other.changes)
	s.questions = united(s.questions, other.questions)
	for name, record := range other.subjects {
		both, err := joinRecords(s.subjects[name], record)
		if err != nil {
			return fmt.Errorf("joining shards: %w", err)
		}
		s.put(name, both)
	}
	return nil
}

func united[M ~map[K]struct{}, K comparable](a, b M) M {
	if a == nil && len(b) > 0 {
		a = make(M, len(b))
	}
	maps.Copy(a, b)
	return a
}

func (s *Shard) put(name, record string) {
	if s.subjects == nil {
		s.subjects = make(map[string]string)
	}
	s.subjects[name] = record
}

// joinRecords joins two encodings of a subject; "" is one of nothing.
func joinRecords(a, b string) (string, error) {
	if a == b || a == "" {
		return b, nil
	}
	first, err := decodeSubject(a)
	if err != nil {
		return "", err
	}
	second, err := decodeSubject(b)
	if err != nil {
		return "", err
	}
	first.join(second)
	return string(first.encode(nil)), nil
}

// Bound forgets what is of no use any more at now, and then, until the encoding
// takes no more than limit bytes, the least suspicious and longest unseen
// subjects.
func (s *Shard) Bound(limit int, now time.Time) {
	t := now.UnixMilli()
	maps.DeleteFunc(s.questions, func(q question, _ struct{}) bool { return q.by < t-keepQuestions })
	maps.DeleteFunc(s.changes, func(made change, _ struct{}) bool { return made.at < t-keepChanges })
	maps.DeleteFunc(s.subjects, func(_, record string) bool { return seenIn(record) < t-keepSubjects })
	s.changes.bound(maxShardChanges)
	s.boundQuestions(t)
	excess := len(s.Encode()) - limit
	if excess <= 0 {
		return
	}
	for _, name := range slices.SortedFunc(maps.Keys(s.subjects), s.byWorth) {
		if excess <= 0 {
			return
		}
		excess -= len(appendText(nil, s.subjects[name]))
		delete(s.subjects, name)
	}
}

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
	return cmp.Or(cmp.Compare(worthOf(s.subjects[a]), worthOf(s.subjects[b])), cmp.Compare(a, b))
}

// Encode writes the shard down: the same bytes for the same knowledge.
func (s *Shard) Encode() []byte {
	b := binary.AppendVarint([]byte(shardMagic), s.born)
	b = appendText(b, string(s.changes.encode()))
	b = appendText(b, string(encodeQuestions(s.questions)))
	for _, name := range slices.Sorted(maps.Keys(s.subjects)) {
		b = appendText(b, s.subjects[name])
	}
	return b
}

// DecodeShard reads what Encode wrote.
func DecodeShard(b []byte) (*Shard, error) {
	r := reader{rest: string(b)}
	if r.take(len(shardMagic)) != shardMagic {
		return nil, errShard
	}
	s := &Shard{born: r.varint(), changes: make(changes), questions: make(map[question]struct{})}
	made, asked := reader{rest: r.text()}, reader{rest: r.text()}
	s.changes.decode(&made)
	for asked.rest != "" {
		s.questions[asked.question()] = struct{}{}
	}
	for r.rest != "" {
		record := r.text()
		known, err := decodeSubject(record)
		if err != nil {
			return nil, fmt.Errorf("reading a shard: %w", err)
		}
		s.put(known.name, record)
	}
	if r.broken || made.broken || asked.broken {
		return nil, errShard
	}
	return s, nil
}

func encodeQuestions(set map[question]struct{}) []byte {
	var b []byte
	for _, q := range slices.SortedFunc(maps.Keys(set), question.order) {
		b = q.encode(b)
	}
	return b
}
