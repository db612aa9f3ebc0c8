package apikeys_test

import (
	"strings"
	"testing"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/cloud/audit"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"

	"example.com/keyturn/internal/localgcp/apikeys"
	"example.com/keyturn/internal/localgcp/principal"
)

func payload(t *testing.T, e *loggingpb.LogEntry) *audit.AuditLog {
	t.Helper()
	p := &audit.AuditLog{}
	if err := e.GetProtoPayload().UnmarshalTo(p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAuditEntries(t *testing.T) {
	w := serve(t, apikeys.Config{Owner: "dev@example.com", DataAccess: true, ProjectNumber: func(string) string { return "123456" }})
	k := w.create(t, "k", &apikeyspb.Key{KeyString: "AIzaSentByTheClient"})
	if _, err := w.update(t.Context(), &apikeyspb.Key{Name: k.GetName(), KeyString: "AIzaSentByTheClient", DisplayName: "x"}); err != nil {
		t.Fatal(err)
	}
	_, err := w.grpc.CreateKey(t.Context(), &apikeyspb.CreateKeyRequest{Parent: parent, KeyId: "k"})
	wantCode(t, "the same id again", err, codes.AlreadyExists)
	w.secret(t)
	type seen struct {
		Log, Method, Severity string
		Code                  int32
		First, Last           bool
	}
	const create, update = "google.api.apikeys.v2.ApiKeys.CreateKey", "google.api.apikeys.v2.ApiKeys.UpdateKey"
	activity, dataAccess := "projects/local/logs/cloudaudit.googleapis.com%2Factivity", "projects/local/logs/cloudaudit.googleapis.com%2Fdata_access"
	want := []seen{
		{activity, create, "NOTICE", 0, true, false}, {activity, create, "NOTICE", 0, false, true},
		{activity, update, "NOTICE", 0, true, false}, {activity, update, "NOTICE", 0, false, true},
		{activity, create, "ERROR", 6, false, false},
		{dataAccess, "google.api.apikeys.v2.ApiKeys.GetKeyString", "INFO", 0, false, false},
	}
	var got []seen
	for _, e := range w.audit.entries {
		text := protojson.Format(e)
		if strings.Contains(text, "AIza") {
			t.Error("an audit entry holds a key string")
		}
		p := payload(t, e)
		got = append(got, seen{e.GetLogName(), p.GetMethodName(), e.GetSeverity().String(), p.GetStatus().GetCode(), e.GetOperation().GetFirst(), e.GetOperation().GetLast()})
		if p.GetStatus() == nil || p.GetResourceName() != "projects/123456" || !p.GetAuthorizationInfo()[0].GetGranted() {
			t.Errorf("payload %v", p)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	last := payload(t, w.audit.entries[1])
	if name := last.GetResponse().GetFields()["name"].GetStringValue(); name != k.GetName() {
		t.Errorf("the last entry's response names %q", name)
	}
	if ip := last.GetRequestMetadata().GetCallerIp(); ip != "127.0.0.1" || last.GetAuthenticationInfo().GetPrincipalEmail() != "dev@example.com" {
		t.Errorf("caller %q %v", ip, last.GetAuthenticationInfo())
	}
}

func TestAuditNamesTheServiceAccount(t *testing.T) {
	const keyName = "//iam.googleapis.com/projects/local/serviceAccounts/a@local.iam.gserviceaccount.com/keys/abc"
	w := serve(t, apikeys.Config{})
	ctx := principal.NewContext(t.Context(), principal.Principal{Email: "a@local.iam.gserviceaccount.com", KeyName: keyName})
	ctx = metadata.NewIncomingContext(ctx, metadata.Pairs("x-forwarded-for", "203.0.113.9, 127.0.0.1", "user-agent", "probe/1"))
	if _, err := w.CreateKey(ctx, &apikeyspb.CreateKeyRequest{Parent: parent}); err != nil {
		t.Fatal(err)
	}
	p := payload(t, w.audit.entries[0])
	a, m := p.GetAuthenticationInfo(), p.GetRequestMetadata()
	if a.GetServiceAccountKeyName() != keyName || a.GetPrincipalSubject() != "serviceAccount:a@local.iam.gserviceaccount.com" {
		t.Errorf("authenticationInfo %v", a)
	}
	if m.GetCallerIp() != "203.0.113.9" || m.GetCallerSuppliedUserAgent() != "probe/1" {
		t.Errorf("requestMetadata %v", m)
	}
}

func TestAuditWithoutOwnerOrDataAccess(t *testing.T) {
	w := serve(t, apikeys.Config{})
	k := w.create(t, "k", nil)
	w.secret(t)
	if len(w.audit.entries) != 2 {
		t.Errorf("%d entries, want only those of CreateKey", len(w.audit.entries))
	}
	if email := payload(t, w.audit.entries[0]).GetAuthenticationInfo().GetPrincipalEmail(); email != "" {
		t.Errorf("the unnamed owner is %q", email)
	}
	byNumber := apikeys.New(apikeys.Config{Audit: w.audit})
	if _, err := byNumber.DeleteKey(t.Context(), &apikeyspb.DeleteKeyRequest{Name: k.GetName()}); err == nil {
		t.Error("another service knows the key")
	}
	if e := w.audit.entries[2]; e.GetResource().GetLabels()["project_id"] == "local" {
		t.Errorf("a project only known by number has the id %v", e.GetResource())
	}
	silent := apikeys.New(apikeys.Config{})
	if _, err := silent.CreateKey(t.Context(), &apikeyspb.CreateKeyRequest{Parent: parent}); err != nil {
		t.Errorf("without an audit log: %v", err)
	}
}
