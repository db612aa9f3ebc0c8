// Package logfile reads files of log entries: one JSON object a line, as a log
// sink writes them to Cloud Storage, or a JSON array, as 'gcloud logging read
// --format=json' writes it, pretty printed or not, or both, one after another;
// either as it is or compressed by gzip or zstd. It goes by what is in a file, not by its name. Its memory does
// not grow with the file, whatever is in it.
package logfile

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
)

// Config says how to read. Its zero value is good for every file.
type Config struct {
	Block    int // bytes that are read and decoded at once; 0 is 256 KiB, which the caches hold
	MaxEntry int // bytes of the longest entry that is not rejected; 0 is 16 MiB
	Workers  int // that decode at once; 0 is one for each processor that Go may use
}

const (
	defaultBlock    = 256 << 10
	defaultMaxEntry = 16 << 20
)

// Reader reads one file, once.
type Reader struct {
	name   string
	config Config
	file   *os.File // that Open opened; nil otherwise
	size   int64    // of the file; 0 when it is not known
	read   atomic.Int64
	layers int   // of compression
	line   int64 // that the blocks begin on, counted from 1
	live   bool  // waits for what somebody else is yet to write, as a pipe does
	blocks blocks
}

// Open opens a file, or standard input for "-", and finds out what is in it.
func Open(name string, c Config) (*Reader, error) {
	if name == "-" {
		return newReader("standard input", os.Stdin, os.Stdin, c)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("opening a log file: %w", err)
	}
	r, err := newReader(name, f, f, c)
	if err != nil {
		_ = f.Close() // nothing was written to it
		return nil, err
	}
	r.file = f
	return r, nil
}

// NewReader reads what source has; name is what errors and positions call it.
func NewReader(name string, source io.Reader, c Config) (*Reader, error) {
	return newReader(name, source, nil, c)
}

// newReader reads source, which is f unless f is nil.
func newReader(name string, source io.Reader, f *os.File, c Config) (*Reader, error) {
	if c.Block <= 0 {
		c.Block = defaultBlock
	}
	if c.MaxEntry <= 0 {
		c.MaxEntry = defaultMaxEntry
	}
	r := &Reader{name: name, config: c, line: 1}
	if f != nil {
		info, err := f.Stat()
		if err != nil {
			return nil, fmt.Errorf("opening %s: %w", name, err)
		}
		if info.IsDir() {
			return nil, fmt.Errorf("%s is a directory: name the files in it, such as %s/*.json", name, name)
		}
		if info.Mode().IsRegular() {
			r.size = info.Size()
		}
		r.live = !info.Mode().IsRegular()
	}
	if err := r.detect(counted{source, &r.read}); err != nil {
		return nil, err
	}
	return r, nil
}

// counted counts what is read.
type counted struct {
	io.Reader
	n *atomic.Int64
}

// Read reads on.
func (c counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// Name is what errors and positions call the file.
func (r *Reader) Name() string { return r.name }

// Progress returns how many bytes of the file were read so far, compressed where
// it is, and how many there are: 0 when that is not known. It may be called
// while others read.
func (r *Reader) Progress() (read, size int64) { return r.read.Load(), r.size }

// Close closes what Open opened.
func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}
