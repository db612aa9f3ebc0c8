package rotate

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"golang.org/x/oauth2/google"
)

// A key file that keyturn makes is one that Google's own client reads.
func TestKeyFileIsGooglesOwnForm(t *testing.T) {
	private, err := newPair()
	must(t, err)
	if bits := private.N.BitLen(); bits != keyBits {
		t.Errorf("a pair of %d bits", bits)
	}
	const email = "app-x@acme.iam.gserviceaccount.com"
	file, err := newKeyFile(private, "acme", email, "https://oauth2.googleapis.com/token")
	must(t, err)
	if id := keyIDOf(file); id != "" {
		t.Errorf("key id %q before Google chose one", id)
	}
	file, err = withKeyID(file, "0123abcd")
	must(t, err)
	again, err := withKeyID(file, "0123abcd")
	must(t, err)
	if keyIDOf(file) != "0123abcd" || !bytes.Equal(file, again) {
		t.Errorf("the same key gave two files:\n%s\n%s", file, again)
	}
	conf, err := google.JWTConfigFromJSON(file, "scope")
	must(t, err)
	if conf.Email != email || conf.PrivateKeyID != "0123abcd" || conf.TokenURL != "https://oauth2.googleapis.com/token" {
		t.Errorf("Google's client reads %+v", conf)
	}
	if !bytes.Contains(file, []byte("/x509/app-x%40acme")) {
		t.Error("the address in a URL is not escaped")
	}
	if _, err := withKeyID([]byte("CANARY"), "0"); err == nil || strings.Contains(err.Error(), "CANARY") {
		t.Errorf("error %v", err)
	}
}

func TestCertificate(t *testing.T) {
	private, err := pairs.at(0)
	must(t, err)
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	text, err := certificate(private, strings.Repeat("x", 100)+"@acme.iam.gserviceaccount.com", now, now.Add(day))
	must(t, err)
	block, rest := pem.Decode(text)
	if block == nil || len(rest) > 0 {
		t.Fatalf("certificate %q", text)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	must(t, err)
	if len(cert.Subject.CommonName) != 64 || !cert.NotBefore.Before(now) || !cert.NotAfter.Equal(now.Add(day)) || cert.Version != 3 || !private.PublicKey.Equal(cert.PublicKey) {
		t.Errorf("name %q, valid from %v to %v, version %d", cert.Subject.CommonName, cert.NotBefore, cert.NotAfter, cert.Version)
	}
}

// Without entropy nothing is begun that could not be ended.
func TestNoPair(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	secret, account := e.account("dry", rotation.Upload)
	e.f = New(Config{TrustTopic: true, Cloud: e.cloud, Now: e.clock.Now, Pair: func() (*rsa.PrivateKey, error) { return nil, errors.New("no entropy") }})
	_, err := e.f.Do(e.ctx, event.Command{Verb: event.Rotate, Secret: secret})
	says(t, err, "stage", "making an RSA key", "no entropy")
	e.f = New(Config{TrustTopic: true, Cloud: e.cloud, Now: e.clock.Now, Pair: e.pair})
	e.clock.Advance(10 * time.Minute)
	e.proceed(secret)
	e.clock.Advance(lag)
	e.proceed(secret)
	if s := e.standing(secret); s.Rotation != 1 || s.Incoming != nil || len(e.accountKeys(account)) != 2 {
		t.Errorf("in the end: %+v, incoming %+v", s, s.Incoming)
	}
}
