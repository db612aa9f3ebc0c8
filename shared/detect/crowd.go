package detect

import (
	"math"
	"math/bits"
)

// crowd counts distinct things by their hashes, in 16 bytes: by linear counting
// up to some 200, and beyond by a second bitmap that takes one thing in 64.
// Counting the same thing again changes nothing, and neither does the order.
type crowd struct {
	near, far uint64
}

func (c *crowd) add(h uint64) {
	c.near |= 1 << (h & 63)
	if h>>6&63 == 0 {
		c.far |= 1 << (h >> 12 & 63)
	}
}

// has reports whether the thing may be among those counted.
func (c crowd) has(h uint64) bool { return c.near>>(h&63)&1 == 1 }

func (c crowd) join(other crowd) crowd { return crowd{c.near | other.near, c.far | other.far} }

// size is how many there are: exact for a few, within some tenths for many, and
// never more than 17,000.
func (c crowd) size() int {
	if bits.OnesCount64(c.near) < 56 || c.far == 0 {
		return linear(c.near)
	}
	return max(linear(c.near), 64*linear(c.far))
}

// linear is the most likely number of things that set these bits of 64.
func linear(set uint64) int {
	empty := max(64-bits.OnesCount64(set), 1)
	return int(math.Round(64 * math.Log(64/float64(empty))))
}

// hash is FNV-1a over the parts, each ended by a byte that UTF-8 does not have,
// and then stirred, so that any bits of it serve. It is the same everywhere and
// always, because it is kept.
func hash(parts ...string) uint64 {
	h := uint64(14695981039346656037)
	for _, p := range parts {
		for i := range len(p) {
			h = (h ^ uint64(p[i])) * 1099511628211
		}
		h = (h ^ 0xff) * 1099511628211
	}
	return stir(h)
}

// stir spreads every bit of h over all of them, as MurmurHash3 ends.
func stir(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
