package credentials

import (
	"testing"

	"cloud.google.com/go/iam/credentials/apiv1/credentialspb"
)

// TestEveryMethodHasItsRule keeps the rules and the service's description together.
func TestEveryMethodHasItsRule(t *testing.T) {
	for _, m := range credentialspb.IAMCredentials_ServiceDesc.Methods {
		if _, ruled := rules[m.MethodName]; !ruled {
			t.Errorf("%s has no rule", m.MethodName)
		}
	}
}
