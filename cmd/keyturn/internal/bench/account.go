package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"path"
	"time"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"example.com/keyturn/shared/rotation"
)

// mold is one RSA pair that the first keys of many accounts are cast from: a
// pair of its own for each would take longer to make than all that is measured.
type mold struct {
	private, certificate []byte // PEM
}

func newMold(from time.Time) (*mold, error) {
	pair, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "first key"},
		NotBefore: from.Add(-time.Minute), NotAfter: from.AddDate(10, 0, 0),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &pair.PublicKey, pair)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(pair)
	return &mold{
		private:     pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
	}, err
}

// newAccount makes the n-th service account, with a key in a secret.
func (b *bed) newAccount(ctx context.Context, m *mold, n int) (*credential, error) {
	id := fmt.Sprintf("account-%d", n)
	a, err := b.iam.CreateServiceAccount(ctx, &adminpb.CreateServiceAccountRequest{Name: "projects/" + project, AccountId: id})
	if err != nil {
		return nil, fmt.Errorf("creating account %s: %w", id, err)
	}
	k, err := b.iam.UploadServiceAccountKey(ctx, &adminpb.UploadServiceAccountKeyRequest{Name: a.GetName(), PublicKeyData: m.certificate})
	if err != nil {
		return nil, fmt.Errorf("uploading a key of %s: %w", id, err)
	}
	c := &credential{kind: rotation.ServiceAccountKey, mode: rotation.Upload, target: a.GetName()}
	var file bytes.Buffer
	err = json.NewEncoder(&file).Encode(map[string]string{
		"type": "service_account", "project_id": project, "private_key_id": path.Base(k.GetName()), "private_key": string(m.private),
		"client_email": a.GetEmail(), "client_id": a.GetUniqueId(), "token_uri": b.cloud.URL() + "/token",
	})
	if err != nil {
		return nil, err
	}
	if c.secret, err = b.newSecret(ctx, id+"-key"); err != nil {
		return nil, err
	}
	return c, b.store(ctx, c, file.Bytes())
}
