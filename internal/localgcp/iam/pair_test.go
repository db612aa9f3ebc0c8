package iam_test

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"math/big"
	"net/http"
	"testing"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"google.golang.org/grpc/codes"

	"example.com/keyturn/internal/localgcp/iam"
)

func TestPairsComeFromTheConfig(t *testing.T) {
	made, err := rsa.GenerateKey(rand.Reader, 1024)
	must(t, err)
	w := newWorld(t, iam.Config{Pair: func() (*rsa.PrivateKey, error) { return made, nil }})
	k := w.key(w.account("rot"))
	if _, err := w.token(k.GetPrivateKeyData()); err != nil {
		t.Error(err)
	}
	verifiers, err := w.admin.GetServiceAccountKey(w.ctx, &adminpb.GetServiceAccountKeyRequest{Name: k.GetName(), PublicKeyType: adminpb.ServiceAccountPublicKeyType_TYPE_RAW_PUBLIC_KEY})
	must(t, err)
	if got := publicKey(t, verifiers.GetPublicKeyData()); !made.PublicKey.Equal(got) {
		t.Error("the key has another pair")
	}
}

func TestPairThatCannotBeMade(t *testing.T) {
	w := newWorld(t, iam.Config{Pair: func() (*rsa.PrivateKey, error) { return nil, errors.New("the pool is empty") }})
	_, err := w.admin.CreateServiceAccountKey(w.ctx, &adminpb.CreateServiceAccountKeyRequest{Name: w.account("rot").GetName()})
	wantStatus(t, err, codes.Internal, "generating a key: the pool is empty")
}

// A certificate is signed late, so that a pair that cannot sign is found late.
func TestCertificateThatCannotBeSigned(t *testing.T) {
	w := newWorld(t, iam.Config{Pair: tooSmall})
	a := w.account("rot")
	_, _ = w.admin.CreateServiceAccountKey(w.ctx, &adminpb.CreateServiceAccountKeyRequest{Name: a.GetName()}) // there may be no file for it
	list, err := w.admin.ListServiceAccountKeys(w.ctx, &adminpb.ListServiceAccountKeysRequest{Name: a.GetName()})
	must(t, err)
	_, err = w.admin.GetServiceAccountKey(w.ctx, &adminpb.GetServiceAccountKeyRequest{
		Name: list.GetKeys()[0].GetName(), PublicKeyType: adminpb.ServiceAccountPublicKeyType_TYPE_X509_PEM_FILE,
	})
	wantStatus(t, err, codes.Unknown, "signing a key's certificate")
	resp, err := http.Get("http://" + w.addr + "/robot/v1/metadata/x509/" + a.GetEmail())
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("certificates of an account whose key cannot sign: %s", resp.Status)
	}
}

// tooSmall makes a pair of 256 bits, with which crypto/rsa refuses to sign.
func tooSmall() (*rsa.PrivateKey, error) {
	for {
		p, err := rand.Prime(rand.Reader, 128)
		if err != nil {
			return nil, err
		}
		q, err := rand.Prime(rand.Reader, 128)
		if err != nil {
			return nil, err
		}
		one, e := big.NewInt(1), big.NewInt(65537)
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		if d := new(big.Int).ModInverse(e, phi); d != nil {
			return &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: 65537}, D: d, Primes: []*big.Int{p, q}}, nil
		}
	}
}
