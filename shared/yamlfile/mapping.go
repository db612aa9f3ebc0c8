package yamlfile

import (
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// Mapping is keys with values, in the order of the file.
type Mapping struct {
	Entries []Entry
	Node    ast.Node // nil when there is none
}

// Entry is one key with its value.
type Entry struct {
	Key   Scalar
	Value ast.Node
}

// At is where the mapping begins.
func (m Mapping) At() Position { return Begins(m.Node) }

// Given reports whether there is a mapping, if an empty one.
func (m Mapping) Given() bool { return m.Node != nil }

// List is the elements of a list.
type List []ast.Node

// Mapping takes a node for a mapping. what names it, as in "policy"; if it is none,
// that is a problem, and nothing is given.
func (f *File) Mapping(node ast.Node, what string) Mapping {
	mapping, ok := node.(*ast.MappingNode)
	if !ok {
		f.Problem(Begins(node), "%s: want keys with values, and this is %s", what, shape(node))
		return Mapping{}
	}
	m := Mapping{Node: node}
	for _, v := range mapping.Values {
		f.entry(&m, v)
	}
	return m
}

// entry adds a key with its value.
func (f *File) entry(m *Mapping, v *ast.MappingValueNode) {
	e := Entry{Key: Scalar{Node: v.Key}, Value: v.Value}
	if err := yaml.NodeToValue(v.Key, &e.Key.Text); err != nil || shape(v.Key) != aValue {
		f.Problem(At(v.Key.GetToken()), "a key has to be a word, and this is %s", shape(v.Key))
		return
	}
	m.Entries = append(m.Entries, e)
}

// Decode fills the struct that into points to from a mapping. Its fields are of
// type Scalar, Scalars, Mapping or List and name their keys by a tag: `yaml:"key"`.
// Every key that is not known, and every value that is missing or of another
// shape, is a problem; it reports whether there is none.
func (f *File) Decode(m Mapping, into any) bool {
	before := len(f.Problems)
	v := reflect.ValueOf(into).Elem()
	var keys []string
	for field := range v.Type().Fields() {
		keys = append(keys, field.Tag.Get("yaml"))
	}
	for _, e := range m.Entries {
		i := slices.Index(keys, e.Key.Text)
		switch {
		case i >= 0 && shape(e.Value) == nothing:
			f.Problem(e.Key.At(), "%s has no value: give one, or leave the key out", e.Key.Text)
		case i >= 0:
			f.set(v.Field(i).Addr().Interface(), e)
		case tellable(e.Key.Text):
			f.Problem(e.Key.At(), "unknown field %q%s; %s", e.Key.Text, Meant(e.Key.Text, keys), among(keys))
		default:
			f.Problem(e.Key.At(), "unknown field; %s, followed by a colon and a space", among(keys))
		}
	}
	return len(f.Problems) == before
}

// among says which keys there are.
func among(keys []string) string {
	if len(keys) == 1 {
		return "there is only " + keys[0]
	}
	return "there are " + strings.Join(keys, ", ")
}

// set gives one field its value.
func (f *File) set(field any, e Entry) {
	switch field := field.(type) {
	case *Scalar:
		*field = f.Scalar(e.Value, e.Key.Text)
	case *Scalars:
		*field = f.scalars(e.Value, e.Key.Text)
	case *Mapping:
		*field = f.Mapping(e.Value, e.Key.Text)
	case *List:
		*field = f.list(e.Value, e.Key.Text)
	}
}

// Scalar takes a node for one value; without a Node if it is none.
func (f *File) Scalar(node ast.Node, what string) (s Scalar) {
	if got := shape(node); got != aValue || s.UnmarshalYAML(node) != nil {
		f.Problem(Begins(node), "%s: want one value, and this is %s", what, got)
		return Scalar{}
	}
	return s
}

// scalars takes a node for a list of values, or one of them. It is not nil.
func (f *File) scalars(node ast.Node, what string) Scalars {
	nodes := List{node}
	if shape(node) == aList {
		nodes = f.list(node, what)
	}
	values := Scalars{}
	for _, n := range nodes {
		if s := f.Scalar(n, what); s.Given() {
			values = append(values, s)
		}
	}
	return values
}

func (f *File) list(node ast.Node, what string) List {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		f.Problem(Begins(node), "%s: want a list, each element of it after '- ', and this is %s", what, shape(node))
		return nil
	}
	return list.Values
}

// What nodes are, in the words of a problem.
const (
	aValue  = "one value"
	aList   = "a list"
	nothing = "nothing"
)

func shape(node ast.Node) string {
	switch node.(type) {
	case *ast.StringNode, *ast.LiteralNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return aValue
	case *ast.MappingNode:
		return "keys with values"
	case *ast.SequenceNode:
		return aList
	case *ast.NullNode:
		return nothing
	}
	return "an anchor, an alias or a tag, which is not read here: write out what it stands for"
}
