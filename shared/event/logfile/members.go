package logfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
)

// gzipMagic is what a member of a gzip file begins with.
const gzipMagic = "\x1f\x8b"

// errTrailing is of what follows the last member of a gzip file and is none.
var errTrailing = errors.New("it is followed by what is no gzip data")

// members unpacks all members of a gzip file, and ignores zeros after them, as
// gzip does.
type members struct {
	packed *bufio.Reader
	member *gzip.Reader
}

func newMembers(packed *bufio.Reader) (*members, error) {
	member, err := gzip.NewReader(packed)
	if err != nil {
		return nil, err
	}
	member.Multistream(false)
	return &members{packed, member}, nil
}

// Read unpacks more.
func (m *members) Read(p []byte) (int, error) {
	for {
		n, err := m.member.Read(p)
		if !errors.Is(err, io.EOF) {
			return n, err
		}
		if n > 0 {
			return n, nil
		}
		if err := m.next(); err != nil {
			return 0, err
		}
	}
}

// next goes to the next member; at the end of the file it returns io.EOF.
func (m *members) next() error {
	head, err := m.packed.Peek(len(gzipMagic))
	switch {
	case len(head) == 0:
		return err
	case string(head) == gzipMagic:
		err := m.member.Reset(m.packed)
		m.member.Multistream(false)
		return err
	}
	return m.padding()
}

// padding reads the rest of the file, of which all has to be zero.
func (m *members) padding() error {
	for {
		head, err := m.packed.Peek(max(m.packed.Buffered(), 1))
		if text := bytes.TrimLeft(head, "\x00"); len(text) > 0 {
			return fmt.Errorf("%w: %.20q", errTrailing, text)
		}
		if err != nil {
			return err
		}
		_, _ = m.packed.Discard(len(head)) // it is buffered
	}
}
