package state

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// Directory keeps documents in a directory, a file each, over restarts and crashes.
// Several processes may use one directory.
type Directory struct {
	Path string           // is made when it is not there
	Now  func() time.Time // when documents expire; nil is the machine's clock

	mu     sync.Mutex
	pruned time.Time
}

const (
	lockFile  = "lock"
	suffix    = ".document"
	temporary = "new-*"
)

// Update replaces a document by what change makes of it. Once it has returned nil
// the document is safe from a crash. It waits for other updates even if ctx ends
// meanwhile, and then changes nothing.
func (d *Directory) Update(ctx context.Context, name string, change Change) error {
	if err := Check(ctx, name); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	unlock, err := d.lock()
	if err != nil {
		return fmt.Errorf("locking the documents: %w", err)
	}
	defer unlock()
	if err := ctx.Err(); err != nil {
		return err // it may have waited for long
	}
	if err := d.update(name, change); err != nil {
		return fmt.Errorf("changing document %s: %w", name, err)
	}
	return d.prune(clock(d.Now))
}

func (d *Directory) lock() (unlock func(), err error) {
	if err := os.MkdirAll(d.Path, 0o700); err != nil {
		return nil, err
	}
	return lockedfile.MutexAt(filepath.Join(d.Path, lockFile)).Lock()
}

func (d *Directory) update(name string, change Change) error {
	path := filepath.Join(d.Path, name+suffix)
	old, err := read(path)
	if err != nil {
		return err
	}
	data, expires, err := change(bytes.Clone(old.data))
	if err != nil || bytes.Equal(data, old.data) {
		return err
	}
	if err := CheckSize(name, data); err != nil {
		return err
	}
	return replace(path, document{data, expires})
}

// A file begins with the Unix time in seconds at which the document expires, in 8
// bytes; 0 is never.
const headerSize = 8

func (d document) encode() []byte {
	var expires int64
	if !d.expires.IsZero() {
		expires = d.expires.Unix()
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(expires)), d.data...)
}

// read reads a document; a zero one if there is none.
func read(path string) (document, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return document{}, nil
	}
	if err != nil {
		return document{}, err
	}
	if len(b) < headerSize {
		return document{}, fmt.Errorf("%s is no document: remove it", path)
	}
	d := document{data: b[headerSize:]}
	if expires := binary.LittleEndian.Uint64(b); expires != 0 {
		d.expires = time.Unix(int64(expires), 0)
	}
	return d, nil
}

// replace writes a document so that a crash leaves either the old or the new one.
func replace(path string, d document) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, temporary)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // which is not there any more, as a rule
	_, err = f.Write(d.encode())
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDirectory(dir)
}

func syncDirectory(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// prune removes now and then what has expired, and what a crash left behind.
func (d *Directory) prune(now time.Time) error {
	if now.Sub(d.pruned) < pruning {
		return nil
	}
	d.pruned = now
	left, err := filepath.Glob(filepath.Join(d.Path, temporary))
	if err != nil {
		return fmt.Errorf("looking for what a crash left of documents: %w", err)
	}
	documents, err := filepath.Glob(filepath.Join(d.Path, "*"+suffix))
	if err != nil {
		return fmt.Errorf("looking for documents that expired: %w", err)
	}
	for _, path := range documents {
		if known, err := read(path); err == nil && known.expired(now) {
			left = append(left, path)
		}
	}
	for _, path := range left {
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("removing a document that expired: %w", err)
		}
	}
	return nil
}

// Each visits the documents whose names begin with prefix. What others change
// meanwhile may be visited as it was or as it is.
func (d *Directory) Each(ctx context.Context, prefix string, visit func(name string, data []byte) error) error {
	files, err := os.ReadDir(d.Path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("listing the documents: %w", err)
	}
	for _, file := range files {
		name, ok := strings.CutSuffix(file.Name(), suffix)
		if !ok || !strings.HasPrefix(name, prefix) {
			continue
		}
		if err := d.visit(ctx, name, visit); err != nil {
			return err
		}
	}
	return nil
}

func (d *Directory) visit(ctx context.Context, name string, visit func(name string, data []byte) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	found, err := read(filepath.Join(d.Path, name+suffix))
	if err != nil {
		return fmt.Errorf("reading document %s: %w", name, err)
	}
	if found.data == nil {
		return nil // it has expired since
	}
	return visit(name, found.data)
}
