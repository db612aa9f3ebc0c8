package filter

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"
)

// literal is the right side of a comparison, read in every way it can be: what
// it is compared with decides.
type literal struct {
	text     string
	lower    string
	null     bool // the bare word NULL_VALUE
	number   *float64
	time     *time.Time
	duration *time.Duration
	enum     *protoreflect.EnumNumber // of the enum that the field is known to be
	pattern  *regexp.Regexp           // of =~ and !~
}

// newLiteral reads a value for a field; leaf is nil when the field's type is not known beforehand.
func newLiteral(s string, quoted bool, op string, leaf protoreflect.FieldDescriptor) (literal, error) {
	l := literal{text: s, lower: strings.ToLower(s), null: s == "NULL_VALUE" && !quoted}
	if op == "=~" || op == "!~" {
		pattern, err := regexp.Compile(s)
		if err != nil {
			return l, fmt.Errorf("invalid regular expression: %v", err)
		}
		l.pattern = pattern
		return l, nil
	}
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		l.number = &n
	}
	if t, ok := parseTime(s); ok {
		l.time = &t
	}
	if d, err := time.ParseDuration(s); err == nil {
		l.duration = &d
	}
	return l, l.mustSuit(leaf)
}

func parseTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// mustSuit refuses a literal that no value of the field could be compared with.
func (l *literal) mustSuit(leaf protoreflect.FieldDescriptor) error {
	if leaf == nil {
		return nil
	}
	switch leaf.Kind() {
	case protoreflect.EnumKind:
		return l.readEnum(leaf.Enum())
	case protoreflect.MessageKind:
		switch leaf.Message().FullName() {
		case "google.protobuf.Timestamp":
			if l.time == nil {
				return fmt.Errorf("%q is no time; write 2006-01-02T15:04:05Z", l.text)
			}
		case "google.protobuf.Duration":
			if l.duration == nil {
				return fmt.Errorf("%q is no duration; write 1.5s", l.text)
			}
		}
	case protoreflect.BoolKind:
		if l.lower != "true" && l.lower != "false" {
			return fmt.Errorf("%q is neither TRUE nor FALSE", l.text)
		}
	case protoreflect.StringKind, protoreflect.BytesKind:
	default:
		if l.number == nil {
			return fmt.Errorf("%q is no number", l.text)
		}
	}
	return nil
}

func (l *literal) readEnum(ed protoreflect.EnumDescriptor) error {
	if d := ed.Values().ByName(protoreflect.Name(strings.ToUpper(l.text))); d != nil {
		n := d.Number()
		l.enum = &n
		return nil
	}
	n, err := strconv.ParseInt(l.text, 10, 32)
	if err != nil {
		return fmt.Errorf("%q is no %s", l.text, ed.Name())
	}
	number := protoreflect.EnumNumber(n)
	l.enum = &number
	return nil
}

// satisfies reports whether v OP literal holds.
func (l *literal) satisfies(v any, op string) bool {
	switch v := v.(type) {
	case string:
		return l.satisfiedByString(v, op)
	case float64:
		if l.pattern == nil && l.number != nil {
			return holds(op, cmp.Compare(v, *l.number))
		}
		return l.satisfiedByString(strconv.FormatFloat(v, 'f', -1, 64), op)
	case bool:
		return l.satisfiedByString(strconv.FormatBool(v), op)
	case enum:
		if l.enum != nil {
			return holds(op, cmp.Compare(v.number, *l.enum))
		}
		return l.satisfiedByString(v.name, op)
	case time.Time:
		return l.time != nil && holds(op, v.Compare(*l.time))
	case time.Duration:
		return l.duration != nil && holds(op, cmp.Compare(v, *l.duration))
	case nil:
		return l.null && op == "="
	}
	return op == ":" && contains(v, l.lower)
}

func (l *literal) satisfiedByString(s, op string) bool {
	switch op {
	case "=~":
		return l.pattern.MatchString(s)
	case "!~":
		return !l.pattern.MatchString(s)
	case ":":
		return strings.Contains(strings.ToLower(s), l.lower)
	}
	return holds(op, strings.Compare(strings.ToLower(s), l.lower))
}

// holds reports whether order, as of cmp.Compare, satisfies op. The has operator tests for equality.
func holds(op string, order int) bool {
	switch op {
	case "=", ":":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return op == ">=" && order >= 0
}

// contains reports whether any leaf under v, or any key of a map, holds the
// lower-case needle.
func contains(v any, needle string) bool {
	switch v := v.(type) {
	case protoreflect.Message:
		return messageContains(v, needle)
	case protoreflect.Map:
		return mapContains(v, needle)
	case *structpb.Struct:
		for key, field := range v.GetFields() {
			if contains(key, needle) || jsonContains(field, needle) {
				return true
			}
		}
		return false
	case enum:
		return contains(v.name, needle)
	case time.Time:
		return contains(v.UTC().Format(time.RFC3339Nano), needle)
	case nil:
		return false
	}
	return strings.Contains(strings.ToLower(fmt.Sprint(v)), needle)
}

func jsonContains(v *structpb.Value, needle string) bool {
	return visitJSON(v, nil, func(v any, _ bool) bool { return contains(v, needle) })
}

func messageContains(m protoreflect.Message, needle string) bool {
	found := false
	see := func(v any, _ bool) bool {
		found = contains(v, needle)
		return found
	}
	if known, _ := visitWellKnown(m, nil, see); known {
		return found
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.IsMap():
			found = mapContains(v.Map(), needle)
		case fd.IsList():
			for i := 0; i < v.List().Len() && !found; i++ {
				found = visitValue(fd, v.List().Get(i), true, nil, false, see)
			}
		default:
			found = visitValue(fd, v, true, nil, false, see)
		}
		return !found
	})
	return found
}

func mapContains(m protoreflect.Map, needle string) bool {
	found := false
	m.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		found = contains(k.String(), needle) || contains(v.Interface(), needle)
		return !found
	})
	return found
}
