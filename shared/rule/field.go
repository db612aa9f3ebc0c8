package rule

import (
	"fmt"
	"slices"
	"time"
	_ "time/tzdata" // for expressions that name time zones, on machines that know none

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"example.com/keyturn/shared/detect"
)

// Field is one field of the record of a log entry, under the name that rules and
// files of records call it by.
type Field struct {
	Name  string
	Value func(*detect.Entry) any // a bool, int64, string, []string or time.Time, always the same; it may lie in the entry's memory

	kind  *cel.Type
	value func(*detect.Entry) ref.Val // the same, for expressions
}

// fields are the variables of expressions, and what a record consists of.
var fields = []*Field{
	field("denied", cel.BoolType, func(e *detect.Entry) bool { return detect.Denied(*e) }),
	field("code", cel.IntType, func(e *detect.Entry) int64 { return int64(e.Code) }),
	field("service", cel.StringType, func(e *detect.Entry) string { return e.Service }),
	field("method", cel.StringType, func(e *detect.Entry) string { return e.Method }),
	field("subject", cel.StringType, (*detect.Entry).Subject),
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
	return &Field{Name: name, kind: kind, Value: func(e *detect.Entry) any { return value(e) }, value: func(e *detect.Entry) ref.Val { return celValue(value(e)) }}
}

// celValue is what cel's own adapter makes of a field's value, without a copy for
// the adapter: it is made of every field that a rule asks for, of every entry.
func celValue(v any) ref.Val {
	switch v := v.(type) {
	case bool:
		return types.Bool(v)
	case int64:
		return types.Int(v)
	case string:
		return types.String(v)
	case []string:
		return types.NewStringList(types.DefaultTypeAdapter, v)
	case time.Time:
		return types.Timestamp{Time: v}
	}
	return types.NewErr("a field of no known type")
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
