package main

import (
	"strings"
	"testing"

	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/explanation"
	"example.com/keyturn/shared/rotation"
)

func TestAFailureOfACredentialIsExplained(t *testing.T) {
	report := func(reason string) rotate.Report {
		return rotate.Report{Secret: "projects/p/secrets/billing-key", Then: "verify", Journal: &rotate.Standing{
			Current: &rotation.Key{}, Failure: &rotation.Failure{Count: 3, Step: rotation.Verify, Reason: reason},
		}}
	}
	e := standing(report("rpc error: code = PermissionDenied desc = no\x1b"))
	if e.Kind != explanation.Secret || e.About != "billing-key" || e.Means != "keyturn may not do this" || e.Next == "" || e.Seen != "failed 3 times at verify: no\x1b" {
		t.Errorf("%+v", e)
	}
	if e := standing(report("odd")); e.Means != "active" || !strings.Contains(e.Next, "verify") || e.Seen == "" {
		t.Errorf("what is not known: %+v", e)
	}
}
