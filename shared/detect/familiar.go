package detect

import (
	"hash/maphash"
	"math/bits"
)

// familiar lets the many entries go by that tell nothing new: successes of
// subjects who were seen to have the same permissions today. It forgets at will,
// and what it forgot is merely looked at once more.
type familiar struct {
	seed   maphash.Seed
	lines  []familiarLine
	doubts int // in all lines
}

// familiarLine is what is known of one subject, or of some, in one line of the
// processor's cache: what a subject is first seen to do on a day, which is what it
// does most, is found at the cost of that.
type familiarLine struct {
	doubted uint64    // a Bloom filter of (subject, permission) that were denied
	day     int64     // the latest that is known of
	known   [6]uint64 // hashes of (subject, permission, day)
}

const (
	familiarLines = 1 << 15
	maxDoubts     = familiarLines * 64 / 16
)

func newFamiliar(seed maphash.Seed) *familiar {
	return &familiar{seed: seed, lines: make([]familiarLine, familiarLines)}
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
	today := f.today(e, t)
	if len(e.Permissions) == 0 {
		return f.has(who, f.method(e, who), today)
	}
	for i := range e.Permissions {
		if p := &e.Permissions[i]; p.Granted && !f.has(who, f.permission(p, who), today) {
			return false
		}
	}
	return true
}

// today is the day, and what the call is about.
func (f *familiar) today(e *Entry, t int64) uint64 {
	today := uint64(t / day)
	if door := doorOf(e); door != "" {
		today = blend(today, maphash.String(f.seed, door))
	}
	return today
}

// method and permission are a subject's use of one.
func (f *familiar) method(e *Entry, who uint64) uint64 {
	return blend(who, blend(maphash.String(f.seed, e.Service), maphash.String(f.seed, e.Method)))
}

func (f *familiar) permission(p *Permission, who uint64) uint64 {
	return blend(who, maphash.String(f.seed, p.Name))
}

// has reports whether a pair of a subject is known today and in no doubt.
func (f *familiar) has(who, pair, today uint64) bool {
	h, line := blend(pair, today), f.line(who)
	return line.doubted>>(pair&63)&1 == 0 && (line.has(h) || f.line(h).has(h))
}

// line is the one of a subject; or, by the hash of what it did, the one for what
// the subject's own has no room for.
func (f *familiar) line(hash uint64) *familiarLine { return &f.lines[hash%familiarLines] }

func (l *familiarLine) has(h uint64) bool {
	k := &l.known
	return k[0] == h || k[1] == h || k[2] == h || k[3] == h || k[4] == h || k[5] == h
}

// keep reports whether there was room for the hash of something done today.
func (l *familiarLine) keep(h uint64, today int64) bool {
	if l.day < today {
		l.day, l.known = today, [len(l.known)]uint64{}
	}
	for i, known := range l.known {
		if known == h || known == 0 {
			l.known[i] = h
			return true
		}
	}
	return false
}

// learn makes a success known, unless it follows a denial.
func (f *familiar) learn(e *Entry, who uint64, t int64) {
	today := f.today(e, t)
	f.pairs(e, who, true, func(pair uint64) {
		h := blend(pair, today)
		if other := f.line(h); !f.line(who).keep(h, t/day) && !other.keep(h, t/day) {
			other.known[h>>32%uint64(len(other.known))] = h
		}
	})
}

// doubt has all successes of what was denied looked at from now on.
func (f *familiar) doubt(e *Entry, who uint64) {
	if f.doubts >= maxDoubts {
		clear(f.lines)
		f.doubts = 0
	}
	f.pairs(e, who, false, func(pair uint64) {
		if line, bit := f.line(who), uint64(1)<<(pair&63); line.doubted&bit == 0 {
			line.doubted |= bit
			f.doubts++
		}
	})
}

// pairs calls do with what of the entry was granted, or was not.
func (f *familiar) pairs(e *Entry, who uint64, granted bool, do func(pair uint64)) {
	if len(e.Permissions) == 0 {
		do(f.method(e, who))
	}
	for i := range e.Permissions {
		if p := &e.Permissions[i]; p.Granted == granted {
			do(f.permission(p, who))
		}
	}
}
