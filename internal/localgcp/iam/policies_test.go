package iam_test

import (
	"fmt"
	"strings"
	"testing"

	coreiam "cloud.google.com/go/iam"
	iamadmin "cloud.google.com/go/iam/admin/apiv1"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/api/option"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"example.com/keyturn/internal/localgcp/iam"
)

type roleName = coreiam.RoleName

func getPolicy(resource string) *iampb.GetIamPolicyRequest {
	return &iampb.GetIamPolicyRequest{Resource: resource}
}

func TestAccountPolicyIsReadModifiedAndWritten(t *testing.T) {
	w := newWorld(t, iam.Config{})
	a, b := w.account("rot"), w.account("caller")
	p, err := w.admin.GetIamPolicy(w.ctx, getPolicy(a.GetName()))
	must(t, err)
	stale, err := w.admin.GetIamPolicy(w.ctx, getPolicy(a.GetName()))
	must(t, err)
	p.Add("serviceAccount:"+b.GetEmail(), "roles/iam.serviceAccountTokenCreator")
	_, err = w.admin.SetIamPolicy(w.ctx, &iamadmin.SetIamPolicyRequest{Resource: a.GetName(), Policy: p})
	must(t, err)
	_, err = w.admin.SetIamPolicy(w.ctx, &iamadmin.SetIamPolicyRequest{Resource: a.GetName(), Policy: stale})
	wantStatus(t, err, codes.Aborted, "There were concurrent policy changes.")

	code, answer := w.rest("POST", "/v1/projects/-/serviceAccounts/"+a.GetEmail()+":getIamPolicy?alt=json&options.requestedPolicyVersion=3", "")
	if code != 200 || !strings.Contains(fmt.Sprint(answer["bindings"]), b.GetEmail()) {
		t.Errorf("gcloud's form of the call: %d %v", code, answer)
	}
	resp, err := w.admin.TestIamPermissions(w.ctx, &iampb.TestIamPermissionsRequest{Resource: a.GetName(), Permissions: []string{"iam.serviceAccounts.actAs"}})
	must(t, err)
	if len(resp.GetPermissions()) != 1 {
		t.Errorf("the owner holds %v", resp.GetPermissions())
	}
	_, err = w.admin.TestIamPermissions(w.ctx, &iampb.TestIamPermissionsRequest{Resource: "projects/-/serviceAccounts/nobody"})
	wantStatus(t, err, codes.PermissionDenied, "iam.serviceAccounts.get")
}

