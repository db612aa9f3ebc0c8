package gcp

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	iamadmin "cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/iam/apiv1/iampb"
	orgpolicy "cloud.google.com/go/orgpolicy/apiv2"
	"cloud.google.com/go/orgpolicy/apiv2/orgpolicypb"
	"example.com/keyturn/internal/localgcp/fault"
	"example.com/keyturn/shared/inventory"
	"example.com/keyturn/shared/posture"
	cloudresourcemanager "google.golang.org/api/cloudresourcemanager/v1"
	"google.golang.org/genproto/googleapis/type/expr"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// grantOnSecret replaces a secret's allow policy.
func (w *world) grantOnSecret(name string, bindings ...*iampb.Binding) {
	w.Helper()
	client, err := w.secretManager(w.Context())
	must(w.T, err)
	_, err = client.SetIamPolicy(w.Context(), &iampb.SetIamPolicyRequest{Resource: name, Policy: &iampb.Policy{Version: 3, Bindings: bindings}})
	must(w.T, err)
}

// grantOnProject adds a binding to the project's allow policy.
func (w *world) grantOnProject(b *cloudresourcemanager.Binding) {
	w.Helper()
	client, err := cloudresourcemanager.NewService(w.Context(), w.restOptions()...)
	must(w.T, err)
	p, err := client.Projects.GetIamPolicy(testProject, &cloudresourcemanager.GetIamPolicyRequest{}).Do()
	must(w.T, err)
	p.Bindings = append(p.Bindings, b)
	p.Version = 3
	_, err = client.Projects.SetIamPolicy(testProject, &cloudresourcemanager.SetIamPolicyRequest{Policy: p}).Do()
	must(w.T, err)
}

func (w *world) setOrgPolicy(constraint string, rule *orgpolicypb.PolicySpec_PolicyRule) {
	w.Helper()
	client, err := orgpolicy.NewClient(w.Context(), w.options()...)
	must(w.T, err)
	_, err = client.CreatePolicy(w.Context(), &orgpolicypb.CreatePolicyRequest{Parent: "projects/" + testProject, Policy: &orgpolicypb.Policy{
		Name: "projects/" + testProject + "/policies/" + constraint, Spec: &orgpolicypb.PolicySpec{Rules: []*orgpolicypb.PolicySpec_PolicyRule{rule}},
	}})
	must(w.T, err)
}

func TestPoliciesAreReadWithTheirConditions(t *testing.T) {
	w := newWorld(t, 0)
	secret := w.secret("some", "payload")
	w.grantOnSecret(secret, &iampb.Binding{Role: "roles/secretmanager.secretAccessor", Members: []string{"allUsers"}, Condition: &expr.Expr{Title: "always", Expression: "true"}})
	w.grantOnProject(&cloudresourcemanager.Binding{Role: "roles/viewer", Members: []string{"group:g@acme.example"}, Condition: &cloudresourcemanager.Expr{Title: "never", Expression: "false"}})
	got, err := w.SecretPolicy(t.Context(), secret)
	must(t, err)
	if len(got) != 1 || got[0].Condition != "true" || !slices.Equal(got[0].Members, []string{"allUsers"}) {
		t.Errorf("the secret's: %+v", got)
	}
	got, err = w.ProjectPolicy(t.Context(), testProject)
	must(t, err)
	if len(got) != 2 || got[1].Role != "roles/viewer" || got[1].Condition != "false" {
		t.Errorf("the project's: %+v", got)
	}
}

func TestRolesThatAreNotThereGrantNothing(t *testing.T) {
	w := newWorld(t, 0)
	client, err := w.iamAdmin(t.Context())
	must(t, err)
	role, err := client.CreateRole(t.Context(), &iamadmin.CreateRoleRequest{Parent: "projects/" + testProject, RoleId: "reader", Role: &iamadmin.Role{IncludedPermissions: []string{posture.AccessPermission}}})
	must(t, err)
	permissions := func(name string) []string {
		t.Helper()
		p, err := w.RolePermissions(t.Context(), name)
		must(t, err)
		return p
	}
	if got := permissions(role.GetName()); !slices.Equal(got, []string{posture.AccessPermission}) {
		t.Errorf("a custom role grants %v", got)
	}
	if got := permissions("roles/owner"); !slices.Contains(got, posture.AccessPermission) {
		t.Errorf("owner does not read secrets: it grants %d permissions", len(got))
	}
	_, err = client.DeleteRole(t.Context(), &iamadmin.DeleteRoleRequest{Name: role.GetName()})
	must(t, err)
	if got := permissions(role.GetName()); len(got) > 0 {
		t.Errorf("a deleted role grants %v", got)
	}
	if got := permissions("projects/acme/roles/nobody"); len(got) > 0 {
		t.Errorf("a role that is not there grants %v", got)
	}
}

