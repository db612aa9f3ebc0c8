package iam_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	orgpolicy "cloud.google.com/go/orgpolicy/apiv2"
	"cloud.google.com/go/orgpolicy/apiv2/orgpolicypb"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/genproto/googleapis/type/expr"
	"google.golang.org/grpc/codes"

	"example.com/keyturn/internal/localgcp/iam"
)

func (w *world) orgPolicies(opts ...option.ClientOption) *orgpolicy.Client {
	w.t.Helper()
	c, err := orgpolicy.NewClient(w.ctx, plaintext(w.addr, opts...)...)
	must(w.t, err)
	w.t.Cleanup(func() { c.Close() })
	return c
}

func enforcing(constraint string, enforce bool) *orgpolicypb.Policy {
	return &orgpolicypb.Policy{Name: "projects/local/policies/" + constraint, Spec: &orgpolicypb.PolicySpec{
		Rules: []*orgpolicypb.PolicySpec_PolicyRule{{Kind: &orgpolicypb.PolicySpec_PolicyRule_Enforce{Enforce: enforce}}},
	}}
}

func allowing(constraint string, values ...string) *orgpolicypb.Policy {
	return &orgpolicypb.Policy{Name: "projects/local/policies/" + constraint, Spec: &orgpolicypb.PolicySpec{
		Rules: []*orgpolicypb.PolicySpec_PolicyRule{{Kind: &orgpolicypb.PolicySpec_PolicyRule_Values{
			Values: &orgpolicypb.PolicySpec_PolicyRule_StringValues{AllowedValues: values},
		}}},
	}}
}

// effective is the one rule that applies, in a few words.
func (w *world) effective(c *orgpolicy.Client, constraint string) string {
	w.t.Helper()
	p, err := c.GetEffectivePolicy(w.ctx, &orgpolicypb.GetEffectivePolicyRequest{Name: "projects/local/policies/" + constraint})
	must(w.t, err)
	if p.GetSpec().GetEtag() != "" || len(p.GetSpec().GetRules()) != 1 {
		w.t.Fatalf("the effective policy is %v", p)
	}
	r := p.GetSpec().GetRules()[0]
	switch r.GetKind().(type) {
	case *orgpolicypb.PolicySpec_PolicyRule_Enforce:
		return fmt.Sprint("enforce ", r.GetEnforce())
	case *orgpolicypb.PolicySpec_PolicyRule_AllowAll:
		return "allow all"
	case *orgpolicypb.PolicySpec_PolicyRule_DenyAll:
		return "deny all"
	}
	return fmt.Sprint(r.GetValues().GetAllowedValues(), r.GetValues().GetDeniedValues())
}

func TestEffectivePolicyWithoutAnyIsTheDefault(t *testing.T) {
	w := newWorld(t, iam.Config{})
	c := w.orgPolicies(option.WithoutAuthentication())
	for constraint, want := range map[string]string{
		"iam.disableServiceAccountKeyCreation":            "enforce false",
		"iam.managed.disableServiceAccountKeyUpload":      "enforce false",
		"iam.managed.disableServiceAccountApiKeyCreation": "enforce true",
		"iam.serviceAccountKeyExposureResponse":           "[DISABLE_KEY] []",
		"iam.serviceAccountKeyExpiryHours":                "allow all",
	} {
		if got := w.effective(c, constraint); got != want {
			t.Errorf("%s: %s, want %s", constraint, got, want)
		}
	}
	_, err := c.GetPolicy(w.ctx, &orgpolicypb.GetPolicyRequest{Name: "projects/local/policies/iam.disableServiceAccountKeyCreation"})
	wantStatus(t, err, codes.NotFound, "Requested entity was not found.")
}

func TestEffectivePolicyIsTheOrganisations(t *testing.T) {
	w := newWorld(t, iam.Config{AllowBoundAPIKeys: true, OrgPolicy: iam.OrgPolicy{
		DenyKeyCreation: true, ManagedDenyKeyUpload: true, MaxKeyLifetime: 24 * time.Hour, WaitForAbuse: true,
	}})
	c := w.orgPolicies(option.WithoutAuthentication())
	for constraint, want := range map[string]string{
		"iam.disableServiceAccountKeyCreation":            "enforce true",
		"iam.disableServiceAccountKeyUpload":              "enforce false",
		"iam.managed.disableServiceAccountKeyUpload":      "enforce true",
		"iam.managed.disableServiceAccountApiKeyCreation": "enforce false",
		"iam.serviceAccountKeyExposureResponse":           "[WAIT_FOR_ABUSE] []",
		"iam.serviceAccountKeyExpiryHours":                "[24h] []",
	} {
		if got := w.effective(c, constraint); got != want {
			t.Errorf("%s: %s, want %s", constraint, got, want)
		}
	}
}

