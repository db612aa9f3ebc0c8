package sim

import (
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

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/internal/localgcp/iam"
	"example.com/keyturn/shared/rotation"
)

// plan says what a credential is like.
type plan struct {
	id        string
	kind      rotation.Kind
	policy    rotation.Policy
	consumers []consumer // as they begin
	denied    bool       // the organisation denies uploads
}

// credential is a registered credential and what people did to it, which
// excuses what would be a violation otherwise.
type credential struct {
	plan
	secret  string // projects/P/secrets/S
	account string // of a service-account key: its full name
	target  string

	sight     sight             // as it stood when last looked at
	given     map[string]moment // by key id: when consumers were last given it
	stopped   map[string]moment // by key id: since when it is disabled
	added     map[string]int    // by key id: how many versions the function made of it
	hand      deeds
	users     []*consumer
	uses      map[string]use  // by key id
	current   map[string]bool // by key id: the journal has called it the one in use
	looked    moment          // when the function last read a record of uses
	reaches   moment          // how far that record reached
	spoiled   bool            // its journal was destroyed by hand
	contested bool            // a person made a key while keyturn may have been making one
	lost      string          // the journal that was destroyed
	atLeast   int             // the number of the rotation that has to be done before it counts as clean
	clean     bool            // it was seen promoted, with nothing left over
}

type moment = time.Time

// deeds are what people did to a credential by hand.
type deeds struct {
	keys      map[string]bool   // broken: disabled or deleted
	revoked   map[string]bool   // by command
	versions  map[int]moment    // added
	excused   map[int]bool      // versions that cannot be expected to work
	aliases   map[string]moment // set
	asked     map[int]bool      // rotations asked for, by the number that they come after
	rollbacks int               // asked for
	notes     int               // annotations of the owner's
}

// register makes a credential as a team has it before it adopts keyturn, and
// adopts it.
func (w *world) register(p plan) (*credential, error) {
	c := &credential{
		plan: p, secret: "projects/" + project + "/secrets/" + p.id,
		given: map[string]moment{}, current: map[string]bool{}, uses: map[string]use{}, stopped: map[string]moment{}, added: map[string]int{},
		hand: deeds{
			keys: map[string]bool{}, revoked: map[string]bool{}, versions: map[int]moment{},
			excused: map[int]bool{}, aliases: map[string]moment{}, asked: map[int]bool{},
		},
	}
	for _, u := range p.consumers {
		c.users = append(c.users, &u)
	}
	payload, err := w.firstKey(c)
	if err != nil {
		return nil, err
	}
	_, err = w.secrets().CreateSecret(context.Background(), &secretmanagerpb.CreateSecretRequest{
		Parent: "projects/" + project, SecretId: p.id,
		Secret: &secretmanagerpb.Secret{Replication: &secretmanagerpb.Replication{
			Replication: &secretmanagerpb.Replication_Automatic_{Automatic: &secretmanagerpb.Replication_Automatic{}},
		}},
	})
	if err != nil {
		return nil, err
	}
	if _, err := w.addVersion(c, payload); err != nil {
		return nil, err
	}
	w.clock.Advance(max(w.keyLag, w.eventualLag) + time.Second) // everybody knows of it
	_, err = w.function.Adopt(context.Background(), rotate.Adoption{Secret: c.secret, Kind: p.kind, Target: c.target, Policy: p.policy})
	if p.denied {
		w.gcp.IAM.SetOrgPolicy(iam.OrgPolicy{DenyKeyUpload: true}, path.Base(c.account))
	}
	return c, err
}

func (w *world) firstKey(c *credential) (payload []byte, err error) {
	if c.kind == rotation.APIKey {
		c.target = "projects/" + project + "/locations/global/keys/" + c.id
		return w.newAPIKey(c.id)
	}
	account, err := w.accounts().CreateServiceAccount(context.Background(), &adminpb.CreateServiceAccountRequest{Name: "projects/" + project, AccountId: c.id})
	if err != nil {
		return nil, err
	}
	c.account, c.target = account.GetName(), account.GetName()
	_, payload, err = w.newAccountKey(c.account)
	return payload, err
}

func (w *world) newAPIKey(id string) (payload []byte, err error) {
	ctx, keys := context.Background(), apikeyspb.NewApiKeysClient(w.inside)
	parent := "projects/" + project + "/locations/global"
	if _, err = keys.CreateKey(ctx, &apikeyspb.CreateKeyRequest{Parent: parent, KeyId: id, Key: &apikeyspb.Key{DisplayName: id}}); err != nil {
		return nil, err
	}
	s, err := keys.GetKeyString(ctx, &apikeyspb.GetKeyStringRequest{Name: parent + "/keys/" + id})
	return []byte(s.GetKeyString()), err
}

// newAccountKey uploads a pair from the stock, as a person does.
func (w *world) newAccountKey(account string) (id string, file []byte, err error) {
	private, err := w.pair()
	if err != nil {
		return "", nil, err
	}
	now := w.clock.Now()
	cert, err := certificate(private, now.Add(-time.Minute), now.AddDate(5, 0, 0))
	if err != nil {
		return "", nil, err
	}
	k, err := w.accounts().UploadServiceAccountKey(context.Background(), &adminpb.UploadServiceAccountKeyRequest{Name: account, PublicKeyData: cert})
	if err != nil {
		return "", nil, err
	}
	id = path.Base(k.GetName())
	file, err = w.keyFile(private, id, path.Base(account))
	return id, file, err
}

func certificate(private *rsa.PrivateKey, from, to time.Time) ([]byte, error) {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "by hand"}, NotBefore: from, NotAfter: to}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

func (w *world) keyFile(private *rsa.PrivateKey, id, email string) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("encoding a key: %w", err)
	}
	return json.Marshal(map[string]string{
		"type": "service_account", "project_id": project, "private_key_id": id, "client_email": email,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"token_uri":   w.cloud.TokenURL(),
	})
}

func (w *world) secrets() secretmanagerpb.SecretManagerServiceClient {
	return secretmanagerpb.NewSecretManagerServiceClient(w.inside)
}

// addVersion stores a payload by hand and returns the version's number.
func (w *world) addVersion(c *credential, payload []byte) (int, error) {
	_, err := w.secrets().AddSecretVersion(context.Background(), &secretmanagerpb.AddSecretVersionRequest{
		Parent: c.secret, Payload: &secretmanagerpb.SecretPayload{Data: payload},
	})
	standing, _ := w.gcp.Secrets.Inspect(c.secret)
	return len(standing.Versions), err
}
