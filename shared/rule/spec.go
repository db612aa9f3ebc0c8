package rule

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/lazyregexp"
	"example.com/keyturn/shared/yamlfile"
)

// spec is a rule as it stands in the file. All is text, so that each value is
// checked, and its problem told, where it stands.
type spec struct {
	Name      yamlfile.Scalar  `yaml:"name"`      // of its findings' detector
	When      yamlfile.Scalar  `yaml:"when"`      // CEL expression
	Window    yamlfile.Scalar  `yaml:"window"`    // such as 10m; "" is 1h
	Threshold yamlfile.Scalar  `yaml:"threshold"` // "" is 1
	GroupBy   yamlfile.Scalars `yaml:"group_by"`  // fields; "" is the subject
	Distinct  fieldName        `yaml:"distinct"`  // field whose values are counted; "" counts entries
	Severity  yamlfile.Scalar  `yaml:"severity"`  // "" is warning
	Rationale yamlfile.Scalar  `yaml:"rationale"` // "" is the expression
	Technique yamlfile.Scalar  `yaml:"technique"` // of MITRE ATT&CK
	Runbook   yamlfile.Scalar  `yaml:"runbook"`
}

// Bounds and defaults of what a rule may say.
const (
	maxName       = 64
	maxWindow     = 28 * 24 * time.Hour // how long the Engine remembers
	defaultWindow = time.Hour
)

var (
	ruleName  = lazyregexp.New(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	technique = lazyregexp.New(`^(T[0-9]{4}(\.[0-9]{3})?)?$`)
)

// rule checks one rule. What is wrong is in l.Problems.
func (l *loader) rule(node ast.Node) *compiled {
	var s spec
	if err := yaml.NodeToValue(node, &s, yaml.Strict()); err != nil {
		l.failed(err, node)
		var unknown *yaml.UnknownFieldError
		if !errors.As(err, &unknown) {
			return nil
		}
	}
	c := &compiled{Rule: detect.Rule{
		Name: l.name(s.Name, node), Rationale: s.Rationale.Text, Technique: s.Technique.Text, Runbook: s.Runbook.Text,
		Severity: l.severity(s.Severity), Window: l.window(s.Window), Threshold: l.threshold(s.Threshold),
	}}
	if !technique.MatchString(c.Technique) {
		l.Problem(s.Technique.At(), "technique %q: want one of MITRE ATT&CK, such as T1078.004", c.Technique)
	}
	if c.Rationale == "" {
		c.Rationale = "its condition held: " + strings.Join(strings.Fields(s.When.Text), " ")
	}
	c.group, c.distinct = l.groups(s.GroupBy), l.distinct(s.Distinct.Scalar)
	l.expression(c, s.When, node)
	return c
}

func (l *loader) name(s yamlfile.Scalar, node ast.Node) string {
	if s.Node == nil {
		l.Problem(yamlfile.Begins(node), "the rule has no name")
		return ""
	}
	if len(s.Text) > maxName || !ruleName.MatchString(s.Text) {
		l.Problem(s.At(), "name %.80q: want lower-case letters and digits, with hyphens between, at most %d", s.Text, maxName)
		return s.Text
	}
	if line, ok := l.names[s.Text]; ok {
		l.Problem(s.At(), "a rule named %q is on line %d: names are unique", s.Text, line)
	}
	if slices.ContainsFunc(detect.Detectors(), func(d detect.Detector) bool { return d.Name == s.Text }) {
		l.Problem(s.At(), "%q is the name of a built-in detector: choose another", s.Text)
	}
	l.names[s.Text] = s.At().Line
	return s.Text
}

func (l *loader) severity(s yamlfile.Scalar) detect.Severity {
	if s.Node == nil {
		return detect.Warning
	}
	severity, err := detect.ParseSeverity(s.Text)
	if err != nil {
		l.Problem(s.At(), "%v", err)
	}
	return severity
}

func (l *loader) window(s yamlfile.Scalar) time.Duration {
	if s.Node == nil {
		return defaultWindow
	}
	d, err := yamlfile.Duration(s.Text)
	switch {
	case err != nil:
		l.Problem(s.At(), "window %.80q: want a duration such as 10m, 24h or 7d", s.Text)
	case d < time.Second || d > maxWindow:
		l.Problem(s.At(), "window %s: want from 1s to %.0fd", s.Text, maxWindow.Hours()/24)
	}
	return d
}

func (l *loader) threshold(s yamlfile.Scalar) int {
	if s.Node == nil {
		return 1
	}
	n, err := strconv.Atoi(s.Text)
	if err != nil || n < 1 || n > detect.MaxDistinct {
		l.Problem(s.At(), "threshold %.80q: want a number from 1 to %d", s.Text, detect.MaxDistinct)
	}
	return n
}

// groups are the fields of group_by, which the subject stands for alone.
func (l *loader) groups(s yamlfile.Scalars) []*Field {
	var group []*Field
	for _, name := range s {
		if f := l.field(name, "group_by"); f != nil && (f.Name != "subject" || len(s) > 1) {
			group = append(group, f)
		}
	}
	return group
}

func (l *loader) distinct(s yamlfile.Scalar) *Field {
	if s.Node == nil {
		return nil
	}
	return l.field(s, "distinct")
}

func (l *loader) field(s yamlfile.Scalar, what string) *Field {
	f := fieldNamed(s.Text)
	if f == nil {
		l.Problem(s.At(), "%s: there is no field %.80q%s; the fields are %s", what, s.Text, yamlfile.Meant(s.Text, names()), strings.Join(names(), ", "))
	}
	return f
}

func (l *loader) expression(c *compiled, s yamlfile.Scalar, node ast.Node) {
	if strings.TrimSpace(s.Text) == "" {
		where := yamlfile.Begins(node)
		if s.Node != nil {
			where = s.At()
		}
		l.Problem(where, "rule %.80q has no condition: say when it matches, as in when: denied && method.endsWith('SetIamPolicy')", c.Name)
		return
	}
	program, flaws := compile(l.env, s.Text)
	for _, f := range flaws {
		l.Problem(l.source.position(s, f), "%s", f.reason)
	}
	c.program = program
}

// fieldName is a scalar that names a field.
type fieldName struct{ yamlfile.Scalar }

// UnmarshalYAML implements yaml.NodeUnmarshaler.
func (f *fieldName) UnmarshalYAML(node ast.Node) error {
	if _, ok := node.(*ast.SequenceNode); ok {
		return &yaml.SyntaxError{Message: "want one field, not a list", Token: node.GetToken()}
	}
	return f.Scalar.UnmarshalYAML(node)
}
