package iam_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"example.com/keyturn/internal/localgcp/iam"
)

func TestServiceAccountLivesAndDies(t *testing.T) {
	w := newWorld(t, iam.Config{})
	a, err := w.admin.CreateServiceAccount(w.ctx, &adminpb.CreateServiceAccountRequest{
		Name: "projects/local", AccountId: "rot", ServiceAccount: &adminpb.ServiceAccount{DisplayName: "rotator"},
	})
	must(t, err)
	if a.GetEmail() != "rot@local.iam.gserviceaccount.com" || a.GetName() != "projects/local/serviceAccounts/"+a.GetEmail() ||
		a.GetProjectId() != "local" || a.GetDisplayName() != "rotator" || !regexp.MustCompile(`^1\d{20}$`).MatchString(a.GetUniqueId()) {
		t.Errorf("created %v", a)
	}
	_, err = w.admin.CreateServiceAccount(w.ctx, &adminpb.CreateServiceAccountRequest{Name: "projects/local", AccountId: "rot"})
	wantStatus(t, err, codes.AlreadyExists, "Service account rot already exists within project projects/local.")

	_, err = w.admin.PatchServiceAccount(w.ctx, &adminpb.PatchServiceAccountRequest{
		ServiceAccount: &adminpb.ServiceAccount{Name: a.GetName(), DisplayName: "not in the mask", Description: "new"},
		UpdateMask:     &fieldmaskpb.FieldMask{Paths: []string{"description"}},
	})
	must(t, err)
	must(t, w.admin.DisableServiceAccount(w.ctx, &adminpb.DisableServiceAccountRequest{Name: a.GetName()}))
	got, err := w.admin.GetServiceAccount(w.ctx, &adminpb.GetServiceAccountRequest{Name: "projects/-/serviceAccounts/" + a.GetUniqueId()})
	must(t, err)
	if got.GetDescription() != "new" || got.GetDisplayName() != "rotator" || !got.GetDisabled() {
		t.Errorf("after patching and disabling it is %v", got)
	}
	must(t, w.admin.EnableServiceAccount(w.ctx, &adminpb.EnableServiceAccountRequest{Name: a.GetName()}))
	got, err = w.admin.UpdateServiceAccount(w.ctx, &adminpb.ServiceAccount{Name: a.GetName(), DisplayName: "renamed", Description: "ignored"})
	must(t, err)
	if got.GetDescription() != "new" || got.GetDisplayName() != "renamed" || got.GetDisabled() {
		t.Errorf("after updating and enabling it is %v", got)
	}

	must(t, w.admin.DeleteServiceAccount(w.ctx, &adminpb.DeleteServiceAccountRequest{Name: a.GetName()}))
	_, err = w.admin.GetServiceAccount(w.ctx, &adminpb.GetServiceAccountRequest{Name: a.GetName()})
	wantStatus(t, err, codes.NotFound, a.GetName()+" does not exist.")
	_, err = w.admin.GetServiceAccount(w.ctx, &adminpb.GetServiceAccountRequest{Name: "projects/-/serviceAccounts/" + a.GetEmail()})
	wantStatus(t, err, codes.PermissionDenied, "Permission 'iam.serviceAccounts.get' denied on resource (or it may not exist).")
	if reason(err) != "IAM_PERMISSION_DENIED" {
		t.Errorf("the denial's reason is %q", reason(err))
	}
	if again := w.account("rot"); again.GetUniqueId() == a.GetUniqueId() {
		t.Error("the unique id of a deleted account was used again")
	}
}

func TestServiceAccountsAreListedInPages(t *testing.T) {
	w := newWorld(t, iam.Config{})
	for i := range 25 {
		w.account(fmt.Sprintf("acc-%02d", i))
	}
	_, err := w.admin.CreateServiceAccount(w.ctx, &adminpb.CreateServiceAccountRequest{Name: "projects/elsewhere", AccountId: "other"})
	must(t, err)
	it := w.admin.ListServiceAccounts(w.ctx, &adminpb.ListServiceAccountsRequest{Name: "projects/local"})
	n := 0
	for ; ; n++ {
		a, err := it.Next()
		if err == iterator.Done {
			break
		}
		must(t, err)
		if want := fmt.Sprintf("acc-%02d@local.iam.gserviceaccount.com", n); a.GetEmail() != want {
			t.Errorf("account %d is %s", n, a.GetEmail())
		}
	}
	if n != 25 {
		t.Errorf("listed %d accounts, want 25", n)
	}
	_, page := w.rest("GET", "/v1/projects/local/serviceAccounts?alt=json&pageSize=0", "")
	if len(page["accounts"].([]any)) != 20 || page["nextPageToken"] == nil {
		t.Errorf("the default page has %d accounts", len(page["accounts"].([]any)))
	}
}

