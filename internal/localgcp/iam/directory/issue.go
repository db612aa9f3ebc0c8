package directory

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"time"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// preconditionFailed is all that Google says about a full account.
const preconditionFailed = "Precondition check failed."

// CreateKey makes a key pair of 1024 or 2048 bits, registers its public half
// and hands out the private one, which is kept only until the certificate is signed.
func (d *Directory) CreateKey(accountName string, algorithm adminpb.ServiceAccountKeyAlgorithm) (Key, *rsa.PrivateKey, error) {
	bits := 2048
	switch algorithm {
	case adminpb.ServiceAccountKeyAlgorithm_KEY_ALG_RSA_1024:
		bits = 1024
	case adminpb.ServiceAccountKeyAlgorithm_KEY_ALG_UNSPECIFIED:
		algorithm = adminpb.ServiceAccountKeyAlgorithm_KEY_ALG_RSA_2048
	}
	owner, err := d.Account(accountName)
	if err != nil {
		return Key{}, nil, err
	}
	if err := d.mayAdd(accountName, denyCreation); err != nil {
		return Key{}, nil, err // before the costly part
	}
	private, err := d.pair(bits)
	if err != nil {
		return Key{}, nil, status.Errorf(codes.Internal, "generating a key: %v", err)
	}
	k := Key{
		ID:     d.newKeyID(),
		Origin: adminpb.ServiceAccountKeyOrigin_GOOGLE_PROVIDED, Type: adminpb.ListServiceAccountKeysRequest_USER_MANAGED,
		Algorithm: algorithm, PublicKey: &private.PublicKey,
	}
	k.ValidAfter, k.ValidBefore = d.lifetime(owner)
	k.certificate = d.selfSigned(owner.UniqueID, private, k.ValidAfter, k.ValidBefore)
	k, err = d.add(accountName, denyCreation, k)
	return k, private, err
}

func (d *Directory) pair(bits int) (*rsa.PrivateKey, error) {
	if d.cfg.Pair != nil {
		return d.cfg.Pair()
	}
	return rsa.GenerateKey(rand.Reader, bits)
}

// lifetime is that of a key created now.
func (d *Directory) lifetime(a Account) (from, to time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	from = d.cfg.Clock.Now().Truncate(time.Second)
	if limit := d.orgPolicyOf(a).MaxKeyLifetime; limit > 0 {
		return from, from.Add(limit)
	}
	return from, NeverExpires
}

// UploadKey registers the public key in a PEM X.509 certificate, whose dates
// become the key's.
func (d *Directory) UploadKey(accountName string, certificate []byte) (Key, error) {
	cert, err := parseCertificate(certificate, d.cfg.Clock.Now())
	if err != nil {
		return Key{}, err
	}
	k := Key{
		ID:     d.newKeyID(),
		Origin: adminpb.ServiceAccountKeyOrigin_USER_PROVIDED, Type: adminpb.ListServiceAccountKeysRequest_USER_MANAGED,
		Algorithm:  algorithmOf(cert.PublicKey.(*rsa.PublicKey)),
		ValidAfter: cert.NotBefore, ValidBefore: cert.NotAfter,
		PublicKey:   cert.PublicKey.(*rsa.PublicKey),
		certificate: func() ([]byte, error) { return encodeCertificate(cert.Raw), nil },
	}
	return d.add(accountName, denyUpload, k)
}

func algorithmOf(pub *rsa.PublicKey) adminpb.ServiceAccountKeyAlgorithm {
	switch pub.N.BitLen() {
	case 1024:
		return adminpb.ServiceAccountKeyAlgorithm_KEY_ALG_RSA_1024
	case 2048:
		return adminpb.ServiceAccountKeyAlgorithm_KEY_ALG_RSA_2048
	}
	return adminpb.ServiceAccountKeyAlgorithm_KEY_ALG_UNSPECIFIED // the API has no name for 4096 bits
}

// add registers the key if the organisation and the cap allow it.
func (d *Directory) add(accountName string, denied constraint, k Key) (Key, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, err := d.check(accountName, denied)
	if err != nil {
		return Key{}, err
	}
	if limit := d.orgPolicyOf(a.Account).MaxKeyLifetime; limit > 0 && k.ValidBefore.Sub(k.ValidAfter) > limit {
		return Key{}, tooLong(k.ValidBefore.Sub(k.ValidAfter), limit)
	}
	added := &key{Key: k, history: []change{{at: d.cfg.Clock.Now(), to: enabled}}}
	a.keys = append(a.keys, added)
	return added.snapshot(a, enabled), nil
}

func tooLong(lifetime, limit time.Duration) error {
	return status.Errorf(codes.InvalidArgument, "The given public key has a lifetime of %d seconds, which is longer than the max allowed "+
		"lifetime of %d seconds as specified in resource settings or in organization policy.", int64(lifetime.Seconds()), int64(limit.Seconds()))
}

func (d *Directory) mayAdd(accountName string, denied constraint) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, err := d.check(accountName, denied)
	return err
}

// check finds the account and sees whether it may get another key.
func (d *Directory) check(accountName string, denied constraint) (*account, error) {
	a, err := d.find(accountName)
	if err != nil {
		return nil, err
	}
	if err := denied(d.orgPolicyOf(a.Account), a.Account); err != nil {
		return nil, err
	}
	n := 0
	for _, k := range a.keys {
		if k.latest() != deleted {
			n++
		}
	}
	if n >= MaxKeys {
		return nil, status.Error(codes.FailedPrecondition, preconditionFailed)
	}
	return a, nil
}

// A constraint returns the error by which an organisation's policy forbids a key.
type constraint func(OrgPolicy, Account) error

func denyCreation(p OrgPolicy, a Account) error {
	if p.ManagedDenyKeyCreation {
		return managedViolation("constraints/iam.managed.disableServiceAccountKeyCreation", a)
	}
	if !p.DenyKeyCreation {
		return nil
	}
	return violation("constraints/iam.disableServiceAccountKeyCreation", "Key creation is not allowed on this service account.", a)
}

func denyUpload(p OrgPolicy, a Account) error {
	if p.ManagedDenyKeyUpload {
		return managedViolation("constraints/iam.managed.disableServiceAccountKeyUpload", a)
	}
	if !p.DenyKeyUpload {
		return nil
	}
	const name = "constraints/iam.disableServiceAccountKeyUpload"
	return violation(name, fmt.Sprintf("Constraint `%s` violated for service account %s attempting to upload public key.", name, a.Name()), a)
}

// managedViolation is how managed constraints refuse [mem].
func managedViolation(name string, a Account) error {
	return violation(name, fmt.Sprintf("Operation denied by org policy: [%q: \"This constraint, when enforced, blocks this operation on service account keys.\"].", name), a)
}

func violation(constraint, message string, a Account) error {
	s, _ := status.New(codes.FailedPrecondition, message).WithDetails(&errdetails.PreconditionFailure{
		Violations: []*errdetails.PreconditionFailure_Violation{{
			Type:        constraint,
			Subject:     "projects/" + a.Project + "/serviceAccounts/" + a.UniqueID + "?configvalue=" + a.UniqueID,
			Description: message,
		}},
	}) // fails for code OK only
	return s.Err()
}
