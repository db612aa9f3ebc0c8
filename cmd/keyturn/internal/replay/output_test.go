package replay

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOutputIsWholeOrNotThere(t *testing.T) {
	dir := t.TempDir()
	old := write(t, dir, "out", []byte("old"))
	link := filepath.Join(dir, "link")
	if err := os.Symlink("out", link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{old, link, filepath.Join(dir, "new")} {
		o, err := Create(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(o, "discarded")
		o.Discard()
		before, _ := os.ReadFile(name) // is not there at first, or
		if o, err = Create(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(o, name)
		if data, _ := os.ReadFile(name); !bytes.Equal(data, before) || string(data) == "discarded" {
			t.Errorf("%s holds %q before it is kept", name, data)
		}
		if err := o.Keep(); err != nil {
			t.Fatal(err)
		}
		if data, err := os.ReadFile(name); err != nil || string(data) != name {
			t.Errorf("%s holds %q: %v", name, data, err)
		}
	}
	if target, err := os.Readlink(link); err != nil || target != "out" {
		t.Errorf("the link is gone: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestPartialOutputLeavesTheOldOne(t *testing.T) {
	dir := t.TempDir()
	name := write(t, dir, "out", []byte("old"))
	for _, text := range []string{"half", "another half"} {
		o, err := Create(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(o, text)
		partial, err := o.KeepPartial()
		if err != nil || filepath.Base(partial) != "out.partial" {
			t.Fatal(partial, err)
		}
		if data, err := os.ReadFile(partial); err != nil || string(data) != text {
			t.Errorf("%s holds %q, %v", partial, data, err)
		}
	}
	if data, err := os.ReadFile(name); err != nil || string(data) != "old" {
		t.Errorf("%s holds %q, %v", name, data, err)
	}
}

// What was written to a device is not taken back, nor put beside it.
func TestPartialOutputToADevice(t *testing.T) {
	o, err := Create(t.Context(), os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(o, "half")
	if partial, err := o.KeepPartial(); err != nil || partial != "" {
		t.Errorf("%q, %v", partial, err)
	}
	if o, err = Create(t.Context(), os.DevNull); err != nil {
		t.Fatal(err)
	}
	o.Discard()
	if _, err := os.Stat(os.DevNull); err != nil {
		t.Error(err)
	}
}

func TestOutputThatCannotBeKept(t *testing.T) {
	dir := t.TempDir()
	if _, err := Create(t.Context(), filepath.Join(dir, "none", "out")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	if _, err := Create(t.Context(), dir); err == nil {
		t.Error("a directory is created")
	}
	if _, err := Create(t.Context(), filepath.Join(write(t, dir, "file", nil), "out")); err == nil {
		t.Error("a file is taken for a directory")
	}
	name := filepath.Join(dir, "out")
	o, err := Create(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(name, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := o.Keep(); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("kept over a directory: %v", err)
	}
	if o, err = Create(t.Context(), filepath.Join(dir, "other")); err != nil {
		t.Fatal(err)
	}
	o.file.Close()
	o.buffer = bufio.NewWriterSize(o.file, 16)
	fmt.Fprint(o, "more than sixteen bytes")
	if err := o.Keep(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a file that cannot be written: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
