package alerting

import (
	"fmt"
	"slices"
	"time"
)

// Limit is how often a channel may be called. What exceeds it is held back and
// told together, in a digest.
type Limit struct {
	PerHour int           // on average; 0 is no limit
	Burst   int           // at once; 0 is PerHour
	Digest  time.Duration // how long alerts are collected; 0 is 15 minutes
	Always  Severity      // alerts of at least this severity are never held back; 0 is critical
}

// maxHeld is how many incidents a digest names.
const maxHeld = 50

// Meter is what is remembered of a channel that has a limit.
type Meter struct {
	Used   float64   `json:"used"`  // calls that the limit has not made good for yet
	At     time.Time `json:"at"`    // when it was that
	Since  time.Time `json:"since"` // when the first alert was held back; zero when none is
	Held   []Held    `json:"held,omitempty"`
	More   int       `json:"more,omitempty"`   // incidents that were held back and are not in Held
	Alerts int       `json:"alerts,omitempty"` // that were held back
	Recent Recent    `json:"recent"`           // alerts that were held back
	Let    Recent    `json:"let"`              // alerts that were let through
	Told   int       `json:"told"`             // digests so far
	Digest *Notice   `json:"digest,omitempty"` // that is to be told
}

// Held is an incident of which alerts were held back.
type Held struct {
	Incident string   `json:"incident"`
	Severity Severity `json:"severity"` // highest
	State    State    `json:"state"`    // latest
	Summary  string   `json:"summary"`  // latest
	Alerts   int      `json:"alerts"`
}

// Admit reports whether an alert may be sent now, and counts it; if not, the
// alert will be in the digest.
func (m *Meter) Admit(l Limit, a Alert, now time.Time) bool {
	if l.PerHour <= 0 || a.Only != "" || m.closes(a) {
		return true
	}
	always := l.Always
	if always == Info {
		always = Critical
	}
	m.refill(l, now)
	switch {
	case m.Let.Has(a.ID): // it is tried again
		return true
	case a.Severity >= always, m.Used+1 <= float64(l.burst()) && len(m.Held) == 0:
		m.Used = min(m.Used+1, float64(l.burst()))
		m.Let.Add(a.ID)
		return true
	}
	if m.Recent.Add(a.ID) {
		m.hold(a, now)
	}
	return false
}

// closes reports whether an alert ends what the channel was told of: whoever was
// called must hear that it is over, and PagerDuty closes by it.
func (m *Meter) closes(a Alert) bool {
	over := a.State == Acknowledged || a.State == Resolved
	return over && !slices.ContainsFunc(m.Held, func(h Held) bool { return h.Incident == a.Incident })
}

func (l Limit) burst() int {
	if l.Burst > 0 {
		return l.Burst
	}
	return l.PerHour
}

// refill makes good for calls by the time that has passed.
func (m *Meter) refill(l Limit, now time.Time) {
	if now.After(m.At) {
		m.Used = max(0, m.Used-now.Sub(m.At).Hours()*float64(l.PerHour))
	}
	m.At = now // another instance's clock may be ahead
}

func (m *Meter) hold(a Alert, now time.Time) {
	m.Alerts++
	if m.Since.IsZero() {
		m.Since = now
	}
	i := slices.IndexFunc(m.Held, func(h Held) bool { return h.Incident == a.Incident })
	if i < 0 && len(m.Held) == maxHeld {
		m.More++
		return
	}
	if i < 0 {
		i = len(m.Held)
		m.Held = append(m.Held, Held{Incident: a.Incident})
	}
	h := &m.Held[i]
	h.Severity, h.State, h.Summary, h.Alerts = max(h.Severity, a.Severity), a.State, a.Summary, h.Alerts+1
}

// Tend makes a digest of what was held back once it is time. It is to be told, and
// then taken away.
func (m *Meter) Tend(channel string, l Limit, now time.Time) {
	if m.Digest != nil || m.Since.IsZero() || now.Sub(m.Since) < orDefault(l.Digest, 15*time.Minute) {
		return
	}
	m.Told++
	m.Digest = m.digest(channel, now)
	m.Since, m.Held, m.More, m.Alerts = time.Time{}, nil, 0, 0
}

func (m *Meter) digest(channel string, now time.Time) *Notice {
	subject := fmt.Sprintf("%s, digest %d", channel, m.Told)
	n := &Notice{
		ID: digest(subject, m.Since.UTC().String()), Rule: RuleDigest, Detector: "digest", Subject: subject, Only: channel, Count: m.Alerts, Time: now,
		Summary: fmt.Sprintf("%d alerts of %d incidents were held back here, because they came faster than this channel's limit", m.Alerts, len(m.Held)+m.More),
		Next:    "keyturn alerts list",
	}
	for _, h := range m.Held {
		n.Severity = max(n.Severity, h.Severity)
		n.Fields = append(n.Fields, Field{h.Incident, fmt.Sprintf("%s, %s, %d alerts: %s", h.Severity, h.State, h.Alerts, h.Summary)})
	}
	if m.More > 0 {
		n.Fields = append(n.Fields, Field{"and", fmt.Sprintf("%d more incidents", m.More)})
	}
	return n
}
