package detect

import (
	"cmp"
	"fmt"
	"slices"
)

// Severity is how urgent a finding is.
type Severity string

// The severities, from lowest to highest.
const (
	Info     Severity = "info"
	Warning  Severity = "warning"
	High     Severity = "high"
	Critical Severity = "critical"
)

var severities = []Severity{Info, Warning, High, Critical}

// ParseSeverity reads a severity as it is written.
func ParseSeverity(text string) (Severity, error) {
	if !slices.Contains(severities, Severity(text)) {
		return "", fmt.Errorf("severity %.80q is none of %q", text, severities)
	}
	return Severity(text), nil
}

// Compare is negative if s is lower than other, and positive if it is higher.
func (s Severity) Compare(other Severity) int { return cmp.Compare(s.rank(), other.rank()) }

// rank is 0 for the lowest, and for what is no severity.
func (s Severity) rank() int8 { return int8(max(slices.Index(severities, s), 0)) }
