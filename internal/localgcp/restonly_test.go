package localgcp

import (
	"path"
	"testing"

	iam "cloud.google.com/go/iam/admin/apiv1"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
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
