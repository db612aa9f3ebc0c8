package alerting

import (
	"fmt"
	"slices"
)

// Severity is how urgent an alert is.
type Severity int

// The severities, from lowest to highest.
const (
	Info Severity = iota
	Warning
	High
	Critical
)

var severityNames = []string{"info", "warning", "high", "critical"}

// ParseSeverity reads a severity's name.
func ParseSeverity(name string) (Severity, error) {
	i := slices.Index(severityNames, name)
	if i < 0 {
		return 0, fmt.Errorf("severity %q is none of info, warning, high, critical", name)
	}
	return Severity(i), nil
}

// String is the severity's name.
func (s Severity) String() string {
	if s < Info || s > Critical {
		return fmt.Sprintf("Severity(%d)", int(s))
	}
	return severityNames[s]
}

// MarshalText writes the severity's name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the severity's name.
func (s *Severity) UnmarshalText(text []byte) (err error) {
	*s, err = ParseSeverity(string(text))
	return err
}
