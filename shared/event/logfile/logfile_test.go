package logfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// read is what a file was read to, as texts that can be compared.
type read struct {
	entries []string // line and insertId
	rejects []string // file:line and reason
	err     error
}

func readAll(t *testing.T, data []byte, c Config) read {
	t.Helper()
	r, err := NewReader("f", bytes.NewReader(data), c)
	if err != nil {
		return read{err: err}
	}
	var got read
	total := int64(0)
	got.err = Each(t.Context(), r, func(b *Batch) error {
		for i, e := range b.Entries {
			got.entries = append(got.entries, fmt.Sprintf("%d %s", b.Line(i), e.InsertID))
		}
		for _, reject := range b.Rejects {
			got.rejects = append(got.rejects, reject.Error())
		}
		total += b.Bytes
		return nil
	})
	if got.err == nil && r.layers == 0 && total < int64(len(bytes.TrimLeft(data, "\r\n")))-3 { // a byte order mark is of no batch
		t.Errorf("batches of %d bytes in all for a file of %d", total, len(data))
	}
	return got
}

// anEntry has quotes, brackets and escapes where a careless reader would stumble.
func anEntry(i int) string {
	return fmt.Sprintf(`{"insertId":"i%d \\\"]},[{ \u005d\\","pad":"%s","n":[1,[],{"a":"\\"}],"logName":"projects/p/logs/l"}`, i, strings.Repeat("é", i%50))
}

func pretty(t *testing.T, compact string) string {
	t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, []byte(compact), "", "  "); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func gzipped(t *testing.T, data string) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := io.WriteString(w, data); err != nil || w.Close() != nil {
		t.Fatal("cannot compress")
	}
	return out.String()
}

func zstandard(t *testing.T, data string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(w.EncodeAll([]byte(data), nil))
}

