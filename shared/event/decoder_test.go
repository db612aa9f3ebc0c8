package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event/scan"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// wantAsReference holds a Decoder and an Entry that were used before against
// encoding/json.
func wantAsReference(t *testing.T, d *Decoder, e *detect.Entry, data []byte) {
	t.Helper()
	want, wantErr := referenceDecode(data)
	err := d.Decode(data, e)
	if (err == nil) != (wantErr == nil) {
		t.Errorf("%.2000q: error %v, want %v", data, err, wantErr)
	}
	if diff := cmp.Diff(want, *e, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%.2000q is decoded otherwise than by encoding/json (-):\n%s", data, diff)
	}
}

// everything is an entry with all that is read.
const everything = `{"logName":"projects/p/logs/cloudaudit.googleapis.com%2Factivity","insertId":"i1","timestamp":"2026-03-01T12:00:00.5+01:00","receiveTimestamp":"2026-03-01T12:00:01Z",
"resource":{"type":"service_account","labels":{"project_id":"q","email_id":"sa@p.iam.gserviceaccount.com","unique_id":"1"}},"severity":"ERROR",
"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","serviceName":"iam.googleapis.com","methodName":"google.iam.admin.v1.CreateServiceAccountKey","resourceName":"r",
"status":{"code":"7","message":"denied","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"SECURITY_POLICY_VIOLATED"},{"violations":[{"subject":"s"},{"type":"VPC_SERVICE_CONTROLS"},{"type":"OTHER"}]}]},
"authenticationInfo":{"principalEmail":"e","principalSubject":"s","serviceAccountKeyName":"k","oauthInfo":{"oauthClientId":"o"},
"serviceAccountDelegationInfo":[{"principalSubject":"serviceAccount:a"},{"firstPartyPrincipal":{"principalEmail":"b"},"principalSubject":"c"},{}]},
"requestMetadata":{"callerIp":"192.0.2.1","callerSuppliedUserAgent":"curl","requestAttributes":{"time":"t","auth":{}}},
"authorizationInfo":[{"permission":"a.b.c","resource":"r1","granted":true,"resourceAttributes":{}},{"permission":"a.b.d","resource":"r2"}],
"request":{"permissions":["x.y.z"]},"response":{"name":"projects/p/serviceAccounts/s/keys/1","keyAlgorithm":2},
"serviceData":{"policyDelta":{"bindingDeltas":[{"action":"ADD","role":"roles/owner","member":"user:m"},{"action":"REMOVE","role":"roles/viewer","member":"user:n"}]}},
"metadata":{"violationReason":"NO_MATCHING_ACCESS_LEVEL","policyDelta":{"bindingDeltas":[{"action":"ADD","role":"roles/editor","member":"user:o"}]}}}}`

func audited(payload string) string {
	return `{"logName":"projects/p/logs/cloudaudit.googleapis.com%2Factivity","protoPayload":{` + payload + `}}`
}

