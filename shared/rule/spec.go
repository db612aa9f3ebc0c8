package rule

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/keyturn/shared/detect"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// spec is a rule as it stands in the file. All is text, so that each value is
// checked, and its problem told, where it stands.
type spec struct {
	Name      scalar    `yaml:"name"`      // of its findings' detector
	When      scalar    `yaml:"when"`      // CEL expression
	Window    scalar    `yaml:"window"`    // such as 10m; "" is 1h
	Threshold scalar    `yaml:"threshold"` // "" is 1
	GroupBy   scalars   `yaml:"group_by"`  // fields; "" is the subject
	Distinct  fieldName `yaml:"distinct"`  // field whose values are counted; "" counts entries
	Severity  scalar    `yaml:"severity"`  // "" is warning
	Rationale scalar    `yaml:"rationale"` // "" is the expression
	Technique scalar    `yaml:"technique"` // of MITRE ATT&CK
	Runbook   scalar    `yaml:"runbook"`
}

// Bounds and defaults of what a rule may say.
const (
	maxName       = 64
	maxWindow     = 28 * 24 * time.Hour // how long the Engine remembers
	defaultWindow = time.Hour
)

var (
	ruleName  = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	technique = regexp.MustCompile(`^(T[0-9]{4}(\.[0-9]{3})?)?$`)
)

// rule checks one rule. What is wrong is in l.problems.
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
		Name: l.name(s.Name, node), Rationale: s.Rationale.text, Technique: s.Technique.text, Runbook: s.Runbook.text,
		Severity: l.severity(s.Severity), Window: l.window(s.Window), Threshold: l.threshold(s.Threshold),
	}}
	if !technique.MatchString(c.Technique) {
		l.problem(s.Technique.at(), "technique %q: want one of MITRE ATT&CK, such as T1078.004", c.Technique)
	}
	if c.Rationale == "" {
		c.Rationale = "its condition held: " + strings.Join(strings.Fields(s.When.text), " ")
	}
	c.group, c.distinct = l.groups(s.GroupBy), l.distinct(s.Distinct.scalar)
	l.expression(c, s.When, node)
	return c
}

func (l *loader) name(s scalar, node ast.Node) string {
	if s.node == nil {
		l.problem(begins(node), "the rule has no name")
		return ""
	}
	if len(s.text) > maxName || !ruleName.MatchString(s.text) {
		l.problem(s.at(), "name %.80q: want lower-case letters and digits, with hyphens between, at most %d", s.text, maxName)
		return s.text
	}
	if line, ok := l.names[s.text]; ok {
		l.problem(s.at(), "a rule named %q is on line %d: names are unique", s.text, line)
	}
	if slices.ContainsFunc(detect.Detectors(), func(d detect.Detector) bool { return d.Name == s.text }) {
		l.problem(s.at(), "%q is the name of a built-in detector: choose another", s.text)
	}
	l.names[s.text] = s.at().line
	return s.text
}

func (l *loader) severity(s scalar) detect.Severity {
	if s.node == nil {
		return detect.Warning
	}
	severity, err := detect.ParseSeverity(s.text)
	if err != nil {
		l.problem(s.at(), "%v", err)
	}
	return severity
}

func (l *loader) window(s scalar) time.Duration {
	if s.node == nil {
		return defaultWindow
	}
	d, err := duration(s.text)
	switch {
	case err != nil:
		l.problem(s.at(), "window %.80q: want a duration such as 10m, 24h or 7d", s.text)
	case d < time.Second || d > maxWindow:
		l.problem(s.at(), "window %s: want from 1s to %.0fd", s.text, maxWindow.Hours()/24)
	}
	return d
}

// duration is time.ParseDuration with days of 24 hours before all else.
func duration(text string) (time.Duration, error) {
	before, rest, found := strings.Cut(text, "d")
	if !found {
		return time.ParseDuration(text)
	}
	days, err := strconv.ParseUint(before, 10, 16)
	if err != nil || rest == "" {
		return time.Duration(days) * 24 * time.Hour, err
	}
	more, err := time.ParseDuration(rest)
	if more < 0 || strings.HasPrefix(rest, "+") {
		return 0, strconv.ErrSyntax
	}
	return time.Duration(days)*24*time.Hour + more, err
}

func (l *loader) threshold(s scalar) int {
	if s.node == nil {
		return 1
	}
	n, err := strconv.Atoi(s.text)
	if err != nil || n < 1 || n > detect.MaxDistinct {
		l.problem(s.at(), "threshold %.80q: want a number from 1 to %d", s.text, detect.MaxDistinct)
	}
	return n
}

// groups are the fields of group_by, which the subject stands for alone.
func (l *loader) groups(s scalars) []*Field {
	var group []*Field
	for _, name := range s {
		if f := l.field(name, "group_by"); f != nil && (f.Name != "subject" || len(s) > 1) {
			group = append(group, f)
		}
	}
	return group
}

func (l *loader) distinct(s scalar) *Field {
	if s.node == nil {
		return nil
	}
	return l.field(s, "distinct")
}

func (l *loader) field(s scalar, what string) *Field {
	f := fieldNamed(s.text)
	if f == nil {
		l.problem(s.at(), "%s: there is no field %.80q%s; the fields are %s", what, s.text, meant(s.text, names()), strings.Join(names(), ", "))
	}
	return f
}

func (l *loader) expression(c *compiled, s scalar, node ast.Node) {
	if strings.TrimSpace(s.text) == "" {
		where := begins(node)
		if s.node != nil {
			where = s.at()
		}
		l.problem(where, "rule %.80q has no condition: say when it matches, as in when: denied && method.endsWith('SetIamPolicy')", c.Name)
		return
	}
	program, flaws := compile(l.env, s.text)
	for _, f := range flaws {
		l.problem(l.source.position(s, f), "%s", f.reason)
	}
	c.program = program
}
