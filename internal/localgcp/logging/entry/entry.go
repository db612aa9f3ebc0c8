// Package entry holds log entries without losing what their writer put in.
//
// The protoPayload of a log entry is an Any, and its JSON form needs the type:
// where the type is not linked into the program, or is older than the writer's,
// plain protojson refuses the entry or drops fields. Google knows all its types;
// here such JSON travels as an Any of a google.protobuf.Struct whose fields
// include the "@type" of the original (its portable form), and leaves as the
// JSON it came in.
package entry

import (
	"encoding/json"
	"fmt"
	"reflect"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	_ "google.golang.org/genproto/googleapis/cloud/audit"    // protoPayload of audit logs
	_ "google.golang.org/genproto/googleapis/rpc/errdetails" // status.details therein
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// Entry is a log entry as it is kept. It must not be changed.
type Entry struct {
	// Log has a protoPayload of its own type where that is linked.
	Log *loggingpb.LogEntry
	// Payload is the JSON of protoPayload as written; nil when Log says it all.
	Payload *structpb.Struct
}

// New takes over e, which may have its protoPayload in portable form. It
// fails when the payload does not have the shape of its type.
func New(e *loggingpb.LogEntry) (Entry, error) {
	payload := portable(e.GetProtoPayload())
	if payload == nil {
		return Entry{Log: e}, nil
	}
	typed, err := typedPayload(payload)
	if err != nil {
		return Entry{}, fmt.Errorf("protoPayload: %w", err)
	}
	kept := Entry{Log: withPayload(e, typed)}
	if written, err := payloadJSON(typed); err != nil || !reflect.DeepEqual(written, payload.AsMap()) {
		kept.Payload = payload
	}
	return kept, nil
}

// Unmarshal reads the JSON form of a log entry. The protoPayload of the result is in portable form.
func Unmarshal(data []byte) (*loggingpb.LogEntry, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, fmt.Errorf("decoding a log entry: %w", err)
	}
	wrapPayload(fields)
	data, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("decoding a log entry: %w", err)
	}
	e := new(loggingpb.LogEntry)
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(data, e); err != nil {
		return nil, fmt.Errorf("decoding a log entry: %w", err)
	}
	return e, nil
}

// MarshalJSON writes the JSON form, as a log sink does.
func (e Entry) MarshalJSON() ([]byte, error) {
	data, err := protojson.Marshal(withPayload(e.Log, nil))
	if err != nil || e.Log.GetProtoPayload() == nil {
		return data, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	payload, err := e.payloadJSON()
	if err != nil {
		return nil, err
	}
	if fields["protoPayload"], err = json.Marshal(payload); err != nil {
		return nil, err
	}
	return json.Marshal(fields)
}

// Portable returns the entry with its protoPayload in portable form.
func (e Entry) Portable() (*loggingpb.LogEntry, error) {
	if e.Log.GetProtoPayload() == nil {
		return e.Log, nil
	}
	payload, err := e.payloadJSON()
	if err != nil {
		return nil, err
	}
	fields, err := structpb.NewStruct(payload)
	if err != nil {
		return nil, err
	}
	wrapped, err := anypb.New(fields)
	if err != nil {
		return nil, err
	}
	return withPayload(e.Log, wrapped), nil
}

func (e Entry) payloadJSON() (map[string]any, error) {
	if e.Payload != nil {
		return e.Payload.AsMap(), nil
	}
	return payloadJSON(e.Log.GetProtoPayload())
}

// withPayload returns a shallow copy of e with another protoPayload; none if nil.
func withPayload(e *loggingpb.LogEntry, payload *anypb.Any) *loggingpb.LogEntry {
	c := new(loggingpb.LogEntry)
	to := c.ProtoReflect()
	e.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.Name() != "proto_payload" {
			to.Set(fd, v)
		}
		return true
	})
	if payload != nil {
		c.Payload = &loggingpb.LogEntry_ProtoPayload{ProtoPayload: payload}
	}
	return c
}

// portable returns the fields of a payload in portable form; nil for one that is typed.
func portable(a *anypb.Any) *structpb.Struct {
	s := new(structpb.Struct)
	if a == nil || !a.MessageIs(s) || a.UnmarshalTo(s) != nil {
		return nil
	}
	return s
}

// typedPayload turns the JSON of a payload into an Any of its own type, or of
// a Struct where that is not linked.
func typedPayload(payload *structpb.Struct) (*anypb.Any, error) {
	data, err := json.Marshal(wrapUnlinked(anyDescriptor, payload.AsMap()))
	if err != nil {
		return nil, err
	}
	a := new(anypb.Any)
	return a, protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(data, a)
}

// payloadJSON is the JSON of an Any. What is of a type that is not linked
// becomes its type and its bytes.
func payloadJSON(a *anypb.Any) (map[string]any, error) {
	data, err := protojson.Marshal(a)
	if err != nil {
		c := proto.CloneOf(a)
		replaceUnlinked(c.ProtoReflect())
		if data, err = protojson.Marshal(c); err != nil {
			return nil, fmt.Errorf("encoding protoPayload: %w", err)
		}
	}
	var payload map[string]any
	if err := json.Unmarshal(data, &payload); err != nil {
		return nil, fmt.Errorf("encoding protoPayload: %w", err)
	}
	return unwrap(payload).(map[string]any), nil
}