func TestProjectsPolicyDecidesWhatIAMRefuses(t *testing.T) {
	w := newWorld(t, iam.Config{OrgPolicy: iam.OrgPolicy{DenyKeyCreation: true}})
	c, account := w.orgPolicies(option.WithoutAuthentication()), w.account("billing")
	create := func() error {
		_, err := w.admin.CreateServiceAccountKey(w.ctx, &adminpb.CreateServiceAccountKeyRequest{Name: account.GetName(), KeyAlgorithm: adminpb.ServiceAccountKeyAlgorithm_KEY_ALG_RSA_1024})
		return err
	}
	wantStatus(t, create(), codes.FailedPrecondition, "Key creation is not allowed on this service account.")

	lifted, err := c.CreatePolicy(w.ctx, &orgpolicypb.CreatePolicyRequest{Parent: "projects/local", Policy: enforcing("iam.disableServiceAccountKeyCreation", false)})
	must(t, err)
	if lifted.GetName() != "projects/"+iam.ProjectNumber("local")+"/policies/iam.disableServiceAccountKeyCreation" || lifted.GetSpec().GetEtag() == "" {
		t.Errorf("created %v", lifted)
	}
	must(t, create())

	_, err = c.CreatePolicy(w.ctx, &orgpolicypb.CreatePolicyRequest{Parent: "projects/local", Policy: enforcing("iam.managed.disableServiceAccountKeyCreation", true)})
	must(t, err)
	wantStatus(t, create(), codes.FailedPrecondition, `Operation denied by org policy: ["constraints/iam.managed.disableServiceAccountKeyCreation"`)

	must(t, c.DeletePolicy(w.ctx, &orgpolicypb.DeletePolicyRequest{Name: "projects/local/policies/iam.managed.disableServiceAccountKeyCreation"}))
	must(t, create())
	must(t, c.DeletePolicy(w.ctx, &orgpolicypb.DeletePolicyRequest{Name: lifted.GetName(), Etag: lifted.GetSpec().GetEtag()}))
	wantStatus(t, create(), codes.FailedPrecondition, "Key creation is not allowed on this service account.")
}

