package policy

import (
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/genproto/googleapis/type/expr"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const rot = "rot@local.iam.gserviceaccount.com"

func binding(role string, members ...string) *iampb.Binding {
	return &iampb.Binding{Role: role, Members: members}
}

func wantStatus(t *testing.T, err error, code codes.Code, part string) {
	t.Helper()
	if status.Code(err) != code || !strings.Contains(status.Convert(err).Message(), part) {
		t.Errorf("error is %v, want %v with %q", err, code, part)
	}
}

func TestPredefinedRolesGrant(t *testing.T) {
	roles := newRoles()
	for _, c := range []struct {
		role, permission string
		want             bool
	}{
		{"roles/owner", "secretmanager.versions.access", true},
		{"roles/owner", "iam.serviceAccountKeys.create", true},
		{"roles/owner", "iam.serviceAccounts.getAccessToken", false},
		{"roles/editor", "iam.serviceAccountKeys.create", true},
		{"roles/editor", "secretmanager.versions.access", false},
		{"roles/editor", "resourcemanager.projects.setIamPolicy", false},
		{"roles/editor", "iam.serviceAccounts.signJwt", false},
		{"roles/viewer", "secretmanager.secrets.list", true},
		{"roles/viewer", "secretmanager.secrets.delete", false},
		{"roles/owner", "logging.privateLogEntries.list", true},
		{"roles/editor", "logging.privateLogEntries.list", false},
		{"roles/editor", "iam.roles.get", true},
		{"roles/editor", "iam.roles.create", false},
		{"roles/editor", "pubsub.topics.setIamPolicy", false},
		{"roles/viewer", "logging.logEntries.list", true},
		{"roles/viewer", "logging.privateLogEntries.list", false},
		{"roles/viewer", "apikeys.keys.getKeyString", true},
		{"roles/viewer", "secretmanager.versions.access", false},
		{"roles/iam.securityReviewer", "secretmanager.secrets.getIamPolicy", true},
		{"roles/iam.securityReviewer", "secretmanager.secrets.get", false},
		{"roles/serviceusage.apiKeysAdmin", "apikeys.keys.getKeyString", true},
		{"roles/serviceusage.apiKeysViewer", "apikeys.keys.getKeyString", false},
		{"roles/pubsub.editor", "pubsub.topics.publish", true},
		{"roles/pubsub.editor", "pubsub.topics.getIamPolicy", false},
		{"roles/pubsub.viewer", "pubsub.topics.publish", false},
		{"roles/logging.viewer", "logging.privateLogEntries.list", false},
		{"roles/logging.privateLogViewer", "logging.privateLogEntries.list", true},
		{"roles/logging.configWriter", "logging.sinks.update", true},
		{"roles/logging.configWriter", "logging.views.access", false},
		{"roles/cloudscheduler.viewer", "cloudscheduler.jobs.run", false},
		{"roles/cloudscheduler.jobRunner", "cloudscheduler.jobs.run", true},
		{"roles/iam.serviceAccountTokenCreator", "iam.serviceAccounts.signBlob", true},
		{"roles/iam.serviceAccountUser", "iam.serviceAccounts.actAs", true},
		{"roles/iam.serviceAccountUser", "iam.serviceAccounts.getAccessToken", false},
		{"roles/secretmanager.admin", "secretmanager.versions.access", true},
		{"roles/unknown.role", "secretmanager.versions.access", false},
		{"projects/local/roles/missing", "secretmanager.versions.access", false},
	} {
		if got := roles.Grants(c.role, c.permission); got != c.want {
			t.Errorf("%s grants %s: %v", c.role, c.permission, got)
		}
	}
}

func TestPolicyGrantsToItsMembers(t *testing.T) {
	s := NewStore()
	conditional := binding("roles/owner", "serviceAccount:"+rot)
	conditional.Condition = &expr.Expr{Title: "once", Expression: "request.time < timestamp('2020-01-01T00:00:00Z')"}
	for _, c := range []struct {
		name string
		b    *iampb.Binding
		want bool
	}{
		{"account", binding("roles/viewer", "user:a@example.com", "serviceAccount:"+rot), true},
		{"everyone", binding("roles/viewer", "allUsers"), true},
		{"everyone known", binding("roles/viewer", "allAuthenticatedUsers"), true},
		{"another", binding("roles/viewer", "serviceAccount:eve@local.iam.gserviceaccount.com"), false},
		{"the user of that name", binding("roles/viewer", "user:"+rot), false},
		{"on a condition", conditional, false},
	} {
		if _, err := s.Set("projects/local", &iampb.Policy{Bindings: []*iampb.Binding{c.b}}); err != nil {
			t.Fatal(err)
		}
		if got := s.Allows(rot, "secretmanager.secrets.get", "projects/other", "projects/local"); got != c.want {
			t.Errorf("%s: allowed is %v", c.name, got)
		}
	}
	s.Delete("projects/local")
	if p := s.Get("projects/local"); len(p.GetBindings()) != 0 || string(p.GetEtag()) != string(emptyEtag) {
		t.Errorf("after deleting the policy is %v", p)
	}
}

func TestPoliciesThatAreRefused(t *testing.T) {
	s := NewStore()
	s.Exists = func(email string) bool { return email == rot }
	set := func(b *iampb.Binding) error {
		_, err := s.Set("projects/local", &iampb.Policy{Bindings: []*iampb.Binding{b}})
		return err
	}
	_, err := s.Set("projects/local", nil)
	wantStatus(t, err, codes.InvalidArgument, "policy is missing")
	wantStatus(t, set(binding("viewer", "allUsers")), codes.InvalidArgument, "Role viewer is not supported for this resource.")
	wantStatus(t, set(binding("projects/local/roles/missing", "allUsers")), codes.InvalidArgument, "is not supported")
	wantStatus(t, set(binding("roles/viewer", rot)), codes.InvalidArgument, "Invalid member")
	wantStatus(t, set(binding("roles/viewer", "user:")), codes.InvalidArgument, "Invalid member")
	wantStatus(t, set(binding("roles/viewer", "serviceAccount:eve@local.iam.gserviceaccount.com")), codes.InvalidArgument,
		"Service account eve@local.iam.gserviceaccount.com does not exist.")
	for _, m := range []string{"serviceAccount:" + rot, "serviceAccount:service-1@gcp-sa-secretmanager.iam.gserviceaccount.com", "group:g@example.com"} {
		if err := set(binding("roles/viewer", m)); err != nil {
			t.Errorf("%s: %v", m, err)
		}
	}
}

func TestCallersCannotReachIntoTheStore(t *testing.T) {
	s := NewStore()
	p := &iampb.Policy{Bindings: []*iampb.Binding{binding("roles/viewer", "allUsers")}}
	out, err := s.Set("r", p)
	if err != nil {
		t.Fatal(err)
	}
	p.Bindings[0].Role, out.Bindings[0].Role, s.Get("r").Bindings[0].Role = "roles/owner", "roles/owner", "roles/owner"
	if got := s.Get("r").GetBindings()[0].GetRole(); got != "roles/viewer" {
		t.Errorf("the stored role became %s", got)
	}
}

func TestTestedPermissionsMustBeWhole(t *testing.T) {
	granted, err := Test([]string{"a.b.get", "a.b.list"}, func(p string) bool { return p == "a.b.list" })
	if err != nil || len(granted) != 1 || granted[0] != "a.b.list" {
		t.Errorf("granted %v, %v", granted, err)
	}
	for _, p := range []string{"a.b.*", "*", "", "a.b"} {
		_, err := Test([]string{p}, func(string) bool { return true })
		wantStatus(t, err, codes.InvalidArgument, "is not valid")
	}
}

func TestCustomRoleRequestsThatAreRefused(t *testing.T) {
	r := newRoles()
	role, err := r.Create("projects/local", "caller", &adminpb.Role{Title: "t"})
	if err != nil {
		t.Fatal(err)
	}
	create := func(id string, role *adminpb.Role) error {
		_, err := r.Create("projects/local", id, role)
		return err
	}
	update := func(name string, role *adminpb.Role, paths ...string) error {
		_, err := r.Update(name, role, paths)
		return err
	}
	bad := &adminpb.Role{IncludedPermissions: []string{"*"}}
	wantStatus(t, create("a", nil), codes.InvalidArgument, "role_id")
	wantStatus(t, create("named", role), codes.InvalidArgument, "must not be set")
	wantStatus(t, create("other", bad), codes.InvalidArgument, "Permission * is not valid.")
	wantStatus(t, create("caller", nil), codes.AlreadyExists, "A role named caller in projects/local already exists.")
	wantStatus(t, update(role.GetName(), bad), codes.InvalidArgument, "is not valid")
	wantStatus(t, update("projects/local/roles/missing", nil), codes.NotFound, "was not found")
	wantStatus(t, update(role.GetName(), nil, "colour"), codes.InvalidArgument, `"colour"`)
	wantStatus(t, update(role.GetName(), &adminpb.Role{Etag: []byte("old")}), codes.Aborted, "changed by someone else")
	_, err = r.SetDeleted(role.GetName(), false, nil)
	wantStatus(t, err, codes.FailedPrecondition, "already in the requested state")
	_, err = r.Get("projects/local/roles/missing")
	wantStatus(t, err, codes.NotFound, "was not found")
}

func TestRolesAreListed(t *testing.T) {
	r := newRoles()
	role, err := r.Create("projects/local", "caller", &adminpb.Role{Title: "t", Stage: adminpb.Role_GA})
	if err != nil {
		t.Fatal(err)
	}
	role, err = r.Update(role.GetName(), &adminpb.Role{Name: role.GetName(), Title: "new", Etag: role.GetEtag()}, []string{"name", "title", "stage", "etag"})
	if err != nil || role.GetTitle() != "new" || role.GetStage() != adminpb.Role_ALPHA {
		t.Fatalf("updated to %v, %v", role, err)
	}
	if _, err := r.SetDeleted(role.GetName(), true, role.GetEtag()); err != nil {
		t.Fatal(err)
	}
	if got := len(r.List("projects/local", false)); got != 0 {
		t.Errorf("%d roles are listed after deleting the only one", got)
	}
	if got := len(r.List("projects/local", true)); got != 1 {
		t.Errorf("%d deleted roles are listed", got)
	}
	list := r.List("", false)
	if len(list) != len(predefined) || list[0].GetName() > list[1].GetName() {
		t.Errorf("%d predefined roles are listed", len(list))
	}
	creator, err := r.Get("roles/iam.serviceAccountTokenCreator")
	if err != nil || len(creator.GetIncludedPermissions()) != 9 {
		t.Errorf("token creator is %v, %v", creator, err)
	}
}

// TestPredefinedRolesAreExpanded has patterns stand for the permissions that there are.
func TestPredefinedRolesAreExpanded(t *testing.T) {
	r := newRoles()
	for name := range predefined {
		role, err := r.Get(name)
		if err != nil || len(role.GetIncludedPermissions()) == 0 || !slices.IsSorted(role.GetIncludedPermissions()) {
			t.Fatalf("%s is %v, %v", name, role, err)
		}
		for _, p := range role.GetIncludedPermissions() {
			if !ValidPermission(p) || !r.Grants(name, p) {
				t.Errorf("%s lists %s, which it does not grant", name, p)
			}
		}
	}
	editor, err := r.Get("roles/editor")
	if err != nil || !slices.Contains(editor.GetIncludedPermissions(), "pubsub.topics.update") || slices.Contains(editor.GetIncludedPermissions(), "secretmanager.versions.access") {
		t.Errorf("editor is %v, %v", editor, err)
	}
}
