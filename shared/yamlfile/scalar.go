package yamlfile

import (
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// Scalar is a value of a file as text, and where it stands.
type Scalar struct {
	Text string
	Node ast.Node // nil when there is none
}

// UnmarshalYAML implements yaml.NodeUnmarshaler. A number is as it was written.
func (s *Scalar) UnmarshalYAML(node ast.Node) error {
	s.Node = node
	switch node.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		s.Text = node.GetToken().Value
		return nil
	case *ast.TagNode:
		return &yaml.SyntaxError{Message: "quote it: ! begins a YAML tag", Token: node.GetToken()}
	case *ast.SequenceNode:
		return &yaml.SyntaxError{Message: "want one value, not a list", Token: node.GetToken()}
	case *ast.MappingNode, *ast.MappingValueNode:
		return &yaml.SyntaxError{Message: "want one value, not a mapping", Token: node.GetToken()}
	}
	return yaml.NodeToValue(node, &s.Text)
}

// At is where the value stands.
func (s Scalar) At() Position { return At(s.Node.GetToken()) }

// Given reports whether there is a value.
func (s Scalar) Given() bool { return s.Node != nil }

// Scalars are the elements of a list, or one value.
type Scalars []Scalar

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (s *Scalars) UnmarshalYAML(node ast.Node) error {
	nodes := []ast.Node{node}
	if list, ok := node.(*ast.SequenceNode); ok {
		nodes = list.Values
	}
	for _, n := range nodes {
		var element Scalar
		if err := element.UnmarshalYAML(n); err != nil {
			return err
		}
		*s = append(*s, element)
	}
	return nil
}
