package rule

import (
	"strings"
	"unicode"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// position is a place in a file, counted from 1 in lines and characters.
type position struct{ line, column int }

func at(t *token.Token) position { return position{t.Position.Line, t.Position.Column} }

// begins is where a node begins, which of a mapping is its first key.
func begins(node ast.Node) position {
	if m, ok := node.(*ast.MappingNode); ok && len(m.Values) > 0 {
		node = m.Values[0].Key
	}
	return at(node.GetToken())
}

// scalar is a value of a YAML file as text, and where it stands.
type scalar struct {
	text string
	node ast.Node // nil when there is none
}

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (s *scalar) UnmarshalYAML(node ast.Node) error {
	switch node.(type) {
	case *ast.TagNode:
		return &yaml.SyntaxError{Message: quoteTag, Token: node.GetToken()}
	case *ast.SequenceNode:
		return &yaml.SyntaxError{Message: "want one value, not a list", Token: node.GetToken()}
	case *ast.MappingNode, *ast.MappingValueNode:
		return &yaml.SyntaxError{Message: "want one value, not a mapping", Token: node.GetToken()}
	}
	s.node = node
	return yaml.NodeToValue(node, &s.text)
}

// fieldName is a scalar that names a field.
type fieldName struct{ scalar }

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (f *fieldName) UnmarshalYAML(node ast.Node) error {
	if _, ok := node.(*ast.SequenceNode); ok {
		return &yaml.SyntaxError{Message: "want one field, not a list", Token: node.GetToken()}
	}
	return f.scalar.UnmarshalYAML(node)
}

func (s scalar) at() position { return at(s.node.GetToken()) }

// scalars are the elements of a YAML sequence, or one value.
type scalars []scalar

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (s *scalars) UnmarshalYAML(node ast.Node) error {
	nodes := []ast.Node{node}
	if list, ok := node.(*ast.SequenceNode); ok {
		nodes = list.Values
	}
	for _, n := range nodes {
		var element scalar
		if err := element.UnmarshalYAML(n); err != nil {
			return err
		}
		*s = append(*s, element)
	}
	return nil
}

// source is a file as characters.
type source []rune

func newSource(data []byte) source { return source(string(data)) }

// position finds in the file what a flaw of a scalar's text is about. YAML folds
// white space, and some characters may be escaped, but all others stand in the
// file as they do in the text, and in the same order.
func (src source) position(s scalar, f flaw) position {
	kind := s.node.GetToken().Type
	i := src.index(s.at())
	switch kind {
	case token.DoubleQuoteType, token.SingleQuoteType:
		i++
	case token.LiteralType, token.FoldedType:
		i = src.nextLine(i)
	}
	before, after := f.split(s.text)
	for _, r := range before {
		if !unicode.IsSpace(r) {
			i = src.skipSpace(i, kind)
			i += src.width(i, kind)
		}
	}
	if strings.TrimSpace(after) != "" {
		i = src.skipSpace(i, kind)
	}
	return src.at(i)
}

// split returns the text before a flaw, and the rest.
func (f flaw) split(text string) (before, after string) {
	runes := []rune(text)
	i := source(runes).index(position{f.line, f.column + 1})
	return string(runes[:i]), string(runes[i:])
}

// index is where a position is, at most the end.
func (src source) index(p position) int {
	i := 0
	for line := 1; line < p.line; line++ {
		i = src.nextLine(i)
	}
	return min(i+p.column-1, len(src))
}

func (src source) nextLine(i int) int {
	for i < len(src) && src[i] != '\n' {
		i++
	}
	return min(i+1, len(src))
}

// at is the inverse of index.
func (src source) at(i int) position {
	p := position{1, 1}
	for _, r := range src[:min(i, len(src))] {
		p.column++
		if r == '\n' {
			p.line, p.column = p.line+1, 1
		}
	}
	return p
}

// skipSpace returns where white space from i on ends, escaped white space in
// double quotes included.
func (src source) skipSpace(i int, kind token.Type) int {
	for ; i < len(src); i++ {
		if kind == token.DoubleQuoteType && src[i] == '\\' && i+1 < len(src) && strings.ContainsRune("ntrvf \t\r\n", src[i+1]) {
			i++
			continue
		}
		if !unicode.IsSpace(src[i]) {
			break
		}
	}
	return i
}

// width is how many characters of the file make the one character at i.
func (src source) width(i int, kind token.Type) int {
	switch {
	case i+1 >= len(src):
		return 1
	case kind == token.SingleQuoteType && src[i] == '\'':
		return 2
	case kind == token.DoubleQuoteType && src[i] == '\\':
		switch src[i+1] {
		case 'x':
			return 4
		case 'u':
			return 6
		case 'U':
			return 10
		}
		return 2
	}
	return 1
}
