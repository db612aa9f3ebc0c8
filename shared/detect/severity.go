package detect

import (
	"slices"
	"strings"
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

func (s Severity) above(other Severity) bool {
	order := []Severity{Info, Warning, High, Critical}
	return slices.Index(order, s) > slices.Index(order, other)
}

// severityOf goes by breadth (four times the threshold is broad) and danger.
// Minting tokens is dangerous whatever the breadth.
func severityOf(detector string, seen []Sighting, count int, l Limits) Severity {
	broad := count >= 4*l.Distinct
	danger := detector == TokenMinting || slices.ContainsFunc(seen, func(s Sighting) bool { return dangerous(s.Item.Permission) })
	switch {
	case broad && danger:
		return Critical
	case broad || danger:
		return High
	}
	return Warning
}

// dangerous reports whether a permission leads to others, or to secrets, or
// blinds the logs.
func dangerous(permission string) bool {
	for _, suffix := range []string{".setIamPolicy", ".actAs", ".getAccessToken", ".getOpenIdToken", ".signBlob", ".signJwt", ".implicitDelegation", ".getKeyString"} {
		if strings.HasSuffix(permission, suffix) {
			return true
		}
	}
	switch permission {
	case "iam.serviceAccountKeys.create", "iam.roles.create", "iam.roles.update", "storage.hmacKeys.create", "apikeys.keys.create",
		"secretmanager.versions.access", "orgpolicy.policy.set", "logging.sinks.delete", "logging.sinks.update":
		return true
	}
	return false
}
