package alerting

import (
	"slices"
	"strings"
	"time"
)

// Match selects notices. Every field that is set must hold. JSON holds no schedule:
// those stand in files.
type Match struct {
	Severity    Severity          `json:"severity,omitzero"`     // at least; the zero value is any
	Rules       []string          `json:"rules,omitempty"`       // "finding", "rotation"; nil is any
	Detectors   []string          `json:"detectors,omitempty"`   // names, or what names begin with followed by "*"; nil is any
	Projects    []string          `json:"projects,omitempty"`    // likewise
	Credentials []string          `json:"credentials,omitempty"` // likewise
	Labels      map[string]string `json:"labels,omitempty"`      // that the credential must have; nil is any
	Schedule    *Schedule         `json:"-"`                     // when it must be; nil is always
	Outside     *Schedule         `json:"-"`                     // when it must not be; nil is never
}

// Matches reports whether a notice is selected now.
func (m Match) Matches(n Notice, now time.Time) bool {
	return n.Severity >= m.Severity &&
		oneOf(m.Rules, n.Rule) && oneOf(m.Detectors, n.Detector) && oneOf(m.Projects, n.Project) && oneOf(m.Credentials, n.Credential) &&
		labelled(m.Labels, n.Labels) && (m.Schedule == nil || m.Schedule.Covers(now)) && (m.Outside == nil || !m.Outside.Covers(now))
}

// Everything reports whether nothing that is told is left out: nothing less severe
// than a warning is.
func (m Match) Everything() bool {
	all := func(patterns []string) bool { return len(patterns) == 0 || slices.Contains(patterns, "*") }
	return m.Severity <= Warning && (len(m.Rules) == 0 || slices.Contains(m.Rules, RuleFinding) && slices.Contains(m.Rules, RuleRotation)) &&
		all(m.Detectors) && all(m.Projects) && all(m.Credentials) && len(m.Labels) == 0 && m.Schedule == nil && m.Outside == nil
}

func oneOf(patterns []string, s string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool {
		if prefix, ok := strings.CutSuffix(p, "*"); ok {
			return strings.HasPrefix(s, prefix)
		}
		return s == p
	})
}

func labelled(want, have map[string]string) bool {
	for name, value := range want {
		if got, ok := have[name]; !ok || got != value {
			return false
		}
	}
	return true
}

// Schedule is a part of each week.
type Schedule struct {
	Days     []time.Weekday // on which it begins; nil is every day
	From, To time.Duration  // since midnight; a To that is not after From is on the next day
	Zone     *time.Location // nil is UTC
}

// Covers reports whether the schedule is on.
func (s *Schedule) Covers(now time.Time) bool {
	zone := s.Zone
	if zone == nil {
		zone = time.UTC
	}
	now = now.In(zone)
	at := time.Duration(now.Hour())*time.Hour + time.Duration(now.Minute())*time.Minute + time.Duration(now.Second())*time.Second
	if s.From < s.To {
		return s.on(now.Weekday()) && s.From <= at && at < s.To
	}
	return s.on(now.Weekday()) && s.From <= at || s.on((now.Weekday()+6)%7) && at < s.To
}

func (s *Schedule) on(day time.Weekday) bool { return len(s.Days) == 0 || slices.Contains(s.Days, day) }
