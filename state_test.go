package keyturn

import (
	"testing"

	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/state"
)

func TestWhereStateIsShared(t *testing.T) {
	cloud, err := gcp.New(gcp.Config{Project: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	if s := store(gcp.Environment{}, cloud); s != nil {
		t.Errorf("without KEYTURN_STATE it is shared in %T", s)
	}
	if s, ok := store(gcp.Environment{State: gcp.StateFirestore}, cloud).(*gcp.Documents); !ok {
		t.Errorf("for Firestore it is shared in %T", s)
	}
	if s, ok := store(gcp.Environment{State: "/state"}, cloud).(*state.Directory); !ok || s.Path != "/state" {
		t.Errorf("for a directory it is shared in %+v", s)
	}
}

// Only the audit function that hears of entries and sweeps has what to share, and
// the account that may.
func TestOnlyTheAuditFunctionSharesState(t *testing.T) {
	for _, step := range readBuild(t).GetSteps() {
		entry, account := flag(step.GetArgs(), "--entry-point"), flag(step.GetArgs(), "--run-service-account")
		shares := flag(step.GetArgs(), "--set-env-vars") == "KEYTURN_PROJECT=${PROJECT_ID},KEYTURN_STATE=firestore"
		if shares != (entry == "Audit") || shares && account != "keyturn-audit@${PROJECT_ID}.iam.gserviceaccount.com" {
			t.Errorf("step %s shares state: %v, as %s", step.GetId(), shares, account)
		}
	}
}
