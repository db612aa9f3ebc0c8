package rotate

import (
	"path"
	"slices"
	"testing"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
)

func TestRevokeDisablesTheRightKeyAndNothingElse(t *testing.T) {
	e := newEnv(t)
	secret, account := e.account("leaky", rotation.Upload)
	leaked := e.standing(secret).Current.ID
	foreign, err := e.iam.CreateServiceAccountKey(e.ctx, &adminpb.CreateServiceAccountKeyRequest{Name: account})
	must(t, err)
	revoke := event.Command{Verb: event.Revoke, Secret: secret, Key: leaked}
	e.do(revoke)
	e.clock.Advance(lag)
	wantSteps(t, e.proceed(secret), "verify promote disable") // nobody repeats the command: the journal knows
	e.clock.Advance(lag)
	e.fails(secret, leaked)
	e.works(secret, "latest")
	keys, err := e.cloud.AccountKeys(e.ctx, account)
	must(t, err)
	for _, k := range keys {
		if k.Disabled != (k.ID == leaked) {
			t.Errorf("key %s: disabled %v", k.ID, k.Disabled)
		}
	}
	if !slices.Contains(e.accountKeys(account), path.Base(foreign.GetName())) {
		t.Error("the foreign key was touched")
	}
	wantSteps(t, e.do(revoke), "disable") // delivered again: makes sure, and no more
}
