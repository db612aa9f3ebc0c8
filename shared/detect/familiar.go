package detect

import (
	"hash/maphash"
	"math/bits"
)

// familiar lets the many entries go by that tell nothing new: successes of
// subjects who were seen to have the same permissions today. It forgets at will,
// and what it forgot is merely looked at once more.
type familiar struct {
	seed    maphash.Seed
	known   []uint64 // hashes of (subject, permission, day), each in one of four slots
	doubted []uint64 // a Bloom filter of (subject, permission) that were denied
	doubts  int      // in it
}

const (
	familiarSlots = 1 << 18
	doubtBits     = 1 << 21
	maxDoubts     = doubtBits / 16
)

func newFamiliar(seed maphash.Seed) *familiar {
	return &familiar{seed: seed, known: make([]uint64, familiarSlots), doubted: make([]uint64, doubtBits/64)}
}

// blend joins two hashes that are good already.
func blend(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0x9e3779b97f4a7c15, b^0xbf58476d1ce4e5b9)
	return hi ^ lo
}

// knows reports whether a success is nothing new.
func (f *familiar) knows(e *Entry, who uint64, t int64) bool {
	if len(e.Tested) > 0 || changesPolicy(e) {
		return false
	}
	today := uint64(t / day)
	if door := doorOf(e); door != "" {
		today = blend(today, maphash.String(f.seed, door))
	}
	if len(e.Permissions) == 0 {
		return f.has(blend(who, blend(maphash.String(f.seed, e.Service), maphash.String(f.seed, e.Method))), today)
	}
	for i := range e.Permissions {
		if p := &e.Permissions[i]; p.Granted && !f.has(blend(who, maphash.String(f.seed, p.Name)), today) {
			return false
		}
	}
	return true
}

// has reports whether a (subject, permission) is known today and in no doubt.
func (f *familiar) has(pair, today uint64) bool {
	h := blend(pair, today)
	four := f.four(h)
	return (four[0] == h || four[1] == h || four[2] == h || four[3] == h) && f.doubted[pair%doubtBits/64]>>(pair&63)&1 == 0
}

// four are the slots in which a hash may be: side by side, they cost no more than one.
func (f *familiar) four(h uint64) *[4]uint64 {
	return (*[4]uint64)(f.known[h%(familiarSlots/4)*4:])
}

// keep puts a hash into a free slot, or else into any.
func (f *familiar) keep(h uint64) {
	four := f.four(h)
	for i, known := range four {
		if known == h || known == 0 {
			four[i] = h
			return
		}
	}
	four[h>>62] = h
}

// learn makes a success known, unless it follows a denial.
func (f *familiar) learn(e *Entry, who uint64, t int64) {
	today := uint64(t / day)
	if door := doorOf(e); door != "" {
		today = blend(today, maphash.String(f.seed, door))
	}
	f.pairs(e, who, true, func(pair uint64) { f.keep(blend(pair, today)) })
}

// doubt has all successes of what was denied looked at from now on.
func (f *familiar) doubt(e *Entry, who uint64) {
	if f.doubts >= maxDoubts {
		clear(f.doubted)
		clear(f.known)
		f.doubts = 0
	}
	f.pairs(e, who, false, func(pair uint64) {
		if word, bit := &f.doubted[pair%doubtBits/64], uint64(1)<<(pair&63); *word&bit == 0 {
			*word |= bit
			f.doubts++
		}
	})
}

// pairs calls do with what of the entry was granted, or was not.
func (f *familiar) pairs(e *Entry, who uint64, granted bool, do func(pair uint64)) {
	if len(e.Permissions) == 0 {
		do(blend(who, blend(maphash.String(f.seed, e.Service), maphash.String(f.seed, e.Method))))
	}
	for i := range e.Permissions {
		if p := &e.Permissions[i]; p.Granted == granted {
			do(blend(who, maphash.String(f.seed, p.Name)))
		}
	}
}
