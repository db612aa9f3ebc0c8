package state

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"example.com/keyturn/shared/atomicfile"
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
	lockFile = "lock"
	suffix   = ".document"
)

// Update replaces the data of a document by what change makes of it, as Replace
// does, and leaves when it is due as it is.
func (d *Directory) Update(ctx context.Context, name string, change Change) error {
	return d.Replace(ctx, name, Undated(change))
}

// Replace replaces a document by what its replacement makes of it. Once it has
// returned nil the document is safe from a crash. It waits for other updates even if
// ctx ends meanwhile, and then changes nothing.
func (d *Directory) Replace(ctx context.Context, name string, replacement Replacement) error {
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
	if err := d.replace(name, replacement); err != nil {
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

func (d *Directory) replace(name string, replacement Replacement) error {
	path := filepath.Join(d.Path, name+suffix)
	old, err := read(path)
	if err != nil {
		return err
	}
	made, same, err := Make(name, old, replacement)
	if err != nil || same {
		return err
	}
	return atomicfile.Write(path, made.encode())
}

// A file begins with two Unix times in seconds, in 4 bytes each: when the document
// expires, and when it is due; 0 is never.
const headerSize = 8

func (d Document) encode() []byte {
	b := binary.LittleEndian.AppendUint32(nil, unix(d.Expires))
	b = binary.LittleEndian.AppendUint32(b, unix(d.Due))
	return append(b, d.Data...)
}

func decode(b []byte) Document {
	return Document{Data: b[headerSize:], Expires: fromUnix(binary.LittleEndian.Uint32(b)), Due: fromUnix(binary.LittleEndian.Uint32(b[4:]))}
}

func unix(t time.Time) uint32 {
	if t.IsZero() {
		return 0
	}
	return uint32(min(max(1, t.Unix()), math.MaxUint32))
}

func fromUnix(seconds uint32) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0)
}

// read reads a document; a zero one if there is none.
func read(path string) (Document, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Document{}, nil
	}
	if err != nil {
		return Document{}, err
	}
	if len(b) < headerSize {
		return Document{}, fmt.Errorf("%s is no document: remove it", path)
	}
	return decode(b), nil
}

// prune removes now and then what has expired, and what a crash left behind.
func (d *Directory) prune(now time.Time) error {
	if now.Sub(d.pruned) < pruning {
		return nil
	}
	d.pruned = now
	left, err := filepath.Glob(filepath.Join(d.Path, atomicfile.Temporary))
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

// Due returns the names of the documents that are due by then, what is due longest
// first, and at most so many.
func (d *Directory) Due(ctx context.Context, by time.Time, most int) ([]string, error) {
	found := map[string]Document{}
	err := d.each(ctx, "", func(name string, doc Document) error {
		found[name] = Document{Due: doc.Due}
		return nil
	})
	return longestDue(found, by, most), err
}

// Each visits the documents whose names begin with prefix. What others change
// meanwhile may be visited as it was or as it is.
func (d *Directory) Each(ctx context.Context, prefix string, visit func(name string, data []byte) error) error {
	return d.each(ctx, prefix, func(name string, doc Document) error { return visit(name, doc.Data) })
}

func (d *Directory) each(ctx context.Context, prefix string, visit func(name string, doc Document) error) error {
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

func (d *Directory) visit(ctx context.Context, name string, visit func(name string, doc Document) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	found, err := read(filepath.Join(d.Path, name+suffix))
	if err != nil {
		return fmt.Errorf("reading document %s: %w", name, err)
	}
	if found.Data == nil {
		return nil // it has expired since
	}
	return visit(name, found)
}
