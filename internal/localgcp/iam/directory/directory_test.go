package directory

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/keyturn/internal/localgcp/clock"
	"example.com/keyturn/internal/localgcp/iam/jwt"
)

var start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func newDirectory(t testing.TB, cfg Config) (*Directory, Account) {
	t.Helper()
	cfg.Clock = clock.NewFrozen(start)
	d := New(cfg)
	a, err := d.CreateAccount("local", "rot", "", "")
	must(t, err)
	return d, a
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantStatus(t *testing.T, err error, code codes.Code, part string) {
	t.Helper()
	if status.Code(err) != code || !strings.Contains(status.Convert(err).Message(), part) {
		t.Errorf("error is %v, want %v with %q", err, code, part)
	}
}

func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	must(t, err)
	return key
}

// certificate is a PEM certificate for the key, valid from and to times that
// are relative to start.
func certificate(t testing.TB, public, private any, from, to time.Duration) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: start.Add(from), NotAfter: start.Add(to)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	must(t, err)
	return encodeCertificate(der)
}

func TestUploadsThatAreRefused(t *testing.T) {
	d, a := newDirectory(t, Config{})
	key := rsaKey(t, 1024)
	odd := rsaKey(t, 1536)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	good := certificate(t, &key.PublicKey, key, 0, time.Hour)
	for name, c := range map[string]struct {
		data []byte
		part string
	}{
		"nothing":          {nil, "one X.509 certificate in PEM"},
		"another PEM":      {pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")}), "one X.509 certificate in PEM"},
		"two certificates": {append(good, good...), "one X.509 certificate in PEM"},
		"broken DER":       {encodeCertificate([]byte("x")), "cannot be read"},
		"elliptic curve":   {certificate(t, &curve.PublicKey, curve, 0, time.Hour), "not an RSA key"},
		"odd size":         {certificate(t, &odd.PublicKey, odd, 0, time.Hour), "has 1536 bits"},
		"a second early":   {certificate(t, &key.PublicKey, key, time.Second, time.Hour), "not valid before 2030-01-01T00:00:01Z"},
		"expired":          {certificate(t, &key.PublicKey, key, -time.Hour, 0), "expired at 2030-01-01T00:00:00Z"},
	} {
		_, err := d.UploadKey(a.Name(), c.data)
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), c.part) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for bits, want := range map[int]adminpb.ServiceAccountKeyAlgorithm{
		1024: adminpb.ServiceAccountKeyAlgorithm_KEY_ALG_RSA_1024,
		2048: adminpb.ServiceAccountKeyAlgorithm_KEY_ALG_RSA_2048,
		4096: adminpb.ServiceAccountKeyAlgorithm_KEY_ALG_UNSPECIFIED,
	} {
		// The issuer's key signs, so that the large keys need not be made.
		subject := &rsa.PublicKey{N: new(big.Int).SetBit(new(big.Int).Lsh(big.NewInt(1), uint(bits-1)), 0, 1), E: 65537}
		k, err := d.UploadKey(a.Name(), certificate(t, subject, key, 0, time.Hour))
		if err != nil || k.Algorithm != want {
			t.Errorf("%d bits: %v, %v", bits, k.Algorithm, err)
		}
	}
}

func TestOldCertificateVersionIsRefused(t *testing.T) {
	key := rsaKey(t, 1024)
	block, _ := pem.Decode(certificate(t, &key.PublicKey, key, 0, time.Hour))
	// The version is an explicit [0] INTEGER 2, for v3, right at the start.
	der := strings.Replace(string(block.Bytes), "\xa0\x03\x02\x01\x02", "\xa0\x03\x02\x01\x01", 1)
	_, err := parseCertificate(encodeCertificate([]byte(der)), start)
	wantStatus(t, err, codes.InvalidArgument, "version 2")
}

func TestSystemKeyVerifiesWhatItSigned(t *testing.T) {
	d, a := newDirectory(t, Config{KeyLag: time.Hour})
	if keys, err := d.Verifiers(a.Email); err != nil || len(keys) != 0 {
		t.Errorf("before its first use %d keys verify, %v", len(keys), err)
	}
	compact, id, err := d.Sign(a.Name(), map[string]string{"iss": a.Email})
	must(t, err)
	token, err := jwt.Parse(compact)
	must(t, err)
	keys, err := d.Verifiers(a.Email)
	must(t, err)
	if len(keys) != 1 || keys[0].ID != id || token.KeyID != id || !token.VerifiedBy(keys[0].PublicKey) {
		t.Errorf("%d keys verify after the first use", len(keys))
	}
}

func TestMissingAccountsAreNotFoundEverywhere(t *testing.T) {
	d, a := newDirectory(t, Config{})
	must(t, d.DeleteAccount(a.Name()))
	_, _, sign := d.Sign(a.Name(), nil)
	_, keys := d.Keys(a.Name())
	_, key := d.Key(a.Name() + "/keys/x")
	_, verifiers := d.Verifiers(a.Email)
	_, _, create := d.CreateKey(a.Name(), adminpb.ServiceAccountKeyAlgorithm_KEY_ALG_UNSPECIFIED)
	_, update := d.UpdateAccount(a.Name(), func(*Account) {})
	rsa1024 := rsaKey(t, 1024)
	_, upload := d.UploadKey(a.Name(), certificate(t, &rsa1024.PublicKey, rsa1024, 0, time.Hour))
	for i, err := range []error{sign, keys, key, verifiers, create, update, upload, d.DeleteAccount(a.Name())} {
		if status.Code(err) != codes.NotFound {
			t.Errorf("call %d: %v", i, err)
		}
	}
}

func TestOverrideIsLifted(t *testing.T) {
	d, a := newDirectory(t, Config{OrgPolicy: OrgPolicy{DenyKeyCreation: true}})
	create := func() error {
		_, _, err := d.CreateKey(a.Name(), adminpb.ServiceAccountKeyAlgorithm_KEY_ALG_RSA_1024)
		return err
	}
	d.OverrideOrgPolicy(a.Email, &OrgPolicy{})
	must(t, create())
	d.OverrideOrgPolicy(a.Email, nil)
	wantStatus(t, create(), codes.FailedPrecondition, "not allowed")
}

func TestConcurrentCreationsStayWithinTheCap(t *testing.T) {
	d, a := newDirectory(t, Config{})
	results := make(chan error)
	for range 2 * MaxKeys {
		go func() {
			_, _, err := d.CreateKey(a.Name(), adminpb.ServiceAccountKeyAlgorithm_KEY_ALG_RSA_1024)
			results <- err
		}()
	}
	made := 0
	for range 2 * MaxKeys {
		if err := <-results; err == nil {
			made++
		} else {
			wantStatus(t, err, codes.FailedPrecondition, preconditionFailed)
		}
	}
	if made != MaxKeys {
		t.Errorf("%d keys were made", made)
	}
}

func FuzzParseCertificate(f *testing.F) {
	key := rsaKey(f, 1024)
	f.Add(certificate(f, &key.PublicKey, key, 0, time.Hour))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		cert, err := parseCertificate(data, start)
		if (cert == nil) == (err == nil) {
			t.Fatalf("certificate %v with error %v", cert != nil, err)
		}
		if cert != nil && (cert.NotBefore.After(start) || !cert.NotAfter.After(start)) {
			t.Fatal("a certificate that is not valid now was accepted")
		}
	})
}
