package filter

import (
	"encoding/base64"
	"fmt"
	"strings"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// path names a field of a log entry.
type path struct {
	segments []string
	leaf     protoreflect.FieldDescriptor // nil within a payload or a map
}

// newPath checks a path as far as LogEntry defines it.
func newPath(segments []string) (path, error) {
	md := (*loggingpb.LogEntry)(nil).ProtoReflect().Descriptor()
	var fd protoreflect.FieldDescriptor
	for i, name := range segments {
		if md == nil {
			return path{}, fmt.Errorf("%s has no fields", strings.Join(segments[:i], "."))
		}
		if fd = field(md, name); fd == nil {
			return path{}, fmt.Errorf("field not found: LogEntry has no %s", strings.Join(segments[:i+1], "."))
		}
		if md = fd.Message(); fd.IsMap() || isOpen(md) {
			return path{segments, nil}, nil
		}
	}
	return path{segments, fd}, nil
}

// isOpen reports whether md holds what only an entry can tell.
func isOpen(md protoreflect.MessageDescriptor) bool {
	if md == nil {
		return false
	}
	switch md.FullName() {
	case "google.protobuf.Any", "google.protobuf.Struct", "google.protobuf.Value":
		return true
	}
	return false
}

// field finds a field by its JSON or its proto name.
func field(md protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	if fd := md.Fields().ByJSONName(name); fd != nil {
		return fd
	}
	return md.Fields().ByTextName(name)
}

// visitor sees one value and whether it was set, as against being a default.
// It returns true to stop.
//
// A value is a string, float64, bool, time.Time, time.Duration, enum or nil
// (JSON null), or, where the path ends above the leaves, a compound:
// protoreflect.Message, protoreflect.Map or *structpb.Struct.
type visitor func(v any, set bool) bool

type enum struct {
	number protoreflect.EnumNumber
	name   string
}

// visit shows the values at the path, and reports whether visitor stopped.
func (p path) visit(s *subject, see visitor) bool {
	if t, ok := p.time(s.log); ok {
		return see(t.AsTime(), t != nil)
	}
	if name := p.segments[0]; name != "protoPayload" && name != "proto_payload" {
		return visitMessage(s.log.ProtoReflect(), p.segments, true, see)
	}
	found := false
	watch := func(v any, set bool) bool {
		found = true
		return see(v, set)
	}
	rest := p.segments[1:]
	if m := s.payload(); m != nil && visitPayload(s.log.GetProtoPayload(), m, rest, watch) {
		return true
	}
	unknown := !found || len(rest) == 0
	return unknown && s.raw != nil && visitStruct(s.raw, rest, watch)
}

// time is the entry's time that the path names, if it names one. Most filters ask
// for it of every entry, and reflection would take longer.
func (p path) time(e *loggingpb.LogEntry) (t *timestamppb.Timestamp, ok bool) {
	if len(p.segments) != 1 {
		return nil, false
	}
	switch p.segments[0] {
	case "timestamp":
		return e.GetTimestamp(), true
	case "receiveTimestamp", "receive_timestamp":
		return e.GetReceiveTimestamp(), true
	}
	return nil, false
}

// visitMessage walks m. defaults says whether messages that are not set are
// walked as if they were: within LogEntry itself, but not within a payload.
func visitMessage(m protoreflect.Message, segments []string, defaults bool, see visitor) bool {
	if known, stop := visitWellKnown(m, segments, see); known {
		return stop
	}
	if len(segments) == 0 {
		return see(m, m.IsValid())
	}
	fd := field(m.Descriptor(), segments[0])
	if fd == nil || fd.Message() != nil && !m.Has(fd) && !defaults {
		return false
	}
	v, rest := m.Get(fd), segments[1:]
	switch {
	case fd.IsList():
		for i := range v.List().Len() {
			if visitValue(fd, v.List().Get(i), true, rest, defaults, see) {
				return true
			}
		}
		return false
	case fd.IsMap():
		return visitMap(fd, v.Map(), rest, see)
	}
	return visitValue(fd, v, m.Has(fd), rest, defaults, see)
}

func visitMap(fd protoreflect.FieldDescriptor, m protoreflect.Map, segments []string, see visitor) bool {
	if len(segments) == 0 {
		return see(m, m.Len() > 0)
	}
	if fd.MapKey().Kind() != protoreflect.StringKind {
		return false
	}
	v := m.Get(protoreflect.ValueOfString(segments[0]).MapKey())
	return v.IsValid() && visitValue(fd.MapValue(), v, true, segments[1:], false, see)
}

func visitValue(fd protoreflect.FieldDescriptor, v protoreflect.Value, set bool, segments []string, defaults bool, see visitor) bool {
	if fd.Message() != nil {
		return visitMessage(v.Message(), segments, defaults, see)
	}
	return len(segments) == 0 && see(scalar(fd, v), set)
}

// visitWellKnown walks the messages that stand for something else in JSON.
func visitWellKnown(m protoreflect.Message, segments []string, see visitor) (known, stop bool) {
	switch v := m.Interface().(type) {
	case *timestamppb.Timestamp:
		return true, len(segments) == 0 && see(v.AsTime(), m.IsValid())
	case *durationpb.Duration:
		return true, len(segments) == 0 && see(v.AsDuration(), m.IsValid())
	case *structpb.Struct:
		return true, m.IsValid() && visitStruct(v, segments, see)
	case *structpb.Value:
		return true, visitJSON(v, segments, see)
	case *anypb.Any:
		inner, err := v.UnmarshalNew()
		return true, err == nil && m.IsValid() && visitPayload(v, inner, segments, see)
	}
	return false, false
}

// visitPayload walks what an Any holds. @type is that of the JSON form: an Any
// of a Struct that has an @type of its own stands for a type that is not linked.
func visitPayload(wrapped *anypb.Any, inner proto.Message, segments []string, see visitor) bool {
	if _, isStruct := inner.(*structpb.Struct); !isStruct && len(segments) == 1 && segments[0] == "@type" {
		return see(wrapped.GetTypeUrl(), true)
	}
	return visitMessage(inner.ProtoReflect(), segments, false, see)
}

func visitStruct(s *structpb.Struct, segments []string, see visitor) bool {
	if len(segments) == 0 {
		return see(s, true)
	}
	v, ok := s.GetFields()[segments[0]]
	return ok && visitJSON(v, segments[1:], see)
}

func visitJSON(v *structpb.Value, segments []string, see visitor) bool {
	switch k := v.GetKind().(type) {
	case *structpb.Value_StructValue:
		return visitStruct(k.StructValue, segments, see)
	case *structpb.Value_ListValue:
		for _, element := range k.ListValue.GetValues() {
			if visitJSON(element, segments, see) {
				return true
			}
		}
		return false
	}
	return len(segments) == 0 && see(v.AsInterface(), true)
}

// scalar returns a leaf of a message as one of the types a visitor sees.
func scalar(fd protoreflect.FieldDescriptor, v protoreflect.Value) any {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return v.Bool()
	case protoreflect.StringKind:
		return v.String()
	case protoreflect.BytesKind:
		return base64.StdEncoding.EncodeToString(v.Bytes())
	case protoreflect.EnumKind:
		name := ""
		if d := fd.Enum().Values().ByNumber(v.Enum()); d != nil {
			name = string(d.Name())
		}
		return enum{v.Enum(), name}
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return v.Float()
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind, protoreflect.Fixed32Kind, protoreflect.Fixed64Kind:
		return float64(v.Uint())
	}
	return float64(v.Int())
}
