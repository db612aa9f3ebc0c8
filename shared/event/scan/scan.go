// Package scan reads JSON by its structure. A first pass over the data marks, 64
// bytes at a time, where tokens begin; a second one goes from token to token, so
// that what lies within strings is not looked at byte by byte. Whatever the
// reader asks for or skips is validated: what the package takes is what
// encoding/json takes.
//
// It differs from encoding/json where that would be wrong for log entries: keys
// match exactly, not whatever their case.
package scan

// maxDepth is how many arrays and objects may lie in one another, as for
// encoding/json.
const maxDepth = 10000

// maxKept is the size in bytes of the memory that is kept for the next value.
const maxKept = 4 << 20

// Scanner walks over one JSON value. Its methods read the value at the current
// token and go on to the token after it, so each value is read, or skipped, once.
// What is read of a value of another type is empty. After an error nothing more
// is read and every loop ends; Close tells the error.
//
// A Scanner is used again for value after value, and then needs no memory. The
// zero Scanner is ready for Open.
type Scanner struct {
	data    []byte
	index   []uint32 // where the tokens begin, and last where data ends
	next    int      // the current token; the last one after an error too
	depth   int      // of the arrays and objects that were entered
	bad     bool
	odd     span    // has all backslashes and bytes beyond ASCII of data
	texts   []byte  // strings that data does not have in one piece
	gaps    *gaps   // tight or wide, as data has them
	pairs   int     // in tight data, the tokens after which two more follow: keys and values are then told by one byte before each; 0 in wide data
	around  []class // the arrays and objects that are open while something is skipped
	indexer indexer
}

// Open begins with another value. The Scanner aliases data until the next Open.
func (s *Scanner) Open(data []byte) {
	if s.indexer.run == nil {
		s.indexer.run = fastest()
	}
	if 4*cap(s.indexer.starts) > maxKept {
		s.indexer.starts = nil
	}
	s.indexer.index(data)
	s.data, s.index, s.next, s.depth, s.bad = data, s.indexer.starts, 0, 0, false
	c := &s.indexer.carry
	s.gaps, s.pairs = &tight, len(s.index)-2
	if c.wide != 0 {
		s.gaps, s.pairs = &wide, 0
	}
	s.odd = c.odd(len(data))
	if trim(data, int(s.index[0])) > 0 || c.control|c.inString != 0 || c.backslash != 0 && !validEscapes(data[s.odd.start:]) {
		s.fail()
	}
}

// Reset gives up the texts that were read so far: their memory is used again. It
// may be called at any time, once or before each Open.
func (s *Scanner) Reset() {
	if cap(s.texts) > maxKept {
		s.texts = nil
	}
	s.texts = s.texts[:0]
}

// Detach leaves the texts that were read so far, and what was opened, to whoever
// has them, for good: the Scanner does not use their memory again.
func (s *Scanner) Detach() { s.data, s.texts = nil, nil }

// Close reports an error, an *Error, if what was opened was not one valid value
// that was read to its end.
func (s *Scanner) Close() error {
	if !s.bad && s.next > 0 && s.next == len(s.index)-1 && s.follows(none) {
		return nil
	}
	return explain(s.data)
}

func (s *Scanner) fail() {
	s.bad = true
	s.next = len(s.index) - 1
}

// peek returns the first byte of the current token; 0 at the end.
func (s *Scanner) peek() byte {
	if at := int(s.index[s.next]); at < len(s.data) {
		return s.data[at]
	}
	return 0
}

// IsObject reports whether the value is an object.
func (s *Scanner) IsObject() bool { return s.peek() == '{' }

// Object enters an object and returns its first key; false when it has none, or
// the value is no object. The value of the key comes next.
//
//	for key, ok := s.Object(); ok; key, ok = s.NextKey() {
func (s *Scanner) Object() (key string, ok bool) {
	if s.peek() != '{' {
		s.Skip()
		return "", false
	}
	s.enter()
	data, k := s.data, s.next
	if k < s.pairs {
		at, value := int(s.index[k]), int(s.index[k+1])
		if data[at] == '"' && data[at-1] == '{' && data[value-1] == ':' {
			s.next = k + 1
			return s.text(at+1, value-2), true
		}
		if data[at] == '}' && data[at-1] == '{' {
			s.next, s.depth = k+1, s.depth-1
			return "", false
		}
	}
	return s.key(none) // at the end, or where there is white space
}

