package logfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// failing is a source that cannot be read.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// A source that fails is told of, with where it did, and what it gave counts.
func TestSourceThatFails(t *testing.T) {
	failed := errors.New("no more")
	for _, before := range []string{"", "\xef\xbb\xbf", strings.Repeat("\n", 70_000)} {
		if _, err := NewReader("f", io.MultiReader(strings.NewReader(before), failing{failed}), Config{}); !errors.Is(err, failed) || !strings.Contains(err.Error(), "reading f from byte ") {
			t.Errorf("after %.3q: %v", before, err)
		}
	}
	for before, entries := range map[string]int{"{}\n": 1, "{}\n{": 1, "[{},\n": 1, "[{},{": 1} {
		r, err := NewReader("f", io.MultiReader(strings.NewReader(before), failing{failed}), Config{})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		if err := Each(t.Context(), r, func(b *Batch) error { n += len(b.Entries); return nil }); !errors.Is(err, failed) || n != entries {
			t.Errorf("after %q: %d entries, %v", before, n, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "closed"))
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, err := newReader("f", f, f, Config{}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a file that was closed: %v", err)
	}
}
