package state_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/atomicfile"
	"example.com/keyturn/shared/state"
	"example.com/keyturn/shared/state/statetest"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestMemory(t *testing.T) {
	statetest.Run(t, func(*testing.T) func() statetest.Store {
		m := new(state.Memory)
		return func() statetest.Store { return m }
	})
}

// Each Directory stands for a process, before and after a restart.
func TestDirectory(t *testing.T) {
	statetest.Run(t, func(t *testing.T) func() statetest.Store {
		path := filepath.Join(t.TempDir(), "made", "when needed")
		return func() statetest.Store { return &state.Directory{Path: path} }
	})
}

func TestWhatExpiredIsRemoved(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	path := t.TempDir()
	must(t, os.WriteFile(filepath.Join(path, ".new-left by a crash"), nil, 0o600))
	for name, s := range map[string]statetest.Store{"memory": &state.Memory{Now: clock}, "directory": &state.Directory{Path: path, Now: clock}} {
		t.Run(name, func(t *testing.T) {
			now = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
			must(t, s.Update(t.Context(), "soon", statetest.Set("x", now.Add(30*time.Minute))))
			must(t, s.Update(t.Context(), "late", statetest.Set("x", now.Add(48*time.Hour))))
			must(t, s.Update(t.Context(), "never", statetest.Set("x", time.Time{})))
			now = now.Add(31 * time.Minute)
			must(t, s.Update(t.Context(), "other", statetest.Set("x", time.Time{})))
			if statetest.Read(t, s, "soon") == nil {
				t.Error("looked for what expired within the hour")
			}
			now = now.Add(30 * time.Minute)
			must(t, s.Update(t.Context(), "other", statetest.Set("y", time.Time{})))
			for name, want := range map[string]string{"soon": "", "late": "x", "never": "x", "other": "y"} {
				if data := statetest.Read(t, s, name); string(data) != want {
					t.Errorf("document %s is %q, want %q", name, data, want)
				}
			}
		})
	}
	if left, err := filepath.Glob(filepath.Join(path, atomicfile.Temporary)); len(left) > 0 || err != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// An update that waits for another one, of the same process or of another, changes
// nothing if nobody wants it any more when it is its turn.
func TestAnUpdateThatWaitedTooLongChangesNothing(t *testing.T) {
	path := t.TempDir()
	memory, directory := new(state.Memory), &state.Directory{Path: path}
	for name, stores := range map[string][2]statetest.Store{
		"memory":            {memory, memory},
		"directory":         {directory, directory},
		"another process's": {&state.Directory{Path: path}, &state.Directory{Path: path}},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		late := make(chan error)
		must(t, stores[0].Update(t.Context(), "a", func([]byte) ([]byte, time.Time, error) {
			go func() { late <- stores[1].Update(&watched{ctx, cancel}, "a", statetest.Set("late", time.Time{})) }()
			<-ctx.Done()
			return []byte("first"), time.Time{}, nil
		}))
		if err := <-late; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v, want that it was cancelled", name, err)
		}
		if data := statetest.Read(t, stores[0], "a"); string(data) != "first" {
			t.Errorf("%s: document is %q", name, data)
		}
	}
}

// watched is a context that ends once it was asked whether it has: an update asks
// before it waits for its turn.
type watched struct {
	context.Context
	end context.CancelFunc
}

func (w *watched) Err() error {
	defer w.end()
	return w.Context.Err()
}

func TestDirectoriesThatCannotBeUsed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	locked := t.TempDir()
	must(t, os.Mkdir(filepath.Join(locked, "lock"), 0o700))
	short, folder := t.TempDir(), t.TempDir()
	must(t, os.WriteFile(filepath.Join(short, "a.document"), []byte("1234567"), 0o600))
	must(t, os.Mkdir(filepath.Join(folder, "a.document"), 0o700))
	strange := filepath.Join(t.TempDir(), "[")
	stuck := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(stuck, ".new-1", "full"), 0o700))
	for name, c := range map[string]struct{ path, want string }{
		"a file":                {file, "locking the documents"},
		"a lock of another":     {locked, "locking the documents"},
		"half a document":       {short, "a.document is no document: remove it"},
		"a folder as document":  {folder, "changing document a"},
		"a broken pattern":      {strange, "looking for what a crash left"},
		"a leftover that stays": {stuck, "removing a document that expired"},
	} {
		err := (&state.Directory{Path: c.path}).Update(t.Context(), "a", statetest.Set("x", time.Time{}))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one that says %q", name, err, c.want)
		}
	}
}

// A change that removes the directory makes each step of writing fail in turn.
func TestADirectoryThatGoesAway(t *testing.T) {
	d := &state.Directory{Path: filepath.Join(t.TempDir(), "d")}
	err := d.Update(context.Background(), "a", func([]byte) ([]byte, time.Time, error) {
		return []byte("x"), time.Time{}, os.RemoveAll(d.Path)
	})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want that there is no directory", err)
	}
	err = d.Update(context.Background(), "a", func([]byte) ([]byte, time.Time, error) {
		return []byte("x"), time.Time{}, os.MkdirAll(filepath.Join(d.Path, "a.document", "full"), 0o700)
	})
	if err == nil {
		t.Error("replaced a folder by a document")
	}
}
