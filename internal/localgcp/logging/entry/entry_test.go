package entry

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/genproto/googleapis/cloud/audit"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// The payloads that a plain protojson decoder refuses or alters.
var awkward = map[string]string{
	"known":             `{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","methodName":"m","status":{"code":7}}`,
	"defaults written":  `{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","authorizationInfo":[{"granted":false}],"status":{"code":0}}`,
	"unknown field":     `{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","methodName":"m","fromTheFuture":{"a":[1,"x",null]}}`,
	"unknown inside":    `{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","serviceData":{"@type":"type.googleapis.com/x.AuditData","delta":[{"a":1}]}}`,
	"unknown detail":    `{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","status":{"code":9,"details":[{"@type":"type.googleapis.com/x.Why","r":1},{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"R"}]}}`,
	"unknown in Struct": `{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","request":{"@type":"type.googleapis.com/x.Request","name":"n","policy":{"@type":"y"}}}`,
	"unknown":           `{"@type":"type.googleapis.com/some.Unknown","value":{"a":1}}`,
	"no type":           `{"methodName":"m"}`,
	"nested Any":        `{"@type":"type.googleapis.com/google.protobuf.Any","value":{"@type":"type.googleapis.com/x.Y","z":true}}`,
	"Struct":            `{"@type":"type.googleapis.com/google.protobuf.Struct","value":{"a":1}}`,
	"Duration":          `{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1.500s"}`,
}

func decode(t testing.TB, data []byte) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return v
}

// roundTrip takes an entry's JSON through everything that keeps or carries it.
func roundTrip(t testing.TB, data []byte) (written []byte, kept Entry) {
	t.Helper()
	read, err := Unmarshal(data)
	if err != nil {
		t.Fatal(err)
	}
	if kept, err = New(read); err != nil {
		t.Fatal(err)
	}
	portable, err := kept.Portable()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := protojson.Marshal(portable); err != nil {
		t.Errorf("plain protojson refuses the portable form: %v", err)
	}
	if _, err := protojson.Marshal(kept.Log); err != nil {
		t.Errorf("plain protojson refuses the entry that gRPC clients see: %v", err)
	}
	again, err := New(portable)
	if err != nil {
		t.Fatal(err)
	}
	if written, err = json.Marshal(again); err != nil {
		t.Fatal(err)
	}
	return written, kept
}

func TestPayloadsSurvive(t *testing.T) {
	for name, payload := range awkward {
		t.Run(name, func(t *testing.T) {
			data := `{"logName":"projects/p/logs/x","severity":"ERROR","labels":{"a<b":"&"},"protoPayload":` + payload + `}`
			written, _ := roundTrip(t, []byte(data))
			if got, want := decode(t, written), decode(t, []byte(data)); !reflect.DeepEqual(got, want) {
				t.Errorf("\n got %v\nwant %v", got, want)
			}
		})
	}
}

