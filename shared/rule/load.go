package rule

import (
	"errors"
	"fmt"
	"slices"

	"cel.dev/cel-go/cel"
	"example.com/keyturn/shared/yamlfile"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

const (
	maxFile     = 1 << 20 // length of a rules file, in bytes
	maxRules    = 1000    // in a file: each costs every entry
	maxProblems = 20      // after which nobody reads on
)

// Load reads a rules file.
func Load(name string) (*Set, error) {
	data, err := yamlfile.Read(name, "rules", maxFile)
	if err != nil {
		return nil, err
	}
	return Parse(name, data)
}

// Parse makes a set of rules of the content of a file. Its error joins a
// yamlfile.Problem for each thing that is wrong; the set is nil then.
func Parse(name string, data []byte) (*Set, error) {
	src := newSource(data)
	l := loader{File: yamlfile.File{Name: name, Explain: src.quoting}, source: src, names: make(map[string]int)}
	nodes := l.nodes(data)
	if err := l.Err(); err != nil {
		return nil, err
	}
	env, err := newEnvironment()
	if err != nil {
		return nil, fmt.Errorf("making the environment of rules: %w", err)
	}
	l.env = env
	set := &Set{record: newRecord()}
	for i, node := range nodes {
		if len(l.Problems) >= maxProblems {
			l.Problem(yamlfile.At(node.GetToken()), "and the %d rules from here on were not looked at: mend the others first", len(nodes)-i)
			break
		}
		set.rules = append(set.rules, l.rule(node))
	}
	if err := l.Err(); err != nil {
		return nil, err
	}
	return set, nil
}

// loader gathers what is wrong with one file.
type loader struct {
	yamlfile.File
	source source
	env    *cel.Env
	names  map[string]int // line of each rule
}

// failed notes an error of the YAML decoder.
func (l *loader) failed(err error, node ast.Node) {
	var unknown *yaml.UnknownFieldError
	if !errors.As(err, &unknown) {
		l.Failed(err, node)
		return
	}
	known := slices.Concat(keys(file{}), keys(spec{}))
	l.Problem(yamlfile.At(unknown.GetToken()), "%s%s", unknown.GetMessage(), yamlfile.Meant(unknown.GetToken().Value, known))
}

// file is the whole of a rules file.
type file struct {
	Rules sequence `yaml:"rules"`
}

// nodes are the rules as they stand in the file.
func (l *loader) nodes(data []byte) []ast.Node {
	const want = "want 'rules:' and a list of rules under it"
	body := l.Root(data, want)
	if body == nil {
		return nil
	}
	var top file
	if err := yaml.NodeToValue(body, &top, yaml.Strict()); err != nil {
		l.failed(err, body)
		return nil
	}
	if len(top.Rules) == 0 {
		l.Problem(yamlfile.At(body.GetToken()), "no rules: %s", want)
	}
	if len(top.Rules) > maxRules {
		l.Problem(yamlfile.At(body.GetToken()), "%d rules: want %d at most", len(top.Rules), maxRules)
	}
	return top.Rules
}

// sequence is a YAML sequence that is decoded one by one.
type sequence []ast.Node

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (s *sequence) UnmarshalYAML(node ast.Node) error {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		return &yaml.SyntaxError{Message: "rules: want a list of rules, each beginning with '- name:'", Token: node.GetToken()}
	}
	*s = list.Values
	return nil
}
