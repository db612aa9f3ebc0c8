package replay

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Output is a file that is there whole or not at all: it is written beside its
// name, and takes the name when it is kept; or another, when it is known not to
// be whole. A device or a pipe is written to as it is. The file is for its owner alone, as its content is nobody else's.
type Output struct {
	name   string
	file   *os.File
	beside bool // the file has another name as yet
	buffer *bufio.Writer
}

// Create begins an output. Whoever began it ends it by Keep, KeepPartial or Discard. A pipe
// has Create wait for somebody who reads it, or until ctx ends.
func Create(ctx context.Context, name string) (*Output, error) {
	target, err := filepath.EvalSymlinks(name)
	if errors.Is(err, fs.ErrNotExist) {
		target, err = name, nil
	}
	if err != nil {
		return nil, fmt.Errorf("creating %s: %w", name, err)
	}
	info, err := os.Stat(target)
	beside := err != nil || info.Mode().IsRegular()
	var f *os.File
	if beside {
		f, err = os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+"-*")
	} else {
		f, err = await(ctx, func() (*os.File, error) { return os.OpenFile(target, os.O_WRONLY, 0) })
	}
	if err != nil {
		return nil, fmt.Errorf("creating %s: %w", name, err)
	}
	return &Output{name: target, file: f, beside: beside, buffer: bufio.NewWriterSize(f, 1<<16)}, nil
}

// Write writes to the output, in the end.
func (o *Output) Write(p []byte) (int, error) { return o.buffer.Write(p) }

// Keep ends the output. If all of it was written, it has its name then;
// otherwise it is gone.
func (o *Output) Keep() error { return o.keep(o.name) }

// Partial is the name of what is written to the file name but is not whole.
func Partial(name string) string { return name + ".partial" }

// KeepPartial ends the output under the name that Partial gives, which it
// returns, and leaves what has its own name. It returns "" for a device or a pipe.
func (o *Output) KeepPartial() (name string, err error) {
	if !o.beside {
		return "", o.keep(o.name)
	}
	name = Partial(o.name)
	return name, o.keep(name)
}

func (o *Output) keep(name string) error {
	err := errors.Join(o.buffer.Flush(), o.file.Close())
	if err == nil && o.beside {
		err = os.Rename(o.file.Name(), name)
	}
	if err != nil {
		o.remove()
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

// Discard ends the output and leaves what had its name before.
func (o *Output) Discard() {
	_ = o.file.Close() // it is not wanted
	o.remove()
}

func (o *Output) remove() {
	if o.beside {
		_ = os.Remove(o.file.Name()) // what is left has a name that says what it is
	}
}
