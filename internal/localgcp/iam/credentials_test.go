package iam_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	iamcredentials "cloud.google.com/go/iam/credentials/apiv1"
	"cloud.google.com/go/iam/credentials/apiv1/credentialspb"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/option"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"

	"example.com/keyturn/internal/localgcp/iam"
	"example.com/keyturn/internal/localgcp/principal"
)

func wildcard(a *adminpb.ServiceAccount) string { return "projects/-/serviceAccounts/" + a.GetEmail() }

func accessTokenRequest(a *adminpb.ServiceAccount, delegates ...string) *credentialspb.GenerateAccessTokenRequest {
	return &credentialspb.GenerateAccessTokenRequest{Name: wildcard(a), Scope: []string{cloudPlatform}, Delegates: delegates}
}

// as is a credentials client of the account whose key it is.
func (w *world) as(k *adminpb.ServiceAccountKey) *iamcredentials.IamCredentialsClient {
	w.t.Helper()
	return w.credentialsClient(option.WithAuthCredentialsJSON(option.ServiceAccount, k.GetPrivateKeyData()))
}

func TestTheOwnerMintsEverything(t *testing.T) {
	w := newWorld(t, iam.Config{})
	a := w.account("rot")
	c, err := iamcredentials.NewIamCredentialsRESTClient(w.ctx, option.WithEndpoint("http://"+w.addr), option.WithoutAuthentication())
	must(t, err)
	defer c.Close()

	access, err := c.GenerateAccessToken(w.ctx, accessTokenRequest(a))
	must(t, err)
	p, err := w.Authenticate(access.GetAccessToken())
	must(t, err)
	if (p != principal.Principal{Email: a.GetEmail()}) || time.Until(access.GetExpireTime().AsTime()) < 59*time.Minute {
		t.Errorf("token is %+v's, until %v", p, access.GetExpireTime().AsTime())
	}
	id, err := c.GenerateIdToken(w.ctx, &credentialspb.GenerateIdTokenRequest{Name: wildcard(a), Audience: "x"})
	must(t, err)
	if strings.Count(id.GetToken(), ".") != 2 {
		t.Error("the identity token is no JWT")
	}
	signed, err := c.SignJwt(w.ctx, &credentialspb.SignJwtRequest{
		Name: wildcard(a), Payload: `{"iss":"` + a.GetEmail() + `","sub":"` + a.GetEmail() + `","aud":"https://x.googleapis.com/","iat":` + unix(0) + `,"exp":` + unix(time.Hour) + `}`,
	})
	must(t, err)
	p, err = w.Authenticate(signed.GetSignedJwt())
	must(t, err)
	if (p != principal.Principal{Email: a.GetEmail()}) {
		t.Errorf("signed token is %+v's", p)
	}
	blob, err := c.SignBlob(w.ctx, &credentialspb.SignBlobRequest{Name: wildcard(a), Payload: []byte("bytes")})
	must(t, err)
	key, err := w.admin.GetServiceAccountKey(w.ctx, &adminpb.GetServiceAccountKeyRequest{
		Name: a.GetName() + "/keys/" + blob.GetKeyId(), PublicKeyType: adminpb.ServiceAccountPublicKeyType_TYPE_X509_PEM_FILE,
	})
	must(t, err)
	block, _ := pem.Decode(key.GetPublicKeyData())
	cert, err := x509.ParseCertificate(block.Bytes)
	must(t, err)
	digest := sha256.Sum256([]byte("bytes"))
	must(t, rsa.VerifyPKCS1v15(cert.PublicKey.(*rsa.PublicKey), crypto.SHA256, digest[:], blob.GetSignedBlob()))
}

func unix(in time.Duration) string {
	b, _ := json.Marshal(time.Now().Add(in).Unix())
	return string(b)
}

func TestAServiceAccountMintsWithThePermissionOnly(t *testing.T) {
	w := newWorld(t, iam.Config{})
	target, caller := w.account("target"), w.account("caller")
	c := w.as(w.key(caller))
	for permission, call := range map[string]func() error{
		"getAccessToken": func() error { _, err := c.GenerateAccessToken(w.ctx, accessTokenRequest(target)); return err },
		"getOpenIdToken": func() error {
			_, err := c.GenerateIdToken(w.ctx, &credentialspb.GenerateIdTokenRequest{Name: wildcard(target), Audience: "x"})
			return err
		},
		"signBlob": func() error {
			_, err := c.SignBlob(w.ctx, &credentialspb.SignBlobRequest{Name: wildcard(target), Payload: []byte("x")})
			return err
		},
		"signJwt": func() error {
			_, err := c.SignJwt(w.ctx, &credentialspb.SignJwtRequest{Name: wildcard(target), Payload: "{}"})
			return err
		},
	} {
		err := call()
		wantStatus(t, err, codes.PermissionDenied, "Permission 'iam.serviceAccounts."+permission+"' denied on resource (or it may not exist).")
		if reason(err) != "IAM_PERMISSION_DENIED" {
			t.Errorf("%s: reason is %q", permission, reason(err))
		}
		t.Run(permission, func(t *testing.T) {
			w.grant(target, "roles/iam.serviceAccountTokenCreator", caller)
			must(t, call())
			w.revoke(target)
		})
	}
	code, answer := w.rest("POST", "/v1/projects/local:setIamPolicy", `{"policy":{"bindings":[{"role":"roles/owner","members":["serviceAccount:`+caller.GetEmail()+`"]}]}}`)
	if code != 200 {
		t.Fatal(answer)
	}
	_, err := c.GenerateAccessToken(w.ctx, accessTokenRequest(target))
	wantStatus(t, err, codes.PermissionDenied, "getAccessToken") // the owner role does not include it
	code, answer = w.rest("POST", "/v1/projects/local:setIamPolicy", `{"policy":{"bindings":[{"role":"roles/iam.workloadIdentityUser","members":["serviceAccount:`+caller.GetEmail()+`"]}]}}`)
	if code != 200 {
		t.Fatal(answer)
	}
	_, err = c.GenerateAccessToken(w.ctx, accessTokenRequest(target))
	must(t, err)
}

