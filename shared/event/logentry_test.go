package event

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/detect"
)

const deniedEntry = `{"logName":"projects/p/logs/cloudaudit.googleapis.com%2Fdata_access","insertId":"i1","timestamp":"2026-03-01T12:00:00.5+01:00",
"severity":"ERROR","resource":{"type":"service_account","labels":{"project_id":"q","email_id":"sa@p.iam.gserviceaccount.com"}},
"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","status":{"code":7,"message":"denied"},
"authenticationInfo":{"principalEmail":"e","principalSubject":"s","serviceAccountKeyName":"k"},
"requestMetadata":{"callerIp":"192.0.2.1","callerSuppliedUserAgent":"curl"},"serviceName":"iam.googleapis.com","methodName":"m","resourceName":"r",
"authorizationInfo":[{"permission":"a.b.c","resource":"r1","granted":true},{"permission":"a.b.d","resource":"r2"}]}}`

func TestDecodeLogEntry(t *testing.T) {
	got, err := DecodeLogEntry([]byte(deniedEntry))
	want := detect.Entry{
		Audit: true, LogName: "projects/p/logs/cloudaudit.googleapis.com%2Fdata_access", InsertID: "i1", Project: "q",
		Time: time.Date(2026, 3, 1, 11, 0, 0, 5e8, time.UTC), Service: "iam.googleapis.com", Method: "m", Resource: "r",
		Account: "sa@p.iam.gserviceaccount.com", Principal: "e", PrincipalSubject: "s", KeyName: "k", CallerIP: "192.0.2.1", UserAgent: "curl",
		Code: 7, Message: "denied", Permissions: []detect.Permission{{Name: "a.b.c", Resource: "r1", Granted: true}, {Name: "a.b.d", Resource: "r2"}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("entry = %+v, %v\nwant %+v", got, err, want)
	}
}

// TestEntriesHaveMemoryOfTheirOwn decodes texts that are not in the data as they
// are, one entry after the other.
func TestEntriesHaveMemoryOfTheirOwn(t *testing.T) {
	entry := func(c string) []byte {
		return []byte(audited(`"methodName":"` + strings.Repeat(`\u00`+c, 8) + `","request":{"policy":{}},"authenticationInfo":{"principalEmail":"\u00` + c + `@x"}`))
	}
	line := entry("41")
	first, err := DecodeLogEntry(line)
	if err != nil {
		t.Fatal(err)
	}
	clear(line)
	for range 10 {
		if e, err := DecodeLogEntry(entry("42")); err != nil || e.Principal != "B@x" {
			t.Fatalf("%+v, %v", e, err)
		}
	}
	if first.Method != "AAAAAAAA" || first.Principal != "A@x" {
		t.Errorf("the first entry has become %+v", first)
	}
}

func TestDecodeLogEntryTolerates(t *testing.T) {
	audit := func(payload string) string {
		return `{"logName":"projects/p/logs/cloudaudit.googleapis.com%2Factivity","protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog"` + payload + `}}`
	}
	for name, c := range map[string]struct {
		data  string
		audit bool
		code  int32
	}{
		"code in a string":       {audit(`,"status":{"code":"7"}`), true, 7},
		"no status":              {audit(``), true, 0},
		"empty status":           {audit(`,"status":{}`), true, 0},
		"status null":            {audit(`,"status":null`), true, 0},
		"status of another kind": {audit(`,"status":"denied"`), true, 0},
		"code of another kind":   {audit(`,"status":{"code":{}}`), true, 0},
		"code out of range":      {audit(`,"status":{"code":99999999999}`), true, 0},
		"fields after a misfit":  {audit(`,"methodName":5,"authorizationInfo":"none","status":{"code":7}`), true, 7},
		"unknown fields":         {audit(`,"somethingNew":{"a":[1]},"status":{"code":7}`), true, 7},
		"type lost":              {`{"logName":"projects/p/logs/cloudaudit.googleapis.com%2Factivity","protoPayload":{"status":{"code":7}}}`, true, 7},
		"another payload":        {`{"logName":"projects/p/logs/x","protoPayload":{"@type":"type.googleapis.com/google.appengine.logging.v1.RequestLog","status":200}}`, false, 0},
		"text":                   {`{"logName":"projects/p/logs/x","textPayload":"hello"}`, false, 0},
		"an unknown object":      {` {"command":"sweep"}`, false, 0},
	} {
		e, err := DecodeLogEntry([]byte(c.data))
		if err != nil || e.Audit != c.audit || e.Code != c.code {
			t.Errorf("%s: audit %v, code %d, error %v; want %v, %d", name, e.Audit, e.Code, err, c.audit, c.code)
		}
	}
}

func TestDecodeLogEntryRefuses(t *testing.T) {
	for _, data := range []string{"", "hello", "null", "[]", `"{}"`, "{", `{"a":1}{}`, "\x00\xff"} {
		if e, err := DecodeLogEntry([]byte(data)); err == nil || !strings.Contains(err.Error(), "point the log sink") || !reflect.ValueOf(e).IsZero() {
			t.Errorf("%q: entry %+v, error %v; want none and the next step", data, e, err)
		}
	}
}

func TestEntryTimeAndProject(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for data, want := range map[string]detect.Entry{
		`{"timestamp":"2026-03-01T12:00:00Z","receiveTimestamp":"2026-03-01T13:00:00Z"}`: {Time: at},
		`{"timestamp":"yesterday","receiveTimestamp":"2026-03-01T12:00:00Z"}`:            {Time: at},
		`{"timestamp":"9999-12-31T23:59:59-12:00"}`:                                      {},
		`{"timestamp":"0000-01-01T00:00:00+12:00"}`:                                      {},
		`{"logName":"projects/p/logs/x"}`:                                                {LogName: "projects/p/logs/x", Project: "p"},
		`{"logName":"folders/1/logs/x"}`:                                                 {LogName: "folders/1/logs/x"},
	} {
		if got, err := DecodeLogEntry([]byte(data)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v, want %+v", data, got, err, want)
		}
	}
}

const samplesDir = "../../../shared/audit-samples"

// samples yields the lines of the public audit log samples beside the repository.
func samples(t testing.TB, yield func(name string, line []byte)) {
	t.Helper()
	files, _ := filepath.Glob(samplesDir + "/*.jsonl")
	if len(files) == 0 {
		t.Skip("no ../shared/audit-samples beside the repository")
	}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for n := 1; lines.Scan(); n++ {
			yield(fmt.Sprintf("%s:%d", filepath.Base(file), n), lines.Bytes())
		}
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSamplesAreAuditEntries(t *testing.T) {
	samples(t, func(name string, line []byte) {
		if e, err := DecodeLogEntry(line); err != nil || !e.Audit || e.Time.IsZero() || e.InsertID == "" {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	})
}
