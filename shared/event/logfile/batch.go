package logfile

import (
	"bytes"
	"errors"
	"fmt"

	"example.com/keyturn/shared/detect"
	"example.com/keyturn/shared/event"
)

// maxBatch bounds what a block of many tiny entries takes in memory.
const maxBatch = 1024 // entries and rejects

// Batch is what some lines of a file were decoded to. It and all in it are used
// again: whoever keeps anything beyond the call it is given to clones it.
type Batch struct {
	File    string
	Entries []detect.Entry // in the order of the file
	Rejects []Reject       // what is no entry, in the order of the file
	Bytes   int64          // of the file, unpacked, that were gone through for this batch

	lines   []int // of each entry, counted from 0 at first
	first   int64 // line that the block begins on; 0 until it is known
	block   block
	at      int // bytes of the block that were gone through
	line    int // line that they end on
	value   int // of block.values
	config  Config
	decoder event.Decoder
	err     error // instead of a block
	number  int   // of the block in the file, from 0
}

// Line returns the line that entry i begins on, counted from 1.
func (b *Batch) Line(i int) int64 { return b.first + int64(b.lines[i]) }

// decode decodes the block, or as much of it as a batch may hold, after what was
// decoded of it before. It reports whether there was anything left.
func (b *Batch) decode() bool {
	from := b.at
	if from == len(b.block.data) && from > 0 {
		return false
	}
	b.decoder.Reset()
	b.Entries, b.Rejects, b.lines = b.Entries[:0], b.Rejects[:0], b.lines[:0]
	switch {
	case b.block.long > 0:
		b.rejectLong()
	case b.block.byLine:
		b.decodeLines()
	default:
		b.decodeValues()
	}
	b.Bytes = max(int64(b.at-from), b.block.long)
	return true
}

// place tells the lines, which were counted from the block's first one, that the
// block begins on line first.
func (b *Batch) place(first int64) {
	b.first = first
	for i := range b.Rejects {
		b.Rejects[i].Line += first
	}
}

func (b *Batch) full() bool { return len(b.Entries)+len(b.Rejects) >= maxBatch }

func (b *Batch) decodeLines() {
	for b.value < len(b.block.values) && !b.full() {
		v := b.block.values[b.value]
		line := b.block.data[v.start:v.end]
		if len(line) > 0 && (line[0] == '{' || len(bytes.Trim(line, blank)) > 0) {
			b.add(line)
		}
		b.at = min(v.end+1, len(b.block.data))
		b.value++
		b.line++
	}
}

func (b *Batch) decodeValues() {
	data := b.block.data
	for b.value < len(b.block.values) && !b.full() {
		v := b.block.values[b.value]
		b.line += bytes.Count(data[b.at:v.start], lineBreak)
		b.add(data[v.start:v.end])
		b.line += bytes.Count(data[v.start:v.end], lineBreak)
		b.at = v.end
		b.value++
	}
	if b.value == len(b.block.values) {
		b.line += bytes.Count(data[b.at:], lineBreak)
		b.at = len(data)
	}
}

// blank is what JSON has between values, but for line breaks.
const blank = " \t\r"

var lineBreak = []byte("\n")

// add decodes one entry.
func (b *Batch) add(data []byte) {
	if len(data) > b.config.MaxEntry {
		b.reject(data[:min(beginning, len(data))], int64(len(data)), b.tooLong(int64(len(data))))
		return
	}
	n := len(b.Entries)
	if n < cap(b.Entries) {
		b.Entries = b.Entries[:n+1] // with its lists' memory
	} else {
		b.Entries = append(b.Entries, detect.Entry{})
	}
	if err := b.decoder.DecodeNext(data, &b.Entries[n]); err != nil {
		b.Entries = b.Entries[:n]
		b.reject(data, int64(len(data)), err)
		return
	}
	b.lines = append(b.lines, b.line)
}

func (b *Batch) reject(data []byte, size int64, reason error) {
	b.Rejects = append(b.Rejects, Reject{File: b.File, Line: b.first + int64(b.line), Size: size, Data: data, Reason: reason})
}

func (b *Batch) rejectLong() {
	b.reject(b.block.data, b.block.long, b.tooLong(b.block.long))
	b.line += bytes.Count(b.block.data, lineBreak) + b.block.breaks
	b.at = len(b.block.data)
}

func (b *Batch) tooLong(size int64) error {
	return fmt.Errorf("%w: %d bytes, %d are the most", ErrTooLong, size, b.config.MaxEntry)
}

// ErrTooLong is why an entry that is longer than Config.MaxEntry is rejected.
var ErrTooLong = errors.New("the entry is too long")
