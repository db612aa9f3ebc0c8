package iam_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	coreiam "cloud.google.com/go/iam"
	iamadmin "cloud.google.com/go/iam/admin/apiv1"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/api/iterator"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"example.com/keyturn/internal/localgcp/iam"
)

type roleName = coreiam.RoleName

func getPolicy(resource string) *iampb.GetIamPolicyRequest {
	return &iampb.GetIamPolicyRequest{Resource: resource}
}

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

func TestCreatedKeyIsGooglesKeyFile(t *testing.T) {
	w := newWorld(t, iam.Config{})
	a := w.account("rot")
	k, err := w.admin.CreateServiceAccountKey(w.ctx, &adminpb.CreateServiceAccountKeyRequest{Name: "projects/-/serviceAccounts/" + a.GetEmail()})
	must(t, err)
	var file map[string]string
	must(t, json.Unmarshal(k.GetPrivateKeyData(), &file))
	for field, want := range map[string]string{
		"type": "service_account", "project_id": "local", "private_key_id": keyID(k), "client_email": a.GetEmail(), "client_id": a.GetUniqueId(),
		"auth_uri": "https://accounts.google.com/o/oauth2/auth", "token_uri": "http://" + w.addr + "/token",
		"auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
		"client_x509_cert_url":        "https://www.googleapis.com/robot/v1/metadata/x509/rot%40local.iam.gserviceaccount.com",
		"universe_domain":             "googleapis.com",
	} {
		if file[field] != want {
			t.Errorf("%s is %q, want %q", field, file[field], want)
		}
	}
	block, _ := pem.Decode([]byte(file["private_key"]))
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	must(t, err)
	if bits := private.(*rsa.PrivateKey).N.BitLen(); bits != 2048 {
		t.Errorf("key has %d bits", bits)
	}
	if !regexp.MustCompile(`^[0-9a-f]{40}$`).MatchString(keyID(k)) || k.GetName() != a.GetName()+"/keys/"+keyID(k) ||
		k.GetValidBeforeTime().AsTime().Format(time.RFC3339) != "9999-12-31T23:59:59Z" || !k.GetValidAfterTime().AsTime().Equal(start) ||
		k.GetKeyOrigin() != adminpb.ServiceAccountKeyOrigin_GOOGLE_PROVIDED || k.GetKeyType() != adminpb.ListServiceAccountKeysRequest_USER_MANAGED ||
		k.GetKeyAlgorithm() != adminpb.ServiceAccountKeyAlgorithm_KEY_ALG_RSA_2048 {
		t.Errorf("created %s of %v to %v", k.GetName(), k.GetValidAfterTime().AsTime(), k.GetValidBeforeTime().AsTime())
	}
	got, err := w.admin.GetServiceAccountKey(w.ctx, &adminpb.GetServiceAccountKeyRequest{Name: k.GetName(), PublicKeyType: adminpb.ServiceAccountPublicKeyType_TYPE_X509_PEM_FILE})
	must(t, err)
	block, _ = pem.Decode(got.GetPublicKeyData())
	cert, err := x509.ParseCertificate(block.Bytes)
	must(t, err)
	if !private.(*rsa.PrivateKey).PublicKey.Equal(cert.PublicKey) || len(got.GetPrivateKeyData()) > 0 {
		t.Error("the public half is another key's, or the private one is shown again")
	}
	_, err = w.admin.CreateServiceAccountKey(w.ctx, &adminpb.CreateServiceAccountKeyRequest{Name: a.GetName(), PrivateKeyType: adminpb.ServiceAccountPrivateKeyType_TYPE_PKCS12_FILE})
	wantStatus(t, err, codes.Unimplemented, "TYPE_GOOGLE_CREDENTIALS_FILE")
}

func TestUploadedKeyHasTheDatesOfItsCertificate(t *testing.T) {
	w := newWorld(t, iam.Config{})
	a := w.account("rot")
	private, cert := certificate(t, 1024, start.Add(-2*time.Minute), start.Add(time.Hour))
	k, err := w.admin.UploadServiceAccountKey(w.ctx, &adminpb.UploadServiceAccountKeyRequest{Name: a.GetName(), PublicKeyData: cert})
	must(t, err)
	if k.GetKeyOrigin() != adminpb.ServiceAccountKeyOrigin_USER_PROVIDED || !k.GetValidAfterTime().AsTime().Equal(start.Add(-2*time.Minute)) ||
		!k.GetValidBeforeTime().AsTime().Equal(start.Add(time.Hour)) || len(keyID(k)) != 40 {
		t.Errorf("uploaded %v", k)
	}
	raw, err := w.admin.GetServiceAccountKey(w.ctx, &adminpb.GetServiceAccountKeyRequest{Name: k.GetName(), PublicKeyType: adminpb.ServiceAccountPublicKeyType_TYPE_RAW_PUBLIC_KEY})
	must(t, err)
	block, _ := pem.Decode(raw.GetPublicKeyData())
	pub, err := x509.ParsePKIXPublicKey(block.Bytes)
	must(t, err)
	if !private.PublicKey.Equal(pub) {
		t.Error("the raw public key is another one")
	}
	x509File, err := w.admin.GetServiceAccountKey(w.ctx, &adminpb.GetServiceAccountKeyRequest{Name: k.GetName(), PublicKeyType: adminpb.ServiceAccountPublicKeyType_TYPE_X509_PEM_FILE})
	must(t, err)
	if string(x509File.GetPublicKeyData()) != string(cert) {
		t.Error("the certificate is not the uploaded one")
	}
}

