package filter

import (
	"fmt"
	"strings"
)

// Parse reads a filter. The empty string is the nil Filter. Its errors name
// the line and the column, counted in bytes from 1.
func Parse(s string) (*Filter, error) {
	if len(s) > MaxLength {
		return nil, fmt.Errorf("the filter is %d bytes long; at most %d are allowed", len(s), MaxLength)
	}
	p := &parser{scanner: scanner{src: s}}
	p.term = p.restriction
	if p.atEnd() {
		return nil, nil
	}
	root, err := p.conjunction()
	if err != nil {
		return nil, err
	}
	if !p.atEnd() {
		return nil, p.unexpected("AND, OR or another term")
	}
	return &Filter{root}, nil
}

// parser is a recursive descent parser. term reads an operand: a restriction,
// or, within the parentheses after an operator, a value.
type parser struct {
	scanner
	term func() (node, error)
}

// conjunction = disjunction { [ "AND" ] disjunction }
func (p *parser) conjunction() (node, error) {
	return p.joined(p.disjunction, func() bool {
		return p.takeKeyword("AND") || !p.atEnd() && p.peek() != ')'
	}, func(nodes []node) node { return all(nodes) })
}

// disjunction = unary { "OR" unary }
func (p *parser) disjunction() (node, error) {
	return p.joined(p.unary, func() bool { return p.takeKeyword("OR") },
		func(nodes []node) node { return some(nodes) })
}

func (p *parser) joined(operand func() (node, error), more func() bool, join func([]node) node) (node, error) {
	var nodes []node
	for {
		n, err := operand()
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
		if !more() {
			break
		}
	}
	if len(nodes) == 1 {
		return nodes[0], nil
	}
	return join(nodes), nil
}

// unary = ( "NOT" | "-" ) unary | "(" conjunction ")" | term
func (p *parser) unary() (node, error) {
	switch {
	case p.takeKeyword("NOT"), p.take("-"):
		n, err := p.unary()
		return not{n}, err
	case p.take("("):
		n, err := p.conjunction()
		if err != nil {
			return nil, err
		}
		if !p.take(")") {
			return nil, p.unexpected(`")"`)
		}
		return n, nil
	case p.atKeyword("AND"), p.atKeyword("OR"):
		return nil, p.unexpected("a term")
	}
	return p.term()
}

// restriction = function | path operator value | string | word
func (p *parser) restriction() (node, error) {
	p.space()
	start := p.pos
	segments, ok := p.path()
	if !ok {
		return nil, p.unexpected(`a field, a string, NOT or "("`)
	}
	raw := p.src[start:p.pos]
	if p.peek() == '(' {
		return p.function(raw, start)
	}
	op := p.operator()
	if op != "" {
		return p.comparison(segments, op, start)
	}
	if len(segments) == 1 {
		return text{strings.ToLower(segments[0])}, nil
	}
	return text{strings.ToLower(raw)}, nil
}

// function = "log_id" "(" string ")"
func (p *parser) function(name string, start int) (node, error) {
	if name != "log_id" {
		return nil, p.errorAt(start, "the function %s is not part of this implementation; log_id is", name)
	}
	p.take("(")
	id, ok := p.quoted()
	if !ok || !p.take(")") {
		return nil, p.unexpected(`one quoted log id and ")"`)
	}
	return logID(id), nil
}

// comparison reads the value, or the parenthesised expression of values, after an operator.
func (p *parser) comparison(segments []string, op string, start int) (node, error) {
	field, err := newPath(segments)
	if err != nil {
		return nil, p.errorAt(start, "%v", err)
	}
	value := func() (node, error) {
		p.space()
		at := p.pos
		v, quoted, ok := p.value()
		if !ok {
			return nil, p.unexpected("a value")
		}
		if op == ":" && v == "*" && !quoted {
			return present{field}, nil
		}
		l, err := newLiteral(v, quoted, op, field.leaf)
		if err != nil {
			return nil, p.errorAt(at, "%v", err)
		}
		return comparison{field, op, l}, nil
	}
	if p.peek() != '(' {
		return value()
	}
	outer := p.term
	p.term = value
	defer func() { p.term = outer }()
	return p.unary()
}
