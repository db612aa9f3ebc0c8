package keyturn

import (
	"strings"
	"testing"

	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/state"
)

func TestWhereStateIsShared(t *testing.T) {
	cloud, err := gcp.New(gcp.Config{Project: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	if s := shared(gcp.Environment{}, cloud, "alert", "alert"); s != nil {
		t.Errorf("without KEYTURN_STATE it is shared in %T", s)
	}
	if s, ok := shared(gcp.Environment{State: gcp.StateFirestore}, cloud, "alert", "alert").(*gcp.Documents); !ok {
		t.Errorf("for Firestore it is shared in %T", s)
	}
	for folder, want := range map[string]string{"": "/state", "alert": "/state/alert"} {
		if s, ok := shared(gcp.Environment{State: "/state"}, cloud, "alert", folder).(*state.Directory); !ok || s.Path != want {
			t.Errorf("for a directory it is shared in %+v, want %s", s, want)
		}
	}
}

// Only functions that share something share state, by the accounts that may: each
// sees its own collection and no rotation needs one.
func TestWhoSharesState(t *testing.T) {
	accounts := map[string]string{"Audit": "keyturn-audit", "Alert": "keyturn-alert", "AlertHTTP": "keyturn-alert"}
	for _, step := range readDeployFiles(t).checked().build.GetSteps() {
		entry, account := flag(step.GetArgs(), "--entry-point"), flag(step.GetArgs(), "--run-service-account")
		shares := strings.Contains(flag(step.GetArgs(), "--set-env-vars"), ",KEYTURN_STATE=firestore")
		want, may := accounts[entry]
		if shares != may || shares && account != want+"@${PROJECT_ID}.iam.gserviceaccount.com" {
			t.Errorf("step %s shares state: %v, as %s", step.GetId(), shares, account)
		}
	}
}

// Functions refuse an environment that is not whole; cloudbuild.yaml's is.
func TestWhatIsDeployedIsConfigured(t *testing.T) {
	for _, step := range readDeployFiles(t).checked().build.GetSteps() {
		vars := strings.NewReplacer("${PROJECT_ID}", "acme", "${_REGION}", "us-central1", "${_ALERTS}", "", "${PROJECT_NUMBER}", "1234", "${_CALLERS}", "ada@example.com: *; bob@example.com: status list", "${_AUDIENCES}", "").Replace(flag(step.GetArgs(), "--set-env-vars"))
		if flag(step.GetArgs(), "--entry-point") == "" {
			continue
		}
		if _, err := build(t.Context(), append(strings.Split(vars, ","), "K_SERVICE="+step.GetArgs()[2])); err != nil {
			t.Errorf("step %s: %v", step.GetId(), err)
		}
	}
}