func TestKeysBeyondTheCapAreRefused(t *testing.T) {
	w := newWorld(t, iam.Config{})
	a := w.account("rot")
	first := w.key(a)
	for range 8 {
		w.key(a)
	}
	_, expiring := certificate(t, 1024, start, start.Add(time.Second))
	_, err := w.admin.UploadServiceAccountKey(w.ctx, &adminpb.UploadServiceAccountKeyRequest{Name: a.GetName(), PublicKeyData: expiring})
	must(t, err)
	must(t, w.admin.DisableServiceAccountKey(w.ctx, &adminpb.DisableServiceAccountKeyRequest{Name: first.GetName()}))
	w.clock.Advance(time.Hour) // now one of the ten is disabled and one expired

	_, err = w.admin.CreateServiceAccountKey(w.ctx, &adminpb.CreateServiceAccountKeyRequest{Name: a.GetName()})
	wantStatus(t, err, codes.FailedPrecondition, "Precondition check failed.")
	_, cert := certificate(t, 1024, start, start.Add(24*time.Hour))
	_, err = w.admin.UploadServiceAccountKey(w.ctx, &adminpb.UploadServiceAccountKeyRequest{Name: a.GetName(), PublicKeyData: cert})
	wantStatus(t, err, codes.FailedPrecondition, "Precondition check failed.")

	must(t, w.admin.DeleteServiceAccountKey(w.ctx, &adminpb.DeleteServiceAccountKeyRequest{Name: first.GetName()}))
	w.key(a)
}

func TestKeysAreListedByType(t *testing.T) {
	w := newWorld(t, iam.Config{})
	a := w.account("rot")
	k := w.key(a)
	const user, system = adminpb.ListServiceAccountKeysRequest_USER_MANAGED, adminpb.ListServiceAccountKeysRequest_SYSTEM_MANAGED
	list := func(types ...adminpb.ListServiceAccountKeysRequest_KeyType) ([]*adminpb.ServiceAccountKey, error) {
		resp, err := w.admin.ListServiceAccountKeys(w.ctx, &adminpb.ListServiceAccountKeysRequest{Name: a.GetName(), KeyTypes: types})
		return resp.GetKeys(), err
	}
	all, err := list()
	must(t, err)
	if len(all) != 2 || all[0].GetName() != k.GetName() || all[1].GetKeyType() != system || len(all[0].GetPublicKeyData())+len(all[0].GetPrivateKeyData()) > 0 {
		t.Errorf("listed %v", all)
	}
	if only, err := list(user); err != nil || len(only) != 1 || only[0].GetKeyType() != user {
		t.Errorf("listed %v, %v", only, err)
	}
	_, err = list(user, user)
	wantStatus(t, err, codes.InvalidArgument, "Duplicate key type USER_MANAGED")
	_, err = list(adminpb.ListServiceAccountKeysRequest_KEY_TYPE_UNSPECIFIED)
	wantStatus(t, err, codes.InvalidArgument, "KEY_TYPE_UNSPECIFIED")

	got, err := w.admin.GetServiceAccountKey(w.ctx, &adminpb.GetServiceAccountKeyRequest{Name: all[1].GetName(), PublicKeyType: adminpb.ServiceAccountPublicKeyType_TYPE_X509_PEM_FILE})
	must(t, err)
	if block, _ := pem.Decode(got.GetPublicKeyData()); block == nil {
		t.Error("the system-managed key has no certificate")
	}
	err = w.admin.DeleteServiceAccountKey(w.ctx, &adminpb.DeleteServiceAccountKeyRequest{Name: all[1].GetName()})
	wantStatus(t, err, codes.FailedPrecondition, "Precondition check failed.")
}

