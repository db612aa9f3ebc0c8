package inventorybench

import (
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/keyturn/internal/localgcp"
	"example.com/keyturn/internal/localgcp/fault"
)

// meter counts the calls of IAM's reading methods by the time in which quotas are
// counted.
type meter struct {
	speed time.Duration
	began time.Time

	mu      sync.Mutex
	skipped time.Duration // of the quota's time, while the world is made
	counts  bool
	reads   []time.Time // in order
	keys    int         // of them, lists of an account's keys
}

func newMeter(speed int) *meter { return &meter{speed: time.Duration(speed), began: time.Now()} }

// now is the quota's time. While the world is made each look at it takes a minute,
// so that no quota is in the way.
func (m *meter) now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.time()
}

func (m *meter) time() time.Time {
	if !m.counts {
		m.skipped += time.Minute
	}
	return m.began.Add(time.Since(m.began)*m.speed + m.skipped)
}

// watch counts from now on. The channel is closed after so many lists of keys.
func (m *meter) watch(cloud *localgcp.Cloud, lists int, advance func(int)) <-chan struct{} {
	m.mu.Lock()
	m.skipped += time.Hour
	m.counts = true
	m.mu.Unlock()
	reached := make(chan struct{})
	cloud.Faults.Set(func(method string, _ any) fault.Fault {
		m.mu.Lock()
		defer m.mu.Unlock()
		verb := path.Base(method)
		if !strings.HasPrefix(method, "/google.iam.admin.v1.IAM/") || !strings.HasPrefix(verb, "List") && !strings.HasPrefix(verb, "Get") {
			return fault.Fault{}
		}
		m.reads = append(m.reads, m.time())
		if verb == "ListServiceAccountKeys" {
			m.keys++
			advance(m.keys)
			if m.keys == lists {
				close(reached)
			}
		}
		return fault.Fault{}
	})
	return reached
}

func (m *meter) calls() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.reads)
}

func (m *meter) lists() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.keys
}

// busiest is how many calls came in any minute.
func (m *meter) busiest() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	slices.SortFunc(m.reads, time.Time.Compare)
	most, first := 0, 0
	for i, at := range m.reads {
		for at.Sub(m.reads[first]) >= time.Minute {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}
