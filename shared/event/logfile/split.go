package logfile

import "bytes"

// splitter finds the elements of JSON arrays, and values that follow one another,
// in data that comes in parts. It looks at no more than it must to find where
// they end: whether they are valid is for their decoder to say.
type splitter struct {
	arrays  int  // around the elements that are open
	inside  bool // an element
	start   int  // of the element
	depth   int  // of arrays and objects in the element
	quoted  bool
	escaped bool // the byte before was a backslash that escapes
}

// element goes on at data[at] and returns where the element ends that data is in
// or that comes next; false when it does not end in data.
func (s *splitter) element(data []byte, at int) (end int, whole bool) {
	for at < len(data) {
		if s.quoted {
			at = s.string(data, at)
			continue
		}
		c := data[at]
		if !s.inside && !s.begins(c, at) {
			at++
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
