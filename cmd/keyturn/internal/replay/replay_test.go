package replay

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/rule"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// entry is a log entry, denied unless code is 0, of the second n.
func entry(n, code int) string {
	return fmt.Sprintf(`{"insertId":"i%d","logName":"projects/p/logs/cloudaudit.googleapis.com%%2Factivity","timestamp":%q,"protoPayload":{`+
		`"@type":"type.googleapis.com/google.cloud.audit.AuditLog","serviceName":"s.googleapis.com","methodName":"m%d","status":{"code":%d},`+
		`"authenticationInfo":{"principalEmail":"a@example.com"},"requestMetadata":{"callerIp":"192.0.2.7"}}}`,
		n, start.Add(time.Duration(n)*time.Second).Format(time.RFC3339Nano), n, code)
}

func write(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func refused(t testing.TB) *rule.Set {
	t.Helper()
	s, err := rule.Parse("rules", []byte("rules:\n- {name: refused, when: denied}\n"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// lines decodes lines of JSON.
func lines(t *testing.T, data []byte) []map[string]any {
	t.Helper()
	var all []map[string]any
	for d := json.NewDecoder(bytes.NewReader(data)); ; {
		var line map[string]any
		if err := d.Decode(&line); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, line)
	}
}

func TestWhatIsNoLogIsRejected(t *testing.T) {
	dir := t.TempDir()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	for n := range 20_000 {
		fmt.Fprintln(z, entry(n, 0))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	random := make([]byte, 1<<16)
	for i := range random {
		random[i] = byte(i * i >> 3)
	}
	junk := append([]byte(entry(0, 7)+"\n"), random...)
	invalid := []byte(strings.Replace(entry(0, 7), "a@example.com", "\xff\xfe\x80@example.com", 1))
	for _, tt := range []struct {
		name     string
		data     []byte
		decoded  int64 // at least
		rejected bool
		err      string
	}{
		{"binary", random, 0, false, "holds no log entries"},
		{"binary after an entry", junk, 1, true, "for the most part no log entries"},
		{"half a gzip", packed.Bytes()[:packed.Len()/2], 1000, true, "is cut off"},
		{"a gzip of nothing", []byte("\x1f\x8b\x08"), 0, false, "compressed, but not as it should be"},
		{"empty", nil, 0, false, "is empty"},
		{"CSV", []byte("a,b\n1,2\n"), 0, false, "holds no log entries"},
		{"other JSON", []byte(`{"name": "x"}`), 1, false, "none of its 1 objects has a logName"},
		{"a list of numbers", []byte("[1, 2, 3]"), 0, true, "holds no log entry"},
		{"invalid UTF-8", invalid, 1, false, ""},
		{"lines cut off", []byte(entry(0, 7) + "\n" + entry(1, 7)[:100]), 1, true, "its last line has no end"},
		{"an array cut off", []byte("[" + entry(0, 7) + ",\n" + entry(1, 7)), 2, false, "has no end"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var records, rejects bytes.Buffer
			r, err := Run(t.Context(), Config{Files: []string{write(t, dir, "log", tt.data)}, Records: &records, Rejects: &rejects})
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if r.Decoded < tt.decoded || (r.Rejected > 0) != tt.rejected || r.Entries != r.Decoded+r.Rejected {
				t.Errorf("%d entries, %d decoded, %d rejected", r.Entries, r.Decoded, r.Rejected)
			}
			if got := lines(t, records.Bytes()); len(got) != int(r.Decoded) {
				t.Errorf("%d records of %d entries", len(got), r.Decoded)
			}
			if got := lines(t, rejects.Bytes()); len(got) != int(r.Rejected) || r.Rejected > 0 && (got[0]["line"] == nil || got[0]["reason"] == nil) {
				t.Errorf("rejects %v, want %d", got, r.Rejected)
			}
			if len(r.Samples) > maxSamples || !utf8.ValidString(fmt.Sprint(r.Samples, err)) || strings.ContainsAny(fmt.Sprint(r.Samples, err), "\x00\x1b") {
				t.Errorf("%q, %v", r.Samples, err)
			}
		})
	}
}

// The public samples stand beside the repository, not in it.
func TestPublicSamples(t *testing.T) {
	dir, err := filepath.Abs("../../../../../shared/audit-samples")
	if err != nil {
		t.Fatal(err)
	}
	labels, err := os.Open(filepath.Join(dir, "labels.csv"))
	if err != nil {
		t.Skipf("the samples are not there: %v", err)
	}
	defer labels.Close()
	rows, err := csv.NewReader(labels).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	denied := map[string]bool{}
	for _, row := range rows[1:] {
		denied[row[0]+":"+row[1]] = row[3] == "yes"
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var records bytes.Buffer
	r, err := Run(t.Context(), Config{Files: files, Records: &records})
	if err != nil || r.Decoded != 95 || r.Denials != 13 || r.Rejected != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	for _, line := range lines(t, records.Bytes()) {
		at := fmt.Sprintf("%s:%.0f", filepath.Base(line["file"].(string)), line["line"])
		want, ok := denied[at]
		if !ok || line["denied"] != want {
			t.Errorf("%s: denied %v, want %v", at, line["denied"], want)
		}
		delete(denied, at)
	}
	if len(denied) > 0 {
		t.Errorf("no records of %v", denied)
	}
}

// Records and findings have all that is promised of them, however little an entry says.
func TestLinesHaveAllFields(t *testing.T) {
	var records, findings bytes.Buffer
	log := write(t, t.TempDir(), "log", []byte(entry(0, 7)+"\n{\"logName\":\"l\"}\n"))
	if _, err := Run(t.Context(), Config{Files: []string{log}, Rules: refused(t), Records: &records, Findings: &findings}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		lines  []byte
		n      int
		fields string
	}{
		{records.Bytes(), 2, "line denied code service method subject principal key caller_ip user_agent permissions resource insert_id time"},
		{findings.Bytes(), 1, "time detector severity subject credential score reason evidence first_seen last_seen"},
	} {
		all := lines(t, tt.lines)
		if len(all) != tt.n {
			t.Errorf("%d lines, want %d", len(all), tt.n)
		}
		for _, line := range all {
			for _, field := range strings.Fields(tt.fields) {
				if line[field] == nil {
					t.Errorf("no %s in %v", field, line)
				}
			}
		}
	}
}

func TestSummary(t *testing.T) {
	tally := newTally()
	at := func(hours int) time.Time { return start.Add(time.Duration(hours) * time.Hour) }
	tally.add(detect.Finding{ID: "0", Detector: "d", Subject: "s", Severity: detect.Warning, FirstSeen: at(2), LastSeen: at(3), Reason: "first"})
	tally.add(detect.Finding{ID: "1", Detector: "d", Subject: "s", Severity: detect.High, FirstSeen: at(1), LastSeen: at(4), Reason: "worst", From: []string{"192.0.2.7 curl"}, Permissions: []string{"a.b.c"}, Advice: "revoke", Link: "https://worst"})
	tally.add(detect.Finding{ID: "2", Detector: "d", Subject: "s", Severity: detect.Info, FirstSeen: at(2), LastSeen: at(2), Reason: "last", Link: "https://last"})
	tally.add(detect.Finding{Detector: "c", Subject: "s", Severity: detect.Critical, FirstSeen: at(5), LastSeen: at(5)})
	for n := range maxGroups {
		tally.add(detect.Finding{Detector: "e", Subject: fmt.Sprint(n), Severity: detect.Info, FirstSeen: at(0), LastSeen: at(0)})
	}
	r := tally.result(time.Second)
	if r.Findings != maxGroups+4 || len(r.Groups) != maxGroups {
		t.Errorf("%d findings in %d groups", r.Findings, len(r.Groups))
	}
	g := r.Groups[1]
	g.Incidents = nil
	want := Group{Severity: detect.High, Detector: "d", Subject: "s", Findings: 3, FirstSeen: at(1), LastSeen: at(4), Reason: "worst", From: []string{"192.0.2.7 curl"}, Permissions: []string{"a.b.c"}, Advice: "revoke", Link: "https://worst"}
	if r.Groups[0].Detector != "c" || !reflect.DeepEqual(g, want) || r.Groups[2].Detector != "e" {
		t.Errorf("groups %+v", r.Groups[:3])
	}
}

// broken takes n bytes and no more.
type broken struct{ n int }

var errFull = errors.New("no space left")

func (b *broken) Write(p []byte) (int, error) {
	if b.n -= len(p); b.n < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestOutputsThatCannotBeWrittenEndIt(t *testing.T) {
	dir := t.TempDir()
	log := write(t, dir, "log", []byte(entry(0, 7)+"\n"+entry(1, 7)+"\nwhat?\n"))
	for _, set := range []func(*Config, io.Writer){
		func(c *Config, w io.Writer) { c.Findings = w },
		func(c *Config, w io.Writer) { c.Records = w },
		func(c *Config, w io.Writer) { c.Rejects = w },
	} {
		c := Config{Files: []string{log, log}, Rules: refused(t)}
		set(&c, &broken{})
		if r, err := Run(t.Context(), c); !errors.Is(err, errFull) || !errors.Is(err, ErrOutput) || r.Decoded > 2 {
			t.Errorf("after %d entries: %v", r.Decoded, err)
		}
	}
}

func TestInterruptedReplayKeepsWhatItFound(t *testing.T) {
	dir := t.TempDir()
	var files []string
	for n := range 3 {
		files = append(files, write(t, dir, fmt.Sprint(n), []byte(entry(2*n, 7)+"\n"+entry(2*n+1, 7)+"\n")))
	}
	ctx, stop := context.WithCancel(t.Context())
	r, err := Run(ctx, Config{Files: files, Rules: refused(t), Progress: func(read, total int64) {
		if read > 0 && read < total {
			stop()
		}
	}})
	if !errors.Is(err, context.Canceled) || r.Decoded == 0 || r.Decoded == 6 || r.Findings == 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// What is found in a log does not depend on how it was exported.
func TestOneLogInManyForms(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	var log []string
	for n := range 5000 {
		log = append(log, entry(60*n, 7*(n%25/24))) // 200 denials in more than three days
	}
	reversed := slices.Clone(log)
	slices.Reverse(reversed)
	file := func(name string, lines []string) string {
		return write(t, dir, name, []byte(strings.Join(lines, "\n")))
	}
	want := found(t, file("whole", log))
	if len(want) == 0 {
		t.Fatal("nothing found")
	}
	for _, tt := range []struct {
		name  string
		files []string
	}{
		{"in two files", []string{file("1", log[:2000]), file("2", log[2000:])}},
		{"in two files, the later one first", []string{file("2", log[2000:]), file("1", log[:2000])}},
		{"with a file twice", []string{file("1", log[:2000]), file("2", log[2000:]), file("3", log[2000:])}},
		{"newest first", []string{file("reversed", reversed)}},
		{"newest first, in two files", []string{file("4", reversed[:2000]), file("5", reversed[2000:])}},
		{"newest first, as an array", []string{write(t, dir, "array", []byte("["+strings.Join(reversed, ",\n")+"]"))}},
	} {
		if got := found(t, tt.files...); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", tt.name, got, want)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "keyturn-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// found are the ids of the findings in files.
func found(t *testing.T, files ...string) []string {
	t.Helper()
	var findings bytes.Buffer
	if _, err := Run(t.Context(), Config{Files: files, Findings: &findings}); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, line := range lines(t, findings.Bytes()) {
		ids = append(ids, line["id"].(string))
	}
	slices.SortFunc(ids, cmp.Compare)
	return ids
}
