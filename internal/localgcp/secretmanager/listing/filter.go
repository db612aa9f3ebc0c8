package listing

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxFilter bounds a filter expression, and with it the depth of its nesting.
const maxFilter = 4096

// Fields tells a filter the values of a field of one item, such as "state",
// "labels.team" or, for all keys of a map, "labels".
type Fields func(path string) []string

// Filter is a parsed filter expression.
type Filter func(Fields) bool

// ParseFilter reads the list filter language: comparisons such as
// labels.team=sec, name:part, labels.team:* or create_time>2030-01-01T00:00:00Z,
// joined by AND or by mere space, by OR (which binds tighter, as everywhere at
// Google) and negated by NOT or a minus sign, with parentheses. An empty
// expression matches everything. known are the top-level fields that exist.
func ParseFilter(expr string, known ...string) (Filter, error) {
	if len(expr) > maxFilter {
		return nil, fmt.Errorf("filter is %d characters long; at most %d are allowed", len(expr), maxFilter)
	}
	tokens, err := scan(expr)
	if err != nil {
		return nil, err
	}
	if len(tokens) == 0 {
		return func(Fields) bool { return true }, nil
	}
	p := &parser{tokens: tokens, known: known}
	f, err := p.sequence()
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t != nil {
		return nil, fmt.Errorf("filter has an unexpected %q", t.text)
	}
	return f, nil
}

type parser struct {
	tokens []token
	known  []string
}

func (p *parser) peek() *token {
	if len(p.tokens) == 0 {
		return nil
	}
	return &p.tokens[0]
}

func (p *parser) accept(words ...string) bool {
	if !slices.ContainsFunc(words, p.at) {
		return false
	}
	p.tokens = p.tokens[1:]
	return true
}

// sequence is alternatives that must all match.
func (p *parser) sequence() (Filter, error) {
	f, err := p.alternatives()
	for err == nil && p.peek() != nil && !p.at(")") {
		p.accept("AND")
		var g Filter
		if g, err = p.alternatives(); err == nil {
			f = and(f, g)
		}
	}
	return f, err
}

func (p *parser) alternatives() (Filter, error) {
	f, err := p.term()
	for err == nil && p.accept("OR") {
		var g Filter
		if g, err = p.term(); err == nil {
			f = or(f, g)
		}
	}
	return f, err
}

func (p *parser) term() (Filter, error) {
	if p.accept("NOT", "-") {
		f, err := p.term()
		return not(f), err
	}
	if !p.accept("(") {
		return p.comparison()
	}
	f, err := p.sequence()
	if err == nil && !p.accept(")") {
		return nil, errors.New("filter lacks a closing parenthesis")
	}
	return f, err
}

func (p *parser) at(word string) bool {
	t := p.peek()
	return t != nil && !t.quoted && t.text == word
}

func (p *parser) comparison() (Filter, error) {
	if len(p.tokens) < 3 || p.tokens[0].kind != word || p.tokens[1].kind != operator || p.tokens[2].kind != word {
		return nil, errors.New("filter: want FIELD OPERATOR VALUE, such as labels.team=sec or name:part")
	}
	path, op, value := snakeCase(p.tokens[0].text), p.tokens[1].text, p.tokens[2]
	top, _, _ := strings.Cut(path, ".")
	if !slices.Contains(p.known, top) {
		return nil, fmt.Errorf("filter: unknown field %q", p.tokens[0].text)
	}
	p.tokens = p.tokens[3:]
	return func(get Fields) bool { return matches(get(path), op, value) }, nil
}

func matches(values []string, op string, want token) bool {
	if op == ":" && want.text == "*" && !want.quoted {
		return len(values) > 0
	}
	if op == "!=" {
		return !slices.Contains(values, want.text)
	}
	return slices.ContainsFunc(values, func(v string) bool { return compare(v, op, want.text) })
}

func compare(v, op, want string) bool {
	c := order(v, want)
	switch op {
	case ":":
		return strings.Contains(strings.ToLower(v), strings.ToLower(want))
	case "=":
		return c == 0
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	default: // ">="
		return c >= 0
	}
}

// order compares as times what are times, and as strings what are not.
func order(a, b string) int {
	ta, okA := instant(a)
	tb, okB := instant(b)
	if okA && okB {
		return ta.Compare(tb)
	}
	return strings.Compare(a, b)
}

func instant(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func and(f, g Filter) Filter { return func(get Fields) bool { return f(get) && g(get) } }
func or(f, g Filter) Filter  { return func(get Fields) bool { return f(get) || g(get) } }
func not(f Filter) Filter    { return func(get Fields) bool { return !f(get) } }