func TestNewKeysPropagateAndListsAreStale(t *testing.T) {
	w := newWorld(t, iam.Config{KeyLag: time.Minute, StaleLists: 2 * time.Minute})
	a := w.account("rot")
	k := w.key(a)
	get := func() error {
		_, err := w.admin.GetServiceAccountKey(w.ctx, &adminpb.GetServiceAccountKeyRequest{Name: k.GetName()})
		return err
	}
	listed := func() (found, disabled bool) {
		resp, err := w.admin.ListServiceAccountKeys(w.ctx, &adminpb.ListServiceAccountKeysRequest{Name: a.GetName()})
		must(t, err)
		for _, l := range resp.GetKeys() {
			if l.GetName() == k.GetName() {
				return true, l.GetDisabled()
			}
		}
		return false, false
	}
	wantStatus(t, get(), codes.NotFound, "Service account key "+keyID(k)+" does not exist.")
	w.clock.Advance(time.Minute)
	must(t, get())
	if found, _ := listed(); found {
		t.Error("a list two minutes old shows a key one minute old")
	}
	w.clock.Advance(time.Minute)
	if found, _ := listed(); !found {
		t.Error("a list two minutes old does not show a key as old")
	}
	must(t, w.admin.DisableServiceAccountKey(w.ctx, &adminpb.DisableServiceAccountKeyRequest{Name: k.GetName()}))
	must(t, w.admin.DisableServiceAccountKey(w.ctx, &adminpb.DisableServiceAccountKeyRequest{Name: k.GetName()}))
	if _, disabled := listed(); disabled {
		t.Error("a stale list shows what was disabled just now")
	}
	must(t, w.admin.DeleteServiceAccountKey(w.ctx, &adminpb.DeleteServiceAccountKeyRequest{Name: k.GetName()}))
	wantStatus(t, get(), codes.NotFound, "does not exist")
	if found, _ := listed(); !found {
		t.Error("a stale list does not show what was deleted just now")
	}
	w.clock.Advance(2 * time.Minute)
	if found, _ := listed(); found {
		t.Error("a list shows what was deleted two minutes ago")
	}
	err := w.admin.EnableServiceAccountKey(w.ctx, &adminpb.EnableServiceAccountKeyRequest{Name: k.GetName()})
	wantStatus(t, err, codes.NotFound, "does not exist")
}

func TestOrganisationForbidsKeys(t *testing.T) {
	w := newWorld(t, iam.Config{OrgPolicy: iam.OrgPolicy{DenyKeyCreation: true, DenyKeyUpload: true}})
	a, free := w.account("rot"), w.account("free")
	w.SetOrgPolicy(iam.OrgPolicy{MaxKeyLifetime: time.Hour}, free.GetEmail())
	_, cert := certificate(t, 1024, start, start.Add(2*time.Hour))
	create := func(a *adminpb.ServiceAccount) (*adminpb.ServiceAccountKey, error) {
		return w.admin.CreateServiceAccountKey(w.ctx, &adminpb.CreateServiceAccountKeyRequest{Name: a.GetName()})
	}
	upload := func(a *adminpb.ServiceAccount) error {
		_, err := w.admin.UploadServiceAccountKey(w.ctx, &adminpb.UploadServiceAccountKeyRequest{Name: a.GetName(), PublicKeyData: cert})
		return err
	}
	violation := func(err error) string {
		for _, d := range status.Convert(err).Details() {
			if f, ok := d.(*errdetails.PreconditionFailure); ok {
				return f.GetViolations()[0].GetType()
			}
		}
		return ""
	}
	_, err := create(a)
	wantStatus(t, err, codes.FailedPrecondition, "Key creation is not allowed on this service account.")
	if got := violation(err); got != "constraints/iam.disableServiceAccountKeyCreation" {
		t.Errorf("violation of %q", got)
	}
	err = upload(a)
	wantStatus(t, err, codes.FailedPrecondition,
		"Constraint `constraints/iam.disableServiceAccountKeyUpload` violated for service account "+a.GetName()+" attempting to upload public key.")
	if got := violation(err); got != "constraints/iam.disableServiceAccountKeyUpload" {
		t.Errorf("violation of %q", got)
	}
	k, err := create(free)
	must(t, err)
	if got := k.GetValidBeforeTime().AsTime(); !got.Equal(start.Add(time.Hour)) {
		t.Errorf("key expires at %v", got)
	}
	wantStatus(t, upload(free), codes.InvalidArgument, "The given public key has a lifetime of 7200 seconds, which is longer than the max allowed lifetime of 3600 seconds")

	w.SetOrgPolicy(iam.OrgPolicy{})
	must(t, upload(a))
}

func TestMalformedKeyNames(t *testing.T) {
	w := newWorld(t, iam.Config{})
	a := w.account("rot")
	for _, name := range []string{a.GetName() + "/keys/", a.GetName() + "/keys/a/b", a.GetName()} {
		err := w.admin.DeleteServiceAccountKey(w.ctx, &adminpb.DeleteServiceAccountKeyRequest{Name: name})
		if code := status.Code(err); code != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	err := w.admin.DeleteServiceAccountKey(w.ctx, &adminpb.DeleteServiceAccountKeyRequest{Name: a.GetName() + "/keys/abc123"})
	wantStatus(t, err, codes.NotFound, "Service account key abc123 does not exist.")
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
	_, err = w.admin.ListRoles(w.ctx, &adminpb.ListRolesRequest{Parent: "local"})
	wantStatus(t, err, codes.InvalidArgument, "projects/PROJECT_ID")
	_, err = w.admin.CreateRole(w.ctx, &adminpb.CreateRoleRequest{Parent: "local", RoleId: "abc"})
	wantStatus(t, err, codes.InvalidArgument, "projects/PROJECT_ID")
}
