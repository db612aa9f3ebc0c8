package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"example.com/keyturn/cmd/keyturn/internal/replay"
)

// outputs are the files that a replay writes.
type outputs []*replay.Output

// outputFlag is a flag that names an output, and what takes it.
type outputFlag struct {
	flag, name string
	to         *io.Writer
}

// outputs are the outputs that were asked for.
func (f replayFlags) outputs(c *replay.Config) []outputFlag {
	var named []outputFlag
	for _, o := range []outputFlag{{"--findings", f.findings, &c.Findings}, {"--records", f.records, &c.Records}, {"--rejects", f.rejects, &c.Rejects}} {
		if o.name != "" {
			named = append(named, o)
		}
	}
	return named
}

// place is where a file is, or will be.
type place struct {
	use  string      // that is made of the file, as a person says it
	path string      // absolute and without links, where it can be told; "" of standard input
	info os.FileInfo // nil of a file that is not there
}

func placeOf(use, name string) place {
	p := place{use: use}
	if name == "-" && use == toRead {
		p.info, _ = os.Stdin.Stat() // without it, there is nothing to protect
		return p
	}
	p.path = resolve(name)
	p.info, _ = os.Stat(name) // a file that is not there has its path
	return p
}

// toRead is the use of a log file.
const toRead = "a file to read"

// resolve returns the absolute name without links; of a file that is not there,
// with those of its directory resolved.
func resolve(name string) string {
	path, err := filepath.Abs(name)
	if err != nil {
		return name // of a directory that is gone
	}
	if whole, err := filepath.EvalSymlinks(path); err == nil {
		return whole
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(dir, filepath.Base(path))
	}
	return path
}

// is reports whether both are one file. Devices go by their names alone: one
// terminal may well be standard input and an output.
func (p place) is(q place) bool {
	if p.path != "" && p.path == q.path {
		return true
	}
	return p.info != nil && q.info != nil && p.info.Mode().IsRegular() && os.SameFile(p.info, q.info)
}

// distinct refuses an output that is a file to read, or another output.
func (f replayFlags) distinct(files []string) error {
	var taken []place
	for _, name := range files {
		taken = append(taken, placeOf(toRead, name))
	}
	for _, in := range [][2]string{{"--rules", f.rules}, {"--ledger", f.ledger}} {
		if in[1] != "" {
			taken = append(taken, placeOf(in[0], in[1]))
		}
	}
	for _, o := range f.outputs(&replay.Config{}) {
		if o.name == "-" {
			return fmt.Errorf("%s -: want the name of a file, as standard output has the summary; see 'keyturn audit replay --help'", o.flag)
		}
		for _, name := range []string{o.name, replay.Partial(resolve(o.name))} {
			at := placeOf(o.flag, name)
			for _, other := range taken {
				if at.is(other) {
					return fmt.Errorf("%s %s is %s, too: name another file", o.flag, name, other.use)
				}
			}
			taken = append(taken, at)
		}
	}
	return nil
}

// open creates the files that are to be written.
func (f replayFlags) open(ctx context.Context, c *replay.Config) (outputs, error) {
	var opened outputs
	for _, o := range f.outputs(c) {
		out, err := replay.Create(ctx, o.name)
		if err != nil {
			opened.discard()
			if ctx.Err() != nil {
				return nil, fmt.Errorf("interrupted: nothing was read, as %s %s waited for a reader", o.flag, o.name)
			}
			return nil, fmt.Errorf("%s: %w", o.flag, err)
		}
		opened, *o.to = append(opened, out), out
	}
	return opened, nil
}

// end keeps what was written, unless something could not be; of a replay that
// ended with err, under another name, which the error it returns tells.
func (o outputs) end(err error) error {
	if errors.Is(err, replay.ErrOutput) || errors.Is(err, replay.ErrNothing) {
		o.discard()
		return nil
	}
	var errs []error
	for _, out := range o {
		if err == nil {
			errs = append(errs, out.Keep())
			continue
		}
		name, keepErr := out.KeepPartial()
		if keepErr == nil && name != "" {
			keepErr = fmt.Errorf("what was written is in %s, as it may not be whole", name)
		}
		errs = append(errs, keepErr)
	}
	return errors.Join(errs...)
}

func (o outputs) discard() {
	for _, out := range o {
		out.Discard()
	}
}
