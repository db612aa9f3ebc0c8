package iam_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"regexp"
	"testing"
	"time"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/iam"
)

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