func TestCustomRoleGrantsUntilItIsDeleted(t *testing.T) {
	w := newWorld(t, iam.Config{})
	a := w.account("rot")
	role, err := w.admin.CreateRole(w.ctx, &adminpb.CreateRoleRequest{
		Parent: "projects/local", RoleId: "keyturn.caller",
		Role: &adminpb.Role{Title: "Caller", IncludedPermissions: []string{"aiplatform.endpoints.predict"}},
	})
	must(t, err)
	code, answer := w.rest("POST", "/v1/projects/local:setIamPolicy?alt=json",
		`{"policy":{"bindings":[{"role":"`+role.GetName()+`","members":["serviceAccount:`+a.GetEmail()+`"]}]}}`)
	if code != 200 {
		t.Fatalf("setting the project's policy: %d %v", code, answer)
	}
	allowed := func(want bool, permission string) {
		t.Helper()
		if got := w.Allowed(a.GetEmail(), permission); got != want {
			t.Errorf("Allowed(%s) is %v", permission, got)
		}
	}
	allowed(true, "aiplatform.endpoints.predict")
	allowed(false, "aiplatform.models.list")
	_, err = w.admin.UpdateRole(w.ctx, &adminpb.UpdateRoleRequest{
		Name: role.GetName(), Role: &adminpb.Role{IncludedPermissions: []string{"aiplatform.models.list"}}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"included_permissions"}},
	})
	must(t, err)
	allowed(true, "aiplatform.models.list")
	_, err = w.admin.DeleteRole(w.ctx, &adminpb.DeleteRoleRequest{Name: role.GetName()})
	must(t, err)
	allowed(false, "aiplatform.models.list")
	_, err = w.admin.UndeleteRole(w.ctx, &adminpb.UndeleteRoleRequest{Name: role.GetName()})
	must(t, err)
	allowed(true, "aiplatform.models.list")
	got, err := w.admin.GetRole(w.ctx, &adminpb.GetRoleRequest{Name: role.GetName()})
	must(t, err)
	if got.GetTitle() != "Caller" {
		t.Errorf("role is %v", got)
	}
	list, err := w.admin.ListRoles(w.ctx, &adminpb.ListRolesRequest{Parent: "projects/local"})
	must(t, err)
	if len(list.GetRoles()) != 1 || len(list.GetRoles()[0].GetIncludedPermissions()) != 0 {
		t.Errorf("basic list is %v", list)
	}
	testable, err := w.admin.QueryTestablePermissions(w.ctx, &adminpb.QueryTestablePermissionsRequest{FullResourceName: "//cloudresourcemanager.googleapis.com/projects/local"})
	must(t, err)
	if p := testable.GetPermissions(); len(p) < 50 || p[0].GetName() != "aiplatform.endpoints.get" {
		t.Errorf("the testable permissions are %v", p)
	}
	_, err = w.admin.ListRoles(w.ctx, &adminpb.ListRolesRequest{Parent: "local"})
	wantStatus(t, err, codes.InvalidArgument, "projects/PROJECT_ID")
	_, err = w.admin.CreateRole(w.ctx, &adminpb.CreateRoleRequest{Parent: "local", RoleId: "abc"})
	wantStatus(t, err, codes.InvalidArgument, "projects/PROJECT_ID")
}

// TestCustomRolesAreTheProjectsAffair has anyone look at Google's own roles, and at
// a project's only whom it lets.
func TestCustomRolesAreTheProjectsAffair(t *testing.T) {
	w := newWorld(t, iam.Config{})
	a := w.account("rot")
	role, err := w.admin.CreateRole(w.ctx, &adminpb.CreateRoleRequest{Parent: "projects/local", RoleId: "caller", Role: &adminpb.Role{Title: "Caller"}})
	must(t, err)
	c := w.adminClient(option.WithAuthCredentialsJSON(option.ServiceAccount, w.key(a).GetPrivateKeyData()))
	_, err = c.GetRole(w.ctx, &adminpb.GetRoleRequest{Name: "roles/viewer"})
	must(t, err)
	_, err = c.ListRoles(w.ctx, &adminpb.ListRolesRequest{})
	must(t, err)
	_, err = c.GetRole(w.ctx, &adminpb.GetRoleRequest{Name: role.GetName()})
	wantStatus(t, err, codes.PermissionDenied, "Permission 'iam.roles.get' denied on resource (or it may not exist).")
	_, err = c.ListRoles(w.ctx, &adminpb.ListRolesRequest{Parent: "projects/local"})
	wantStatus(t, err, codes.PermissionDenied, "iam.roles.list")
	code, answer := w.rest("POST", "/v1/projects/local:setIamPolicy?alt=json",
		`{"policy":{"bindings":[{"role":"roles/iam.roleViewer","members":["serviceAccount:`+a.GetEmail()+`"]}]}}`)
	if code != 200 {
		t.Fatalf("setting the project's policy: %d %v", code, answer)
	}
	_, err = c.GetRole(w.ctx, &adminpb.GetRoleRequest{Name: role.GetName()})
	must(t, err)
	_, err = c.UpdateRole(w.ctx, &adminpb.UpdateRoleRequest{Name: "roles/viewer", Role: &adminpb.Role{Title: "mine"}})
	wantStatus(t, err, codes.NotFound, "was not found")
}
