package audit

import (
	"sync"
	"time"

	"example.com/keyturn/shared/detect"
)

// memory is an engine that several deliveries may use at once.
type memory struct {
	mu     sync.Mutex
	engine *detect.Engine
	ledger *detect.Ledger // the latest, with the keys that earlier ones had; nil before the first
	asked  time.Time      // when a ledger was last asked for
}

func newMemory(subjects int) *memory {
	if subjects <= 0 {
		subjects = 200_000
	}
	return &memory{engine: detect.New(detect.Config{Subjects: subjects})}
}

// observe takes in an entry and has told what it brought to light. What cannot
// be told is found again with the next entry.
func (m *memory) observe(e detect.Entry, tell func(detect.Finding) error) error {
	m.mu.Lock()
	found := m.engine.Observe(&e, nil)
	m.mu.Unlock()
	return m.tell(found, tell)
}

// advance has told what was held back until all entries up to now have come.
func (m *memory) advance(now time.Time, tell func(detect.Finding) error) error {
	m.mu.Lock()
	found := m.engine.Advance(now, nil)
	m.mu.Unlock()
	return m.tell(found, tell)
}

// measured has told what calls that were counted brought to light.
func (m *memory) measured(samples []detect.Sample, tell func(detect.Finding) error) error {
	m.mu.Lock()
	found := m.engine.Measured(samples, nil)
	m.mu.Unlock()
	return m.tell(found, tell)
}

// know has the detectors go by a newer ledger, and has told what waited for it.
func (m *memory) know(l detect.Ledger, tell func(detect.Finding) error) error {
	m.mu.Lock()
	m.ledger = l.Follow(m.ledger)
	found := m.engine.Know(m.ledger, nil)
	m.mu.Unlock()
	return m.tell(found, tell)
}

// wants reports whether it is time to read a newer ledger, or the first. It looks
// at the clock only where that matters: a local world's is another process away.
func (m *memory) wants(clock func() time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := m.engine.Wants()
	if m.ledger != nil && at.IsZero() {
		return false
	}
	now := clock()
	if now.Sub(m.asked) < unhurried || m.ledger != nil && now.Before(at) {
		return false
	}
	m.asked = now
	return true
}

// known is the latest ledger; nil before the first.
func (m *memory) known() *detect.Ledger {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ledger
}

func (m *memory) tell(found []detect.Finding, tell func(detect.Finding) error) error {
	for i, f := range found {
		if err := tell(f); err != nil {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.engine.Again(found[i:]...)
			return err
		}
	}
	return nil
}
