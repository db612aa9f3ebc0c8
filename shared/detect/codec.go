package detect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// The one encoding of a subject: for the cold ones in memory, for snapshots and
// for stores. It begins with what eviction has to know, at fixed places:
//
//	0    version
//	1    suspicion
//	2-5  minute of Unix time in which the subject was seen last
//
// Numbers are varints, times are milliseconds since the subject's birth, texts
// come after their length. Lists come after theirs, in order.
const (
	codecVersion = 2
	codecHeader  = 6
)

var errRecord = errors.New("record of a subject is broken or of another version: it must come from this version of keyturn")

func (s *subject) encode(b []byte) []byte {
	b = append(b, codecVersion, s.suspicion())
	b = binary.LittleEndian.AppendUint32(b, uint32(s.seen/minute))
	b = appendText(b, s.name)
	b = binary.AppendVarint(b, s.born)
	b = binary.AppendUvarint(b, uint64(s.seen-s.born))
	b = s.appendGrants(b, s.granted)
	b = s.appendGrants(b, s.refused)
	b = binary.AppendUvarint(b, uint64(len(s.sightings)))
	for i := range s.sightings {
		b = s.sightings[i].encode(b, s.born)
	}
	b = binary.AppendUvarint(b, uint64(len(s.told)))
	for _, t := range s.told {
		b = append(binary.LittleEndian.AppendUint32(b, t.detector), byte(t.level), byte(t.severity))
		b = binary.LittleEndian.AppendUint64(b, t.what)
		b = binary.AppendVarint(b, t.start-s.born)
	}
	for _, n := range s.notes {
		b = appendTime(b, n.at, s.born)
		if n.at != 0 {
			b = appendText(b, n.text)
		}
	}
	return b
}

func (s *subject) appendGrants(b []byte, list []grant) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, g := range list {
		b = binary.LittleEndian.AppendUint32(b, g.pair)
		b = binary.AppendVarint(b, int64(g.since)-s.born/second)
	}
	return b
}

func (r *reader) grants(born int64) []grant {
	list := make([]grant, r.length(5, maxGranted))
	for i := range list {
		list[i] = grant{r.uint32(), uint32(r.varint() + born/second)}
	}
	return list
}

func (s *sighting) encode(b []byte, born int64) []byte {
	b = append(b, byte(s.kind))
	b = binary.LittleEndian.AppendUint64(b, s.what)
	b = binary.AppendVarint(b, int64(s.day))
	b = appendText(b, s.name)
	b = s.first.encode(b, born)
	b = binary.AppendVarint(b, s.last-s.first.at)
	b = s.won.encode(b, born)
	for _, t := range s.tries {
		b = appendTime(b, t, born)
	}
	for _, bits := range []uint64{s.events.near, s.events.far, s.targets.near, s.targets.far} {
		b = binary.AppendUvarint(b, bits)
	}
	return b
}

func (s stamp) encode(b []byte, born int64) []byte {
	b = appendTime(b, s.at, born)
	if s.at == 0 {
		return b
	}
	return appendText(appendText(b, s.id), s.target)
}

// appendTime writes 0 for no time, and else one more than how long after birth, doubled.
func appendTime(b []byte, t, born int64) []byte {
	if t == 0 {
		return append(b, 0)
	}
	return binary.AppendUvarint(b, uint64(t-born)<<1^uint64((t-born)>>63)+1)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// worthOf is by what eviction goes, read off the encoding: by suspicion and then by
// when the subject was seen.
func worthOf(record string) uint64 {
	r := reader{rest: record}
	r.take(1)
	return uint64(r.byte())<<32 | uint64(r.uint32())
}

// decodeSubject reads what encode wrote. The subject's texts lie in record.
func decodeSubject(record string) (*subject, error) {
	r := reader{rest: record}
	if head := r.take(codecHeader); r.broken || head[0] != codecVersion {
		return nil, errRecord
	}
	s := &subject{name: r.text()}
	s.born = r.varint()
	s.seen = s.born + int64(r.uvarint())
	s.granted, s.refused = r.grants(s.born), r.grants(s.born)
	s.sightings = make([]sighting, r.length(16, int(kinds)*MaxDistinct))
	for i := range s.sightings {
		s.sightings[i] = r.sighting(s.born)
	}
	s.told = make([]told, r.length(15, maxTold))
	for i := range s.told {
		s.told[i] = told{detector: r.uint32(), level: int8(r.byte()), severity: int8(r.byte()), what: r.uint64(), start: r.varint() + s.born}
	}
	for i := range s.notes {
		if s.notes[i].at = r.time(s.born); s.notes[i].at != 0 {
			s.notes[i].text = r.text()
		}
	}
	if r.broken || r.rest != "" {
		return nil, errRecord
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	s.sightings = bounded(s.sightings) // whoever wrote it may have remembered more
	return s, nil
}

// check refuses what encode cannot have written, for searches rely on the order, and
// what a union with it could not write down.
func (s *subject) check() error {
	if s.name == "" || len(s.name) > maxSubject || far(s.born) || far(s.seen) {
		return fmt.Errorf("name or times: %w", errRecord)
	}
	for _, list := range [][]grant{s.granted, s.refused} {
		for i := 1; i < len(list); i++ {
			if list[i-1].pair >= list[i].pair {
				return fmt.Errorf("permissions: %w", errRecord)
			}
		}
	}
	for i := range s.sightings {
		n := &s.sightings[i]
		if n.kind == 0 || n.kind >= kinds || n.first.at == 0 || far(n.first.at) || far(n.last) || far(n.won.at) || i > 0 && s.sightings[i-1].order(n.mark) >= 0 {
			return fmt.Errorf("sightings: %w", errRecord)
		}
	}
	for i, t := range s.told {
		if far(t.start) || i > 0 && s.told[i-1].order(t) >= 0 {
			return fmt.Errorf("episodes: %w", errRecord)
		}
	}
	if slices.ContainsFunc(s.notes[:], func(n note) bool { return far(n.at) }) {
		return fmt.Errorf("notes: %w", errRecord)
	}
	return nil
}

// far reports whether a time is one of no calendar, by which sums may overflow.
func far(t int64) bool { return t <= -1<<52 || t >= 1<<52 }

func (r *reader) sighting(born int64) sighting {
	s := sighting{mark: mark{kind(r.byte()), r.uint64(), int32(r.varint())}, name: r.text(), first: r.stamp(born)}
	s.last = s.first.at + r.varint()
	s.won = r.stamp(born)
	for i := range s.tries {
		s.tries[i] = r.time(born)
	}
	s.events = crowd{r.uvarint(), r.uvarint()}
	s.targets = crowd{r.uvarint(), r.uvarint()}
	return s
}

func (r *reader) stamp(born int64) stamp {
	s := stamp{at: r.time(born)}
	if s.at != 0 {
		s.id, s.target = r.text(), r.text()
	}
	return s
}

func (r *reader) time(born int64) int64 {
	v := r.uvarint()
	if v == 0 {
		return 0
	}
	v--
	return born + (int64(v>>1) ^ -int64(v&1))
}
