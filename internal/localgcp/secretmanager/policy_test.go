package secretmanager

import (
	"bytes"
	"slices"
	"testing"

	"cloud.google.com/go/iam/apiv1/iampb"
	pb "cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/genproto/googleapis/type/expr"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"example.com/keyturn/internal/localgcp/iam/policy"
	"example.com/keyturn/internal/localgcp/principal"
)

func (w *world) setPolicy(p *iampb.Policy, mask ...string) (*iampb.Policy, error) {
	req := &iampb.SetIamPolicyRequest{Resource: name, Policy: p}
	if mask != nil {
		req.UpdateMask = &fieldmaskpb.FieldMask{Paths: mask}
	}
	return w.SetIamPolicy(w.t.Context(), req)
}

func (w *world) policy() *iampb.Policy {
	w.t.Helper()
	return must(w.GetIamPolicy(w.t.Context(), &iampb.GetIamPolicyRequest{Resource: name}))(w.t)
}

func accessor(member string) *iampb.Binding {
	return &iampb.Binding{Role: "roles/secretmanager.secretAccessor", Members: []string{member}}
}

func TestPolicyReadModifyWrite(t *testing.T) {
	w := newWorld(t, 0)
	made := w.create("s1", &pb.Secret{Topics: []*pb.Topic{{Name: topic}}})
	w.pubsub.take()
	empty := w.policy()
	if !bytes.Equal(empty.GetEtag(), []byte{0, 32, 1}) || empty.GetBindings() != nil {
		t.Errorf("the policy never set is %v", empty)
	}
	first := must(w.setPolicy(&iampb.Policy{Etag: empty.GetEtag(), Version: 3, Bindings: []*iampb.Binding{accessor("user:a@b.com")}}))(t)
	if first.GetVersion() != 1 || len(first.GetBindings()) != 1 || bytes.Equal(first.GetEtag(), empty.GetEtag()) {
		t.Errorf("set %v", first)
	}
	_, err := w.setPolicy(&iampb.Policy{Etag: empty.GetEtag()})
	wantError(t, err, codes.Aborted, "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.")
	conditional := accessor("allUsers")
	conditional.Condition = &expr.Expr{Title: "always", Expression: "true"}
	second := must(w.setPolicy(&iampb.Policy{Version: 3, Bindings: []*iampb.Binding{conditional}}, "bindings", "etag", "version"))(t)
	if second.GetVersion() != 3 || bytes.Equal(second.GetEtag(), first.GetEtag()) {
		t.Errorf("set %v", second)
	}
	audited := must(w.setPolicy(&iampb.Policy{AuditConfigs: []*iampb.AuditConfig{{Service: "allServices"}}}, "audit_configs"))(t)
	if len(audited.GetBindings()) != 1 || len(audited.GetAuditConfigs()) != 1 {
		t.Errorf("a masked set made %v", audited)
	}
	if got := w.policy(); !bytes.Equal(got.GetEtag(), audited.GetEtag()) {
		t.Errorf("stored %v", got)
	}
	if got := w.get(name).GetEtag(); got != made.GetEtag() {
		t.Error("a policy changed the secret's etag")
	}
	w.wantEvents()
}

func TestPolicyRefuses(t *testing.T) {
	w := newWorld(t, 0)
	w.create("s1", nil)
	conditional := accessor("user:a@b.com")
	conditional.Condition = &expr.Expr{Title: "always", Expression: "true"}
	for _, p := range []*iampb.Policy{
		nil,
		{Bindings: []*iampb.Binding{{Role: "owner"}}},
		{Bindings: []*iampb.Binding{accessor("a@b.com")}},
		{Version: 1, Bindings: []*iampb.Binding{conditional}},
	} {
		_, err := w.setPolicy(p)
		wantError(t, err, codes.InvalidArgument, "")
	}
	_, err := w.setPolicy(&iampb.Policy{}, "members")
	wantError(t, err, codes.InvalidArgument, "")
	_, err = w.SetIamPolicy(t.Context(), &iampb.SetIamPolicyRequest{Resource: name + "x", Policy: &iampb.Policy{}})
	wantError(t, err, codes.NotFound, "")
	_, err = w.GetIamPolicy(t.Context(), &iampb.GetIamPolicyRequest{Resource: name + "x"})
	wantError(t, err, codes.NotFound, "")
}

func TestPermissions(t *testing.T) {
	w := newWorld(t, 0)
	w.create("s1", nil)
	test := func(resource string, permissions ...string) ([]string, error) {
		resp, err := w.TestIamPermissions(t.Context(), &iampb.TestIamPermissionsRequest{Resource: resource, Permissions: permissions})
		return resp.GetPermissions(), err
	}
	got, err := test(name, "secretmanager.versions.access", "storage.objects.get")
	if err != nil || !slices.Equal(got, []string{"secretmanager.versions.access"}) {
		t.Errorf("granted %v, %v", got, err)
	}
	if got, err := test(name+"x", "secretmanager.versions.access"); err != nil || got != nil {
		t.Errorf("on a missing secret granted %v, %v", got, err)
	}
	_, err = test(name, "secretmanager.*")
	wantError(t, err, codes.InvalidArgument, "")
}

func TestPermissionsOfAServiceAccount(t *testing.T) {
	const email = "app@local.iam.gserviceaccount.com"
	policies := policy.NewStore()
	s := New(Config{Policies: policies})
	must(s.CreateSecret(t.Context(), &pb.CreateSecretRequest{Parent: project, SecretId: "s1", Secret: &pb.Secret{Replication: automatic()}}))(t)
	asked := []string{"secretmanager.versions.access", "secretmanager.versions.add", "secretmanager.secrets.delete"}
	test := func() []string {
		ctx := principal.NewContext(t.Context(), principal.Principal{Email: email})
		return must(s.TestIamPermissions(ctx, &iampb.TestIamPermissionsRequest{Resource: name, Permissions: asked}))(t).GetPermissions()
	}
	if got := test(); got != nil {
		t.Errorf("without a policy granted %v", got)
	}
	must(s.SetIamPolicy(t.Context(), &iampb.SetIamPolicyRequest{Resource: name, Policy: &iampb.Policy{Bindings: []*iampb.Binding{accessor("serviceAccount:" + email)}}}))(t)
	must(policies.Set(project, &iampb.Policy{Bindings: []*iampb.Binding{{Role: "roles/secretmanager.secretVersionAdder", Members: []string{"serviceAccount:" + email}}}}))(t)
	if got := test(); !slices.Equal(got, asked[:2]) {
		t.Errorf("by the policies of secret and project granted %v", got)
	}
	must(s.DeleteSecret(t.Context(), &pb.DeleteSecretRequest{Name: name}))(t)
	if got := policies.Get(name).GetBindings(); got != nil {
		t.Errorf("the policy of a deleted secret is %v", got)
	}
}
