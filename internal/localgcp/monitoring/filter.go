package monitoring

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// filter is a conjunction. The empty filter matches everything.
type filter []comparison

type comparison struct {
	field   string // metric.type, resource.type, project, metric.labels.K or resource.labels.K
	negated bool
	function
}

// function compares a label with its operands; its name is empty for plain equality.
type function struct {
	name     string
	operands []string
}

const quotedString = `"(?:[^"\\]|\\.)*"`

var (
	fieldPattern = regexp.MustCompile(`^(?:(metric|resource)\.(type)\b|(metric|resource)\.labels?\.([A-Za-z0-9_]+|` + quotedString + `)|(project)\b)`)
	opPattern    = regexp.MustCompile(`^\s*(!?=)\s*`)
	valuePattern = regexp.MustCompile(`^(?:(starts_with|ends_with|has_substring|one_of)\s*\(\s*)?(` + quotedString + `)`)
	morePattern  = regexp.MustCompile(`^\s*,\s*(` + quotedString + `)`)
	closePattern = regexp.MustCompile(`^\s*\)`)
	andPattern   = regexp.MustCompile(`^\s+(AND\s+)?`)
)

// parseFilter reads comparisons joined by AND, or just side by side.
func parseFilter(s string) (filter, error) {
	p := &filterParser{all: s, rest: strings.TrimSpace(s)}
	var f filter
	for p.rest != "" {
		if len(f) > 0 && !p.take(andPattern) {
			return nil, p.unexpected("AND")
		}
		c, err := p.comparison()
		if err != nil {
			return nil, err
		}
		f = append(f, c)
	}
	return f, nil
}

type filterParser struct {
	all, rest string
	groups    []string // of what was taken last
}

func (p *filterParser) take(pattern *regexp.Regexp) bool {
	p.groups = pattern.FindStringSubmatch(p.rest)
	if p.groups == nil {
		return false
	}
	p.rest = p.rest[len(p.groups[0]):]
	return true
}

func (p *filterParser) unexpected(wanted string) error {
	column := len(strings.TrimRight(p.all, " \t\r\n")) - len(p.rest) + 1
	return status.Errorf(codes.InvalidArgument, "Field filter had an invalid value of %q: could not parse filter: expected %s at column %d", p.all, wanted, column)
}

func (p *filterParser) comparison() (c comparison, err error) {
	if !p.take(fieldPattern) {
		return c, p.unexpected("metric.type, resource.type, project, metric.labels.KEY or resource.labels.KEY")
	}
	if c.field, err = fieldName(p.groups); err != nil {
		return c, p.unexpected("a label")
	}
	if !p.take(opPattern) {
		return c, p.unexpected("= or !=")
	}
	c.negated = p.groups[1] == "!="
	c.function, err = p.value()
	return c, err
}

// fieldName puts a match of fieldPattern into one form: metric.label."k" is metric.labels.k.
func fieldName(groups []string) (string, error) {
	kind, key := groups[3], groups[4]
	switch {
	case kind == "":
		return groups[5] + strings.Trim(groups[1]+"."+groups[2], "."), nil
	case strings.HasPrefix(key, `"`):
		plain, err := strconv.Unquote(key)
		return kind + ".labels." + plain, err
	}
	return kind + ".labels." + key, nil
}

func (p *filterParser) value() (f function, err error) {
	const wanted = "a quoted string, starts_with, ends_with, has_substring or one_of"
	if !p.take(valuePattern) {
		return f, p.unexpected(wanted)
	}
	f.name = p.groups[1]
	for {
		v, err := strconv.Unquote(p.groups[len(p.groups)-1])
		if err != nil {
			return f, p.unexpected(wanted)
		}
		f.operands = append(f.operands, v)
		if f.name != "one_of" || !p.take(morePattern) {
			break
		}
	}
	if f.name != "" && !p.take(closePattern) {
		return f, p.unexpected(`")"`)
	}
	return f, nil
}

func (f filter) match(l *labels) bool {
	for _, c := range f {
		v, ok := l.get(c.field)
		if (ok && c.holds(v)) == c.negated {
			return false
		}
	}
	return true
}

func (f function) holds(v string) bool {
	switch f.name {
	case "starts_with":
		return strings.HasPrefix(v, f.operands[0])
	case "ends_with":
		return strings.HasSuffix(v, f.operands[0])
	case "has_substring":
		return strings.Contains(v, f.operands[0])
	}
	return slices.Contains(f.operands, v)
}

// metricType returns the metric that the filter asks for by name; false when it does not.
func (f filter) metricType() (string, bool) {
	for _, c := range f {
		if c.field == "metric.type" && !c.negated && c.name == "" {
			return c.operands[0], true
		}
	}
	return "", false
}
