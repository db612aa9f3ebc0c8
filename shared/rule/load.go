package rule

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"

	"cel.dev/cel-go/cel"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxFile is how long a rules file may be, in bytes.
const maxFile = 1 << 20

// Problem is one thing that is wrong with a rules file.
type Problem struct {
	File         string
	Line, Column int // counted from 1, in characters; 0 is the whole file
	Reason       string
}

// Error says what is wrong and where.
func (p Problem) Error() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", p.File, p.Reason)
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Reason)
}

// Load reads a rules file.
func Load(name string) (*Set, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("reading rules: %w", err)
	}
	if info.IsDir() || info.Size() > maxFile {
		return nil, Problem{File: name, Reason: fmt.Sprintf("not a rules file: it is a directory, or longer than %d bytes", maxFile)}
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading rules: %w", err)
	}
	return Parse(name, data)
}

// Parse makes a set of rules of the content of a file. Its error joins a Problem
// for each thing that is wrong; the set is nil then.
func Parse(name string, data []byte) (*Set, error) {
	l := loader{file: name, source: newSource(data), names: make(map[string]int)}
	nodes := l.nodes(data)
	if err := l.err(); err != nil {
		return nil, err
	}
	env, err := newEnvironment()
	if err != nil {
		return nil, fmt.Errorf("making the environment of rules: %w", err)
	}
	l.env = env
	set := &Set{record: newRecord()}
	for i, node := range nodes {
		if len(l.problems) >= maxProblems {
			l.problem(at(node.GetToken()), "and the %d rules from here on were not looked at: mend the others first", len(nodes)-i)
			break
		}
		set.rules = append(set.rules, l.rule(node))
	}
	if err := l.err(); err != nil {
		return nil, err
	}
	return set, nil
}

// loader gathers what is wrong with one file.
type loader struct {
	file     string
	source   source
	env      *cel.Env
	names    map[string]int // line of each rule
	problems []Problem
}

// err joins the problems, in the order of the file.
func (l *loader) err() error {
	slices.SortStableFunc(l.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	var errs []error
	for _, p := range l.problems {
		errs = append(errs, p)
	}
	return errors.Join(errs...)
}

func (l *loader) problem(at position, format string, args ...any) {
	l.problems = append(l.problems, Problem{l.file, at.line, at.column, fmt.Sprintf(format, args...)})
}

// failed notes an error of the YAML decoder.
func (l *loader) failed(err error, node ast.Node) {
	var unknown *yaml.UnknownFieldError
	if errors.As(err, &unknown) {
		l.problem(at(unknown.GetToken()), "%s%s", unknown.GetMessage(), meant(unknown.GetToken().Value, slices.Concat(keys(file{}), keys(spec{}))))
		return
	}
	var e yaml.Error
	if errors.As(err, &e) && e.GetToken() != nil {
		where, reason := l.source.quoting(at(e.GetToken()), e.GetMessage())
		l.problem(where, "%s", reason)
		return
	}
	var where position
	if node != nil {
		where = at(node.GetToken())
	}
	l.problem(where, "%v", err)
}

// file is the whole of a rules file.
type file struct {
	Rules sequence `yaml:"rules"`
}

// nodes are the rules as they stand in the file.
func (l *loader) nodes(data []byte) []ast.Node {
	const want = "want 'rules:' and a list of rules under it"
	if where, ok := deep(data); ok {
		l.problem(where, "nested more than %d deep, or brackets that are never closed", maxNesting)
		return nil
	}
	parsed, err := parser.ParseBytes(data, 0)
	if err != nil {
		l.failed(err, nil)
		return nil
	}
	if len(parsed.Docs) != 1 {
		l.problem(position{}, "%d YAML documents: want one", len(parsed.Docs))
		return nil
	}
	var top file
	body := parsed.Docs[0].Body
	if body == nil {
		l.problem(position{}, "the file is empty: %s", want)
		return nil
	}
	if err := yaml.NodeToValue(body, &top, yaml.Strict()); err != nil {
		l.failed(err, body)
		return nil
	}
	if len(top.Rules) == 0 {
		l.problem(at(body.GetToken()), "no rules: %s", want)
	}
	if len(top.Rules) > maxRules {
		l.problem(at(body.GetToken()), "%d rules: want %d at most", len(top.Rules), maxRules)
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