func TestListConstraintsOfAProjectAreMerged(t *testing.T) {
	w := newWorld(t, iam.Config{OrgPolicy: iam.OrgPolicy{WaitForAbuse: true}})
	c := w.orgPolicies(option.WithoutAuthentication())
	const constraint = "iam.serviceAccountKeyExposureResponse"
	set := func(change func(*orgpolicypb.PolicySpec)) {
		p := allowing(constraint, "DISABLE_KEY")
		change(p.GetSpec())
		_, err := c.UpdatePolicy(w.ctx, &orgpolicypb.UpdatePolicyRequest{Policy: p})
		must(t, err)
	}
	_, err := c.CreatePolicy(w.ctx, &orgpolicypb.CreatePolicyRequest{Parent: "projects/local", Policy: allowing(constraint, "DISABLE_KEY")})
	must(t, err)
	for want, change := range map[string]func(*orgpolicypb.PolicySpec){
		"[DISABLE_KEY] []":                func(*orgpolicypb.PolicySpec) {},
		"[WAIT_FOR_ABUSE DISABLE_KEY] []": func(s *orgpolicypb.PolicySpec) { s.InheritFromParent = true },
		"[] []": func(s *orgpolicypb.PolicySpec) {
			s.Rules[0].Condition = &expr.Expr{Expression: "resource.matchTag('1/env', 'prod')"}
		},
		"deny all": func(s *orgpolicypb.PolicySpec) {
			s.Rules[0].Kind = &orgpolicypb.PolicySpec_PolicyRule_DenyAll{DenyAll: true}
		},
		"allow all": func(s *orgpolicypb.PolicySpec) {
			s.Rules[0].Kind = &orgpolicypb.PolicySpec_PolicyRule_AllowAll{AllowAll: true}
		},
	} {
		set(change)
		if got := w.effective(c, constraint); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	set(func(s *orgpolicypb.PolicySpec) { *s = orgpolicypb.PolicySpec{Reset_: true} })
	if got := w.effective(c, constraint); got != "[DISABLE_KEY] []" {
		t.Errorf("reset gives %s", got)
	}
}

func TestOrgPolicyRefusals(t *testing.T) {
	w := newWorld(t, iam.Config{})
	c := w.orgPolicies(option.WithoutAuthentication())
	const constraint = "iam.disableServiceAccountKeyUpload"
	made, err := c.CreatePolicy(w.ctx, &orgpolicypb.CreatePolicyRequest{Parent: "projects/local", Policy: enforcing(constraint, true)})
	must(t, err)
	_, err = c.CreatePolicy(w.ctx, &orgpolicypb.CreatePolicyRequest{Parent: "projects/local", Policy: enforcing(constraint, true)})
	wantStatus(t, err, codes.AlreadyExists, "Requested entity already exists")

	stale := enforcing(constraint, false)
	stale.Spec.Etag = "c3RhbGU="
	_, err = c.UpdatePolicy(w.ctx, &orgpolicypb.UpdatePolicyRequest{Policy: stale})
	wantStatus(t, err, codes.Aborted, "There were concurrent policy changes.")
	wantStatus(t, c.DeletePolicy(w.ctx, &orgpolicypb.DeletePolicyRequest{Name: made.GetName(), Etag: "c3RhbGU="}), codes.Aborted, "There were concurrent policy changes.")

	_, err = c.CreatePolicy(w.ctx, &orgpolicypb.CreatePolicyRequest{Parent: "projects/local", Policy: allowing("iam.disableServiceAccountKeyCreation", "x")})
	wantStatus(t, err, codes.InvalidArgument, "do not fit the type")
	_, err = c.UpdatePolicy(w.ctx, &orgpolicypb.UpdatePolicyRequest{Policy: enforcing("iam.managed.disableServiceAccountKeyUpload", true)})
	wantStatus(t, err, codes.NotFound, "Requested entity was not found.")
	wantStatus(t, c.DeletePolicy(w.ctx, &orgpolicypb.DeletePolicyRequest{Name: "projects/local/policies/iam.serviceAccountKeyExpiryHours"}), codes.NotFound, "")
	for _, name := range []string{"projects/local/policies/gcp.resourceLocations"} {
		_, err = c.GetEffectivePolicy(w.ctx, &orgpolicypb.GetEffectivePolicyRequest{Name: name})
		wantStatus(t, err, codes.NotFound, "Requested entity was not found.")
	}
	_, err = c.GetPolicy(w.ctx, &orgpolicypb.GetPolicyRequest{Name: "organizations/1/policies/" + constraint})
	wantStatus(t, err, codes.InvalidArgument, "Invalid resource name")
	_, err = c.GetPolicy(w.ctx, &orgpolicypb.GetPolicyRequest{Name: "projects/local/" + constraint})
	wantStatus(t, err, codes.InvalidArgument, "Invalid policy name")
}

func TestOrgPoliciesAreListedAndServedOverREST(t *testing.T) {
	w := newWorld(t, iam.Config{})
	c := w.orgPolicies(option.WithoutAuthentication())
	for _, constraint := range []string{"iam.disableServiceAccountKeyUpload", "iam.disableServiceAccountKeyCreation"} {
		_, err := c.CreatePolicy(w.ctx, &orgpolicypb.CreatePolicyRequest{Parent: "projects/local", Policy: enforcing(constraint, true)})
		must(t, err)
	}
	it := c.ListPolicies(w.ctx, &orgpolicypb.ListPoliciesRequest{Parent: "projects/local"})
	first, err := it.Next()
	must(t, err)
	_, err = it.Next()
	must(t, err)
	if _, err = it.Next(); err != iterator.Done || !strings.HasSuffix(first.GetName(), "KeyCreation") {
		t.Errorf("listed %s first, then %v", first.GetName(), err)
	}
	constraint, err := c.ListConstraints(w.ctx, &orgpolicypb.ListConstraintsRequest{Parent: "projects/local"}).Next()
	must(t, err)
	if constraint.GetEquivalentConstraint() != "projects/local/constraints/iam.managed.disableServiceAccountKeyCreation" {
		t.Errorf("the first constraint is %v", constraint)
	}
	number := iam.ProjectNumber("local")
	code, answer := w.rest("GET", "/v2/projects/"+number+"/policies/iam.disableServiceAccountKeyUpload:getEffectivePolicy?alt=json", "")
	if code != 200 || fmt.Sprint(answer["spec"]) != "map[rules:[map[enforce:true]]]" {
		t.Errorf("by the project's number, over REST: %d %v", code, answer)
	}
}

func TestOrgPolicyTakesPermission(t *testing.T) {
	w := newWorld(t, iam.Config{})
	a := w.account("reader")
	c := w.orgPolicies(option.WithAuthCredentialsJSON(option.ServiceAccount, w.key(a).GetPrivateKeyData()))
	_, err := c.GetEffectivePolicy(w.ctx, &orgpolicypb.GetEffectivePolicyRequest{Name: "projects/local/policies/iam.disableServiceAccountKeyUpload"})
	wantStatus(t, err, codes.PermissionDenied, "Permission 'orgpolicy.policy.get' denied on resource")
}
