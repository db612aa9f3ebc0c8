package admin

import (
	"slices"
	"testing"
)

// open are the methods that anyone may call, or that nobody can, as the embedded
// cloud does not implement them.
var open = []string{"SignBlob", "SignJwt", "TestIamPermissions", "QueryGrantableRoles", "QueryTestablePermissions", "QueryAuditableServices", "LintPolicy"}

// TestEveryMethodHasItsRule keeps the rules and the service's description together.
func TestEveryMethodHasItsRule(t *testing.T) {
	for _, m := range desc().Methods {
		if _, ruled := rules[m.MethodName]; ruled == slices.Contains(open, m.MethodName) {
			t.Errorf("%s has a rule: %v", m.MethodName, ruled)
		}
	}
}