func TestAuditLogStaysTyped(t *testing.T) {
	for _, name := range []string{"known", "unknown field", "unknown inside", "unknown detail"} {
		_, kept := roundTrip(t, []byte(`{"protoPayload":`+awkward[name]+`}`))
		if err := kept.Log.GetProtoPayload().UnmarshalTo(new(audit.AuditLog)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if keeps := kept.Payload != nil; keeps != (name == "unknown field") {
			t.Errorf("%s: the JSON is kept beside the entry: %v", name, keeps)
		}
	}
}

func TestUnlinkedBytesAreWrittenWithTheirType(t *testing.T) {
	opaque := &anypb.Any{TypeUrl: "type.googleapis.com/x.Y", Value: []byte{1, 2}}
	//lint:ignore SA1019 what old services fill
	log, err := anypb.New(&audit.AuditLog{MethodName: "m", ServiceData: opaque})
	if err != nil {
		t.Fatal(err)
	}
	list, err := anypb.New(log)
	if err != nil {
		t.Fatal(err)
	}
	const y = `{"@type":"type.googleapis.com/x.Y","value":"AQI="}`
	const auditLog = `{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","methodName":"m","serviceData":` + y + `}`
	for want, payload := range map[string]*anypb.Any{
		y: opaque, auditLog: log, `{"@type":"type.googleapis.com/google.protobuf.Any","value":` + auditLog + `}`: list,
	} {
		e, err := New(&loggingpb.LogEntry{Payload: &loggingpb.LogEntry_ProtoPayload{ProtoPayload: payload}})
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := decode(t, data)["protoPayload"], any(decode(t, []byte(want))); !reflect.DeepEqual(got, want) {
			t.Errorf("\n got %v\nwant %v", got, want)
		}
		if !proto.Equal(e.Log.GetProtoPayload(), payload) {
			t.Errorf("the kept payload changed to %v", e.Log.GetProtoPayload())
		}
	}
}

func TestErrors(t *testing.T) {
	for _, data := range []string{``, `[]`, `{"severity":[]}`, `{"protoPayload":7}`, `{"protoPayload":[]}`} {
		if e, err := Unmarshal([]byte(data)); err == nil || e != nil {
			t.Errorf("%s: got %v, %v", data, e, err)
		}
	}
	for _, payload := range []string{
		`{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","methodName":7}`,
		`{"@type":"type.googleapis.com/google.protobuf.Duration","value":"long"}`,
	} {
		e, err := Unmarshal([]byte(`{"protoPayload":` + payload + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := New(e); err == nil || !strings.HasPrefix(err.Error(), "protoPayload: ") {
			t.Errorf("%s: got %v", payload, err)
		}
	}
	broken := &anypb.Any{TypeUrl: "type.googleapis.com/google.cloud.audit.AuditLog", Value: []byte("\x0a\xff")}
	e, err := New(&loggingpb.LogEntry{Payload: &loggingpb.LogEntry_ProtoPayload{ProtoPayload: broken}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := json.Marshal(e); err != nil {
		t.Errorf("a payload whose bytes are not of its type: %v", err)
	}
	bad := &loggingpb.LogEntry{InsertId: "\xff", Payload: &loggingpb.LogEntry_ProtoPayload{ProtoPayload: broken}}
	if _, err := (Entry{Log: bad}).MarshalJSON(); err == nil {
		t.Error("an insert id that is no UTF-8 was written")
	}
}

// Samples returns the real audit log entries that lie beside the repository.
func samples(t testing.TB) (lines [][]byte) {
	t.Helper()
	files, err := filepath.Glob("../../../../../shared/audit-samples/*.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(data) {
			if len(bytes.TrimSpace(line)) > 0 {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

func TestRealEntriesSurvive(t *testing.T) {
	lines := samples(t)
	if len(lines) == 0 {
		t.Skip("no entries in ../shared/audit-samples beside the repository")
	}
	for i, line := range lines {
		written, _ := roundTrip(t, line)
		got, want := decode(t, written), decode(t, line)
		dropEmpty(want)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("entry %d:\n got %v\nwant %v", i, got, want)
		}
	}
}

// dropEmpty removes what means nothing outside of a payload: empty labels.
func dropEmpty(e map[string]any) {
	if labels, ok := e["labels"].(map[string]any); ok && len(labels) == 0 {
		delete(e, "labels")
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, payload := range awkward {
		f.Add(`{"insertId":"i","protoPayload":` + payload + `}`)
	}
	f.Fuzz(func(t *testing.T, s string) {
		read, err := Unmarshal([]byte(s))
		if err != nil {
			return
		}
		first, err := New(read)
		if err != nil {
			return
		}
		data, err := json.Marshal(first)
		if err != nil {
			t.Fatalf("read but not written: %v", err)
		}
		read, err = Unmarshal(data)
		if err != nil {
			t.Fatalf("written as %s: %v", data, err)
		}
		again, err := New(read)
		if err != nil {
			t.Fatalf("written as %s: %v", data, err)
		}
		if !proto.Equal(first.Log, again.Log) || !proto.Equal(payloadOf(first), payloadOf(again)) {
			t.Fatalf("%s\nbecame %v\nand then %v", data, first, again)
		}
	})
}

func payloadOf(e Entry) *structpb.Struct {
	if e.Payload == nil {
		return &structpb.Struct{}
	}
	return e.Payload
}
