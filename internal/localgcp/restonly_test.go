package localgcp

import (
	"path"
	"testing"

	iam "cloud.google.com/go/iam/admin/apiv1"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	restapikeys "google.golang.org/api/apikeys/v2"
	restiam "google.golang.org/api/iam/v1"
)

func TestRESTTellsThatAKeyWasExposed(t *testing.T) {
	w, ctx := start(t), t.Context()
	account := w.account("billing")
	key, err := open(w, iam.NewIamClient, w.overGRPC()).CreateServiceAccountKey(ctx, &adminpb.CreateServiceAccountKeyRequest{Name: account.GetName()})
	w.must(err)
	w.must(w.cloud.IAM.Expose(account.GetEmail(), path.Base(key.GetName())))
	overREST, err := restiam.NewService(ctx, w.overREST()...)
	w.must(err)
	got, err := overREST.Projects.ServiceAccounts.Keys.Get(key.GetName()).Do()
	w.must(err)
	if !got.Disabled || got.DisableReason != "SERVICE_ACCOUNT_KEY_DISABLE_REASON_EXPOSED" || len(got.ExtendedStatus) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestAPIKeysAreBoundIfTheOrganisationAllows(t *testing.T) {
	for _, allowed := range []bool{true, false} {
		w := startWith(t, Config{AllowBoundAPIKeys: allowed})
		account := w.account("bot")
		c, err := restapikeys.NewService(t.Context(), w.overREST()...)
		w.must(err)
		keys := c.Projects.Locations.Keys
		_, err = keys.Create(project+"/locations/global", &restapikeys.V2Key{ServiceAccountEmail: account.GetEmail()}).KeyId("bound").Do()
		if (err == nil) != allowed {
			t.Errorf("allowed is %t: %v", allowed, err)
		}
		k, err := keys.Get(project + "/locations/global/keys/bound").Do()
		if allowed && (err != nil || k.ServiceAccountEmail != account.GetEmail()) {
			t.Errorf("%v, %v", k, err)
		}
		if _, err = keys.Create(project+"/locations/global", &restapikeys.V2Key{ServiceAccountEmail: "x" + account.GetEmail()}).KeyId("y").Do(); err == nil {
			t.Error("bound to an account that is not there")
		}
	}
}
