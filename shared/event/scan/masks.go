package scan

import "encoding/binary"

// masks tell of each byte of a block, the first in the lowest bit, what it is.
type masks struct {
	quote, backslash, control, beyond uint64
	bracket                           uint64 // square or curly
	space                             uint64 // white space, comma, colon
}

// In every byte of a word.
const (
	ones = 0x0101010101010101
	tops = 0x8080808080808080
)

// classify tells the bytes of a block apart.
func classify(block *[blockSize]byte) masks {
	var m masks
	for i := 0; i < blockSize; i += 8 {
		w := binary.LittleEndian.Uint64(block[i:])
		low := w | 0x20*ones // [ and { are one, and so are ] and }
		m.quote |= equal(w, '"') << i
		m.backslash |= equal(w, '\\') << i
		m.bracket |= (equal(low, '{') | equal(low, '}')) << i
		m.space |= (equal(w, ' ') | equal(w, '\t') | equal(w, '\n') | equal(w, '\r') | equal(w, ',') | equal(w, ':')) << i
		m.control |= gather(^(w|tops-0x20*ones)&^w) << i
		m.beyond |= gather(w) << i
	}
	return m
}

// equal has a bit for each byte of w that is c.
func equal(w uint64, c byte) uint64 {
	x := w ^ uint64(c)*ones // 0 where equal
	return gather(^((x&^tops + ^uint64(tops)) | x))
}

// gather takes the highest bit of each byte.
func gather(w uint64) uint64 {
	const diagonal = 0x0102040810204080 // moves bit 8i to 56+i, and nothing else there
	return (w & tops >> 7) * diagonal >> 56
}
