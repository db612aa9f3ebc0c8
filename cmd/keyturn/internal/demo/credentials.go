package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"time"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"example.com/keyturn/functions/rotate"
	"example.com/keyturn/shared/rotation"
)

// policy is the demo's: days where a real one has weeks.
var policy = rotation.Policy{
	Period:      rotation.Duration(48 * time.Hour),
	Overlap:     rotation.Duration(6 * time.Hour),
	Quarantine:  rotation.Duration(12 * time.Hour),
	Propagation: rotation.Duration(10 * time.Minute),
}

// credential is one that the demo registers.
type credential struct {
	secret  string // projects/P/secrets/S
	account string // projects/P/serviceAccounts/E, or
	apiKey  string // projects/P/locations/global/keys/K
	mode    rotation.KeyMode
}

// makeCredentials creates accounts, keys and secrets as a team would have them before it
// meets keyturn.
func (s *stage) makeCredentials(ctx context.Context) error {
	for i := range 6 {
		mode := []rotation.KeyMode{rotation.Upload, rotation.Create}[i%2]
		c, err := s.makeAccount(ctx, fmt.Sprintf("consumer-%d", i+1), mode)
		if err != nil {
			return err
		}
		s.credentials = append(s.credentials, c)
	}
	for i := range 3 {
		c, err := s.makeAPIKey(ctx, fmt.Sprintf("gemini-%d", i+1))
		if err != nil {
			return err
		}
		s.credentials = append(s.credentials, c)
	}
	return s.grant(ctx)
}

func (s *stage) makeAccount(ctx context.Context, id string, mode rotation.KeyMode) (credential, error) {
	a, err := s.iam.CreateServiceAccount(ctx, &adminpb.CreateServiceAccountRequest{Name: "projects/" + s.Project, AccountId: id})
	if err != nil {
		return credential{}, fmt.Errorf("creating account %s: %w", id, err)
	}
	k, err := s.iam.CreateServiceAccountKey(ctx, &adminpb.CreateServiceAccountKeyRequest{Name: a.GetName()})
	if err != nil {
		return credential{}, fmt.Errorf("creating a key of %s: %w", id, err)
	}
	secret, err := s.makeSecret(ctx, id+"-key", k.GetPrivateKeyData())
	return credential{secret: secret, account: a.GetName(), mode: mode}, err
}

func (s *stage) makeAPIKey(ctx context.Context, id string) (credential, error) {
	op, err := s.keys.CreateKey(ctx, &apikeyspb.CreateKeyRequest{
		Parent: "projects/" + s.Project + "/locations/global", KeyId: id,
		Key: &apikeyspb.Key{DisplayName: id, Restrictions: &apikeyspb.Restrictions{
			ApiTargets: []*apikeyspb.ApiTarget{{Service: "generativelanguage.googleapis.com"}},
		}},
	})
	if err != nil {
		return credential{}, fmt.Errorf("creating API key %s: %w", id, err)
	}
	k, err := op.Wait(ctx)
	if err != nil {
		return credential{}, fmt.Errorf("creating API key %s: %w", id, err)
	}
	str, err := s.keys.GetKeyString(ctx, &apikeyspb.GetKeyStringRequest{Name: k.GetName()})
	if err != nil {
		return credential{}, fmt.Errorf("reading API key %s: %w", id, err)
	}
	secret, err := s.makeSecret(ctx, id+"-key", []byte(str.GetKeyString()))
	return credential{secret: secret, apiKey: "projects/" + s.Project + "/locations/global/keys/" + id}, err
}

func (s *stage) makeSecret(ctx context.Context, id string, payload []byte) (string, error) {
	secret, err := s.secrets.CreateSecret(ctx, &secretmanagerpb.CreateSecretRequest{
		Parent: "projects/" + s.Project, SecretId: id,
		Secret: &secretmanagerpb.Secret{Replication: &secretmanagerpb.Replication{Replication: &secretmanagerpb.Replication_Automatic_{Automatic: &secretmanagerpb.Replication_Automatic{}}}},
	})
	if err != nil {
		return "", fmt.Errorf("creating secret %s: %w", id, err)
	}
	_, err = s.secrets.AddSecretVersion(ctx, &secretmanagerpb.AddSecretVersionRequest{
		Parent: secret.GetName(), Payload: &secretmanagerpb.SecretPayload{Data: payload},
	})
	if err != nil {
		return "", fmt.Errorf("filling secret %s: %w", id, err)
	}
	return "projects/" + s.Project + "/secrets/" + id, nil
}

// adopt registers every credential with keyturn, as 'keyturn adopt' does.
func (s *stage) adopt(ctx context.Context) error {
	f := rotate.New(rotate.Config{Cloud: s.cloud, Now: s.clock.Now})
	for _, c := range s.credentials {
		a := rotate.Adoption{Secret: c.secret, Kind: rotation.APIKey, Target: c.apiKey, Policy: policy}
		if c.account != "" {
			a.Kind, a.Target, a.Policy.KeyMode = rotation.ServiceAccountKey, c.account, c.mode
		}
		if _, err := f.Adopt(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// geminiCaller is the custom role of the demo's accounts: what their job needs
// and nothing else.
var geminiCaller = []string{"generativelanguage.models.generateContent", "generativelanguage.models.list"}

// grant lets the accounts call the API with a custom role, as a careful team does.
func (s *stage) grant(ctx context.Context) error {
	parent := "projects/" + s.Project
	role, err := s.iam.CreateRole(ctx, &adminpb.CreateRoleRequest{Parent: parent, RoleId: "geminiCaller", Role: &adminpb.Role{
		Title: "Gemini caller", IncludedPermissions: geminiCaller,
	}})
	if err != nil {
		return fmt.Errorf("creating the role: %w", err)
	}
	var members []string
	for _, c := range s.credentials {
		if c.account != "" {
			members = append(members, "serviceAccount:"+path.Base(c.account))
		}
	}
	return s.setProjectPolicy(ctx, map[string]any{"policy": map[string]any{
		"bindings": []any{map[string]any{"role": role.GetName(), "members": members}},
	}})
}

func (s *stage) setProjectPolicy(ctx context.Context, policy any) error {
	body, err := json.Marshal(policy)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL()+"/v1/projects/"+s.Project+":setIamPolicy", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if err := s.send(req); err != nil {
		return fmt.Errorf("granting the role: %w", err)
	}
	return nil
}
