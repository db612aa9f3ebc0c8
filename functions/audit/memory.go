package audit

import (
	"maps"
	"sync"
	"time"

	"example.com/keyturn/shared/detect"
)

// memory is an engine that several deliveries may use at once, with the findings
// that are not told yet.
type memory struct {
	wall func() time.Time

	mu     sync.Mutex
	engine *detect.Engine
	ledger *detect.Ledger // the latest, with the keys that earlier ones had; nil before the first
	asked  time.Time      // when a ledger was last asked for
	pace   pace
	later  []*pending // to be told again
	untold int        // findings that came to light and are not settled, with those in later
	said   missing    // when it was asked for last
}

func newMemory(subjects int, shared bool, wall func() time.Time) *memory {
	if subjects <= 0 {
		subjects = 200_000
	}
	return &memory{engine: detect.New(detect.Config{Subjects: subjects, Shared: shared}), wall: wall}
}

// teller tells a finding and reports whether that is settled. An error says that
// those after it are better not tried now.
type teller = func(*pending) (settled bool, err error)

// observe takes in an entry and has told what it brought to light. What cannot
// be told now is told later.
func (m *memory) observe(e detect.Entry, tell teller) error {
	return m.bringUp(tell, func() []detect.Finding { return m.engine.Observe(&e, nil) })
}

// advance has told what was held back until all entries up to now have come.
func (m *memory) advance(now time.Time, tell teller) error {
	return m.bringUp(tell, func() []detect.Finding { return m.engine.Advance(now, nil) })
}

// measured has told what calls that were counted brought to light.
func (m *memory) measured(samples []detect.Sample, tell teller) error {
	return m.bringUp(tell, func() []detect.Finding { return m.engine.Measured(samples, nil) })
}

// know has the detectors go by a newer ledger, and has told what waited for it.
func (m *memory) know(l detect.Ledger, tell teller) error {
	return m.bringUp(tell, func() []detect.Finding {
		m.ledger = l.Follow(m.ledger)
		return m.engine.Know(m.ledger, nil)
	})
}

// learn takes in what others know, and has told what that brought to light.
func (m *memory) learn(s *detect.Shard, tell teller) error {
	return m.bringUp(tell, func() []detect.Finding { return m.engine.Learn(s, nil) })
}

// bringUp has told, with what is due to be told again, what find brings to light.
func (m *memory) bringUp(tell teller, find func() []detect.Finding) error {
	m.mu.Lock()
	found := m.due(find())
	m.mu.Unlock()
	return m.tell(found, tell)
}

// retell has told again what is due.
func (m *memory) retell(tell teller) error {
	return m.bringUp(tell, func() []detect.Finding { return nil })
}

// share returns what changed since it was called last, unless something that came
// to light is not told; and nil for the other shards, if it is time to learn all.
func (m *memory) share(seed string, now time.Time) (shards map[int]*detect.Shard, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	shards, ok = make(map[int]*detect.Shard), m.untold == 0
	if m.pace.pull(now) {
		for i := range detect.Shards {
			shards[i] = nil
		}
	}
	if ok {
		maps.Copy(shards, m.engine.Share(seed))
	}
	return shards, ok
}

// reshare has a shard that could not be written be shared again; nil is of nothing.
func (m *memory) reshare(s *detect.Shard) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s != nil {
		m.engine.Reshare(s)
	}
}

// exchanged notes that an exchange of some shards is over.
func (m *memory) exchanged(began time.Time, shards int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if shards == detect.Shards {
		m.pace.pulled = began
	}
}

// outdated reports whether what others know is to be learnt before anything is judged.
func (m *memory) outdated(now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pace.outdated(now)
}

// exchangeDue counts an entry, and reports whether an exchange is due.
func (m *memory) exchangeDue(now time.Time, denied bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pace.due(now, denied)
}

// exchangeTimed reports whether the timer is to be set, and to how long.
func (m *memory) exchangeTimed(now time.Time) (wait time.Duration, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pace.timed || !m.engine.Unshared() {
		return 0, false
	}
	m.pace.timed = true
	return m.pace.wait(now), true
}

// timerFired notes the exchange that the timer begins.
func (m *memory) timerFired(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pace.timed = false
	m.pace.begin(now)
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

// missing is what detectors had to leave out.
type missing struct {
	unasked map[string]int // what could not wait, by detector or what it is
	unread  int            // records of subjects
}

// missed returns what detectors had to leave out, and whether it is more than when it
// was asked last.
func (m *memory) missed() (now missing, more bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now = missing{m.engine.Unasked(), m.engine.Unread()}
	more = now.unread != m.said.unread || !maps.Equal(now.unasked, m.said.unasked)
	m.said = now
	return now, more
}

// known is the latest ledger; nil before the first.
func (m *memory) known() *detect.Ledger {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ledger
}

// due is what is to be told now: what waited long enough, and what was just found.
func (m *memory) due(found []detect.Finding) []*pending {
	var list []*pending
	if len(m.later) > 0 {
		now, wait := m.wall(), m.later[:0:0]
		for _, p := range m.later {
			if p.next.After(now) {
				wait = append(wait, p)
			} else {
				list = append(list, p)
			}
		}
		m.later = wait
	}
	for _, f := range found {
		list = append(list, &pending{Finding: f})
	}
	m.untold += len(found)
	return list
}

// tell tells one after the other, and keeps for later what is not settled.
func (m *memory) tell(list []*pending, tell teller) error {
	for i, p := range list {
		settled, err := tell(p)
		m.mu.Lock()
		switch {
		case err != nil:
			m.later = append(m.later, list[i:]...)
		case settled:
			m.untold--
		default:
			m.later = append(m.later, p)
		}
		m.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}
