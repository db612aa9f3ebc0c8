package detect

import (
	"encoding/binary"
	"math"
)

// reader takes numbers and texts off a record. Once something is missing it is
// broken and gives nothing but zeros.
type reader struct {
	rest   string
	broken bool
}

func (r *reader) take(n int) string {
	if n < 0 || n > len(r.rest) {
		r.broken, r.rest = true, ""
		return ""
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *reader) byte() byte {
	if b := r.take(1); b != "" {
		return b[0]
	}
	return 0
}

func (r *reader) uint32() uint32 { return uint32(r.fixed(4)) }
func (r *reader) uint64() uint64 { return r.fixed(8) }

// fixed reads an integer of n bytes, the lowest first.
func (r *reader) fixed(n int) (v uint64) {
	b := r.take(n)
	for i := range len(b) {
		v |= uint64(b[i]) << (8 * i)
	}
	return v
}

func (r *reader) uvarint() (v uint64) {
	for i := range min(len(r.rest), binary.MaxVarintLen64) {
		c := r.rest[i]
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			r.rest = r.rest[i+1:]
			return v
		}
	}
	r.broken, r.rest = true, ""
	return 0
}

func (r *reader) varint() int64 {
	v := r.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (r *reader) text() string { return r.take(r.count(1)) }

// count reads a number of things of at least size bytes each.
func (r *reader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.rest)/size) {
		r.broken, r.rest = true, ""
		return 0
	}
	return int(min(n, math.MaxInt32))
}

// length is count for a list of at most limit.
func (r *reader) length(size, limit int) int {
	n := r.count(size)
	if n > limit {
		r.broken, r.rest = true, ""
		return 0
	}
	return n
}