func TestServiceAccountRequestsThatAreRefused(t *testing.T) {
	w := newWorld(t, iam.Config{MinAccountID: 6})
	a := w.account("worker")
	create := func(project, id string, sa *adminpb.ServiceAccount) error {
		_, err := w.admin.CreateServiceAccount(w.ctx, &adminpb.CreateServiceAccountRequest{Name: project, AccountId: id, ServiceAccount: sa})
		return err
	}
	patch := func(sa *adminpb.ServiceAccount, paths ...string) error {
		_, err := w.admin.PatchServiceAccount(w.ctx, &adminpb.PatchServiceAccountRequest{ServiceAccount: sa, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}})
		return err
	}
	for name, c := range map[string]struct {
		err  error
		code codes.Code
		part string
	}{
		"too short":         {create("projects/local", "short", nil), codes.InvalidArgument, `The account ID "short" does not have a length between 6 and 30.`},
		"too long":          {create("projects/local", strings.Repeat("a", 31), nil), codes.InvalidArgument, "between 6 and 30"},
		"upper case":        {create("projects/local", "Worker", nil), codes.InvalidArgument, "must start with a letter"},
		"hyphen at the end": {create("projects/local", "worker-", nil), codes.InvalidArgument, "must start with a letter"},
		"wildcard project":  {create("projects/-", "worker2", nil), codes.InvalidArgument, "projects/PROJECT_ID"},
		"long display name": {create("projects/local", "worker2", &adminpb.ServiceAccount{DisplayName: strings.Repeat("x", 101)}), codes.InvalidArgument, "100 bytes"},
		"long description":  {patch(&adminpb.ServiceAccount{Name: a.GetName(), Description: strings.Repeat("x", 257)}, "description"), codes.InvalidArgument, "256 bytes"},
		"mask of e-mail":    {patch(a, "email"), codes.InvalidArgument, `"email" cannot be updated`},
		"no mask":           {patch(a), codes.InvalidArgument, "update mask is missing"},
		"no name":           {patch(&adminpb.ServiceAccount{}, "description"), codes.InvalidArgument, "projects/PROJECT_ID/serviceAccounts"},
		"missing":           {patch(&adminpb.ServiceAccount{Name: "projects/local/serviceAccounts/nobody"}, "description"), codes.NotFound, "does not exist"},
		"wrong project":     {patch(&adminpb.ServiceAccount{Name: "projects/other/serviceAccounts/" + a.GetEmail()}, "description"), codes.NotFound, "does not exist"},
	} {
		t.Run(name, func(t *testing.T) { wantStatus(t, c.err, c.code, c.part) })
	}
}

func TestDeletedAccountIsUndeletedWithItsKeys(t *testing.T) {
	w := newWorld(t, iam.Config{})
	a := w.account("rot")
	k := w.key(a)
	byID := &adminpb.UndeleteServiceAccountRequest{Name: "projects/-/serviceAccounts/" + a.GetUniqueId()}
	_, err := w.admin.UndeleteServiceAccount(w.ctx, byID)
	wantStatus(t, err, codes.PermissionDenied, "Permission 'iam.serviceAccounts.undelete' denied on resource (or it may not exist).")
	must(t, w.admin.DeleteServiceAccount(w.ctx, &adminpb.DeleteServiceAccountRequest{Name: a.GetName()}))
	back, err := w.admin.UndeleteServiceAccount(w.ctx, byID)
	must(t, err)
	if _, err := w.admin.GetServiceAccountKey(w.ctx, &adminpb.GetServiceAccountKeyRequest{Name: k.GetName()}); err != nil || back.GetRestoredAccount().GetEmail() != a.GetEmail() {
		t.Errorf("back is %v, its key %v", back, err)
	}
	must(t, w.admin.DeleteServiceAccount(w.ctx, &adminpb.DeleteServiceAccountRequest{Name: a.GetName()}))
	other := w.account("rot")
	_, err = w.admin.UndeleteServiceAccount(w.ctx, byID)
	wantStatus(t, err, codes.AlreadyExists, "Service account "+a.GetEmail()+" already exists within project projects/local.")
	must(t, w.admin.DeleteServiceAccount(w.ctx, &adminpb.DeleteServiceAccountRequest{Name: other.GetName()}))
	w.clock.Advance(31 * 24 * time.Hour)
	_, err = w.admin.UndeleteServiceAccount(w.ctx, &adminpb.UndeleteServiceAccountRequest{Name: "projects/local/serviceAccounts/" + a.GetUniqueId()})
	wantStatus(t, err, codes.NotFound, "does not exist.")
}