// TestEveryFormatIsReadTheSame reads the same entries from all kinds of files, in
// blocks of all sizes, and finds each where it is.
func TestEveryFormatIsReadTheSame(t *testing.T) {
	const n = 300
	var entries, indented []string
	for i := range n {
		entries = append(entries, anEntry(i))
		indented = append(indented, pretty(t, anEntry(i)))
	}
	lines, array := strings.Join(entries, "\n"), "["+strings.Join(entries, ",")+"]"
	for name, data := range map[string]string{
		"lines":                 lines + "\n",
		"no last line break":    lines,
		"CRLF":                  strings.Join(entries, "\r\n"),
		"blank lines":           "\n \n" + strings.Join(entries, "\n\n\r\n"),
		"byte order mark":       "\xef\xbb\xbf" + lines,
		"array":                 array,
		"array of lines":        "[\n" + strings.Join(entries, ",\n") + "\n]\n",
		"pretty array":          pretty(t, array),
		"pretty objects":        strings.Join(indented, "\n"),
		"arrays":                "[" + strings.Join(entries[:7], " , ") + "]\n\n[]" + "[" + strings.Join(entries[7:], ",\t") + "]\n",
		"lines, then an array":  strings.Join(entries[:99], "\n") + "\n[" + strings.Join(entries[99:], ",") + "]\n",
		"an array, then lines":  pretty(t, "["+strings.Join(entries[:99], ",")+"]") + "\n" + strings.Join(entries[99:], "\r\n"),
		"an array in each line": "[" + strings.Join(entries, "]\n\n[") + "]",
		"lines between arrays":  "[\n" + entries[0] + "\n] []\n" + strings.Join(entries[1:n-1], "\n") + "\n [\r\n" + entries[n-1] + "\r\n]\r\n[]",
		"blank at first":        strings.Repeat("\r\n", 70_000) + lines,
		"gzip":                  gzipped(t, lines),
		"gzip of many members":  gzipped(t, lines[:1000]) + gzipped(t, "") + gzipped(t, lines[1000:]),
		"gzip of a pretty one":  gzipped(t, pretty(t, array)),
		"zstd":                  zstandard(t, lines),
		"zstd of many frames":   zstandard(t, lines[:1000]) + zstandard(t, lines[1000:]),
		"gzip of zstd of array": gzipped(t, zstandard(t, array)),
	} {
		for _, c := range []Config{{}, {Block: 100}, {Block: 7, Workers: 1}, {Block: 4096, Workers: 5}} {
			got := readAll(t, []byte(data), c)
			if got.err != nil || len(got.rejects) > 0 || len(got.entries) != n {
				t.Fatalf("%s in blocks of %d: %d entries, rejects %q, error %v", name, c.Block, len(got.entries), got.rejects, got.err)
			}
			for i, entry := range got.entries {
				if want := fmt.Sprintf(`%d i%d \"]},[{ ]\`, lineOf(t, plain(t, data), i), i); entry != want {
					t.Fatalf("%s in blocks of %d: entry %d is %q, want %q", name, c.Block, i, entry, want)
				}
			}
		}
	}
}

// plain undoes compression by other means than the Reader's.
func plain(t *testing.T, data string) string {
	t.Helper()
	if strings.HasPrefix(data, "\x1f\x8b") {
		r, err := gzip.NewReader(strings.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		out, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		data = string(out)
	}
	if strings.HasPrefix(data, "\x28\xb5\x2f\xfd") {
		r, err := zstd.NewReader(nil)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		out, err := r.DecodeAll([]byte(data), nil)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	return data
}

// lineOf is the line on which the object with entry i begins.
func lineOf(t *testing.T, data string, i int) int {
	t.Helper()
	at := strings.Index(data, fmt.Sprintf(`i%d \\\"`, i))
	return 1 + strings.Count(data[:strings.LastIndexByte(data[:at], '{')+1], "\n")
}

func TestRejectsAreLocated(t *testing.T) {
	long := strings.Repeat("x", 300)
	for name, c := range map[string]struct {
		data             string
		entries, rejects []string
		err              string
	}{
		"junk among lines": {data: "{\"insertId\":\"a\"}\nnonsense\n\n{\"insertId\":\"b\"\n{\"insertId\":\"c\"}\n[5]\n\xff\x00\n{\"insertId\":\"d\"}",
			entries: []string{"1 a", "5 c", "8 d"}, rejects: []string{"f:2: byte 1: invalid character 'o' in literal null (expecting 'u')", "f:4: byte 15: unexpected end of JSON input", "f:6: it is no JSON object", "f:7: byte 0: invalid character 'ÿ' looking for beginning of value"}},
		"a cut off first line":        {data: "rtId\":\"a\"}\n{\"insertId\":\"b\"}\n", entries: []string{"2 b"}, rejects: []string{"f:1: byte 0: invalid character 'r' looking for beginning of value"}},
		"a cut off last line":         {data: "{\"insertId\":\"a\"}\n{\"insertId\":\"b", entries: []string{"1 a"}, rejects: []string{"f:2: byte 14: unexpected end of JSON input"}, err: "f is cut off: its last line has no end; what came before was read"},
		"half a line in a whole file": {data: "{\"insertId\":\"a\"}\n{\"insertId\":\"b\n", entries: []string{"1 a"}, rejects: []string{"f:2: byte 14: unexpected end of JSON input"}},
		"junk at the end":             {data: "{\"insertId\":\"a\"}\n{\"insertId\"!", entries: []string{"1 a"}, rejects: []string{"f:2: byte 11: invalid character '!' after object key"}},
		"a long line": {data: "{\"insertId\":\"a\"}\n{\"insertId\":\"" + long + "\"}\n{\"insertId\":\"b\"}\n",
			entries: []string{"1 a", "3 b"}, rejects: []string{"f:2: the entry is too long: 315 bytes, 100 are the most"}},
		"a long last line": {data: "{\"insertId\":\"a\"}\n{\"insertId\":\"" + long, entries: []string{"1 a"}, rejects: []string{"f:2: the entry is too long: 313 bytes, 100 are the most"}},
		"junk in an array": {data: "[\n{\"insertId\":\"a\"},\n5, \"x\",\n{\"insertId\":\"b\",},\n{\"insertId\":\"c\"}]",
			entries: []string{"2 a", "5 c"}, rejects: []string{"f:3: it is no JSON object", "f:3: it is no JSON object", "f:4: byte 16: invalid character '}' looking for beginning of object key string"}},
		"a number at the end of an array": {data: "[\n{\"insertId\":\"a\"},5]", entries: []string{"2 a"}, rejects: []string{"f:2: it is no JSON object"}},
		"a long element": {data: "[{\n\"insertId\":\"" + long + "\",\n\"b\":{\"c\":[\"]\"]}\n},\n{\"insertId\":\"b\"}]",
			entries: []string{"5 b"}, rejects: []string{"f:1: the entry is too long: 334 bytes, 100 are the most"}},
		"a cut off array":   {data: "[{\"insertId\":\"a\"},\n{\"insertId\":", entries: []string{"1 a"}, rejects: []string{"f:2: byte 12: unexpected end of JSON input"}, err: "f is cut off: its JSON array has no end; what came before was read"},
		"brackets too many": {data: "[]]{\"insertId\":\"a\"}}\n{\"insertId\":\"b\"}", entries: []string{"2 b"}, rejects: []string{"f:1: byte 0: invalid character ']' looking for beginning of value"}},
		"braces too many":   {data: "{\n\"insertId\":\"a\"}}", entries: []string{"1 a"}, rejects: []string{"f:2: byte 0: invalid character '}' looking for beginning of value"}},
		"junk between arrays and lines": {data: "{\"insertId\":\"a\"}\n[2026-03-01] \"odd\n[{\"insertId\":\"b\"}] trailing \"odd\n {\"insertId\":\"c\"}\n[\n{\"insertId\":\"d\"}\n]\n[]\n \n\"odd\n{\"insertId\":\"e\"}",
			entries: []string{"1 a", "3 b", "4 c", "6 d", "11 e"}, rejects: []string{"f:2: byte 5: invalid character '-' after array element", "f:3: byte 3: invalid character 'a' in literal true (expecting 'u')", "f:10: byte 4: unexpected end of JSON input"}},
		"a line cut off after an array": {data: "[]\n{\"insertId\":\"a\"}\n{\"insertId\":\"b", entries: []string{"2 a"}, rejects: []string{"f:3: byte 14: unexpected end of JSON input"}, err: "f is cut off: its last line has no end"},
		"an array cut off after lines":  {data: "{\"insertId\":\"a\"}\n[\n{\"insertId\":\"b\"}", entries: []string{"1 a", "3 b"}, err: "f is cut off: its JSON array has no end"},
		"a bracket at the end":          {data: "{\"insertId\":\"a\"}\n[ ", entries: []string{"1 a"}, rejects: []string{"f:2: byte 2: unexpected end of JSON input"}, err: "f is cut off: its JSON array has no end"},
		"a long line among arrays":      {data: "[]\n{\"insertId\":\"" + long + "\"}\n{\"insertId\":\"b\"}\n", entries: []string{"3 b"}, rejects: []string{"f:2: the entry is too long: 315 bytes, 100 are the most"}},
	} {
		for _, block := range []int{0, 1, 10, 64, 1000} {
			got := readAll(t, []byte(c.data), Config{Block: block, MaxEntry: 100})
			if !slices.Equal(got.entries, c.entries) || !slices.Equal(got.rejects, c.rejects) || !strings.Contains(fmt.Sprint(got.err), c.err) || (got.err != nil) != (c.err != "") {
				t.Errorf("%s in blocks of %d: %q, rejects %q, error %v", name, block, got.entries, got.rejects, got.err)
			}
		}
	}
}

func TestFilesThatHoldNoEntries(t *testing.T) {
	for data, want := range map[string]string{
		"":                            "f is empty: give the output of",
		" \n\t\r\n":                   "f is empty",
		"a,b\n1,2\n":                  `f holds no log entries: it is text whose first line is no JSON: "a,b"; give the output of`,
		"<?xml version=\"1.0\"?><a/>": "it is XML or HTML",
		"PAR1\x15\x04":                "a Parquet file",
		"PK\x03\x04":                  "a zip archive",
		"\x89PNG\r\n\x1a\n\x00":       "a PNG image",
		"log.json" + strings.Repeat("\x00", 249) + "ustar\x00": "a tar archive, which 'tar -x' unpacks",
		"\xff\xfe{\x00":                 "text in UTF-16, which 'iconv",
		"\x00\x01\x02":                  "it is binary",
		"\xc3\x28\xff\xa0\xa1":          "it is binary",
		"\x1f\x8b":                      "f is compressed, but not as it should be",
		"\x28\xb5\x2f\xfd\x00":          "f is cut off: its compressed data ends in the middle",
		"\x1f\x8b\x08nonsense nonsense": "fetch or make it again",
		gzipped(t, gzipped(t, gzipped(t, gzipped(t, gzipped(t, "{}"))))): "compressed more than 4 times",
		gzipped(t, ""): "f is empty",
	} {
		if got := readAll(t, []byte(data), Config{}); got.err == nil || !strings.Contains(got.err.Error(), want) || len(got.entries) > 0 {
			t.Errorf("%q: %q, error %v; want %q", data, got.entries, got.err, want)
		}
	}
	if got := readAll(t, []byte("[]"), Config{}); got.err != nil || len(got.entries)+len(got.rejects) > 0 {
		t.Errorf("an empty array: %+v", got)
	}
}

// TestHalfAGzip reads what is there, and then tells where it ends.
func TestHalfAGzip(t *testing.T) {
	var lines strings.Builder
	for i := range 5000 {
		lines.WriteString(anEntry(i*7919) + "\n")
	}
	for name, whole := range map[string]string{"gzip": gzipped(t, lines.String()), "zstd": zstandard(t, lines.String())} {
		half := whole[:len(whole)/2]
		got := readAll(t, []byte(half), Config{})
		if want := fmt.Sprintf("f is cut off: its compressed data ends in the middle, at byte %d", len(half)); got.err == nil || !strings.Contains(got.err.Error(), want) {
			t.Errorf("%s: error %v, want %q", name, got.err, want)
		}
		if len(got.entries) < 100 || len(got.rejects) > 1 {
			t.Errorf("%s: %d entries, rejects %q", name, len(got.entries), got.rejects)
		}
		garbled := []byte(whole)
		copy(garbled[len(whole)/2:], strings.Repeat("garbled", 9))
		if got := readAll(t, garbled, Config{}); got.err == nil || !strings.Contains(got.err.Error(), "cannot be unpacked further") {
			t.Errorf("%s, garbled: error %v", name, got.err)
		}
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir, Config{}); err == nil || !strings.Contains(err.Error(), "is a directory: name the files in it, such as "+dir+"/*.json") {
		t.Errorf("a directory: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "none"), Config{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	name := filepath.Join(dir, "log")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(name, Config{}); err == nil || !strings.Contains(err.Error(), name+" is empty") {
		t.Errorf("an empty file: %v", err)
	}
	if err := os.WriteFile(name, []byte("{}\n{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Open(name, Config{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = Each(t.Context(), r, func(b *Batch) error { n += len(b.Entries); return nil })
	if read, size := r.Progress(); err != nil || n != 2 || read != 5 || size != 5 || r.Name() != name {
		t.Errorf("%d entries of %q, %d of %d bytes; error %v", n, r.Name(), read, size, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestRejectIsALineOfJSON(t *testing.T) {
	for want, r := range map[string]Reject{
		`{"file":"f","line":3,"reason":"because","size":2,"text":"ab"}`:   {File: "f", Line: 3, Size: 2, Data: []byte("ab"), Reason: errors.New("because")},
		`{"file":"f","line":4,"reason":"because","size":9,"data":"/wA="}`: {File: "f", Line: 4, Size: 9, Data: []byte("\xff\x00"), Reason: errors.New("because")},
	} {
		if got, err := json.Marshal(r); err != nil || string(got) != want {
			t.Errorf("%s, %v; want %s", got, err, want)
		}
	}
	if err := error(Reject{Reason: ErrTooLong}); !errors.Is(err, ErrTooLong) {
		t.Errorf("%v is not %v", err, ErrTooLong)
	}
}
