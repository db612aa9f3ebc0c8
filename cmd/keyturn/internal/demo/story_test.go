package demo

import (
	"strings"
	"testing"
	"time"
)

// toldLoops are five loops: each step of the nth takes n times as long as of the first.
func toldLoops() *sightings {
	s := &sightings{meanwhile: Meanwhile{Requests: 123}}
	for n := range time.Duration(5) {
		s.begin(theft{secret: "projects/p/secrets/billing", key: strings.Repeat(string(rune('a'+n)), 40), successor: strings.Repeat("f", 40)})
		l := &s.loops[n]
		after := func(d time.Duration) time.Time { return l.used.Add((n + 1) * d) }
		l.found, l.alerted, l.asked = after(time.Millisecond), after(2*time.Millisecond), after(3*time.Millisecond)
		l.disabled, l.resolved = after(10*time.Millisecond), after(20*time.Millisecond)
		l.detector, l.severity, l.incident = "stolen-old-key", "critical", "0123456789abcdef"
	}
	return s
}

func TestStory(t *testing.T) {
	const want = `Of 5 stolen keys, the one that worked longest:
  +0.000 s  old key eeeeeeee of billing used from 203.0.113.66
  +0.005 s  finding: stolen-old-key, critical
  +0.010 s  incident 01234567 opened, people told
  +0.015 s  revoke asked for, by nobody's hand
  +0.050 s  eeeeeeee disabled; consumers have ffffffff since the rotation
  +0.100 s  incident resolved
Half of them were disabled within 0.030 s, 95 % within 0.050 s. From the
rotation on, 0 of 123 requests of consumers failed.`
	s := toldLoops()
	if got := s.summary().Story(); got != want {
		t.Errorf("told:\n%s\nwant:\n%s", got, want)
	}
	s.loops[0].resolved = time.Time{}
	if got := s.summary(); got != (Loop{}) || got.Story() != "" {
		t.Errorf("of a loop that is open: %+v", got)
	}
	if got := new(sightings).summary(); got != (Loop{}) {
		t.Errorf("of no loop: %+v", got)
	}
}
