package atomicfile_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"example.com/keyturn/shared/atomicfile"
)

// Readers and several writers meet at one file, which is always one of what was
// written, whole.
func TestAFileIsReplacedWhole(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	content := func(n int) []byte { return bytes.Repeat([]byte{byte('a' + n)}, 64<<10) }
	if err := atomicfile.Write(name, content(0)); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for n := range 4 {
		writers.Go(func() {
			for range 20 {
				if err := atomicfile.Write(name, content(n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 100 {
		got, err := os.ReadFile(name)
		if err != nil || len(got) != 64<<10 || !bytes.Equal(got, bytes.Repeat(got[:1], len(got))) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	}
	writers.Wait()
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	nothingLeft(t, filepath.Dir(name))
}

func TestWhatCannotBeReplacedStays(t *testing.T) {
	dir := t.TempDir()
	if err := atomicfile.Write(filepath.Join(dir, "none", "file"), nil); err == nil {
		t.Error("a file in a directory that is not there was written")
	}
	taken := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(taken, "in it"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Write(taken, []byte("x")); err == nil {
		t.Error("a directory was replaced")
	}
	if _, err := os.Stat(filepath.Join(taken, "in it")); err != nil {
		t.Error(err)
	}
	nothingLeft(t, dir)
}

func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	if left, err := filepath.Glob(filepath.Join(dir, atomicfile.Temporary)); err != nil || len(left) > 0 {
		t.Error(fmt.Sprint(left, err))
	}
}
