package logfile

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"

	"example.com/keyturn/internal/raced"
)

func TestEachStops(t *testing.T) {
	data := strings.Repeat("{}\n", 100000)
	r, err := NewReader("f", strings.NewReader(data), Config{Block: 1000})
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	if err := Each(t.Context(), r, func(*Batch) error { calls++; return io.EOF }); err != io.EOF || calls != 1 {
		t.Errorf("%d calls, error %v", calls, err)
	}
}

// endless is a source that never ends, of entries or of one line.
type endless struct {
	text string
	left int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := 0
	for n+len(e.text) <= len(p) {
		n += copy(p[n:], e.text)
	}
	if n == 0 {
		n = copy(p, e.text)
	}
	e.left -= n
	return n, nil
}

func TestEachEndsWithItsContext(t *testing.T) {
	r, err := NewReader("f", &endless{"{}\n", 1 << 40}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	err = Each(ctx, r, func(*Batch) error {
		if calls++; calls == 3 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || calls != 3 {
		t.Errorf("%d calls, error %v", calls, err)
	}
}

// TestStandardInputThatGoesOn hands over what is there, and ends while it waits.
func TestStandardInputThatGoesOn(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer out.Close()
	if _, err := io.WriteString(out, " \n{\"insertId\":\"a\"}\n{"); err != nil {
		t.Fatal(err)
	}
	r, err := newReader("standard input", in, in, Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err = Each(ctx, r, func(b *Batch) error {
		if n += len(b.Entries); n == 1 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || n != 1 {
		t.Errorf("%d entries, error %v", n, err)
	}
}

// TestMemoryStaysFlat reads much more than may be held, of the worst kinds.
func TestMemoryStaysFlat(t *testing.T) {
	if raced.Detector {
		t.Skip("skipped: the race detector holds on to more memory than the reader does")
	}
	for name, text := range map[string]string{
		"tiny entries": "{}\n", "junk": strings.Repeat("x", 500) + "\n", "an endless line": strings.Repeat("x", 1000), "an endless string": `{"a":"` + strings.Repeat("x", 1000), "blank lines": "\n",
		"entries of lists": `{"protoPayload":{"authorizationInfo":[` + strings.Repeat("{},", 1000) + "{}]},\"logName\":\"projects/p/logs/cloudaudit.googleapis.com\"}\n", "an array without end": "[[[[",
	} {
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		first := "{}\n"
		if strings.HasPrefix(text, "[") {
			first = ""
		}
		r, err := NewReader("f", io.MultiReader(strings.NewReader(first), &endless{text, 24 << 20}), Config{Workers: 2, Block: 64 << 10, MaxEntry: 256 << 10})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		largest, calls := uint64(0), 0
		_ = Each(t.Context(), r, func(*Batch) error { // errors are for the other tests
			if calls++; calls%100 == 0 {
				runtime.GC()
				runtime.ReadMemStats(&after)
				largest = max(largest, after.HeapAlloc)
			}
			return nil
		})
		if grown := int64(largest) - int64(before.HeapAlloc); grown > 12<<20 {
			t.Errorf("%s: the heap grew by %d MB", name, grown>>20)
		}
	}
}

// TestNoMemoryForEntries reads the same file again and again: a longer file needs
// no more allocations than a short one.
func TestNoMemoryForEntries(t *testing.T) {
	allocations := func(entries int) float64 {
		data := bytes.Repeat([]byte(anEntry(1)+"\n"), entries)
		return testing.AllocsPerRun(3, func() {
			r, err := NewReader("f", bytes.NewReader(data), Config{Workers: 1})
			if err != nil {
				t.Fatal(err)
			}
			if err := Each(t.Context(), r, func(*Batch) error { return nil }); err != nil {
				t.Fatal(err)
			}
		})
	}
	const many = 50_000
	if short, long := allocations(many/10), allocations(many); long-short > many/100 {
		t.Errorf("%v allocations for %d entries, %v for %d", short, many/10, long, many)
	}
}

func FuzzReader(f *testing.F) {
	for _, data := range []string{"{}\n{", "[{}, {\"a\":\"\\\"\"}]", "[1,[2],\"]\"", "{\n}\n{\n}", "\xef\xbb\xbf[]", "\x1f\x8b\x08\x00", "x\n{\"a\":1}\n", "]", "[}{]", "{}\n[\n{}] []\n{}\n [ ]\n[x\n"} {
		f.Add([]byte(data), uint8(10))
	}
	f.Fuzz(func(t *testing.T, data []byte, block uint8) {
		whole, parts := readAll(t, data, Config{MaxEntry: 1 << 20}), readAll(t, data, Config{Block: int(block) + 1, MaxEntry: 1 << 20, Workers: 2})
		if strings.Join(whole.entries, "\n") != strings.Join(parts.entries, "\n") || strings.Join(whole.rejects, "\n") != strings.Join(parts.rejects, "\n") || (whole.err == nil) != (parts.err == nil) {
			t.Errorf("%q: %+v; in blocks of %d: %+v", data, whole, block, parts)
		}
	})
}
