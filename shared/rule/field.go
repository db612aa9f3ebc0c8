package rule

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // for expressions that name time zones, on machines that know none

	"cel.dev/cel-go/cel"
	"example.com/keyturn/shared/detect"
)

// Field is one field of the record of a log entry, under the name that rules and
// files of records call it by.
type Field struct {
	Name  string
	Value func(*detect.Entry) any // a bool, int64, string, []string or time.Time, always the same; it may lie in the entry's memory

	kind *cel.Type
}

// fields are the variables of expressions, and what a record consists of.
var fields = []*Field{
	field("denied", cel.BoolType, func(e *detect.Entry) bool { return detect.Denied(*e) }),
	field("code", cel.IntType, func(e *detect.Entry) int64 { return int64(e.Code) }),
	field("service", cel.StringType, func(e *detect.Entry) string { return e.Service }),
	field("method", cel.StringType, func(e *detect.Entry) string { return e.Method }),
	field("subject", cel.StringType, subject),
	field("principal", cel.StringType, func(e *detect.Entry) string { return e.Principal }),
	field("principal_subject", cel.StringType, func(e *detect.Entry) string { return e.PrincipalSubject }),
	field("key", cel.StringType, func(e *detect.Entry) string { return e.KeyName }),
	field("delegation", texts, func(e *detect.Entry) []string { return e.Delegation }),
	field("oauth_client", cel.StringType, func(e *detect.Entry) string { return e.OAuthClient }),
	field("caller_ip", cel.StringType, func(e *detect.Entry) string { return e.CallerIP }),
	field("user_agent", cel.StringType, func(e *detect.Entry) string { return e.UserAgent }),
	field("permissions", texts, func(e *detect.Entry) []string { return permissions(e, false) }),
	field("ungranted", texts, func(e *detect.Entry) []string { return permissions(e, true) }),
	field("tested", texts, func(e *detect.Entry) []string { return e.Tested }),
	field("grants", texts, grants),
	field("message", cel.StringType, func(e *detect.Entry) string { return e.Message }),
	field("violation", cel.StringType, func(e *detect.Entry) string { return e.Violation }),
	field("resource", cel.StringType, func(e *detect.Entry) string { return e.Resource }),
	field("account", cel.StringType, func(e *detect.Entry) string { return e.Account }),
	field("born", cel.StringType, func(e *detect.Entry) string { return e.Born }),
	field("project", cel.StringType, func(e *detect.Entry) string { return e.Project }),
	field("audit", cel.BoolType, func(e *detect.Entry) bool { return e.Audit }),
	field("log_name", cel.StringType, func(e *detect.Entry) string { return e.LogName }),
	field("insert_id", cel.StringType, func(e *detect.Entry) string { return e.InsertID }),
	field("time", cel.TimestampType, func(e *detect.Entry) time.Time { return e.Time }),
}

var texts = cel.ListType(cel.StringType)

// Fields returns the fields of a record.
func Fields() []*Field { return slices.Clone(fields) }

func field[T any](name string, kind *cel.Type, value func(*detect.Entry) T) *Field {
	return &Field{Name: name, kind: kind, Value: func(e *detect.Entry) any { return value(e) }}
}

// fieldNamed returns nil when there is none.
func fieldNamed(name string) *Field {
	if i := slices.IndexFunc(fields, func(f *Field) bool { return f.Name == name }); i >= 0 {
		return fields[i]
	}
	return nil
}

// texts are the field's value, or the elements of a list, as people write them.
func (f *Field) texts(e *detect.Entry) []string {
	switch v := f.Value(e).(type) {
	case []string:
		return v
	case time.Time:
		return []string{v.UTC().Format(time.RFC3339Nano)}
	default:
		return []string{fmt.Sprint(v)}
	}
}

// permissions are the names of those that Google checked before the call, or of
// them the ones that the caller lacked.
func permissions(e *detect.Entry, ungranted bool) []string {
	names := make([]string, 0, len(e.Permissions))
	for _, p := range e.Permissions {
		if p.Name != "" && !(ungranted && p.Granted) {
			names = append(names, p.Name)
		}
	}
	return names
}

// grants are what a change of a policy added: "ROLE MEMBER" each.
func grants(e *detect.Entry) []string {
	added := make([]string, len(e.Grants))
	for i, g := range e.Grants {
		added[i] = g.Role + " " + g.Member
	}
	return added
}

// subject is the caller; where the entry names none, the place that the call came
// from and what it aimed at.
func subject(e *detect.Entry) string {
	if name := cmp.Or(e.Principal, e.PrincipalSubject, e.KeyName); name != "" {
		return name
	}
	return strings.TrimSpace(strings.TrimSpace(e.CallerIP+" "+e.UserAgent) + " on " + cmp.Or(e.Account, e.Project, e.Resource))
}
