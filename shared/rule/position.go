package rule

import (
	"strings"
	"unicode"

	"example.com/keyturn/shared/yamlfile"
	"github.com/goccy/go-yaml/token"
)

// source is a file as characters.
type source []rune

func newSource(data []byte) source { return source(string(data)) }

// position finds in the file what a flaw of a scalar's text is about. YAML folds
// white space, and some characters may be escaped, but all others stand in the
// file as they do in the text, and in the same order.
func (src source) position(s yamlfile.Scalar, f flaw) yamlfile.Position {
	kind := s.Node.GetToken().Type
	i := src.index(s.At())
	switch kind {
	case token.DoubleQuoteType, token.SingleQuoteType:
		i++
	case token.LiteralType, token.FoldedType:
		i = src.nextLine(i)
	}
	before, after := f.split(s.Text)
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
	i := source(runes).index(yamlfile.Position{Line: f.line, Column: f.column + 1})
	return string(runes[:i]), string(runes[i:])
}

// index is where a position is, at most the end.
func (src source) index(p yamlfile.Position) int {
	i := 0
	for line := 1; line < p.Line; line++ {
		i = src.nextLine(i)
	}
	return min(i+p.Column-1, len(src))
}

func (src source) nextLine(i int) int {
	for i < len(src) && src[i] != '\n' {
		i++
	}
	return min(i+1, len(src))
}

// at is the inverse of index.
func (src source) at(i int) yamlfile.Position {
	p := yamlfile.Position{Line: 1, Column: 1}
	for _, r := range src[:min(i, len(src))] {
		p.Column++
		if r == '\n' {
			p.Line, p.Column = p.Line+1, 1
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
