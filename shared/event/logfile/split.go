package logfile

import "bytes"

// splitter finds entries in data that comes in parts: the elements of JSON arrays,
// and the lines around the arrays; or values that follow one another, whatever
// the lines. It looks at no more than it must to find where they end: whether
// they are valid is for their decoder to say.
type splitter struct {
	values  bool // follow one another: no line is an entry
	state   state
	arrays  int  // around the elements that are open
	inside  bool // an entry, or what may be one
	start   int  // of the entry
	depth   int  // of arrays and objects in the element
	quoted  bool
	escaped bool // the byte before was a backslash that escapes
}

// state is what a splitter is within.
type state int

const (
	blanks   state = iota // that a line begins with
	bracket               // that a line begins with, which may open an array
	oneLine               // that is an entry
	elements              // of arrays, or values that follow one another
)

// entry goes on at data[at] and returns where the entry ends that data is in or
// that comes next; false when it does not end in data.
func (s *splitter) entry(data []byte, at int) (end int, whole bool) {
	for at < len(data) && !whole {
		at, whole = s.step(data, at)
	}
	return at, whole
}

// step is entry, but may return before, where what is open turned out to be none.
func (s *splitter) step(data []byte, at int) (end int, whole bool) {
	if s.state == elements {
		return s.element(data, at)
	}
	return s.line(data, at)
}

// line goes on within a line up to its end, or up to the array that begins in it.
func (s *splitter) line(data []byte, at int) (end int, whole bool) {
	if !s.inside {
		s.inside, s.start = true, at
	}
	for ; at < len(data) && s.state != oneLine; at++ {
		switch c := data[at]; {
		case c == ' ' || c == '\t' || c == '\r':
		case c == '\n' && s.state == blanks:
			s.inside = false
			return at + 1, false
		case c == '[' && s.state == blanks:
			s.state = bracket
		case s.state == bracket && (c == '{' || c == '[' || c == ']' || c == '\n'):
			s.state, s.arrays, s.inside = elements, 1, false
			return at, false
		default:
			s.state = oneLine
		}
	}
	end = bytes.IndexByte(data[at:], '\n')
	if s.state != oneLine || end < 0 {
		return len(data), false
	}
	s.state, s.inside = blanks, false
	return at + end, true
}

// element goes on within arrays, up to the end of an element or of all arrays.
func (s *splitter) element(data []byte, at int) (end int, whole bool) {
	for at < len(data) {
		if s.quoted {
			at = s.string(data, at)
			continue
		}
		c := data[at]
		if !s.inside && !s.begins(c, at) {
			at++
			if s.arrays == 0 && !s.values {
				s.state = blanks
				return at, false
			}
			continue
		}
		switch c {
		case '"':
			s.quoted = true
		case '{', '[':
			s.depth++
		case ' ', '\t', '\r', '\n', ',':
			if s.depth == 0 { // a number or the like
				s.inside = false
				return at, true
			}
		case '}', ']':
			if s.depth == 0 && at > s.start { // likewise
				s.inside = false
				return at, true
			}
			if s.depth--; s.depth <= 0 {
				s.inside = false
				return at + 1, true
			}
		}
		at++
	}
	return at, false
}

// begins reports whether an element begins with c, or c is between elements.
func (s *splitter) begins(c byte, at int) bool {
	switch {
	case c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',':
		return false
	case c == '[':
		s.arrays++
		return false
	case c == ']' && s.arrays > 0:
		s.arrays--
		return false
	}
	s.inside, s.start, s.depth = true, at, 0
	return true
}

// string goes on within a string and returns where data goes on after it.
func (s *splitter) string(data []byte, at int) int {
	for {
		if s.escaped && at < len(data) {
			s.escaped = false
			at++
		}
		quote := bytes.IndexByte(data[at:], '"')
		end := len(data)
		if quote >= 0 {
			end = at + quote
		}
		backslash := bytes.IndexByte(data[at:end], '\\')
		if backslash < 0 {
			s.quoted = quote < 0
			return min(end+1, len(data))
		}
		s.escaped = true
		at += backslash + 1
		if at == len(data) {
			return at
		}
	}
}
