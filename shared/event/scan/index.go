package scan

import "math/bits"

const blockSize = 64 // bytes that one word of a bit mask tells of

// chunk is how many bytes are indexed between two looks at the index's room.
const chunk = 64 * blockSize

// slack is by how many elements a kernel may write beyond what it indexes.
const slack = 8

// carry is what indexing knows at the end of one block and needs in the next.
// The assembly kernel goes by the order and size of its fields.
type carry struct {
	base      uint64 // offset of the next block
	escaped   uint64 // 1 when its first byte is escaped
	inString  uint64 // all ones when it begins inside a string
	scalar    uint64 // 1 when the byte before it may be part of a number or literal
	control   uint64 // not 0 when a string held a control character
	backslash uint64 // not 0 when there was a backslash
	beyond    uint64 // not 0 when there was a byte beyond ASCII
	first     uint64 // offset of the first block with a backslash; undefined without
	last      uint64 // offset of the last such block; undefined without
	loose     uint64 // 1 when the byte before it is white space, a comma or a colon, and in no string
	wide      uint64 // not 0 when two such bytes follow one another
}

// kernel indexes whole blocks of data: it writes to index where each token
// begins, as offsets from the beginning of all data, and returns how many there
// were. Tokens are strings, from their quote on, numbers and literals, and
// brackets. Commas and colons are none: who goes from one token to the next looks
// at what lies between anyway. The kernel does not tell valid from invalid, but
// for what it leaves in carry. The index has room for a token in every byte, and
// for slack more.
type kernel func(data []byte, c *carry, index []uint32) int

// indexer indexes one value after another in the same memory.
type indexer struct {
	run    kernel
	starts []uint32 // where the tokens begin, and last where the data ends
	carry  carry
	last   [blockSize]byte // the end of the data, where it fills no block
}

// index indexes data.
func (x *indexer) index(data []byte) {
	x.carry, x.starts = carry{}, x.starts[:0]
	whole := len(data) &^ (blockSize - 1)
	for at := 0; at < whole; at += chunk {
		x.more(data[at:min(at+chunk, whole)])
	}
	if rest := data[whole:]; len(rest) > 0 {
		x.last = blank
		copy(x.last[:], rest)
		wide := x.carry.wide
		x.carry.wide = 0
		x.more(x.last[:])
		x.carry.wide = wide | x.carry.wide&(1<<len(rest)-1) // without what fills the block
	}
	x.starts = append(x.starts, uint32(len(data)))
}

// blank is a block of white space.
var blank = [blockSize]byte([]byte("                                                                "))

func (x *indexer) more(data []byte) {
	n := len(x.starts)
	if need := n + len(data) + slack; need > cap(x.starts) {
		grown := make([]uint32, n, 2*need)
		copy(grown, x.starts)
		x.starts = grown
	}
	x.starts = x.starts[:n+x.run(data, &x.carry, x.starts[n:cap(x.starts)])]
}

// span is a part of data.
type span struct{ start, end int }

// odd returns a part of n bytes of data outside of which no byte is a backslash
// or beyond ASCII, and strings therefore are what they stand for.
func (c *carry) odd(n int) span {
	switch {
	case c.beyond != 0:
		return span{0, n}
	case c.backslash != 0:
		return span{int(c.first), min(int(c.last)+blockSize, n)}
	}
	return span{}
}

// indexPortable is the kernel for machines that have no other. It goes by eight
// bytes at a time.
func indexPortable(data []byte, c *carry, index []uint32) int {
	n := 0
	for ; len(data) >= blockSize; data = data[blockSize:] {
		m := classify((*[blockSize]byte)(data))
		for starts := c.starts(m); starts != 0; starts &= starts - 1 {
			index[n] = uint32(c.base) + uint32(bits.TrailingZeros64(starts))
			n++
		}
		c.base += blockSize
	}
	return n
}

// starts returns where in the block tokens begin, and takes the block into c.
func (c *carry) starts(m masks) uint64 {
	quote := m.quote &^ c.escapes(m.backslash)
	inside := prefixXOR(quote) ^ c.inString // from each opening quote to before the closing one
	c.inString = uint64(int64(inside) >> 63)
	c.control |= m.control & inside
	if m.backslash != 0 {
		if c.backslash == 0 {
			c.first = c.base
		}
		c.last = c.base
		c.backslash |= m.backslash
	}
	c.beyond |= m.beyond
	plain := ^(m.bracket | m.space)
	word := plain &^ quote // of a number or a literal, were it not in a string
	follows := word<<1 | c.scalar
	c.scalar = word >> 63
	tail := inside ^ quote
	loose := m.space &^ tail
	c.wide |= loose & (loose<<1 | c.loose)
	c.loose = loose >> 63
	return (m.bracket | plain&^follows) &^ tail
}

// escapes returns which bytes an odd number of backslashes precedes. In each run
// of backslashes it is every second byte: the subtraction carries through a run
// that begins on an even bit otherwise than through one that begins on an odd.
func (c *carry) escapes(backslash uint64) uint64 {
	const odd = 0xAAAAAAAAAAAAAAAA
	first := c.escaped
	begin := backslash &^ first
	sequence := ((begin<<1 | odd) - begin) ^ odd
	c.escaped = (sequence & backslash) >> 63
	return sequence ^ (backslash | first)
}

// prefixXOR sets each bit to the parity of the bits up to and with it.
func prefixXOR(x uint64) uint64 {
	for shift := 1; shift < 64; shift *= 2 {
		x ^= x << shift
	}
	return x
}
