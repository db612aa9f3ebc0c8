package listing

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind tells the tokens of a filter expression apart.
type kind int

const (
	word kind = iota
	operator
	mark // a parenthesis or a minus sign
)

type token struct {
	kind   kind
	text   string
	quoted bool // holds a quoted part, so it is never a keyword or the * wildcard
}

// scan splits an expression into tokens.
func scan(expr string) ([]token, error) {
	var tokens []token
	comparing := false // an operator stands before
	for {
		expr = strings.TrimLeftFunc(expr, unicode.IsSpace)
		if expr == "" {
			return tokens, nil
		}
		t, n := scanMark(expr, comparing)
		if n == 0 {
			var err error
			if t, n, err = scanWord(expr, comparing); err != nil {
				return nil, err
			}
		}
		tokens, expr = append(tokens, t), expr[n:]
		comparing = t.kind == operator
	}
}

// scanMark reads an operator, a parenthesis or a minus sign; n is 0 when s
// begins with none. What follows an operator is a value unless it is a parenthesis.
func scanMark(s string, comparing bool) (t token, n int) {
	if s[0] == '(' || s[0] == ')' || s[0] == '-' && !comparing {
		return token{kind: mark, text: s[:1]}, 1
	}
	if comparing {
		return t, 0
	}
	for _, op := range []string{"!=", "<=", ">=", ":", "=", "<", ">"} {
		if strings.HasPrefix(s, op) {
			return token{kind: operator, text: op}, len(op)
		}
	}
	return t, 0
}

// scanWord reads a field or a value, in which parts may be quoted:
// labels."my key". Bare values may hold what ends a field, as times do.
func scanWord(s string, value bool) (t token, n int, err error) {
	var text strings.Builder
	for n < len(s) && !endsWord(s[n:], value) {
		if s[n] != '"' {
			text.WriteByte(s[n])
			n++
			continue
		}
		part, size, ok := scanQuoted(s[n:])
		if !ok {
			return t, 0, errors.New("filter has an unclosed quote")
		}
		text.WriteString(part)
		t.quoted = true
		n += size
	}
	t.text = text.String()
	return t, n, nil
}

func endsWord(s string, value bool) bool {
	r, _ := utf8.DecodeRuneInString(s)
	if r == '(' || r == ')' || unicode.IsSpace(r) {
		return true
	}
	return !value && (strings.ContainsRune(":=<>", r) || strings.HasPrefix(s, "!="))
}

// scanQuoted reads a string in double quotes, in which a backslash escapes.
func scanQuoted(s string) (text string, n int, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), i + 1, true
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return "", 0, false
}

// snakeCase turns the JSON spelling of a field's first part into the proto
// one, and leaves map keys alone: createTime becomes create_time.
func snakeCase(path string) string {
	top, rest, _ := strings.Cut(path, ".")
	var b strings.Builder
	for _, r := range top {
		if unicode.IsUpper(r) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	if rest != "" {
		b.WriteString("." + rest)
	}
	return b.String()
}
