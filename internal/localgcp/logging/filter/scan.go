package filter

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// scanner reads a filter from the front. What a character means depends on
// where it stands (a value may hold dots, a path is split at them), so that
// the parser asks for what it wants.
type scanner struct {
	src string
	pos int
}

// space skips white space and comments, which run from -- to the end of the line.
func (s *scanner) space() {
	for s.pos < len(s.src) {
		switch c := s.src[s.pos]; {
		case c == ' ', c == '\t', c == '\n', c == '\r':
			s.pos++
		case strings.HasPrefix(s.src[s.pos:], "--"):
			end := strings.IndexByte(s.src[s.pos:], '\n')
			if end < 0 {
				s.pos = len(s.src)
				return
			}
			s.pos += end
		default:
			return
		}
	}
}

func (s *scanner) atEnd() bool {
	s.space()
	return s.pos == len(s.src)
}

// peek returns the next byte that is not space; 0 at the end.
func (s *scanner) peek() byte {
	if s.atEnd() {
		return 0
	}
	return s.src[s.pos]
}

func (s *scanner) take(symbol string) bool {
	s.space()
	if !strings.HasPrefix(s.src[s.pos:], symbol) {
		return false
	}
	s.pos += len(symbol)
	return true
}

func (s *scanner) atKeyword(word string) bool {
	s.space()
	return s.word(0) == word
}

func (s *scanner) takeKeyword(word string) bool {
	if !s.atKeyword(word) {
		return false
	}
	s.pos += len(word)
	return true
}

// operators are tried in order: the longer before the one it starts with.
var operators = []string{"<=", ">=", "!=", "=~", "!~", "=", "<", ">", ":"}

// operator takes a comparison operator; "" when none follows.
func (s *scanner) operator() string {
	for _, op := range operators {
		if s.take(op) {
			return op
		}
	}
	return ""
}

// delimiters end a word. A dot separates the segments of a path.
const delimiters = " \t\r\n()\"'=<>!~:,"

// word returns, without taking it, the run of characters offset bytes ahead
// that are no delimiters.
func (s *scanner) word(offset int) string {
	rest := s.src[s.pos+offset:]
	if end := strings.IndexAny(rest, delimiters); end >= 0 {
		return rest[:end]
	}
	return rest
}

// path takes segments joined by dots, each a word or a quoted string.
func (s *scanner) path() (segments []string, ok bool) {
	for {
		segment, ok := s.segment()
		if !ok {
			return nil, false
		}
		segments = append(segments, segment)
		if s.pos == len(s.src) || s.src[s.pos] != '.' {
			return segments, true
		}
		s.pos++
	}
}

func (s *scanner) segment() (string, bool) {
	if v, ok := s.quoted(); ok {
		return v, true
	}
	w, _, _ := strings.Cut(s.word(0), ".")
	s.pos += len(w)
	return w, w != ""
}

// value takes a quoted string or a bare word. A bare word that starts with a
// digit may hold colons, so that a time needs no quotes.
func (s *scanner) value() (v string, quoted, ok bool) {
	s.space()
	if v, ok := s.quoted(); ok {
		return v, true, true
	}
	w := s.word(0)
	for w != "" && '0' <= w[0] && w[0] <= '9' && strings.HasPrefix(s.src[s.pos+len(w):], ":") {
		w += ":" + s.word(len(w)+1)
	}
	s.pos += len(w)
	return w, false, w != ""
}

// quoted takes a string in double or single quotes. An escape that does not
// exist stands for itself, as regular expressions are often written that way.
func (s *scanner) quoted() (string, bool) {
	rest := s.src[s.pos:]
	if rest == "" || rest[0] != '"' && rest[0] != '\'' {
		return "", false
	}
	quote, rest := rest[0], rest[1:]
	var b strings.Builder
	for rest != "" {
		if rest[0] == quote {
			s.pos = len(s.src) - len(rest) + 1
			return b.String(), true
		}
		r, multibyte, tail, err := strconv.UnquoteChar(rest, quote)
		switch {
		case err != nil: // an unknown escape, or a line break
			r, tail = rune(rest[0]), rest[1:]
			b.WriteByte(byte(r))
		case multibyte && r != utf8.RuneError:
			b.WriteRune(r)
		case multibyte: // bytes that are no UTF-8 are kept
			b.WriteString(rest[:len(rest)-len(tail)])
		default:
			b.WriteByte(byte(r))
		}
		rest = tail
	}
	return "", false
}

// unexpected is the error about what stands at the scanner's position.
func (s *scanner) unexpected(wanted string) error {
	if s.atEnd() {
		return s.errorAt(s.pos, "the filter ends where %s should follow", wanted)
	}
	return s.errorAt(s.pos, "expected %s", wanted)
}

func (s *scanner) errorAt(pos int, format string, args ...any) error {
	before := s.src[:pos]
	line := strings.Count(before, "\n") + 1
	column := pos - strings.LastIndexByte(before, '\n')
	return fmt.Errorf("syntax error at line %d, column %d, token '%s': %s",
		line, column, tokenAt(s.src[pos:]), fmt.Sprintf(format, args...))
}

// tokenAt is what an error shows of the text at its position.
func tokenAt(rest string) string {
	if rest == "" {
		return ""
	}
	end := strings.IndexAny(rest, delimiters)
	switch {
	case end < 0:
		return rest
	case end == 0:
		return rest[:1]
	}
	return rest[:end]
}