// revoke empties the policy of an account.
func (w *world) revoke(a *adminpb.ServiceAccount) {
	w.t.Helper()
	code, answer := w.rest("POST", "/v1/"+a.GetName()+":setIamPolicy", `{"policy":{}}`)
	if code != 200 {
		w.t.Fatal(answer)
	}
}

func TestDelegationNeedsEachLink(t *testing.T) {
	w := newWorld(t, iam.Config{})
	caller, middle, target := w.account("caller"), w.account("middle"), w.account("target")
	c := w.as(w.key(caller))
	mint := func() error {
		_, err := c.GenerateAccessToken(w.ctx, accessTokenRequest(target, wildcard(middle)))
		return err
	}
	wantStatus(t, mint(), codes.PermissionDenied, "getAccessToken")
	w.grant(middle, "roles/iam.serviceAccountTokenCreator", caller)
	wantStatus(t, mint(), codes.PermissionDenied, "getAccessToken")
	w.grant(target, "roles/iam.serviceAccountTokenCreator", middle)
	must(t, mint())
	_, err := c.GenerateAccessToken(w.ctx, accessTokenRequest(target, "projects/-/serviceAccounts/nobody"))
	wantStatus(t, err, codes.NotFound, "Not found; Gaia id not found for email nobody")
}

func TestCredentialsRequestsThatAreRefused(t *testing.T) {
	w := newWorld(t, iam.Config{})
	a, off := w.account("rot"), w.account("off")
	must(t, w.admin.DisableServiceAccount(w.ctx, &adminpb.DisableServiceAccountRequest{Name: off.GetName()}))
	c := w.credentialsClient(option.WithoutAuthentication())
	access := func(req *credentialspb.GenerateAccessTokenRequest) error {
		_, err := c.GenerateAccessToken(w.ctx, req)
		return err
	}
	signJwt := func(a *adminpb.ServiceAccount, payload string) error {
		_, err := c.SignJwt(w.ctx, &credentialspb.SignJwtRequest{Name: wildcard(a), Payload: payload})
		return err
	}
	id := func(a *adminpb.ServiceAccount, audience string) error {
		_, err := c.GenerateIdToken(w.ctx, &credentialspb.GenerateIdTokenRequest{Name: wildcard(a), Audience: audience})
		return err
	}
	blob := func(a *adminpb.ServiceAccount, payload string) error {
		_, err := c.SignBlob(w.ctx, &credentialspb.SignBlobRequest{Name: wildcard(a), Payload: []byte(payload)})
		return err
	}
	tooLong := accessTokenRequest(a)
	tooLong.Lifetime = durationpb.New(2 * time.Hour)
	for name, e := range map[string]struct {
		err  error
		code codes.Code
		part string
	}{
		"lifetime":       {access(tooLong), codes.InvalidArgument, "at most 3600 seconds"},
		"no scope":       {access(&credentialspb.GenerateAccessTokenRequest{Name: wildcard(a)}), codes.InvalidArgument, "Scope required"},
		"disabled":       {access(accessTokenRequest(off)), codes.FailedPrecondition, "is disabled"},
		"malformed name": {access(&credentialspb.GenerateAccessTokenRequest{Name: "rot"}), codes.InvalidArgument, "Invalid service account name"},
		"no account":     {access(&credentialspb.GenerateAccessTokenRequest{Name: "projects/-/serviceAccounts/x"}), codes.NotFound, "Gaia id not found for email x"},
		"no audience":    {id(a, ""), codes.InvalidArgument, "Audience required"},
		"id disabled":    {id(off, "x"), codes.FailedPrecondition, "is disabled"},
		"no JSON":        {signJwt(a, "x"), codes.InvalidArgument, "JSON object"},
		"JSON null":      {signJwt(a, "null"), codes.InvalidArgument, "JSON object"},
		"exp past":       {signJwt(a, `{"exp":1}`), codes.InvalidArgument, "12 hours"},
		"exp a word":     {signJwt(a, `{"exp":"x"}`), codes.InvalidArgument, "12 hours"},
		"jwt disabled":   {signJwt(off, `{}`), codes.FailedPrecondition, "is disabled"},
		"no payload":     {blob(a, ""), codes.InvalidArgument, "Payload required"},
		"blob disabled":  {blob(off, "x"), codes.FailedPrecondition, "is disabled"},
	} {
		t.Run(name, func(t *testing.T) { wantStatus(t, e.err, e.code, e.part) })
	}
}

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
