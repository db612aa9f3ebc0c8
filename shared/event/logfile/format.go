package logfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
)

// headSize is how much of a file is looked at to know what is in it.
const headSize = 64 << 10

// maxLayers is how often a file may be compressed.
const maxLayers = 4

// maxWindow is how much memory a zstd file may ask for: what 'zstd -d' allows.
const maxWindow = 128 << 20

// want is the next step after a file that holds no entries.
const want = "give the output of 'gcloud logging read --format=json', or files that a log sink wrote to Cloud Storage, as they are or compressed by gzip or zstd"

// detect sets up the blocks by what source begins with.
func (r *Reader) detect(source io.Reader) error {
	for {
		buffered := bufio.NewReaderSize(source, headSize)
		head, err := r.head(buffered)
		if err != nil && !errors.Is(err, io.EOF) && len(head) == 0 {
			return r.broken(err)
		}
		layer, err := decompressor(head, buffered)
		if err != nil {
			return fmt.Errorf("%s is compressed, but not as it should be: %w; fetch or make it again", r.name, err)
		}
		if layer == nil {
			return r.begin(head, buffered)
		}
		if r.layers++; r.layers > maxLayers {
			return fmt.Errorf("%s is compressed more than %d times: unpack it first", r.name, maxLayers)
		}
		source, r.live = layer, false
	}
}

// text returns what source, which begins with head, has after blanks, and skips
// what of them is as long as a head.
func (r *Reader) text(head []byte, source *bufio.Reader) (text []byte, err error) {
	for err == nil || len(head) > 0 {
		if text = bytes.TrimLeft(head, blank+"\n"); len(text) > 0 {
			return text, nil
		}
		r.line += int64(bytes.Count(head, lineBreak))
		_, _ = source.Discard(len(head)) // it is buffered
		head, err = r.head(source)
	}
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	return nil, err
}

// head returns what source begins with; of a live source, what is there.
func (r *Reader) head(source *bufio.Reader) ([]byte, error) {
	if !r.live {
		return source.Peek(headSize)
	}
	for {
		_, err := source.Peek(source.Buffered() + 1)
		head, _ := source.Peek(source.Buffered()) // never fails
		if err != nil || len(head) == headSize || len(bytes.TrimLeft(head, blank+"\n")) > 0 {
			return head, err
		}
	}
}

// decompressor returns what unpacks data that begins with head; nil when it is
// not compressed.
func decompressor(head []byte, data *bufio.Reader) (io.Reader, error) {
	switch {
	case bytes.HasPrefix(head, []byte(gzipMagic)):
		return newMembers(data)
	case bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")):
		// With a concurrency of 1 it has no goroutines, and so need not be closed.
		return zstd.NewReader(data, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	}
	return nil, nil
}

// begin sets up the blocks of what is no longer compressed.
func (r *Reader) begin(head []byte, source *bufio.Reader) error {
	if mark := []byte("\xef\xbb\xbf"); bytes.HasPrefix(head, mark) {
		_, _ = source.Discard(len(mark)) // it is buffered
		head = head[len(mark):]
	}
	text, err := r.text(head, source)
	if err != nil {
		return r.broken(err)
	}
	r.blocks = blocks{source: source, size: r.config.Block, maxEntry: r.config.MaxEntry, live: r.live, broken: r.broken}
	firstLine, _, _ := bytes.Cut(text, []byte("\n"))
	switch {
	case len(text) == 0:
		return fmt.Errorf("%s is empty: %s", r.name, want)
	case text[0] == '[':
		r.blocks.split = &splitter{}
	case string(bytes.TrimSpace(firstLine)) == "{":
		r.blocks.split = &splitter{values: true, state: elements}
	case text[0] != '{' && !linesOfObjects(text):
		return fmt.Errorf("%s holds no log entries: it is %s; %s", r.name, describe(text), want)
	}
	return nil
}

// linesOfObjects reports whether text goes on with lines of JSON objects,
// although it does not begin with one: its first line may be cut off.
func linesOfObjects(text []byte) bool {
	return bytes.Contains(text, []byte("\n{\"")) && bytes.IndexByte(text, 0) < 0
}

// formats are what people may take for log files, by their first bytes.
var formats = []struct{ magic, name string }{
	{"PAR1", "a Parquet file"},
	{"Obj\x01", "an Avro file"},
	{"ORC", "an ORC file"},
	{"PK\x03\x04", "a zip archive"},
	{"BZh", "compressed by bzip2"},
	{"\xfd7zXZ\x00", "compressed by xz"},
	{"SQLite format 3\x00", "an SQLite database"},
	{"%PDF", "a PDF document"},
	{"\xff\xfe", "text in UTF-16, which 'iconv -f UTF-16 -t UTF-8' turns into what can be read"},
	{"\xfe\xff", "text in UTF-16, which 'iconv -f UTF-16 -t UTF-8' turns into what can be read"},
	{"\x89PNG", "a PNG image"},
	{"<", "XML or HTML"},
}

// describe says what text that holds no JSON is.
func describe(text []byte) string {
	for _, format := range formats {
		if bytes.HasPrefix(text, []byte(format.magic)) {
			return format.name
		}
	}
	if tar := 257; len(text) > tar && bytes.HasPrefix(text[tar:], []byte("ustar")) {
		return "a tar archive, which 'tar -x' unpacks"
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	if bytes.IndexByte(text, 0) >= 0 || !utf8.Valid(line) && !utf8.Valid(text[:len(text)/2]) {
		return "binary"
	}
	return fmt.Sprintf("text whose first line is no JSON: %.60q", line)
}

// broken is the error for a file that ends before its end, or cannot be read on.
func (r *Reader) broken(err error) error {
	at := r.read.Load()
	if errors.Is(err, errOpenArray) || errors.Is(err, errOpenLine) {
		return fmt.Errorf("%s is cut off: %w; what came before was read: fetch the file again for the rest", r.name, err)
	}
	if errors.Is(err, errTrailing) || errors.Is(err, zstd.ErrMagicMismatch) {
		return fmt.Errorf("%s goes on after the end of its compressed data: %w; what came before was read, and the rest is left out: if it is a file of its own, cut it off and give it, too", r.name, err)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%s is cut off: its compressed data ends in the middle, at byte %d; what came before was read: fetch the file again for the rest", r.name, at)
	}
	if r.layers > 0 {
		return fmt.Errorf("%s cannot be unpacked further than some %d bytes into it: %w; what came before was read: fetch the file again for the rest", r.name, at, err)
	}
	return fmt.Errorf("reading %s from byte %d on: %w", r.name, at, err)
}
