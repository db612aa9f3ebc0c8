package filter

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func parse(s string) (*Filter, error) {
	tokens, err := lex(s)
	if err != nil {
		return nil, err
	}
	if len(tokens) == 1 {
		return nil, nil
	}
	p := &parser{tokens: tokens}
	root, err := p.expression()
	if err != nil {
		return nil, err
	}
	if t := p.tokens[0]; t.kind != end {
		return nil, t.unexpected("AND, OR or the end of the filter")
	}
	return &Filter{root}, nil
}

// parser takes tokens off the front; the last one is always end.
type parser struct{ tokens []token }

// expression = operand { "AND" operand } | operand { "OR" operand }
func (p *parser) expression() (node, error) {
	first, err := p.operand()
	if err != nil {
		return nil, err
	}
	op := p.tokens[0].text
	if p.tokens[0].kind != keyword || op == "NOT" {
		return first, nil
	}
	nodes := []node{first}
	for p.take(keyword, op) {
		n, err := p.operand()
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	if t := p.tokens[0]; t.kind == keyword {
		return nil, fmt.Errorf("column %d: AND and OR mixed; put parentheses around one of them", t.column)
	}
	if op == "AND" {
		return all(nodes), nil
	}
	return some(nodes), nil
}

// operand = ( "NOT" | "-" ) operand | "(" expression ")" | test
func (p *parser) operand() (node, error) {
	switch {
	case p.take(keyword, "NOT"), p.take(symbol, "-"):
		n, err := p.operand()
		return not{n}, err
	case p.take(symbol, "("):
		n, err := p.expression()
		if err != nil {
			return nil, err
		}
		return n, p.want(symbol, ")")
	case p.take(word, "hasPrefix"):
		return p.hasPrefix()
	case p.take(word, "attributes"):
		return p.attributeTest()
	}
	return nil, p.tokens[0].unexpected(`attributes, hasPrefix, NOT or "("`)
}

// hasPrefix = "hasPrefix" "(" "attributes" "." key "," string ")"
func (p *parser) hasPrefix() (n hasPrefix, err error) {
	for _, w := range []token{{symbol, "(", 0}, {word, "attributes", 0}, {symbol, ".", 0}} {
		if err := p.want(w.kind, w.text); err != nil {
			return n, err
		}
	}
	if n.key, err = p.key(); err != nil {
		return n, err
	}
	if err := p.want(symbol, ","); err != nil {
		return n, err
	}
	if n.prefix, err = p.string(); err != nil {
		return n, err
	}
	return n, p.want(symbol, ")")
}

// attributeTest = "attributes" ( ":" key | "." key ( "=" | "!=" ) string )
func (p *parser) attributeTest() (node, error) {
	if p.take(symbol, ":") {
		key, err := p.key()
		return has{key}, err
	}
	if !p.take(symbol, ".") {
		return nil, p.tokens[0].unexpected(`":" or "." after attributes`)
	}
	key, err := p.key()
	if err != nil {
		return nil, err
	}
	negated := p.take(symbol, "!=")
	if !negated && !p.take(symbol, "=") {
		return nil, p.tokens[0].unexpected(`"=" or "!="`)
	}
	value, err := p.string()
	if negated {
		return notEqual{key, value}, err
	}
	return equal{key, value}, err
}

func (p *parser) key() (string, error) {
	if t := p.tokens[0]; t.kind == word {
		p.tokens = p.tokens[1:]
		return t.text, nil
	}
	return p.string()
}

func (p *parser) string() (string, error) {
	t := p.tokens[0]
	if t.kind != literal {
		return "", t.unexpected("a quoted string")
	}
	p.tokens = p.tokens[1:]
	return t.text, nil
}

func (p *parser) take(k kind, text string) bool {
	t := p.tokens[0]
	if t.kind != k || t.text != text {
		return false
	}
	p.tokens = p.tokens[1:]
	return true
}

func (p *parser) want(k kind, text string) error {
	if !p.take(k, text) {
		return p.tokens[0].unexpected(strconv.Quote(text))
	}
	return nil
}

type kind int

const (
	end     kind = iota
	word         // attributes, hasPrefix, a plain key
	keyword      // AND, OR, NOT
	literal      // "…", text is unquoted
	symbol       // ( ) , . : = != -
)

type token struct {
	kind   kind
	text   string
	column int
}

func (t token) unexpected(want string) error {
	if t.kind == end {
		return fmt.Errorf("column %d: the filter ends where %s should follow", t.column, want)
	}
	return fmt.Errorf("column %d: found %q where %s should be", t.column, t.text, want)
}

func lex(s string) ([]token, error) {
	var tokens []token
	for at := 0; ; {
		at += len(s[at:]) - len(strings.TrimLeft(s[at:], " \t\r\n"))
		t, size, err := next(s[at:])
		if err != nil {
			return nil, fmt.Errorf("column %d: %w", at+1, err)
		}
		t.column = at + 1
		tokens = append(tokens, t)
		if t.kind == end {
			return tokens, nil
		}
		at += size
	}
}

// next reads the token that s starts with and says how many bytes it took.
func next(s string) (token, int, error) {
	if s == "" {
		return token{kind: end}, 0, nil
	}
	if s[0] == '"' {
		return nextLiteral(s)
	}
	if strings.HasPrefix(s, "!=") {
		return token{kind: symbol, text: "!="}, 2, nil
	}
	if strings.IndexByte("(),.:=-", s[0]) >= 0 {
		return token{kind: symbol, text: s[:1]}, 1, nil
	}
	text := s[:len(s)-len(strings.TrimLeftFunc(s, isWordRune))]
	switch {
	case text == "":
		return token{}, 0, fmt.Errorf("%q is not part of the filter language", s[:1])
	case slices.Contains(keywords, text):
		return token{kind: keyword, text: text}, len(text), nil
	}
	return token{kind: word, text: text}, len(text), nil
}

func nextLiteral(s string) (token, int, error) {
	quoted, err := strconv.QuotedPrefix(s)
	if err != nil {
		return token{}, 0, errors.New("the string is not closed or holds an escape that does not exist")
	}
	text, _ := strconv.Unquote(quoted) // a quoted prefix is well-formed
	return token{kind: literal, text: text}, len(quoted), nil
}

var keywords = []string{"AND", "OR", "NOT"}

func isWord(s string) bool {
	return s != "" && s[0] != '-' && strings.TrimLeftFunc(s, isWordRune) == "" && !slices.Contains(keywords, s)
}

func isWordRune(r rune) bool {
	return r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}
