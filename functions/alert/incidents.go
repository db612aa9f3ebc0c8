package alert

import (
	"cmp"
	"errors"
	"slices"
	"sync"
	"time"

	"example.com/keyturn/shared/alerting"
)

// incidents keeps the latest incidents, and what is still owed of each.
type incidents struct {
	max   int
	mu    sync.Mutex
	byKey map[string]*incident
}

type incident struct {
	sending sync.Mutex // held from deciding about an alert to delivering it

	// Guarded by incidents.mu.
	state  alerting.Incident
	latest alerting.Alert
	owed   []*delivery // in the order of their decision
}

// delivery is an alert on its way.
type delivery struct {
	notice string // id of what led to it
	alert  alerting.Alert
	done   []bool // by channel; guarded by incident.sending
}

// maxOwed is how many alerts of one incident may be undelivered.
const maxOwed = 16

// Back-pressure: what cannot be remembered stays in Pub/Sub.
var (
	errManyIncidents = errors.New("no room for another incident: every one that is remembered has alerts that some channel did not take")
	errManyOwed      = errors.New("too many alerts of one incident that some channel did not take")
)

func newIncidents(size int) *incidents {
	if size <= 0 {
		size = 4096
	}
	return &incidents{max: size, byKey: make(map[string]*incident)}
}

// of returns the incident of n, making room for it if it is new.
func (s *incidents) of(n alerting.Notice) (*incident, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := alerting.IncidentOf(n)
	if in, ok := s.byKey[key]; ok {
		return in, nil
	}
	if len(s.byKey) >= s.max && !s.forget() {
		return nil, errManyIncidents
	}
	in := new(incident)
	s.byKey[key] = in
	return in, nil
}

// forget drops the incident that was quiet for longest, of those that owe nothing.
func (s *incidents) forget() bool {
	oldest := ""
	for key, in := range s.byKey {
		if len(in.owed) == 0 && (oldest == "" || in.state.Seen.Before(s.byKey[oldest].state.Seen)) {
			oldest = key
		}
	}
	delete(s.byKey, oldest)
	return oldest != ""
}

// decide returns the delivery that n leads to: the one that is owed since n came
// last time, or a new one; nil when there is nothing to tell.
func (s *incidents) decide(in *incident, p alerting.Policy, n alerting.Notice, now time.Time) (*delivery, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(in.owed, func(d *delivery) bool { return d.notice == n.ID }); i >= 0 {
		return in.owed[i], nil
	}
	if len(in.owed) >= maxOwed {
		return nil, errManyOwed
	}
	next, alerts := alerting.Decide(p, in.state, n, now)
	in.state = next
	if len(alerts) == 0 {
		return nil, nil
	}
	in.latest = alerts[0]
	d := &delivery{notice: n.ID, alert: alerts[0]}
	in.owed = append(in.owed, d)
	return d, nil
}

// settle forgets a delivery that every channel has taken.
func (s *incidents) settle(in *incident, d *delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in.owed = slices.DeleteFunc(in.owed, func(o *delivery) bool { return o == d })
}

// Line is one incident in the answer to command list.
type Line struct {
	alerting.Alert           // the latest
	Told           time.Time `json:"told"` // when it was
	Seen           time.Time `json:"seen"` // when something of the incident was noticed last
	Undelivered    int       `json:"undelivered"`
}

// list returns the incidents that were told, the latest first.
func (s *incidents) list() []Line {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Line, 0, len(s.byKey))
	for _, in := range s.byKey {
		if !in.state.Told.IsZero() {
			all = append(all, Line{in.latest, in.state.Told, in.state.Seen, len(in.owed)})
		}
	}
	slices.SortFunc(all, func(a, b Line) int {
		return cmp.Or(b.Told.Compare(a.Told), cmp.Compare(a.Incident, b.Incident))
	})
	return all
}