func TestDecoderReadsAllThatDetectorsWant(t *testing.T) {
	for name, c := range map[string]struct {
		data string
		want detect.Entry
	}{
		"a key's birth": {everything, detect.Entry{
			Born: "projects/p/serviceAccounts/s/keys/1", Delegation: []string{"serviceAccount:a", "b", ""}, OAuthClient: "o", Violation: "VPC_SERVICE_CONTROLS",
			Grants: []detect.Grant{{Role: "roles/owner", Member: "user:m"}, {Role: "roles/editor", Member: "user:o"}},
		}},
		"a test of permissions": {audited(`"methodName":"google.cloud.resourcemanager.v3.Projects.TestIamPermissions","request":{"permissions":["a.b.c",5,"a.b.d"]},"response":{"name":"n"}`),
			detect.Entry{Tested: []string{"a.b.c", "", "a.b.d"}}},
		"a reading method":  {audited(`"methodName":"google.iam.admin.v1.GetServiceAccountKey","request":{"permissions":["a"]},"response":{"name":"n"}`), detect.Entry{}},
		"a short method":    {audited(`"methodName":"storage.hmacKeys.create","response":{"name":"n"}`), detect.Entry{Born: "n"}},
		"a reason":          {audited(`"status":{"code":7},"metadata":{"violationReason":"SERVICE_NOT_ALLOWED_FROM_VPC"}`), detect.Entry{Violation: "SERVICE_NOT_ALLOWED_FROM_VPC"}},
		"an ErrorInfo":      {audited(`"status":{"code":7,"details":[{},{"reason":"LOCATION_ORG_POLICY_VIOLATED"}]}`), detect.Entry{Violation: "LOCATION_ORG_POLICY_VIOLATED"}},
		"a missing grant":   {audited(`"status":{"code":7,"details":[{"reason":"IAM_PERMISSION_DENIED"}]}`), detect.Entry{}},
		"a constraint":      {audited(`"status":{"code":9,"message":"Key creation is not allowed: constraints/iam.disableServiceAccountKeyCreation. Ask."}`), detect.Entry{Violation: "constraints/iam.disableServiceAccountKeyCreation"}},
		"a constraint last": {audited(`"status":{"code":9,"message":"violates constraints/gcp.resourceLocations"}`), detect.Entry{Violation: "constraints/gcp.resourceLocations"}},
		"told of success":   {audited(`"status":{"message":"constraints/a.b"}`), detect.Entry{}},
	} {
		var d Decoder
		var e detect.Entry
		if err := d.Decode([]byte(c.data), &e); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got := detect.Entry{Born: e.Born, Delegation: e.Delegation, OAuthClient: e.OAuthClient, Violation: e.Violation, Tested: e.Tested, Grants: e.Grants}
		if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: other than wanted (-):\n%s", name, diff)
		}
	}
}

