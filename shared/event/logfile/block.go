package logfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// blocks cuts a source into blocks of whole entries.
type blocks struct {
	source   io.Reader
	size     int
	maxEntry int
	live     bool              // what is there is not held back until a block is full
	broken   func(error) error // words an error of source
	split    *splitter         // of entries; nil as long as each line is one
	rest     []byte            // read, and of no block yet
	seen     int               // bytes of rest in which no entry ends
	failed   error             // what ended the source: io.EOF is its end
}

// block is a part of a file.
type block struct {
	data   []byte
	values []span // the entries; by line all lines, those without an entry, too
	byLine bool
	long   int64 // length of an entry that is too long, whose beginning is all of data; 0 otherwise
	breaks int   // line breaks in what data lacks of it
}

// span is where in a block an entry lies.
type span struct{ start, end int }

// beginning is how much of an entry that is too long is kept.
const beginning = 4 << 10

// What shows that a file was cut off.
var (
	errOpenArray = errors.New("its JSON array has no end")
	errOpenLine  = errors.New("its last line has no end")
)

// next reads the next block into b, whose memory it uses again. After the last
// one it returns io.EOF, or what ended the source too early.
func (s *blocks) next(b *block) error {
	if cap(b.data) > 4*s.size {
		b.data = nil // one long entry is no reason to keep its room
	}
	*b = block{data: append(b.data[:0], s.rest...), values: b.values[:0], byLine: s.split == nil}
	for {
		s.fill(b)
		if end := s.cut(b); end > 0 {
			s.rest = append(s.rest[:0], b.data[end:]...)
			s.seen = len(s.rest)
			b.data = b.data[:end]
			return nil
		}
		if s.failed != nil {
			return s.failed
		}
		if len(b.data) > s.maxEntry {
			s.drop(b)
			return nil
		}
		s.seen = len(b.data)
	}
}

// fill reads up to a block more into b, or what is there of a live source.
func (s *blocks) fill(b *block) {
	n := len(b.data)
	want := max(s.size, n+s.size/2+1)
	if cap(b.data) < want {
		grown := make([]byte, n, max(want, 2*n))
		copy(grown, b.data)
		b.data = grown
	}
	for len(b.data) < want && s.failed == nil {
		more, err := s.source.Read(b.data[len(b.data):want])
		b.data = b.data[:len(b.data)+more]
		switch {
		case errors.Is(err, io.EOF):
			s.failed = io.EOF
		case err != nil:
			s.failed = s.broken(err)
		case s.live && more > 0:
			return
		}
	}
}

// cut returns where the last whole entry in b ends; 0 when there is none. At the
// end of the source all that is left is an entry.
func (s *blocks) cut(b *block) int {
	if s.split == nil {
		return s.cutLines(b)
	}
	return s.cutValues(b)
}

// cutLines notes the lines of b, up to one that begins with a bracket, as an array
// does that follows lines: that one, and all that comes, it leaves to a splitter.
func (s *blocks) cutLines(b *block) int {
	start := 0
	for at := s.seen; ; at = start {
		if start < len(b.data) && b.data[start] == '[' {
			if start > 0 {
				return start // lines stay lines, whatever block the array is in
			}
			s.split, s.seen, b.byLine = &splitter{}, 0, false
			return s.cutValues(b)
		}
		end := bytes.IndexByte(b.data[at:], '\n')
		if end < 0 {
			break
		}
		b.values = append(b.values, span{start, at + end})
		start = at + end + 1
	}
	if s.failed == nil {
		return start
	}
	if s.failed == io.EOF && s.openLine(b.data) {
		s.failed = s.broken(errOpenLine)
	}
	if start < len(b.data) {
		b.values = append(b.values, span{start, len(b.data)})
	}
	return len(b.data)
}

// openLine reports whether data ends within an object of its last line, which is
// not too long.
func (s *blocks) openLine(data []byte) bool {
	last := bytes.TrimSpace(data[bytes.LastIndexByte(data, '\n')+1:])
	var object json.RawMessage
	return len(last) <= s.maxEntry && bytes.HasPrefix(last, []byte("{")) && errors.Is(json.NewDecoder(bytes.NewReader(last)).Decode(&object), io.ErrUnexpectedEOF)
}

func (s *blocks) cutValues(b *block) int {
	at := s.seen
	for {
		end, whole := s.split.entry(b.data, at)
		if !whole {
			break
		}
		b.values = append(b.values, span{s.split.start, end})
		at = end
	}
	if s.failed == nil && s.split.inside {
		end := s.split.start
		s.split.start = 0 // where it lies in the next block
		return end
	}
	if s.failed == io.EOF {
		s.endValues(b.data)
	}
	if s.split.inside && s.split.state != blanks {
		b.values = append(b.values, span{s.split.start, len(b.data)})
		s.split.inside = false
	}
	return len(b.data)
}

// endValues notes that the source, which ends with data, was cut off.
func (s *blocks) endValues(data []byte) {
	switch {
	case s.split.arrays > 0 || s.split.state == bracket:
		s.failed = s.broken(errOpenArray)
	case s.split.state == oneLine && s.openLine(data[min(s.split.start, len(data)):]): // of a line that was too long nothing is left
		s.failed = s.broken(errOpenLine)
	}
}

// drop makes b the beginning of an entry that is too long, and goes to its end.
func (s *blocks) drop(b *block) {
	length := len(b.data)
	kept := min(beginning, length)
	b.long, b.breaks = int64(length), bytes.Count(b.data[kept:], []byte("\n"))
	chunk := block{data: b.data[kept:kept]}
	b.data = b.data[:kept:kept]
	s.rest, s.seen = s.rest[:0], 0
	for s.failed == nil {
		chunk.data = chunk.data[:0]
		s.fill(&chunk)
		end, found := s.entryEnd(chunk.data)
		b.long += int64(end)
		b.breaks += bytes.Count(chunk.data[:end], []byte("\n"))
		if found {
			s.rest = append(s.rest, chunk.data[end:]...)
			return
		}
	}
}

// entryEnd returns where the entry ends that data goes on with. A line break
// after it belongs to what follows.
func (s *blocks) entryEnd(data []byte) (end int, found bool) {
	if s.split != nil {
		end, _ = s.split.step(data, 0)
		return end, !s.split.inside
	}
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i, true
	}
	return len(data), false
}