// NextKey returns the key after the value that was read; false at the end of the object.
func (s *Scanner) NextKey() (key string, ok bool) {
	data, k := s.data, s.next
	if k < s.pairs {
		at, value := int(s.index[k]), int(s.index[k+1])
		if data[at] == '"' && data[at-1] == ',' && data[value-1] == ':' {
			s.next = k + 1
			return s.text(at+1, value-2), true
		}
		if data[at] == '}' && tight[data[at-1]] == none {
			s.next, s.depth = k+1, s.depth-1
			return "", false
		}
	}
	return s.key(comma) // at the end, or where there is white space
}

func (s *Scanner) key(separator gap) (string, bool) {
	data, k := s.data, s.next
	if k+2 >= len(s.index) || data[s.index[k]] != '"' {
		return "", s.leave('}')
	}
	at, value := int(s.index[k]), int(s.index[k+1])
	if !s.follows(separator) || s.gaps.before(data, value) != colon {
		s.fail()
		return "", false
	}
	s.next++
	return s.text(at+1, quote(data, value)), true
}

// Array enters an array; false when it is empty, or the value is no array. Its
// first element comes next.
//
//	for ok := s.Array(); ok; ok = s.NextElement() {
func (s *Scanner) Array() bool {
	if s.peek() != '[' {
		s.Skip()
		return false
	}
	s.enter()
	return s.element(none)
}

// NextElement reports whether an element follows the one that was read.
func (s *Scanner) NextElement() bool { return s.element(comma) }

func (s *Scanner) element(separator gap) bool {
	if s.peek() == ']' {
		return s.leave(']')
	}
	if !s.follows(separator) {
		s.fail()
	}
	return !s.bad
}

// enter goes over the bracket that begins an object or array.
func (s *Scanner) enter() {
	s.next++
	s.depth++
}

// leave goes over the bracket that must end the object or array; it returns false.
func (s *Scanner) leave(bracket byte) bool {
	if s.peek() != bracket || !s.follows(none) {
		s.fail()
		return false
	}
	s.next++
	s.depth--
	return false
}

// follows reports whether the current token follows the one before it with
// nothing but the separator, and white space, between.
func (s *Scanner) follows(separator gap) bool {
	return s.gaps.before(s.data, int(s.index[s.next])) == separator
}

// Text reads a string. It aliases the opened data, or memory of the Scanner until Reset.
func (s *Scanner) Text() string {
	k := s.next
	if k < s.pairs {
		at, next := int(s.index[k]), int(s.index[k+1])
		if s.data[at] == '"' {
			s.next = k + 1
			return s.text(at+1, next-2+int(quoted[s.data[next-1]])) // as quote has it
		}
	}
	return s.anyText() // at the end, where there is white space, or no string
}

func (s *Scanner) anyText() string {
	at := int(s.index[s.next])
	if s.peek() != '"' {
		s.Skip()
		return ""
	}
	s.next++
	return s.text(at+1, quote(s.data, int(s.index[s.next])))
}

// Word reads a number, true, false or null as it is written. It aliases the
// opened data.
func (s *Scanner) Word() string {
	at := int(s.index[s.next])
	if classes[s.peek()] != scalar {
		s.Skip()
		return ""
	}
	end := s.word(at)
	return alias(s.data[at:end])
}

// Scalar reads a Text or a Word.
func (s *Scanner) Scalar() string {
	if s.peek() == '"' {
		return s.Text()
	}
	return s.Word()
}

// True reads whether the value is the literal true.
func (s *Scanner) True() bool { return s.Word() == "true" }

// word goes over a number or a literal and returns where it ends.
func (s *Scanner) word(at int) int {
	end := wordEnd(s.data, at)
	if end < 0 {
		s.fail()
		return at
	}
	s.next++
	return end
}
