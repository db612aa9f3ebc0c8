package gcp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func TestExpiryOfKeys(t *testing.T) {
	soon := time.Date(2030, 2, 1, 0, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		validBefore *timestamppb.Timestamp
		want        time.Time
	}{
		"an organisation's limit":     {timestamppb.New(soon), soon},
		"Google's way to say never":   {timestamppb.New(time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)), time.Time{}},
		"a field that is not set yet": {nil, time.Time{}},
	} {
		if got := accountKeyOf(&adminpb.ServiceAccountKey{ValidBeforeTime: tt.validBefore}).Expires; !got.Equal(tt.want) {
			t.Errorf("%s: expires %v, want %v", name, got, tt.want)
		}
	}
}

func TestAccountKeys(t *testing.T) {
	w := newWorld(t, 0)
	account := w.account("robot")
	if keys, err := w.AccountKeys(t.Context(), account); err != nil || len(keys) > 0 {
		t.Errorf("keys of a new account: %v, %v", keys, err)
	}
	created, file, err := w.createKey(account)
	must(t, err)
	var parsed struct {
		ID string `json:"private_key_id"`
	}
	must(t, json.Unmarshal(file, &parsed))
	if parsed.ID != created || len(created) != 40 {
		t.Errorf("key %q is in a file of %q", created, parsed.ID)
	}
	cert, private := w.certificate()
	uploaded, err := w.UploadAccountKey(t.Context(), account, cert)
	must(t, err)
	public, err := w.AccountKeyPublic(t.Context(), account, uploaded)
	must(t, err)
	if !private.PublicKey.Equal(public) {
		t.Error("IAM answers another public half than was uploaded")
	}
	must(t, w.DisableAccountKey(t.Context(), account, created))
	got, err := w.AccountKeys(t.Context(), account)
	must(t, err)
	if len(got) != 2 {
		t.Fatalf("keys %+v", got)
	}
	for _, k := range got {
		now := w.clock.Now()
		if k.Uploaded != (k.ID == uploaded) || k.Disabled != (k.ID == created) || k.ValidAfter.After(now) || k.Expires.After(now) != k.Uploaded {
			t.Errorf("key %+v; %s was uploaded and %s disabled", k, uploaded, created)
		}
	}
}

func TestAccountKeysThatAreGone(t *testing.T) {
	w := newWorld(t, 0)
	account := w.account("robot")
	id, _, err := w.createKey(account)
	must(t, err)
	for range 2 { // each of them again, as after a lost reply
		must(t, w.DisableAccountKey(t.Context(), account, id))
	}
	for range 2 {
		must(t, w.DeleteAccountKey(t.Context(), account, id))
	}
	must(t, w.DisableAccountKey(t.Context(), account, id))
	_, err = w.AccountKeyPublic(t.Context(), account, id)
	if !IsNotFound(err) {
		t.Errorf("public half of a deleted key: error %v", err)
	}
}

func TestAccountKeyRefusals(t *testing.T) {
	w := newWorld(t, 0)
	account := w.account("robot")
	_, err := w.AccountKeys(t.Context(), account+"x")
	fails(t, err, codes.NotFound)
	_, _, err = w.CreateAccountKey(t.Context(), account+"x")
	fails(t, err, codes.NotFound)
	_, err = w.UploadAccountKey(t.Context(), account, []byte("no certificate"))
	fails(t, err, codes.InvalidArgument)
	for range 10 {
		_, _, err = w.CreateAccountKey(t.Context(), account)
		must(t, err)
	}
	if _, _, err = w.CreateAccountKey(t.Context(), account); !IsFailedPrecondition(err) {
		t.Errorf("the eleventh key: error %v", err)
	}
}

// TestNewKeysAreNotListedAtOnce is why absence is no proof.
func TestNewKeysAreNotListedAtOnce(t *testing.T) {
	w := newWorld(t, time.Minute)
	account := w.account("robot")
	_, _, err := w.CreateAccountKey(t.Context(), account)
	must(t, err)
	for _, want := range []int{0, 1} {
		keys, err := w.AccountKeys(t.Context(), account)
		must(t, err)
		if len(keys) != want {
			t.Errorf("%d keys are listed at %v, want %d", len(keys), w.clock.Now(), want)
		}
		w.clock.Advance(time.Minute)
	}
}

func TestPublicKeyOfHostileAnswers(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	elliptical, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	must(t, err)
	block := func(der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}) }
	for want, answer := range map[string][]byte{
		"no PEM certificate":           nil,
		"parsing the certificate":      block([]byte("garbage")),
		"*ecdsa.PublicKey, not an RSA": block(elliptical),
	} {
		public, err := publicKeyOf(answer)
		says(t, err, want)
		if public != nil {
			t.Errorf("%s: a key came with the error", want)
		}
	}
}
