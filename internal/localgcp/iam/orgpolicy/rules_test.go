package orgpolicy

import (
	"slices"
	"testing"

	"cloud.google.com/go/orgpolicy/apiv2/orgpolicypb"
)

// open are the methods that anyone may call, or that nobody can, as the embedded
// cloud does not implement them.
var open = []string{"CreateCustomConstraint", "UpdateCustomConstraint", "GetCustomConstraint", "ListCustomConstraints", "DeleteCustomConstraint"}

// TestEveryMethodHasItsRule keeps the rules and the service's description together.
func TestEveryMethodHasItsRule(t *testing.T) {
	for _, m := range orgpolicypb.OrgPolicy_ServiceDesc.Methods {
		if _, ruled := rules[m.MethodName]; ruled == slices.Contains(open, m.MethodName) {
			t.Errorf("%s has a rule: %v", m.MethodName, ruled)
		}
	}
}
