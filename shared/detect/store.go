package detect

import (
	"hash/maphash"
)

// store keeps the subjects: the hot ones decoded, the latest used first, and of
// all others the encoding.
type store struct {
	seed  maphash.Seed
	limit int // of subjects
	warm  int // of hot ones
	hot   map[uint64]*subject
	cold  map[uint64]string // also of hot ones, as they were when they were warmed up
	root  subject           // of the ring of hot ones: next is the latest used, prev the longest unused
	keys  []uint64          // of all subjects, in the order in which eviction comes by
	hand  int
	gone  sketch
	line  []byte // to encode into

	unread int // records of cold ones that could not be decoded

	changed map[uint64]struct{} // subjects that were given out to be changed; nil notes none
}

// heat is a subject's place among the hot ones.
type heat struct {
	key        uint64
	changed    bool // and noted as such
	prev, next *subject
}

func newStore(seed maphash.Seed, limit, warm int) *store {
	st := &store{seed: seed, limit: limit, warm: warm, hot: make(map[uint64]*subject), cold: make(map[uint64]string)}
	st.root.prev, st.root.next = &st.root, &st.root
	return st
}

// key is the one of a name in this store; in another it is another.
func (st *store) key(name string) uint64 { return maphash.String(st.seed, name) }

// get returns the subject of a name, a new one if there was none. It is good,
// and may be changed, until the next call.
func (st *store) get(name string) *subject {
	key := st.key(name)
	s, ok := st.hot[key]
	if ok {
		s.unlink()
	} else {
		s = st.warmUp(key, name)
	}
	s.link(&st.root)
	if st.changed != nil && !s.changed {
		s.changed = true
		st.changed[s.key] = struct{}{}
	}
	if len(st.hot) > st.warm {
		st.cool(st.root.prev)
	}
	return s
}

// find is get for those who do not want a new one: nil if there was none.
func (st *store) find(name string) *subject {
	if st.known(st.key(name)) == nil {
		return nil
	}
	return st.get(name)
}

// known returns the subject of a key, only to be read; nil if there is none.
func (st *store) known(key uint64) *subject {
	if s := st.hot[key]; s != nil {
		return s
	}
	return st.thaw(key)
}

func (s *subject) link(root *subject) {
	s.prev, s.next = root, root.next
	root.next.prev, root.next = s, s
}

func (s *subject) unlink() { s.prev.next, s.next.prev = s.next, s.prev }

func (st *store) warmUp(key uint64, name string) *subject {
	s := st.thaw(key)
	if s == nil {
		s = &subject{name: string([]byte(name))}
		if _, known := st.cold[key]; !known {
			st.keys = append(st.keys, key)
		}
		st.cold[key] = ""
	}
	s.key = key
	st.hot[key] = s
	if len(st.keys) > st.limit {
		st.evict(key)
	}
	return s
}

// thaw decodes a cold subject; nil if there is none. One that cannot be read is
// counted, and none.
func (st *store) thaw(key uint64) *subject {
	record := st.cold[key]
	if record == "" {
		return nil
	}
	s, err := decodeSubject(record)
	if err != nil {
		st.unread++
		return nil
	}
	return s
}

func (st *store) cool(s *subject) {
	s.unlink()
	delete(st.hot, s.key)
	st.line = s.encode(st.line[:0])
	st.cold[s.key] = string(st.line)
}

// looked is among how many subjects eviction chooses the one that matters least.
const looked = 16

// evict forgets one subject other than that of the key: of the next few, the
// least suspicious and among those the longest unseen.
func (st *store) evict(except uint64) {
	victim, least := -1, uint64(1)<<63
	for range min(looked, len(st.keys)) {
		st.hand = (st.hand + 1) % len(st.keys)
		if key := st.keys[st.hand]; key != except {
			if w := st.worth(key); w < least {
				victim, least = st.hand, w
			}
		}
	}
	if victim < 0 {
		return
	}
	key := st.keys[victim]
	last := len(st.keys) - 1
	st.keys[victim], st.keys = st.keys[last], st.keys[:last]
	if s := st.hot[key]; s != nil {
		st.cool(s)
	}
	if s := st.thaw(key); s != nil {
		st.gone.take(s)
	}
	delete(st.cold, key)
}

// worth orders subjects by suspicion and then by when they were seen.
func (st *store) worth(key uint64) uint64 {
	if s := st.hot[key]; s != nil {
		return uint64(s.suspicion())<<32 | uint64(uint32(s.seen/minute))
	}
	return worthOf(st.cold[key])
}

// each calls do with the encoding of every subject until it fails.
func (st *store) each(do func(record []byte) error) error {
	for _, key := range st.keys {
		line := []byte(st.cold[key])
		if s := st.hot[key]; s != nil {
			line = s.encode(nil)
		}
		if err := do(line); err != nil {
			return err
		}
	}
	return nil
}
