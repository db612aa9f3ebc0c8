package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// credential is one that is rotated.
type credential struct {
	secret string // projects/P/secrets/S
	target string // projects/P/serviceAccounts/E or projects/P/locations/global/keys/K
	kind   rotation.Kind
	mode   rotation.KeyMode // of service-account keys
	due    time.Time        // of its first rotation
	first  key              // what it held before that
}

// key is one key of a credential and what consumers are given of it.
type key struct {
	name    string // full resource name
	payload []byte
}

// keyParent is what API keys belong to.
const keyParent = "projects/" + project + "/locations/global"

// newCredential makes the n-th credential as a team has it before it meets a
// rotator: an account or an API key, and a secret. Kinds and modes take turns.
func (b *bed) newCredential(ctx context.Context, n int) (*credential, error) {
	c := &credential{kind: rotation.ServiceAccountKey, mode: []rotation.KeyMode{rotation.Upload, rotation.Create}[n%2]}
	if n%3 == 2 {
		c.kind, c.mode = rotation.APIKey, ""
	}
	id := fmt.Sprintf("consumer-%d", n+1)
	if c.kind == rotation.ServiceAccountKey {
		a, err := b.iam.CreateServiceAccount(ctx, &adminpb.CreateServiceAccountRequest{Name: "projects/" + project, AccountId: id})
		if err != nil {
			return nil, fmt.Errorf("creating account %s: %w", id, err)
		}
		c.target = a.GetName()
	}
	var err error
	if c.first, err = b.create(ctx, c, id); err != nil {
		return nil, err
	}
	if c.kind == rotation.APIKey {
		c.target = c.first.name
	}
	if c.secret, err = b.newSecret(ctx, id+"-key"); err != nil {
		return nil, err
	}
	return c, b.store(ctx, c, c.first.payload)
}

func (b *bed) newSecret(ctx context.Context, id string) (string, error) {
	_, err := b.secrets.CreateSecret(ctx, &secretmanagerpb.CreateSecretRequest{
		Parent: "projects/" + project, SecretId: id,
		Secret: &secretmanagerpb.Secret{Replication: &secretmanagerpb.Replication{Replication: &secretmanagerpb.Replication_Automatic_{Automatic: &secretmanagerpb.Replication_Automatic{}}}},
	})
	if err != nil {
		return "", fmt.Errorf("creating secret %s: %w", id, err)
	}
	return "projects/" + project + "/secrets/" + id, nil
}

// create makes a key of a credential. An API key gets the id. Google makes pairs
// of 1024 bits, because nothing here depends on their strength and they cost less.
func (b *bed) create(ctx context.Context, c *credential, id string) (key, error) {
	if c.kind == rotation.APIKey {
		return b.createAPIKey(ctx, id)
	}
	k, err := b.iam.CreateServiceAccountKey(ctx, &adminpb.CreateServiceAccountKeyRequest{Name: c.target, KeyAlgorithm: adminpb.ServiceAccountKeyAlgorithm_KEY_ALG_RSA_1024})
	if err != nil {
		return key{}, fmt.Errorf("creating a key of %s: %w", c.target, err)
	}
	return key{k.GetName(), k.GetPrivateKeyData()}, nil
}

func (b *bed) createAPIKey(ctx context.Context, id string) (key, error) {
	op, err := b.keys.CreateKey(ctx, &apikeyspb.CreateKeyRequest{
		Parent: keyParent, KeyId: id,
		Key: &apikeyspb.Key{DisplayName: id, Restrictions: &apikeyspb.Restrictions{
			ApiTargets: []*apikeyspb.ApiTarget{{Service: "generativelanguage.googleapis.com"}},
		}},
	})
	if err == nil {
		_, err = op.Wait(ctx)
	}
	if err != nil {
		return key{}, fmt.Errorf("creating API key %s: %w", id, err)
	}
	name := keyParent + "/keys/" + id
	s, err := b.keys.GetKeyString(ctx, &apikeyspb.GetKeyStringRequest{Name: name})
	if err != nil {
		return key{}, fmt.Errorf("reading API key %s: %w", id, err)
	}
	return key{name, []byte(s.GetKeyString())}, nil
}

// remove deletes a key.
func (b *bed) remove(ctx context.Context, c *credential, name string) error {
	if c.kind == rotation.APIKey {
		op, err := b.keys.DeleteKey(ctx, &apikeyspb.DeleteKeyRequest{Name: name})
		if err == nil {
			_, err = op.Wait(ctx)
		}
		return err
	}
	return b.iam.DeleteServiceAccountKey(ctx, &adminpb.DeleteServiceAccountKeyRequest{Name: name})
}

// store hands a payload out: as the newest version, and under the alias current.
func (b *bed) store(ctx context.Context, c *credential, payload []byte) error {
	v, err := b.secrets.AddSecretVersion(ctx, &secretmanagerpb.AddSecretVersionRequest{Parent: c.secret, Payload: &secretmanagerpb.SecretPayload{Data: payload}})
	if err != nil {
		return fmt.Errorf("storing a key in %s: %w", c.secret, err)
	}
	var number int64
	if _, err := fmt.Sscan(path.Base(v.GetName()), &number); err != nil {
		return fmt.Errorf("storing a key in %s: version %s: %w", c.secret, v.GetName(), err)
	}
	s, err := b.secrets.GetSecret(ctx, &secretmanagerpb.GetSecretRequest{Name: c.secret})
	if err != nil {
		return err
	}
	aliases := s.GetVersionAliases()
	if aliases == nil {
		aliases = map[string]int64{}
	}
	aliases[rotation.AliasCurrent] = number
	_, err = b.secrets.UpdateSecret(ctx, &secretmanagerpb.UpdateSecretRequest{
		Secret: &secretmanagerpb.Secret{Name: c.secret, VersionAliases: aliases}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"version_aliases"}},
	})
	return err
}

// adopt registers a credential with keyturn, as 'keyturn adopt' does.
func adopt(ctx context.Context, f *rotate.Function, c *credential, p rotation.Policy) error {
	p.KeyMode = c.mode
	_, err := f.Adopt(ctx, rotate.Adoption{Secret: c.secret, Kind: c.kind, Target: c.target, Policy: p})
	return err
}

// grantAll lets every account call the guarded API.
func (b *bed) grantAll(ctx context.Context, credentials []*credential) error {
	members := []string{}
	for _, c := range credentials {
		if c.kind == rotation.ServiceAccountKey {
			members = append(members, "serviceAccount:"+path.Base(c.target))
		}
	}
	role, err := b.iam.CreateRole(ctx, &adminpb.CreateRoleRequest{Parent: "projects/" + project, RoleId: "geminiCaller", Role: &adminpb.Role{
		Title: "Gemini caller", IncludedPermissions: []string{"generativelanguage.models.list"},
	}})
	if err != nil {
		return fmt.Errorf("creating the role: %w", err)
	}
	body, err := json.Marshal(map[string]any{"policy": map[string]any{
		"bindings": []any{map[string]any{"role": role.GetName(), "members": members}},
	}})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.cloud.URL()+"/v1/projects/"+project+":setIamPolicy", strings.NewReader(string(body)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if err := b.send(req); err != nil {
		return fmt.Errorf("granting the role: %w", err)
	}
	return nil
}
