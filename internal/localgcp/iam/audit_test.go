package iam_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/iam/credentials/apiv1/credentialspb"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/option"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"

	"example.com/keyturn/internal/localgcp/iam"
)

// audited is the JSON of the newest audit entry.
func (w *world) audited(t *testing.T) map[string]any {
	t.Helper()
	entries := w.log.all()
	if len(entries) == 0 {
		t.Fatal("no audit entry")
	}
	return asJSON(t, entries[len(entries)-1])
}

func asJSON(t *testing.T, e *loggingpb.LogEntry) map[string]any {
	t.Helper()
	b, err := protojson.Marshal(e)
	must(t, err)
	var m map[string]any
	must(t, json.Unmarshal(b, &m))
	return m
}

func TestDeniedMintIsLoggedAsGoogleLogsIt(t *testing.T) {
	w := newWorld(t, iam.Config{})
	target, caller := w.account("target"), w.account("caller")
	k := w.key(caller)
	ctx := metadata.AppendToOutgoingContext(w.ctx, "x-forwarded-for", "203.0.113.7, 10.0.0.1")
	_, err := w.as(k).GenerateAccessToken(ctx, accessTokenRequest(target))
	wantStatus(t, err, codes.PermissionDenied, "")

	got := w.audited(t)
	meta := got["protoPayload"].(map[string]any)["requestMetadata"].(map[string]any)
	if ua, _ := meta["callerSuppliedUserAgent"].(string); !strings.Contains(ua, "grpc-go") {
		t.Errorf("user agent is %q", ua)
	}
	delete(meta, "callerSuppliedUserAgent")
	want := map[string]any{
		"logName": "projects/local/logs/cloudaudit.googleapis.com%2Fdata_access", "severity": "ERROR",
		"resource": map[string]any{"type": "service_account", "labels": map[string]any{
			"project_id": "local", "email_id": target.GetEmail(), "unique_id": target.GetUniqueId(),
		}},
		"protoPayload": map[string]any{
			"@type":  "type.googleapis.com/google.cloud.audit.AuditLog",
			"status": map[string]any{"code": 7.0, "message": "PERMISSION_DENIED"},
			"authenticationInfo": map[string]any{
				"principalEmail": caller.GetEmail(), "principalSubject": "serviceAccount:" + caller.GetEmail(), "serviceAccountKeyName": auditName(k),
			},
			"requestMetadata": map[string]any{
				"callerIp": "203.0.113.7", "requestAttributes": map[string]any{"auth": map[string]any{}}, "destinationAttributes": map[string]any{},
			},
			"serviceName": "iamcredentials.googleapis.com", "methodName": "GenerateAccessToken",
			"authorizationInfo": []any{map[string]any{"permission": "iam.serviceAccounts.getAccessToken", "resourceAttributes": map[string]any{}}},
			"resourceName":      "projects/-/serviceAccounts/" + target.GetUniqueId(),
			"request":           map[string]any{"@type": "type.googleapis.com/google.iam.credentials.v1.GenerateAccessTokenRequest", "name": wildcard(target)},
			"metadata":          map[string]any{"identityDelegationChain": []any{wildcard(target)}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entry (-want +got):\n%s", diff)
	}
}

func TestKeyCreationIsLoggedAsGoogleLogsIt(t *testing.T) {
	w := newWorld(t, iam.Config{Owner: "dev@example.com"})
	a := w.account("rot")
	k := w.key(a)
	got := w.audited(t)
	payload := got["protoPayload"].(map[string]any)
	response := payload["response"].(map[string]any)
	if got["logName"] != "projects/local/logs/cloudaudit.googleapis.com%2Factivity" || got["severity"] != "NOTICE" ||
		payload["methodName"] != "google.iam.admin.v1.CreateServiceAccountKey" || payload["serviceName"] != "iam.googleapis.com" ||
		payload["authenticationInfo"].(map[string]any)["principalEmail"] != "dev@example.com" || response["name"] != k.GetName() ||
		payload["requestMetadata"].(map[string]any)["callerIp"] != "127.0.0.1" || payload["status"] != nil {
		t.Errorf("entry is %v", got)
	}
	if info := payload["authorizationInfo"].([]any)[0].(map[string]any); info["granted"] != true || info["permission"] != "iam.serviceAccountKeys.create" {
		t.Errorf("authorization is %v", info)
	}

	w.SetOrgPolicy(iam.OrgPolicy{DenyKeyCreation: true})
	_, err := w.admin.CreateServiceAccountKey(w.ctx, &adminpb.CreateServiceAccountKeyRequest{Name: a.GetName()})
	wantStatus(t, err, codes.FailedPrecondition, "")
	payload = w.audited(t)["protoPayload"].(map[string]any)
	failure := payload["status"].(map[string]any)
	violation := failure["details"].([]any)[0].(map[string]any)["violations"].([]any)[0].(map[string]any)
	if failure["code"] != 9.0 || violation["type"] != "constraints/iam.disableServiceAccountKeyCreation" ||
		payload["authorizationInfo"].([]any)[0].(map[string]any)["granted"] != true {
		t.Errorf("refused entry is %v", payload)
	}
}

func TestProjectPolicyChangeIsLogged(t *testing.T) {
	w := newWorld(t, iam.Config{Owner: "dev@example.com"})
	caller := w.account("caller")
	tok, err := w.token(w.key(caller).GetPrivateKeyData())
	must(t, err)
	body := `{"policy":{"bindings":[{"role":"roles/owner","members":["serviceAccount:` + caller.GetEmail() + `"]}]}}`
	if code, answer := w.rest("POST", "/v1/projects/local:setIamPolicy", body, "Authorization", "Bearer "+tok.AccessToken, "X-Forwarded-For", "203.0.113.9"); code != 403 {
		t.Fatalf("an account without a role made itself owner: %d %v", code, answer)
	}
	got := w.audited(t)
	payload := got["protoPayload"].(map[string]any)
	if got["severity"] != "ERROR" || payload["serviceName"] != "cloudresourcemanager.googleapis.com" || payload["methodName"] != "SetIamPolicy" ||
		payload["status"].(map[string]any)["code"] != 7.0 || payload["requestMetadata"].(map[string]any)["callerIp"] != "203.0.113.9" ||
		payload["authenticationInfo"].(map[string]any)["principalEmail"] != caller.GetEmail() || got["resource"].(map[string]any)["type"] != "project" {
		t.Errorf("denied entry is %v", got)
	}
	if code, answer := w.rest("POST", "/v1/projects/local:setIamPolicy", body); code != 200 {
		t.Fatal(answer)
	}
	got = w.audited(t)
	payload = got["protoPayload"].(map[string]any)
	if got["severity"] != "NOTICE" || payload["authorizationInfo"].([]any)[0].(map[string]any)["granted"] != true ||
		payload["requestMetadata"].(map[string]any)["callerIp"] != "127.0.0.1" {
		t.Errorf("granted entry is %v", got)
	}
}

func TestDataAccessEntriesCanBeLeftOut(t *testing.T) {
	w := newWorld(t, iam.Config{NoDataAccess: true})
	a := w.account("rot")
	before := len(w.log.all())
	_, err := w.credentialsClient(option.WithoutAuthentication()).GenerateAccessToken(w.ctx, accessTokenRequest(a))
	must(t, err)
	_, err = w.admin.GetServiceAccount(w.ctx, &adminpb.GetServiceAccountRequest{Name: a.GetName()})
	must(t, err)
	if after := len(w.log.all()); after != before {
		t.Errorf("%d Data Access entries were written", after-before)
	}
	w.key(a)
	if after := len(w.log.all()); after != before+1 {
		t.Errorf("%d Admin Activity entries were written", after-before)
	}
}

// TestNoSecretLeaks runs everything that handles secret material, right and
// wrong, and looks for it in each error and each audit entry.
func TestNoSecretLeaks(t *testing.T) {
	w := newWorld(t, iam.Config{})
	target, caller := w.account("target"), w.account("caller")
	k := w.key(caller)
	c, owner := w.as(k), w.credentialsClient(option.WithoutAuthentication())
	var seen bytes.Buffer
	note := func(err error) {
		if err != nil {
			seen.WriteString(err.Error())
		}
	}
	var file map[string]string
	must(t, json.Unmarshal(k.GetPrivateKeyData(), &file))
	secrets := []string{strings.Split(file["private_key"], "\n")[1]}

	tok, err := w.token(k.GetPrivateKeyData())
	must(t, err)
	secrets = append(secrets, tok.AccessToken)
	access, err := owner.GenerateAccessToken(w.ctx, accessTokenRequest(target))
	must(t, err)
	id, err := owner.GenerateIdToken(w.ctx, &credentialspb.GenerateIdTokenRequest{Name: wildcard(target), Audience: "x"})
	must(t, err)
	signed, err := owner.SignJwt(w.ctx, &credentialspb.SignJwtRequest{Name: wildcard(target), Payload: `{"canary":"payload"}`})
	must(t, err)
	secrets = append(secrets, access.GetAccessToken(), id.GetToken(), signed.GetSignedJwt(), "canary")

	_, err = c.GenerateAccessToken(w.ctx, accessTokenRequest(target))
	note(err)
	_, err = w.admin.UploadServiceAccountKey(w.ctx, &adminpb.UploadServiceAccountKeyRequest{Name: target.GetName(), PublicKeyData: k.GetPrivateKeyData()})
	note(err)
	for _, bearer := range []string{tok.AccessToken + "x", signed.GetSignedJwt() + "x", "x" + signed.GetSignedJwt()} {
		_, err = w.Authenticate(bearer)
		note(err)
	}
	must(t, w.admin.DeleteServiceAccountKey(w.ctx, &adminpb.DeleteServiceAccountKeyRequest{Name: k.GetName()}))
	_, err = w.token(k.GetPrivateKeyData())
	note(err)
	for _, e := range w.log.all() {
		b, err := json.Marshal(asJSON(t, e))
		must(t, err)
		seen.Write(b)
	}
	if seen.Len() < 1000 {
		t.Fatalf("only %d bytes were looked at", seen.Len())
	}
	for i, s := range secrets {
		if strings.Contains(seen.String(), s) {
			t.Errorf("secret %d of %d appears", i, len(secrets))
		}
	}
}