func TestEffectivePolicies(t *testing.T) {
	w := newWorld(t, 0)
	effective := func(constraint string) posture.Constraint {
		t.Helper()
		c, err := w.EffectivePolicy(t.Context(), testProject, constraint)
		must(t, err)
		return c
	}
	if effective("iam.disableServiceAccountKeyCreation").Enforced || !effective("iam.managed.disableServiceAccountApiKeyCreation").Enforced {
		t.Error("the defaults are not Google's")
	}
	w.setOrgPolicy("iam.disableServiceAccountKeyCreation", &orgpolicypb.PolicySpec_PolicyRule{Kind: &orgpolicypb.PolicySpec_PolicyRule_Enforce{Enforce: true}})
	w.setOrgPolicy("iam.serviceAccountKeyExposureResponse", &orgpolicypb.PolicySpec_PolicyRule{Kind: &orgpolicypb.PolicySpec_PolicyRule_Values{Values: &orgpolicypb.PolicySpec_PolicyRule_StringValues{AllowedValues: []string{"is:WAIT_FOR_ABUSE"}}}})
	w.setOrgPolicy("iam.serviceAccountKeyExpiryHours", &orgpolicypb.PolicySpec_PolicyRule{Kind: &orgpolicypb.PolicySpec_PolicyRule_DenyAll{DenyAll: true}})
	if !effective("iam.disableServiceAccountKeyCreation").Enforced {
		t.Error("what is enforced is not")
	}
	if got := effective("iam.serviceAccountKeyExposureResponse").Allowed; !slices.Equal(got, []string{"WAIT_FOR_ABUSE"}) {
		t.Errorf("allowed: %v", got)
	}
	if !effective("iam.serviceAccountKeyExpiryHours").DenyAll {
		t.Error("not all are denied")
	}
}

// managed is an inventory of one project with one secret that keyturn manages.
func managed(secret string) inventory.Snapshot {
	return inventory.Snapshot{Scope: "projects/" + testProject, Projects: []inventory.Project{
		{ID: "elsewhere", Outside: true},
		{ID: testProject, Secrets: []inventory.Secret{{Name: secret, Credential: &inventory.Credential{}}, {Name: "projects/acme/secrets/other"}}},
	}}
}

func TestPostureReadsWhatIsLookedAt(t *testing.T) {
	w := newWorld(t, 0)
	secret := w.secret("some", "payload")
	w.grantOnSecret(secret, &iampb.Binding{Role: "roles/secretmanager.secretAccessor", Members: []string{"allUsers"}}, &iampb.Binding{Role: "roles/secretmanager.viewer", Members: []string{"allUsers"}})
	now := time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC)
	s, err := w.Posture(t.Context(), managed(secret), func() time.Time { return now })
	must(t, err)
	p := s.Projects[testProject]
	if len(s.Projects) != 1 || len(p.Secrets) != 1 || len(p.Constraints) != len(posture.Constraints()) {
		t.Fatalf("%d projects, %d secrets, %d constraints", len(s.Projects), len(p.Secrets), len(p.Constraints))
	}
	for role, want := range map[string]bool{"roles/owner": true, "roles/secretmanager.secretAccessor": true, "roles/secretmanager.viewer": false} {
		if got := p.Roles[role]; got.Value != want || got.Gap != nil || !got.At.Equal(now) {
			t.Errorf("%s: %+v", role, got)
		}
	}
	if !p.Policy.At.Equal(now) || len(p.Policy.Value) != 1 {
		t.Errorf("the project's policy: %+v", p.Policy)
	}
}

func TestPostureNotesWhatCouldNotBeRead(t *testing.T) {
	w := newWorld(t, 0)
	secret := w.secret("some", "payload")
	disabled := reasoned(t, codes.PermissionDenied, "SERVICE_DISABLED")
	for method, tt := range map[string]struct {
		answer error
		cause  inventory.Cause
		gap    func(posture.Project) *inventory.Gap
	}{
		"Projects/GetIamPolicy":        {status.Error(codes.PermissionDenied, "no"), inventory.NoPermission, func(p posture.Project) *inventory.Gap { return p.Policy.Gap }},
		"Service/GetIamPolicy":         {status.Error(codes.PermissionDenied, "no"), inventory.NoPermission, func(p posture.Project) *inventory.Gap { return p.Secrets[secret].Gap }},
		"GetRole":                      {status.Error(codes.PermissionDenied, "no"), inventory.NoPermission, func(p posture.Project) *inventory.Gap { return p.Roles["roles/owner"].Gap }},
		"GetEffectivePolicy":           {disabled, inventory.APIDisabled, func(p posture.Project) *inventory.Gap { return p.Constraints[posture.Constraints()[0]].Gap }},
		"OrgPolicy/GetEffectivePolicy": {status.Error(codes.Internal, "no"), inventory.Failed, func(p posture.Project) *inventory.Gap { return p.Constraints[posture.Constraints()[0]].Gap }},
	} {
		w.gcp.Faults.Set(func(called string, _ any) fault.Fault {
			if strings.HasSuffix(called, method) {
				return fault.Fault{Before: tt.answer}
			}
			return fault.Fault{}
		})
		s, err := w.Posture(t.Context(), managed(secret), time.Now)
		must(t, err)
		gap := tt.gap(s.Projects[testProject])
		if gap == nil || gap.Cause != tt.cause || gap.Detail == "" || gap.Of == "" {
			t.Errorf("%s: %+v", method, gap)
		}
	}
	w.gcp.Faults.Set(nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Posture(ctx, managed(secret), time.Now); err == nil {
		t.Error("a reading that was interrupted is taken for one to its end")
	}
}