// odd are inputs at the edges of what a decoder takes.
func odd() []string {
	deep := func(n int, open, inside, shut string) string {
		return `{"a":` + strings.Repeat(open, n) + inside + strings.Repeat(shut, n) + `}`
	}
	return []string{
		everything, deniedEntry, "", " ", "{}", " {\n} ", "null", "[]", `"{}"`, "{", "}", "{}{}", "{},", "\x00", "\xff\xfe", "{\"a\":1}\x00",
		audited(`"methodName":"a","methodName":5`), audited(`"methodName":5,"methodName":"a"`), audited(`"status":{"code":7},"status":{}`), audited(`"status":{"code":7},"status":null`),
		`{"protoPayload":{"@type":"x","methodName":"m"},"logName":"projects/p/logs/cloudaudit.googleapis.com%2Factivity","protoPayload":{}}`,
		`{"protoPayload":{"methodName":"m"},"logName":"projects/p/logs/cloudaudit.googleapis.com%2Factivity","protoPayload":[]}`,
		`{"resource":{"labels":{"project_id":"a","email_id":"b"}},"resource":{}}`, `{"resource":{"labels":{"project_id":"a"},"labels":5}}`, `{"LOGNAME":"a","logname":"b"}`,
		audited(`"serviceData":{"policyDelta":{"bindingDeltas":[{"action":"ADD"}],"bindingDeltas":[{"action":"ADD","role":"r"}]}},"metadata":{"policyDelta":{"bindingDeltas":[{"action":"ADD","role":"s"}]}},"serviceData":{}`),
		audited(`"request":{"permissions":["a"]},"request":{"permissions":"a"},"methodName":"x.testIamPermissions"`),
		audited(`"authorizationInfo":[null,5,"a",[],{},{"permission":"p","granted":"true"},{"granted":true,"granted":null}]`), audited(`"authorizationInfo":{"permission":"p"}`),
		audited(`"authenticationInfo":{"serviceAccountDelegationInfo":[{}],"serviceAccountDelegationInfo":[null,"a",{"firstPartyPrincipal":"a","principalSubject":"b"}]}`),
		audited(`"status":{"code":"5"}`), audited(`"status":{"code":{}}`), audited(`"status":{"code":[7]}`), audited(`"status":{"code":-0}`), audited(`"status":{"code":7.0}`), audited(`"status":{"code":7e0}`),
		audited(`"status":{"code":"\u0037"}`), audited(`"status":{"code":"+7"}`), audited(`"status":{"code":99999999999}`), audited(`"status":{"code":"07"}`), audited(`"status":{"code":07}`), audited(`"status":{"code":true}`),
		audited(`"method\u004eame":"\ud83d\ude00 \ud83d \ude00 \ud83dx \ud83d\u0041 \u0000 \"\\\/\b\f\n\r\t"`), audited("\"methodName\":\"\xff\xc3\xa9\xed\xa0\x80\xc3\""), audited("\"method\xffName\":\"a\""),
		audited(`"methodName":"\x"`), audited(`"methodName":"\u12g4"`), audited(`"methodName":"\u12`), audited(`"x":"\`), audited("\"x\":\"\x01\""), audited("\"x\":\"a\nb\""), audited("\"x\":\"\x7f\""), `{"a":\"b"}`,
		`{"a":tru}`, `{"a":truex}`, `{"a":nul`, `{"a":-}`, `{"a":-0.0e-0}`, `{"a":01}`, `{"a":1.}`, `{"a":.1}`, `{"a":1e}`, `{"a":1e+}`, `{"a":+1}`, `{"a":1"b"}`, "{\"a\":1\f}", "{\"a\"\x1a1}", "{\"a\":1\f\"b\":2}", `{"a":NaN}`,
		`{"a":1,}`, `{,"a":1}`, `{"a",1}`, `{"a":1 "b":2}`, `{"a"}`, `{"a":}`, `{"a":[1,]}`, `{"a":[,1]}`, `{"a":[1 2]}`, `{"a":[}`, `{"a":{]}`, `{"a":[1}`, `{5:1}`, `{"a":1]`, `{"a":"b"`, `{"a":"b`, `{"a`, `{"a":"b"1}`, `{"a":"b""c"}`, "{\"a\":\"b\" \t\r\n ,\"logName\" \n : \r\"c\"\t}",
		deep(9999, "[", "", "]"), deep(10000, "[", "", "]"), deep(9999, `{"b":`, "1", "}"), deep(10000, `{"b":`, "1", "}"), deep(20000, "[", "", ""), audited(`"request":` + strings.Repeat("[", 9998) + strings.Repeat("]", 9998)), audited(`"request":` + strings.Repeat("[", 9999) + strings.Repeat("]", 9999)),
		`{"a":"` + strings.Repeat(`\\`, 100) + `"}`, `{"a":"` + strings.Repeat(`\`, 101) + `"}`, `{"a":"` + strings.Repeat("x", 57) + `\"","logName":"l"}`, `{"a":"` + strings.Repeat("x", 56) + `\\","logName":"l"}`, strings.Repeat(" ", 64) + "{}", strings.Repeat(" ", 63) + `{"logName":"` + strings.Repeat("é", 64) + `"}`,
		`{"timestamp":"0001-01-01T00:00:00Z"}`, `{"timestamp":"9999-12-31T23:59:59.999999999Z"}`, `{"timestamp":"9999-12-31T23:59:59-12:00","receiveTimestamp":"2026-02-29T00:00:00Z"}`, `{"timestamp":"2026-03-01t12:00:00z"}`, `{"timestamp":"2026-03-01T24:00:00Z"}`, `{"timestamp":"2026-03-01T23:59:60Z"}`, `{"timestamp":5,"receiveTimestamp":"2026-03-01T12:00:00.1234567891Z"}`, `{"timestamp":"2026-03-01T12:00:00,5Z"}`, `{"timestamp":"2024-02-29T12:00:00.Z"}`, `{"timestamp":"2100-02-29T12:00:00Z"}`, `{"timestamp":"2026-03-01T12:00:00+24:00"}`,
	}
}

func TestDecoderIsEncodingJSON(t *testing.T) {
	var d Decoder
	var e detect.Entry
	for _, data := range odd() {
		wantAsReference(t, &d, &e, []byte(data))
	}
	for i := range everything {
		wantAsReference(t, &d, &e, []byte(everything[:i]))
	}
	samples(t, func(_ string, line []byte) { wantAsReference(t, &d, &e, line) })
}

func TestDecoderTellsWhere(t *testing.T) {
	for data, want := range map[string]scan.Error{
		`{"a":1,}`:      {Offset: 7, Reason: "invalid character '}' looking for beginning of object key string"},
		`{"a":"b`:       {Offset: 7, Reason: "unexpected end of JSON input"},
		`{"a":tru}`:     {Offset: 8, Reason: "invalid character '}' in literal true (expecting 'e')"},
		`{"a":"\q"}`:    {Offset: 7, Reason: "invalid character 'q' in string escape code"},
		"{\"a\":\"\n\"": {Offset: 6, Reason: `invalid character '\n' in string literal`},
		`{"a":1}x`:      {Offset: 7, Reason: "invalid character 'x' after top-level value"},
		``:              {Offset: 0, Reason: "unexpected end of JSON input"},
	} {
		var d Decoder
		var e detect.Entry
		got := (*scan.Error)(nil)
		if err := d.Decode([]byte(data), &e); !errors.As(err, &got) || *got != want {
			t.Errorf("%q: %v, want %v", data, err, &want)
		}
	}
}

func TestDecoderNeedsNoMemory(t *testing.T) {
	lines := [][]byte{[]byte(everything), []byte(audited(`"methodName":"\u00e9\n","request":[[[{}]]]`)), []byte(audited(`"methodName":"é"`))}
	samples(t, func(_ string, line []byte) { lines = append(lines, []byte(string(line))) })
	var d Decoder
	var e detect.Entry
	if n := testing.AllocsPerRun(10, func() {
		for _, line := range lines {
			_ = d.Decode(line, &e) // errors are for the other tests
		}
	}); n != 0 {
		t.Errorf("%v allocations for %d lines, want none", n, len(lines))
	}
}

// TestTextsOfManyLinesStay reads lines whose texts do not alias them.
func TestTextsOfManyLinesStay(t *testing.T) {
	var d Decoder
	entries := make([]detect.Entry, 1000)
	for i := range entries {
		line := strings.Replace(everything, "i1", `\u0069`+strings.Repeat("é", i), 1)
		if err := d.DecodeNext([]byte(line), &entries[i]); err != nil {
			t.Fatal(err)
		}
	}
	for i, e := range entries {
		if want := "i" + strings.Repeat("é", i); e.InsertID != want {
			t.Fatalf("entry %d has insertId %q", i, e.InsertID)
		}
	}
	d.Reset()
}

func FuzzDecoder(f *testing.F) {
	for _, data := range odd() {
		if len(data) < 10000 {
			f.Add([]byte(data))
		}
	}
	if _, err := os.Stat(samplesDir); err == nil {
		samples(f, func(_ string, line []byte) { f.Add([]byte(string(line))) })
	}
	var d Decoder
	var e detect.Entry
	f.Fuzz(func(t *testing.T, data []byte) { wantAsReference(t, &d, &e, data) })
}

// BenchmarkDecode decodes an entry as it comes in lines, and pretty printed.
func BenchmarkDecode(b *testing.B) {
	var compact, pretty bytes.Buffer
	if err := errors.Join(json.Compact(&compact, []byte(deniedEntry)), json.Indent(&pretty, []byte(deniedEntry), "", "  ")); err != nil {
		b.Fatal(err)
	}
	for name, line := range map[string][]byte{"compact": compact.Bytes(), "pretty": pretty.Bytes()} {
		b.Run(name, func(b *testing.B) {
			var d Decoder
			var e detect.Entry
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			for b.Loop() {
				if err := d.Decode(line, &e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
