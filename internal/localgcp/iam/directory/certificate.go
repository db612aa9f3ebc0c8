package directory

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// uploadBits are the sizes of RSA keys that can be uploaded.
var uploadBits = []int{1024, 2048, 4096}

// parseCertificate reads an uploaded certificate as strictly as Google: one
// X.509 v3 certificate in PEM that holds an RSA key and has begun to be valid.
func parseCertificate(data []byte, now time.Time) (*x509.Certificate, error) {
	block, rest := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE" || len(bytes.TrimSpace(rest)) > 0 {
		return nil, badUpload("it must be one X.509 certificate in PEM, from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, badUpload("it cannot be read as an X.509 certificate")
	}
	pub, ok := cert.PublicKey.(*rsa.PublicKey)
	switch {
	case cert.Version != 3:
		return nil, badUpload(fmt.Sprintf("the certificate has X.509 version %d; it must have version 3", cert.Version))
	case !ok:
		return nil, badUpload("the certificate's key is not an RSA key")
	case !slices.Contains(uploadBits, pub.N.BitLen()):
		return nil, badUpload(fmt.Sprintf("the RSA key has %d bits; it must have 1024, 2048 or 4096", pub.N.BitLen()))
	case cert.NotBefore.After(now):
		return nil, badUpload(fmt.Sprintf("it is not valid before %s and now it is %s; back-date it by a few minutes", stamp(cert.NotBefore), stamp(now)))
	case !cert.NotAfter.After(now):
		return nil, badUpload(fmt.Sprintf("it expired at %s", stamp(cert.NotAfter)))
	}
	return cert, nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func badUpload(why string) error {
	return status.Errorf(codes.InvalidArgument, "The given public key is not valid: %s.", why)
}

// selfSigned returns the maker of the PEM certificate in which Google publishes
// a key. The first call signs it.
func (d *Directory) selfSigned(commonName string, key *rsa.PrivateKey, from, to time.Time) func() ([]byte, error) {
	template := &x509.Certificate{
		SerialNumber:          new(big.Int).SetBytes(d.cfg.Random.Bytes(8)),
		Subject:               pkix.Name{CommonName: commonName},
		NotBefore:             from,
		NotAfter:              to,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	return sync.OnceValues(func() ([]byte, error) {
		der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		if err != nil {
			return nil, fmt.Errorf("signing a key's certificate: %w", err)
		}
		return encodeCertificate(der), nil
	})
}

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
