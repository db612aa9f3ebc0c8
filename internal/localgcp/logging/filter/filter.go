// Package filter implements the Logging query language over log entries, as
// https://cloud.google.com/logging/docs/view/logging-query-language defines it.
//
//   - Comparisons are FIELD OP VALUE with = != < <= > >= : (has) =~ !~ ; a value
//     may be a parenthesised expression: severity=(ERROR OR ALERT).
//   - NOT (or -) binds tighter than OR, and OR tighter than AND. Two terms side
//     by side are joined by AND. The operators are upper case.
//   - A lone word or string is searched for in every field.
//   - Strings compare without regard to case; regular expressions (RE2) with.
//   - Of a repeated field, one element that satisfies the comparison is enough.
//   - A field that LogEntry defines and an entry leaves out has its default
//     value. A field missing from a payload or a map satisfies no comparison,
//     not even !=; FIELD:* tests for presence.
//   - Paths into protoPayload follow the type of the payload where it is linked
//     into the program, and its JSON where it is not.
//
// Of the functions, log_id is here; sample, source, ip_in_net, SEARCH and cast are not.
package filter

import (
	"net/url"
	"strings"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// MaxLength is the length, in bytes, up to which Google takes a filter.
const MaxLength = 20000

// Filter decides which log entries are wanted. The nil Filter wants all.
type Filter struct{ root node }

// Match reports whether the entry passes. payload is the JSON of the entry's
// protoPayload, for what its linked type does not know; nil when there is none.
func (f *Filter) Match(e *loggingpb.LogEntry, payload *structpb.Struct) bool {
	return f == nil || f.root.match(&subject{log: e, raw: payload})
}

// subject is the entry under test. Its payload is decoded at most once.
type subject struct {
	log     *loggingpb.LogEntry
	raw     *structpb.Struct
	typed   proto.Message // of protoPayload; nil when its type is not linked
	decoded bool
}

func (s *subject) payload() proto.Message {
	if !s.decoded {
		s.decoded = true
		s.typed, _ = s.log.GetProtoPayload().UnmarshalNew()
	}
	return s.typed
}

type node interface{ match(*subject) bool }

type (
	all   []node // joined by AND
	some  []node // joined by OR
	not   struct{ of node }
	logID string
	// text is looked for in every field.
	text struct{ lower string }
	// comparison is satisfied by any one value at the path.
	comparison struct {
		path    path
		op      string
		literal literal
	}
	// present is FIELD:*.
	present struct{ path path }
)

func (n all) match(s *subject) bool {
	for _, of := range n {
		if !of.match(s) {
			return false
		}
	}
	return true
}

func (n some) match(s *subject) bool {
	for _, of := range n {
		if of.match(s) {
			return true
		}
	}
	return false
}

func (n not) match(s *subject) bool { return !n.of.match(s) }

func (n logID) match(s *subject) bool {
	_, id, ok := strings.Cut(s.log.GetLogName(), "/logs/")
	if !ok {
		return false
	}
	if plain, err := url.PathUnescape(id); err == nil {
		id = plain
	}
	return strings.EqualFold(id, string(n))
}

func (n text) match(s *subject) bool {
	return contains(s.log.ProtoReflect(), n.lower) || s.raw != nil && contains(s.raw, n.lower)
}

func (n comparison) match(s *subject) bool {
	return n.path.visit(s, func(v any, _ bool) bool { return n.literal.satisfies(v, n.op) })
}

func (n present) match(s *subject) bool {
	return n.path.visit(s, func(_ any, set bool) bool { return set })
}
