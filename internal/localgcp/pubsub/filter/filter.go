// Package filter implements the filter language of Pub/Sub subscriptions, as
// https://cloud.google.com/pubsub/docs/subscription-message-filter defines it:
//
//	attributes:key                       the message has the attribute
//	attributes.key = "value"             … with this value
//	attributes.key != "value"            … not, or with another value
//	hasPrefix(attributes.key, "prefix")  … with a value that starts so
//
// joined by AND, OR, NOT (or -) and parentheses. AND and OR do not mix without
// parentheses. Keys beyond letters, digits, _ and - are quoted; everything is
// case-sensitive.
package filter

import (
	"fmt"
	"strconv"
	"strings"
)

// MaxLength is the length, in bytes, up to which Google takes a filter.
const MaxLength = 256

// Filter decides by a message's attributes whether a subscription gets it.
// The nil Filter lets everything through.
type Filter struct{ root node }

// Parse reads a filter. The empty string is the nil Filter. Its errors name
// the column, counted in bytes from 1.
func Parse(s string) (*Filter, error) {
	if len(s) > MaxLength {
		return nil, fmt.Errorf("filter is %d bytes long; at most %d are allowed", len(s), MaxLength)
	}
	return parse(s)
}

// Match reports whether a message with these attributes passes.
func (f *Filter) Match(attributes map[string]string) bool {
	return f == nil || f.root.match(attributes)
}

// String writes the filter in a canonical form that parses to the same filter.
func (f *Filter) String() string {
	if f == nil {
		return ""
	}
	return f.root.String()
}

type node interface {
	match(attributes map[string]string) bool
	String() string
}

type (
	has       struct{ key string }
	equal     struct{ key, value string }
	notEqual  struct{ key, value string }
	hasPrefix struct{ key, prefix string }
	not       struct{ of node }
	all       []node // joined by AND
	some      []node // joined by OR
)

func (n has) match(a map[string]string) bool {
	_, ok := a[n.key]
	return ok
}

func (n equal) match(a map[string]string) bool {
	v, ok := a[n.key]
	return ok && v == n.value
}

func (n notEqual) match(a map[string]string) bool { return !equal(n).match(a) }

func (n hasPrefix) match(a map[string]string) bool {
	v, ok := a[n.key]
	return ok && strings.HasPrefix(v, n.prefix)
}

func (n not) match(a map[string]string) bool { return !n.of.match(a) }

func (n all) match(a map[string]string) bool {
	for _, of := range n {
		if !of.match(a) {
			return false
		}
	}
	return true
}

func (n some) match(a map[string]string) bool {
	for _, of := range n {
		if of.match(a) {
			return true
		}
	}
	return false
}

func (n has) String() string      { return "attributes:" + quoteKey(n.key) }
func (n equal) String() string    { return comparison(n.key, "=", n.value) }
func (n notEqual) String() string { return comparison(n.key, "!=", n.value) }
func (n not) String() string      { return "NOT " + operand(n.of) }
func (n all) String() string      { return join(n, " AND ") }
func (n some) String() string     { return join(n, " OR ") }

func (n hasPrefix) String() string {
	return "hasPrefix(attributes." + quoteKey(n.key) + ", " + strconv.Quote(n.prefix) + ")"
}

func comparison(key, op, value string) string {
	return "attributes." + quoteKey(key) + " " + op + " " + strconv.Quote(value)
}

func join(nodes []node, op string) string {
	parts := make([]string, len(nodes))
	for i, n := range nodes {
		parts[i] = operand(n)
	}
	return strings.Join(parts, op)
}

// operand puts what binds weaker than its surroundings into parentheses.
func operand(n node) string {
	switch n.(type) {
	case all, some:
		return "(" + n.String() + ")"
	}
	return n.String()
}

// quoteKey quotes a key that the lexer would not read as one plain word.
func quoteKey(key string) string {
	if isWord(key) {
		return key
	}
	return strconv.Quote(key)
}
