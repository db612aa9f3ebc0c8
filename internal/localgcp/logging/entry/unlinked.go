package entry

import (
	"encoding/base64"
	"encoding/json"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
)

const structType = "type.googleapis.com/google.protobuf.Struct"

var anyDescriptor = (*anypb.Any)(nil).ProtoReflect().Descriptor()

// wrapUnlinked rewrites object, the JSON form of md, so that every Any in it
// whose type is not linked is an Any of a Struct.
func wrapUnlinked(md protoreflect.MessageDescriptor, object map[string]any) map[string]any {
	if md.FullName() == anyDescriptor.FullName() {
		url, _ := object["@type"].(string)
		linked, err := protoregistry.GlobalTypes.FindMessageByURL(url)
		if err != nil {
			return map[string]any{"@type": structType, "value": object}
		}
		md = linked.Descriptor()
		if inner, ok := object["value"].(map[string]any); ok && md.FullName() == anyDescriptor.FullName() {
			object["value"] = wrapUnlinked(md, inner)
		}
	}
	if md.FullName().Parent() == "google.protobuf" {
		return object // a Struct, or another type with a JSON form of its own
	}
	for name, v := range object {
		fd := md.Fields().ByJSONName(name)
		if fd == nil || fd.Message() == nil || fd.IsMap() {
			continue
		}
		switch v := v.(type) {
		case map[string]any:
			object[name] = wrapUnlinked(fd.Message(), v)
		case []any:
			for i, element := range v {
				if o, ok := element.(map[string]any); ok {
					v[i] = wrapUnlinked(fd.Message(), o)
				}
			}
		}
	}
	return object
}

// unwrap undoes wrapUnlinked in any JSON.
func unwrap(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if inner, ok := v["value"].(map[string]any); ok && v["@type"] == structType {
			return inner
		}
		for name, field := range v {
			v[name] = unwrap(field)
		}
	case []any:
		for i, element := range v {
			v[i] = unwrap(element)
		}
	}
	return v
}

// replaceUnlinked turns every Any under m that protojson could not write into
// one that it can: an Any of a Struct with the type and, in base64, the bytes.
func replaceUnlinked(m protoreflect.Message) {
	if a, ok := m.Interface().(*anypb.Any); ok {
		replaceAny(a)
		return
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.Message() == nil, fd.IsMap():
		case fd.IsList():
			for i := range v.List().Len() {
				replaceUnlinked(v.List().Get(i).Message())
			}
		default:
			replaceUnlinked(v.Message())
		}
		return true
	})
}

func replaceAny(a *anypb.Any) {
	var readable proto.Message
	if inner, err := a.UnmarshalNew(); err == nil {
		replaceUnlinked(inner.ProtoReflect())
		readable = inner
	} else {
		readable = &structpb.Struct{Fields: map[string]*structpb.Value{
			"@type": structpb.NewStringValue(a.GetTypeUrl()),
			"value": structpb.NewStringValue(base64.StdEncoding.EncodeToString(a.GetValue())),
		}}
	}
	_ = a.MarshalFrom(readable) // fails only on text that is no UTF-8, and then protojson says so
}

// wrapPayload puts the protoPayload of an entry's JSON into portable form.
func wrapPayload(entry map[string]json.RawMessage) {
	for _, name := range []string{"protoPayload", "proto_payload"} {
		if payload, ok := entry[name]; ok && string(payload) != "null" {
			wrapped := append([]byte(`{"@type":"`+structType+`","value":`), payload...)
			entry[name] = append(wrapped, '}')
		}
	}
}

// unwrapPayload undoes wrapPayload.
func unwrapPayload(entry map[string]json.RawMessage) {
	var wrapped struct {
		Type  string          `json:"@type"`
		Value json.RawMessage `json:"value"`
	}
	if json.Unmarshal(entry["protoPayload"], &wrapped) == nil && wrapped.Type == structType {
		entry["protoPayload"] = wrapped.Value
	}
}
