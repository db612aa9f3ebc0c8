package logfile

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"example.com/keyturn/internal/raced"
)

// What stands after the last member is told as what it is; zeros are padding.
func TestAfterTheLastMember(t *testing.T) {
	whole := gzipped(t, `{"insertId":"a"}`) + gzipped(t, "\n"+`{"insertId":"b"}`)
	for name, c := range map[string]struct{ after, err string }{
		"nothing":             {"", ""},
		"zeros":               {strings.Repeat("\x00", 100_000), ""},
		"garbage":             {"garbage beyond it", `f goes on after the end of its compressed data: it is followed by what is no gzip data: "garbage beyond it"; what came before was read`},
		"one byte":            {"{", `followed by what is no gzip data: "{"`},
		"zeros and garbage":   {strings.Repeat("\x00", 100_000) + "!", `followed by what is no gzip data: "!"`},
		"half a header":       {"\x1f\x8b\x08", "f is cut off: its compressed data ends in the middle"},
		"half a member":       {gzipped(t, "{}")[:12], "f is cut off: its compressed data ends in the middle"},
		"a member of rubbish": {"\x1f\x8b\x07" + strings.Repeat("\xff", 100), "f cannot be unpacked further"},
	} {
		got := readAll(t, []byte(whole+c.after), Config{})
		if strings.Join(got.entries, ", ") != "1 a, 2 b" || len(got.rejects) > 0 || (got.err == nil) != (c.err == "") || got.err != nil && !strings.Contains(got.err.Error(), c.err) {
			t.Errorf("%s: %q, rejects %q, error %v; want %q", name, got.entries, got.rejects, got.err, c.err)
		}
	}
	if got := readAll(t, []byte(zstandard(t, "{}")+"garbage"), Config{}); len(got.entries) != 1 || got.err == nil || !strings.Contains(got.err.Error(), "f goes on after the end of its compressed data: ") {
		t.Errorf("after a zstd frame: %q, %v", got.entries, got.err)
	}
	failed := errors.New("no more")
	for _, after := range []string{"", "\x00"} {
		source := io.MultiReader(strings.NewReader(whole+after), failing{failed})
		r, err := NewReader("f", source, Config{})
		if err != nil {
			t.Fatal(err)
		}
		if err := Each(t.Context(), r, func(*Batch) error { return nil }); !errors.Is(err, failed) {
			t.Errorf("a source that fails after %q: %v", after, err)
		}
	}
}

// TestABombIsReadInBoundedMemory unpacks a file of one line that never ends, and one
// packed several times over.
func TestABombIsReadInBoundedMemory(t *testing.T) {
	if raced.Detector {
		t.Skip("the race detector takes ten times the memory")
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	block := bytes.Repeat([]byte(`{"a":`), 1<<18)
	for range 200 { // 260 MB
		_, err := w.Write(block)
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got := readAll(t, packed.Bytes(), Config{})
	runtime.ReadMemStats(&after)
	if len(got.entries) > 0 || len(got.rejects) == 0 && got.err == nil {
		t.Errorf("%d entries, error %v", len(got.entries), got.err)
	}
	if more := int64(after.Sys) - int64(before.Sys); more > 128<<20 {
		t.Errorf("it took %d MiB", more>>20)
	}
	layers := string(packed.Bytes()[:1000])
	for range maxLayers + 1 {
		layers = gzipped(t, layers)
	}
	if got := readAll(t, []byte(layers), Config{}); got.err == nil {
		t.Error("a file that is packed again and again is unpacked")
	}
}
