package gcp

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"path"
	"time"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
)

// AccountKey is a user-managed key of a service account.
type AccountKey struct {
	ID         string // 40 hex digits
	Disabled   bool
	Uploaded   bool      // the pair was made outside Google
	ValidAfter time.Time // Google knows no creation time; for its own keys this is it
	Expires    time.Time // when it stops by itself; zero is never
}

// never is from when on Google means that a key does not expire: it says the end
// of the year 9999.
var never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

func accountKeyOf(k *adminpb.ServiceAccountKey) AccountKey {
	key := AccountKey{
		ID: path.Base(k.GetName()), Disabled: k.GetDisabled(),
		Uploaded:   k.GetKeyOrigin() == adminpb.ServiceAccountKeyOrigin_USER_PROVIDED,
		ValidAfter: k.GetValidAfterTime().AsTime(),
	}
	if end := k.GetValidBeforeTime(); end != nil && end.AsTime().Before(never) {
		key.Expires = end.AsTime()
	}
	return key
}

// AccountKeys lists the user-managed keys of an account (projects/P/serviceAccounts/E).
// The list is eventually consistent: absence is no proof.
func (c *Cloud) AccountKeys(ctx context.Context, account string) ([]AccountKey, error) {
	client, err := c.iamAdmin(ctx)
	if err != nil {
		return nil, err
	}
	r, err := client.ListServiceAccountKeys(ctx, &adminpb.ListServiceAccountKeysRequest{
		Name: account, KeyTypes: []adminpb.ListServiceAccountKeysRequest_KeyType{adminpb.ListServiceAccountKeysRequest_USER_MANAGED},
	})
	if err != nil {
		return nil, fmt.Errorf("listing the keys of %s: %w", account, err)
	}
	keys := make([]AccountKey, len(r.GetKeys()))
	for i, k := range r.GetKeys() {
		keys[i] = accountKeyOf(k)
	}
	return keys, nil
}

// AccountKeyPublic reads the public half of a key.
func (c *Cloud) AccountKeyPublic(ctx context.Context, account, id string) (*rsa.PublicKey, error) {
	client, err := c.iamAdmin(ctx)
	if err != nil {
		return nil, err
	}
	k, err := client.GetServiceAccountKey(ctx, &adminpb.GetServiceAccountKeyRequest{
		Name: keyName(account, id), PublicKeyType: adminpb.ServiceAccountPublicKeyType_TYPE_X509_PEM_FILE,
	})
	if err != nil {
		return nil, fmt.Errorf("reading the public half of %s: %w", keyName(account, id), err)
	}
	return publicKeyOf(k.GetPublicKeyData())
}

func publicKeyOf(certPEM []byte) (*rsa.PublicKey, error) {
	block, _ := pem.Decode(certPEM)
	if block == nil {
		return nil, errors.New("IAM's answer holds no PEM certificate")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("parsing the certificate that IAM answered: %w", err)
	}
	public, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("IAM answered a %T, not an RSA key", cert.PublicKey)
	}
	return public, nil
}

// UploadAccountKey makes the public half in an X.509 certificate (PEM) a key of
// the account and returns its id. It is not idempotent.
func (c *Cloud) UploadAccountKey(ctx context.Context, account string, certPEM []byte) (string, error) {
	client, err := c.iamAdmin(ctx)
	if err != nil {
		return "", err
	}
	k, err := client.UploadServiceAccountKey(ctx, &adminpb.UploadServiceAccountKeyRequest{Name: account, PublicKeyData: certPEM})
	if err != nil {
		return "", fmt.Errorf("uploading a key to %s: %w", account, err)
	}
	return path.Base(k.GetName()), nil
}

// CreateAccountKey has Google make a key and returns it with Google's JSON key
// file, which exists nowhere else. It is not idempotent.
func (c *Cloud) CreateAccountKey(ctx context.Context, account string) (key AccountKey, keyFile []byte, err error) {
	client, err := c.iamAdmin(ctx)
	if err != nil {
		return key, nil, err
	}
	k, err := client.CreateServiceAccountKey(ctx, &adminpb.CreateServiceAccountKeyRequest{
		Name: account, PrivateKeyType: adminpb.ServiceAccountPrivateKeyType_TYPE_GOOGLE_CREDENTIALS_FILE,
	})
	if err != nil {
		return key, nil, fmt.Errorf("creating a key of %s: %w", account, err)
	}
	return accountKeyOf(k), k.GetPrivateKeyData(), nil
}

// DisableAccountKey disables a key; one that is gone already is fine. Tokens
// that it minted stay valid for up to an hour. The one that keyturn calls with is left
// alone, by an error that is ErrLockedOut.
func (c *Cloud) DisableAccountKey(ctx context.Context, account, id string) error {
	client, err := c.iamAdmin(ctx)
	if err == nil {
		err = c.spare(account, id)
	}
	if err != nil {
		return err
	}
	err = client.DisableServiceAccountKey(ctx, &adminpb.DisableServiceAccountKeyRequest{Name: keyName(account, id)})
	if err != nil && !IsNotFound(err) {
		return fmt.Errorf("disabling %s: %w", keyName(account, id), err)
	}
	return nil
}

// EnableAccountKey lets a disabled key authenticate again. The error of one that
// is gone satisfies IsNotFound.
func (c *Cloud) EnableAccountKey(ctx context.Context, account, id string) error {
	client, err := c.iamAdmin(ctx)
	if err != nil {
		return err
	}
	err = client.EnableServiceAccountKey(ctx, &adminpb.EnableServiceAccountKeyRequest{Name: keyName(account, id)})
	if err != nil {
		return fmt.Errorf("enabling %s: %w", keyName(account, id), err)
	}
	return nil
}

// DeleteAccountKey deletes a key; one that is gone already is fine. A refusal
// is never taken for success. Nor is the one that keyturn calls with deleted.
func (c *Cloud) DeleteAccountKey(ctx context.Context, account, id string) error {
	client, err := c.iamAdmin(ctx)
	if err == nil {
		err = c.spare(account, id)
	}
	if err != nil {
		return err
	}
	err = client.DeleteServiceAccountKey(ctx, &adminpb.DeleteServiceAccountKeyRequest{Name: keyName(account, id)})
	if err != nil && !IsNotFound(err) {
		return fmt.Errorf("deleting %s: %w", keyName(account, id), err)
	}
	return nil
}

func keyName(account, id string) string { return account + "/keys/" + id }
