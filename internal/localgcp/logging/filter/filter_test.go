package filter

import (
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	_ "google.golang.org/genproto/googleapis/cloud/audit"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const auditJSON = `{
	"logName": "projects/p/logs/cloudaudit.googleapis.com%2Factivity",
	"resource": {"type": "service_account", "labels": {"project_id": "p", "email_id": "sa@p.iam.gserviceaccount.com"}},
	"timestamp": "2026-11-20T10:00:00.5Z",
	"severity": "ERROR",
	"insertId": "i1",
	"labels": {"goog-managed-by": "cloudfunctions", "k8s-pod/app": "Web"},
	"operation": {"id": "op", "first": true},
	"protoPayload": {
		"@type": "type.googleapis.com/google.cloud.audit.AuditLog",
		"serviceName": "iam.googleapis.com",
		"methodName": "google.iam.admin.v1.CreateServiceAccountKey",
		"status": {"code": 7, "message": "PERMISSION_DENIED"},
		"authenticationInfo": {"principalEmail": "eve@example.com"},
		"authorizationInfo": [
			{"permission": "iam.serviceAccountKeys.create", "granted": true},
			{"permission": "iam.serviceAccounts.get"}
		],
		"numResponseItems": "12",
		"request": {"@type": "type.googleapis.com/x.Unknown", "names": ["Ada", "Bob"], "n": 5, "ok": true, "none": null}
	}
}`

const plainJSON = `{
	"logName": "projects/p/logs/run.googleapis.com%2Fstdout",
	"resource": {"type": "cloud_run_revision"},
	"timestamp": "2026-11-21T00:00:00Z",
	"severity": "INFO",
	"httpRequest": {"status": 503, "latency": "1.500s", "requestMethod": "GET"},
	"jsonPayload": {"message": "Hello World", "size": 10, "nested": {"deep": [{"id": "x1"}, {"id": "y2"}]}, "quoted\"key": "v"}
}`

func entryOf(t testing.TB, text string) *loggingpb.LogEntry {
	t.Helper()
	e := new(loggingpb.LogEntry)
	if err := protojson.Unmarshal([]byte(text), e); err != nil {
		t.Fatal(err)
	}
	return e
}

func mustParse(t testing.TB, s string) *Filter {
	t.Helper()
	f, err := Parse(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return f
}

func TestMatchAuditEntry(t *testing.T) {
	e := entryOf(t, auditJSON)
	for filter, want := range map[string]bool{
		``:                         true,
		"  -- only a comment":      true,
		"severity=ERROR -- and so": true,

		`severity>=ERROR`:                          true,
		`severity>"warning"`:                       true,
		`severity<=500`:                            true,
		`severity=ALERT`:                           false,
		`severity=(ALERT OR ERROR)`:                true,
		`severity!=ERROR`:                          false,
		`NOT severity<ERROR`:                       true,
		`-severity:ERROR`:                          false,
		`severity=~"ERR"`:                          true,
		`timestamp>="2026-11-20"`:                  true,
		`timestamp<"2026-11-20"`:                   false,
		`receiveTimestamp<"2000-01-01"`:            true, // defaulted
		`receive_timestamp>="2000-01-01"`:          false,
		`timestamp:*`:                              true,
		`receiveTimestamp:*`:                       false,
		`timestamp>=2026-11-20T10:00:00.6Z`:        false,
		`timestamp>="2026-11-20T12:00:00.4+02:00"`: true,

		`log_id("cloudaudit.googleapis.com/activity")`:                   true,
		`log_id("CLOUDAUDIT.googleapis.com/activity")`:                   true,
		`log_id("cloudaudit.googleapis.com/policy")`:                     false,
		`log_id("a") OR log_id("cloudaudit.googleapis.com/activity")`:    true,
		`logName="projects/p/logs/cloudaudit.googleapis.com%2Factivity"`: true,
		`logName=projects/p/logs/cloudaudit.googleapis.com%2Factivity`:   true,
		`logName:"cloudaudit.googleapis.com"`:                            true,
		`log_name:activity`:                                              true,
		`resource.type="service_account" resource.labels.project_id=p`:   true,
		`resource.labels.email_id:"sa@"`:                                 true,
		`labels."goog-managed-by"="cloudfunctions"`:                      true,
		`labels.goog-managed-by=cloudfunctions`:                          true,
		`labels.'k8s-pod/app'=web`:                                       true,
		`labels.absent="x"`:                                              false,
		`labels.absent!="x"`:                                             false,
		`NOT labels.absent="x"`:                                          true,
		`labels:cloudfunctions`:                                          true,
		`labels:goog-managed`:                                            true,
		`labels:*`:                                                       true,
		`labels.absent:*`:                                                false,
		`trace:*`:                                                        false,
		`trace!="x"`:                                                     true, // defaulted
		`operation.first=TRUE`:                                           true,
		`operation.last=true`:                                            false,
		`operation.producer=""`:                                          true,
		`httpRequest.status=0`:                                           true,
		`httpRequest:*`:                                                  false,
		`operation:*`:                                                    true,

		`protoPayload.serviceName=iam.googleapis.com`:                          true,
		`protoPayload.service_name="IAM.googleapis.com"`:                       true,
		`proto_payload.serviceName="sts.googleapis.com"`:                       false,
		`protoPayload.methodName:"ServiceAccountKey"`:                          true,
		`protoPayload.methodName=~"\.Create\w+Key$"`:                           true,
		`protoPayload.methodName=~"createServiceAccountKey"`:                   false,
		`protoPayload.methodName!~"Delete"`:                                    true,
		`protoPayload.status.code=7`:                                           true,
		`protoPayload.status.code="7"`:                                         true,
		`protoPayload.status.code!=7`:                                          false,
		`protoPayload.status.code>6.5`:                                         true,
		`protoPayload.numResponseItems>=12`:                                    true,
		`protoPayload.authorizationInfo.granted=false`:                         true,
		`protoPayload.authorizationInfo.permission="iam.serviceAccounts.get"`:  true,
		`protoPayload.authorizationInfo.permission=("a" OR "b")`:               false,
		`protoPayload.authenticationInfo.principalEmail="eve@example.com"`:     true,
		`protoPayload.requestMetadata.callerIp!="1.2.3.4"`:                     false, // missing
		`protoPayload.resourceLocation.currentLocations:*`:                     false,
		`protoPayload.request.names="bob"`:                                     true,
		`protoPayload.request.names:("ad" AND "bo")`:                           true,
		`protoPayload.request.names=("ada" NOT "bob")`:                         false,
		`protoPayload.request.n>4`:                                             true,
		`protoPayload.request.n="5"`:                                           true,
		`protoPayload.request.n:5`:                                             true,
		`protoPayload.request.n=~"^5$"`:                                        true,
		`protoPayload.request.ok=true`:                                         true,
		`protoPayload.request.none=NULL_VALUE`:                                 true,
		`protoPayload.request.none="NULL_VALUE"`:                               false,
		`protoPayload.request.none:*`:                                          true,
		`protoPayload.request.absent=NULL_VALUE`:                               false,
		`protoPayload.request.names.deeper=1`:                                  false,
		`protoPayload.request:"ADA"`:                                           true,
		`protoPayload:eve`:                                                     true,
		`protoPayload>eve`:                                                     false,
		`protoPayload.request."@type":Unknown`:                                 true,
		`protoPayload.@type="type.googleapis.com/google.cloud.audit.AuditLog"`: true,
		`protoPayload.nonsense=1`:                                              false,
		`protoPayload.serviceName.deeper=1`:                                    false,
		`jsonPayload.x=1`:                                                      false,
		`jsonPayload.x!=1`:                                                     false,
		`textPayload=""`:                                                       true,

		`eve@example.com`:      true,
		`"permission_denied"`:  true,
		`"nobody wrote this"`:  false,
		`google.iam.admin`:     true,
		`cloudfunctions AND p`: true,
		`k8s-pod`:              true,
		`"2026-11-20T10:00"`:   true,
		`ERROR`:                true,
		`Ada -Carol`:           true,
		`and`:                  false,
	} {
		if got := mustParse(t, filter).Match(e, nil); got != want {
			t.Errorf("%s: %v, want %v", filter, got, want)
		}
	}
}

func TestMatchPlainEntry(t *testing.T) {
	e := entryOf(t, plainJSON)
	for filter, want := range map[string]bool{
		`httpRequest.status>=500`:           true,
		`httpRequest.latency>1s`:            true,
		`httpRequest.latency>"2s"`:          false,
		`http_request.request_method="get"`: true,
		`jsonPayload.message="hello world"`: true,
		`jsonPayload.message:"lo wo"`:       true,
		`jsonPayload.message>"hello"`:       true,
		`jsonPayload.size=10`:               true,
		`jsonPayload.size<9`:                false,
		`jsonPayload.size="ten"`:            false,
		`jsonPayload.nested.deep.id="y2"`:   true,
		`jsonPayload.nested.deep.id=~"^x"`:  true,
		`jsonPayload.nested.deep.id="z"`:    false,
		`jsonPayload."quoted\"key"=v`:       true,
		`jsonPayload:*`:                     true,
		`protoPayload:*`:                    false,
		`protoPayload.status.code=7`:        false,
		`NOT protoPayload.status.code=7`:    true,
		`resource.type="cloud_run_revision" logName:"run.googleapis.com" timestamp>="2026-11-15T23:33:23.723481Z"`: true,
	} {
		if got := mustParse(t, filter).Match(e, nil); got != want {
			t.Errorf("%s: %v, want %v", filter, got, want)
		}
	}
}

// NOT binds tighter than OR, and OR tighter than AND.
func TestPrecedence(t *testing.T) {
	for filter, want := range map[string]bool{
		`T OR F AND F`:            false, // (T OR F) AND F
		`F AND F OR T`:            false, // F AND (F OR T)
		`T OR NOT T AND F`:        false,
		`NOT F OR T`:              true,
		`T F OR T`:                true,
		`T OR T F`:                false,
		`T OR (F AND F)`:          true,
		`NOT (F OR F)`:            true,
		`NOT NOT T`:               true,
		`- - T`:                   true,
		`(T)AND(T)`:               true,
		"T\nAND -- comment ( \nT": true,
	} {
		filter = strings.NewReplacer("NOT", "NOT", "T", "severity=INFO", "F", "severity=ALERT").Replace(filter)
		if got := mustParse(t, filter).Match(entryOf(t, plainJSON), nil); got != want {
			t.Errorf("%s: %v, want %v", filter, got, want)
		}
	}
}

func TestParseSaysWhatIsWrongAndWhere(t *testing.T) {
	for filter, want := range map[string]string{
		`severity>=`:                     `line 1, column 11, token '': the filter ends where a value should follow`,
		`severity>=LOUD`:                 `line 1, column 11, token 'LOUD': "LOUD" is no LogSeverity`,
		`timestamp>"yesterday"`:          `line 1, column 11, token '"': "yesterday" is no time; write 2006-01-02T15:04:05Z`,
		`httpRequest.latency>fast`:       `line 1, column 21, token 'fast': "fast" is no duration; write 1.5s`,
		`httpRequest.status=ok`:          `line 1, column 20, token 'ok': "ok" is no number`,
		`operation.first=maybe`:          `line 1, column 17, token 'maybe': "maybe" is neither TRUE nor FALSE`,
		"severity=INFO\nAND thud=1":      `line 2, column 5, token 'thud': field not found: LogEntry has no thud`,
		`operation.thud=1`:               `line 1, column 1, token 'operation.thud': field not found: LogEntry has no operation.thud`,
		`textPayload.thud=1`:             `line 1, column 1, token 'textPayload.thud': textPayload has no fields`,
		`(severity=INFO`:                 `line 1, column 15, token '': the filter ends where ")" should follow`,
		`severity=INFO)`:                 `line 1, column 14, token ')': expected AND, OR or another term`,
		`severity=INFO AND`:              `line 1, column 18, token '': the filter ends where a field, a string, NOT or "(" should follow`,
		`OR severity=INFO`:               `line 1, column 1, token 'OR': expected a term`,
		`NOT`:                            `line 1, column 4, token '': the filter ends where a field, a string, NOT or "(" should follow`,
		`a = = b`:                        `line 1, column 1, token 'a': field not found: LogEntry has no a`,
		`insertId = = b`:                 `line 1, column 12, token '=': expected a value`,
		`insertId=("a" OR)`:              `line 1, column 17, token ')': expected a value`,
		`insertId=~"("`:                  "line 1, column 11, token '\"': invalid regular expression: error parsing regexp: missing closing ): `(`",
		`"open`:                          `line 1, column 1, token '"': expected a field, a string, NOT or "("`,
		`jsonPayload.`:                   `line 1, column 13, token '': the filter ends where a field, a string, NOT or "(" should follow`,
		`sample(insertId, 0.1)`:          `line 1, column 1, token 'sample': the function sample is not part of this implementation; log_id is`,
		`log_id(x)`:                      `line 1, column 8, token 'x': expected one quoted log id and ")"`,
		`a,b`:                            `line 1, column 2, token ',': expected a field, a string, NOT or "("`,
		strings.Repeat("x", MaxLength+1): `the filter is 20001 bytes long; at most 20000 are allowed`,
	} {
		f, err := Parse(filter)
		if f != nil || err == nil || strings.TrimPrefix(err.Error(), "syntax error at ") != want {
			t.Errorf("%.40s\n got %v, %v\nwant %s", filter, f, err, want)
		}
	}
}

func TestPayloadOfUnknownTypeIsReadFromItsJSON(t *testing.T) {
	payload, err := structpb.NewStruct(map[string]any{
		"@type": "type.googleapis.com/some.Unknown", "name": "nessie", "parts": []any{map[string]any{"n": 1.0}},
	})
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := anypb.New(payload)
	if err != nil {
		t.Fatal(err)
	}
	opaque := &anypb.Any{TypeUrl: "type.googleapis.com/some.Unknown", Value: []byte("\xff\xff")}
	for name, tc := range map[string]struct {
		any *anypb.Any
		raw *structpb.Struct
	}{"as Struct": {wrapped, nil}, "unlinked with JSON": {opaque, payload}} {
		e := &loggingpb.LogEntry{Payload: &loggingpb.LogEntry_ProtoPayload{ProtoPayload: tc.any}}
		for filter, want := range map[string]bool{
			`protoPayload.name="nessie"`:          true,
			`protoPayload.parts.n=1`:              true,
			`protoPayload."@type":"some.Unknown"`: true,
			`protoPayload.status.code=7`:          false,
			`protoPayload:nessie`:                 true,
			`nessie`:                              true,
		} {
			if got := mustParse(t, filter).Match(e, tc.raw); got != want {
				t.Errorf("%s, %s: %v, want %v", name, filter, got, want)
			}
		}
		if name == "unlinked with JSON" && mustParse(t, `protoPayload.name:*`).Match(e, nil) {
			t.Error("a payload of an unknown type has fields without its JSON")
		}
	}
}

func TestPayloadsOfOtherTypes(t *testing.T) {
	for filter, m := range map[string]proto.Message{
		`protoPayload.value>1.4`:                wrapperspb.Double(1.5),
		`protoPayload.value=7`:                  wrapperspb.UInt64(7),
		`protoPayload.value="AQI="`:             wrapperspb.Bytes([]byte{1, 2}),
		`protoPayload<"2s"`:                     durationpb.New(1e9),
		`protoPayload>="2026-01-01"`:            timestamppb.New(time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)),
		`protoPayload.httpRequest.latency>1s`:   entryOf(t, plainJSON),
		`protoPayload.jsonPayload.size=10`:      entryOf(t, plainJSON),
		`protoPayload.logEntryErrors:*`:         &loggingpb.WriteLogEntriesPartialErrors{LogEntryErrors: map[int32]*status.Status{3: {Message: "why"}}},
		`protoPayload:why`:                      &loggingpb.WriteLogEntriesPartialErrors{LogEntryErrors: map[int32]*status.Status{3: {Message: "why"}}},
		`-protoPayload.logEntryErrors.3.code=0`: &loggingpb.WriteLogEntriesPartialErrors{LogEntryErrors: map[int32]*status.Status{3: {}}},
		`eve NOT nobody`:                        entryOf(t, auditJSON),
	} {
		wrapped, err := anypb.New(m)
		if err != nil {
			t.Fatal(err)
		}
		e := &loggingpb.LogEntry{Payload: &loggingpb.LogEntry_ProtoPayload{ProtoPayload: wrapped}}
		if !mustParse(t, filter).Match(e, nil) {
			t.Errorf("%s does not match %v", filter, m)
		}
	}
}

// The negation of every filter that parses matches exactly what it does not.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		``, `severity>=INFO`, `timestamp>="2026-11-21T23:29:32.646101Z" AND severity>=INFO`, `labels."goog-managed-by"="x" -y`,
		`protoPayload.request.names=("a" OR "b" NOT c)`, `log_id("a") OR jsonPayload.x=~"\d+"`, `"\xff\u00e9\q` + "\xfe\"", `a--b`, `'`,
		`httpRequest.latency>1s`, `protoPayload.@type:*`, `insertId=(((a)))`, "x -- c\ny",
	} {
		f.Add(seed)
	}
	entries := []*loggingpb.LogEntry{entryOf(f, auditJSON), entryOf(f, plainJSON), {Resource: &monitoredres.MonitoredResource{}}}
	f.Fuzz(func(t *testing.T, s string) {
		parsed, err := Parse(s)
		if err != nil {
			if parsed != nil {
				t.Fatalf("a filter besides the error %v", err)
			}
			return
		}
		negated := "NOT (" + s + "\n)"
		if parsed == nil || len(negated) > MaxLength {
			return
		}
		opposite := mustParse(t, negated)
		for _, e := range entries {
			if parsed.Match(e, nil) == opposite.Match(e, nil) {
				t.Fatalf("%q and its negation agree on %v", s, e)
			}
		}
	})
}
