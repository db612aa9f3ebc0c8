package yamlfile

import (
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// Position is a place in a file, counted from 1 in lines and characters. The zero
// Position is the whole file.
type Position struct{ Line, Column int }

// At is where a token stands.
func At(t *token.Token) Position { return Position{t.Position.Line, t.Position.Column} }

// Begins is where a node begins, which of a mapping is its first key.
func Begins(node ast.Node) Position {
	if m, ok := node.(*ast.MappingNode); ok && len(m.Values) > 0 {
		node = m.Values[0].Key
	}
	return At(node.GetToken())
}
