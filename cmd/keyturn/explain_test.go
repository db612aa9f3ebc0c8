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
	if e.Kind != explanation.Secret || e.About != "billing-key" || e.Means != "keyturn may not do this" || e.Next == "" || e.Seen != "failed 3 times at verify: no\\x1b" {
		t.Errorf("%+v", e)
	}
	if e := standing(report("odd")); e.Means != "failing at verify" || !strings.Contains(e.Next, "verify") || e.Seen == "" {
		t.Errorf("what is not known: %+v", e)
	}
}

// TestTheCureOfOneModeIsNotTheOther where both are forbidden.
func TestTheCureOfOneModeIsNotTheOther(t *testing.T) {
	r := rotate.Report{Secret: "projects/p/secrets/s", Journal: &rotate.Standing{
		Incoming: &rotation.Key{Phase: rotation.Intended, Mode: rotation.Create, Denied: "iam.disableServiceAccountKeyUpload"},
		Failure:  &rotation.Failure{Count: 1, Step: rotation.Publish, Reason: "constraints/iam.disableServiceAccountKeyCreation: Key creation is not allowed on this service account."},
	}}
	if e := standing(r); strings.Contains(e.Next, "keyMode") || !strings.Contains(e.Next, "except this project from one of the two") || !strings.Contains(e.Means, "KeyUpload") {
		t.Errorf("%+v", e)
	}
	r.Journal.Incoming.Denied = ""
	if e := standing(r); !strings.Contains(e.Next, `keyMode to "upload"`) {
		t.Errorf("where uploads may be allowed: %+v", e)
	}
}
