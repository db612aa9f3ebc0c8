// Package rule has custom rules: CEL expressions over the record of a log entry,
// from a YAML file that is checked when it is loaded. It says which entries a
// rule matches; the detectors' Engine counts them.
package rule

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"example.com/keyturn/shared/detect"
)

// Set is a set of rules. It is a detect.RuleSet, and like the Engine not safe for
// concurrent use. A nil Set has no rules.
type Set struct {
	rules  []*compiled
	record record
}

var _ detect.RuleSet = (*Set)(nil)

// compiled is one rule.
type compiled struct {
	detect.Rule
	program  cel.Program
	group    []*Field // whose values name the group; none is the subject
	distinct *Field   // whose values are counted; nil counts entries
	failed   int      // evaluations
	first    error    // of them
}

// Match appends a hit for each rule whose condition holds for e. A rule that
// cannot be evaluated for e does not match it: Failures tells.
func (s *Set) Match(e *detect.Entry, into []detect.Hit) []detect.Hit {
	if s == nil || len(s.rules) == 0 {
		return into
	}
	s.record.reset(e)
	for _, c := range s.rules {
		out, _, err := c.program.Eval(&s.record)
		switch {
		case err != nil:
			c.fail(err)
		case out == types.True:
			into = c.hit(e, into)
		}
	}
	s.record.reset(nil)
	return into
}

// Rule returns the rule of a name; nil if there is none.
func (s *Set) Rule(name string) *detect.Rule {
	if s == nil {
		return nil
	}
	for _, c := range s.rules {
		if c.Name == name {
			return &c.Rule
		}
	}
	return nil
}

// hit appends the hits of an entry that c matches: one, or one for each value of
// a list whose values are counted.
func (c *compiled) hit(e *detect.Entry, into []detect.Hit) []detect.Hit {
	group := c.groupOf(e)
	if c.distinct == nil {
		return append(into, detect.Hit{Rule: &c.Rule, Group: group})
	}
	for _, item := range c.distinct.texts(e) {
		if item != "" {
			into = append(into, detect.Hit{Rule: &c.Rule, Group: group, Item: item})
		}
	}
	return into
}

// groupOf names the group of an entry: "", its subject, unless the entry has any
// of the fields that the rule groups by.
func (c *compiled) groupOf(e *detect.Entry) string {
	var b strings.Builder
	known := false
	for i, f := range c.group {
		if i > 0 {
			b.WriteString(", ")
		}
		value := strings.Join(f.texts(e), " ")
		known = known || value != ""
		b.WriteString(f.Name + " " + value)
	}
	if !known {
		return ""
	}
	return b.String()
}

func (c *compiled) fail(err error) {
	if c.failed == 0 {
		c.first = err
	}
	c.failed++
}

// Failures returns an error for each rule that could not be evaluated for some
// entries: how often, and why at first.
func (s *Set) Failures() []error {
	if s == nil {
		return nil
	}
	var failures []error
	for _, c := range s.rules {
		if c.failed > 0 {
			failures = append(failures, fmt.Errorf("rule %q could not be evaluated for %d of the entries, which it did not match: at first %.200q", c.Name, c.failed, c.first.Error()))
		}
	}
	return failures
}
