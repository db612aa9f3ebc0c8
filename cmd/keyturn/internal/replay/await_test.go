//go:build unix

package replay

import (
	"context"
	"errors"
	"path/filepath"
	"syscall"
	"testing"
)

// Nothing waits for the other end of a pipe longer than its context lasts.
func TestPipesAreNotWaitedForInVain(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if o, err := Create(ctx, fifo); !errors.Is(err, context.Canceled) {
		t.Errorf("an output that nobody reads: %v, %v", o, err)
	}
	// A pipe of its own, as reading the first one would be what Create still waits for.
	fifo += "2"
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(ctx, Config{Files: []string{fifo}}); !errors.Is(err, context.Canceled) {
		t.Errorf("an input that nobody writes: %v", err)
	}
}
