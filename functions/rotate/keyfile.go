package rotate

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"time"

	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
)

// keyFile is Google's JSON key file. The order of its fields is part of what is
// promised: the same key always gives the same bytes.
type keyFile struct {
	Type          string `json:"type"`
	ProjectID     string `json:"project_id"`
	PrivateKeyID  string `json:"private_key_id"`
	PrivateKey    string `json:"private_key"`
	ClientEmail   string `json:"client_email"`
	ClientID      string `json:"client_id,omitempty"`
	AuthURI       string `json:"auth_uri"`
	TokenURI      string `json:"token_uri"`
	ProviderCerts string `json:"auth_provider_x509_cert_url"`
	ClientCerts   string `json:"client_x509_cert_url"`
	Universe      string `json:"universe_domain"`
}

const keyBits = 2048

func newPair() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, keyBits) }

// newKeyFile is the file of a new pair. It has no key id yet: Google chooses it.
func newKeyFile(private *rsa.PrivateKey, project, email, tokenURL string) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("encoding an RSA key: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	defer wipe(der, text)
	return marshalKeyFile(keyFile{
		Type:          "service_account",
		ProjectID:     project,
		PrivateKey:    string(text),
		ClientEmail:   email,
		AuthURI:       "https://accounts.google.com/o/oauth2/auth",
		TokenURI:      tokenURL,
		ProviderCerts: "https://www.googleapis.com/oauth2/v1/certs",
		ClientCerts:   "https://www.googleapis.com/robot/v1/metadata/x509/" + url.QueryEscape(email),
		Universe:      "googleapis.com",
	})
}

func marshalKeyFile(f keyFile) ([]byte, error) {
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding a key file: %w", err)
	}
	defer wipe(b)
	return append(slices.Clip(b), '\n'), nil // in memory of its own
}

var errKeyFile = errors.New("the staged payload is not a key file that keyturn made") // the cause may quote the key

// withKeyID is the key file with the id that Google chose.
func withKeyID(file []byte, id string) ([]byte, error) {
	var f keyFile
	if json.Unmarshal(file, &f) != nil {
		return nil, errKeyFile
	}
	f.PrivateKeyID = id
	return marshalKeyFile(f)
}

// wipe overwrites private halves that are not needed any more, as far as Go allows: see
// docs/threats.md.
func wipe(secrets ...[]byte) {
	for _, s := range secrets {
		clear(s[:cap(s)])
	}
}

// stagedFile is the key file in the staging secret.
func (a *accountKeys) stagedFile(ctx context.Context, k rotation.Key) ([]byte, error) {
	if k.Staged == a.staged && a.staged != "" {
		return a.file, nil
	}
	file, err := a.cloud.AccessVersion(ctx, a.cred.StagingSecret(), k.Staged)
	if gcp.IsGone(err) {
		return nil, fmt.Errorf("%w: %w", errLost, err)
	}
	if err == nil {
		a.remember(k.Staged, file)
	}
	return file, err
}

// stagedKey is the private half in the staging secret.
func (a *accountKeys) stagedKey(ctx context.Context, k rotation.Key) (*rsa.PrivateKey, error) {
	file, err := a.stagedFile(ctx, k)
	if err != nil {
		return nil, err
	}
	var f keyFile
	if json.Unmarshal(file, &f) != nil {
		return nil, errKeyFile
	}
	text := []byte(f.PrivateKey)
	defer wipe(text)
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errKeyFile
	}
	defer wipe(block.Bytes)
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errKeyFile
	}
	key, ok := private.(*rsa.PrivateKey)
	if !ok {
		return nil, errKeyFile
	}
	return key, nil
}

// backdate covers the difference between clocks: Google refuses a certificate
// that is not valid yet.
const backdate = 2 * time.Minute

// certificate wraps the public half for upload. The key stops working when the
// certificate ends.
func certificate(private *rsa.PrivateKey, name string, now, end time.Time) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("making a serial number: %w", err)
	}
	if len(name) > 64 {
		name = name[:64] // X.509's limit for a common name; Google does not read it
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-backdate),
		NotAfter:     end,
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
