package iam_test

import (
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
	"google.golang.org/api/option"
	"google.golang.org/grpc/codes"
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
