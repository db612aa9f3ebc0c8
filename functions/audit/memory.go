package audit

import (
	"sync"

	"example.com/keyturn/shared/detect"
)

// memory keeps the states of the latest subjects: those of two generations, of
// which the older goes when the younger is full. So at most size subjects are
// kept, and the size/2 that were seen last always are.
type memory struct {
	mu         sync.Mutex
	generation int // subjects in one
	young, old map[detect.Key]*subject
}

type subject struct {
	mu    sync.Mutex // held from observing a state to keeping the next
	state detect.State
}

func newMemory(size int) *memory {
	if size <= 0 {
		size = 2048
	}
	return &memory{generation: max(1, size/2), young: make(map[detect.Key]*subject)}
}

// update observes e and keeps the new state of its subject once tell has taken
// every finding without an error.
func (m *memory) update(e detect.Entry, l detect.Limits, tell func(detect.Finding) error) error {
	key, ok := detect.KeyOf(e)
	if !ok {
		return nil
	}
	s := m.subject(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	next, findings := detect.Observe(l, s.state, e)
	for _, found := range findings {
		if err := tell(found); err != nil {
			return err
		}
	}
	s.state = next
	return nil
}

// subject returns the one of key, which becomes the latest.
func (m *memory) subject(key detect.Key) *subject {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s, ok := m.young[key]; ok {
		return s
	}
	s, ok := m.old[key]
	if !ok {
		s = new(subject)
	}
	if len(m.young) >= m.generation {
		m.young, m.old = make(map[detect.Key]*subject), m.young
	}
	m.young[key] = s
	return s
}
