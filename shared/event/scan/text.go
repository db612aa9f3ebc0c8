package scan

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// text returns what the string between two quotes stands for.
func (s *Scanner) text(start, end int) string {
	if start < s.odd.end {
		return s.oddText(start, end)
	}
	return unsafe.String(&s.data[start], end-start) // shorter than alias for the compiler, which so inlines it
}

func (s *Scanner) oddText(start, end int) string {
	text := s.data[start:end]
	if s.odd.start < end {
		text = s.decoded(text)
	}
	return alias(text)
}

func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// decoded returns the text that raw stands for, in the Scanner's memory unless it
// is raw itself.
func (s *Scanner) decoded(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw) {
		return raw
	}
	begin := len(s.texts)
	for len(raw) > 0 {
		if raw[0] == '\\' {
			raw = s.escape(raw)
			continue
		}
		r, n := utf8.DecodeRune(raw) // U+FFFD for a byte that is no UTF-8
		s.texts = utf8.AppendRune(s.texts, r)
		raw = raw[n:]
	}
	return s.texts[begin:]
}

// escapes has what stands behind the backslash for one byte.
var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escape decodes the escape that raw begins with and returns what follows it.
func (s *Scanner) escape(raw []byte) []byte {
	if raw[1] != 'u' {
		s.texts = append(s.texts, escapes[raw[1]])
		return raw[2:]
	}
	r := hex(raw[2:6])
	raw = raw[6:]
	if utf16.IsSurrogate(r) {
		low := rune(utf8.RuneError)
		if len(raw) >= 6 && raw[0] == '\\' && raw[1] == 'u' {
			low = hex(raw[2:6])
		}
		r = utf16.DecodeRune(r, low)
		if r != utf8.RuneError {
			raw = raw[6:]
		}
	}
	s.texts = utf8.AppendRune(s.texts, r)
	return raw
}

// validEscapes reports whether every backslash in data begins an escape. One that
// is not in a string is somebody else's to refuse.
func validEscapes(data []byte) bool {
	for {
		i := bytes.IndexByte(data, '\\')
		if i < 0 {
			return true
		}
		data = data[i+1:]
		switch {
		case len(data) == 0:
			return false
		case escapes[data[0]] != 0:
			data = data[1:]
		case len(data) >= 5 && data[0] == 'u' && hex(data[1:5]) >= 0:
			data = data[5:]
		default:
			return false
		}
	}
}

// hex reads hexadecimal digits; -1 when they are not.
func hex(digits []byte) rune {
	var r rune
	for _, c := range digits {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}
