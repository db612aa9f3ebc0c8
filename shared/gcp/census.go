package gcp

import (
	"context"
	"fmt"
	"path"
	"slices"
	"time"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"example.com/keyturn/shared/inventory"
	"google.golang.org/api/iterator"
)

// Accounts lists the service accounts of a project, without their keys.
func (c *Cloud) Accounts(ctx context.Context, project string) ([]inventory.Account, error) {
	client, err := c.iamAdmin(ctx)
	if err != nil {
		return nil, err
	}
	var accounts []inventory.Account
	it := client.ListServiceAccounts(ctx, &adminpb.ListServiceAccountsRequest{Name: "projects/" + project, PageSize: 100})
	for {
		a, err := it.Next()
		if err == iterator.Done {
			return accounts, nil
		}
		if err != nil {
			return nil, fmt.Errorf("listing the service accounts of %s: %w", project, err)
		}
		accounts = append(accounts, inventory.Account{Email: a.GetEmail(), UniqueID: a.GetUniqueId(), Name: a.GetDisplayName(), Disabled: a.GetDisabled()})
	}
}

// AccountInventory lists the user-managed keys of an account with all that Google
// tells of them. The list is eventually consistent.
func (c *Cloud) AccountInventory(ctx context.Context, account string) ([]inventory.AccountKey, error) {
	listed, err := c.listAccountKeys(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("listing the keys of %s: %w", account, err)
	}
	keys := make([]inventory.AccountKey, len(listed))
	for i, k := range listed {
		keys[i] = inventory.AccountKey{
			ID: path.Base(k.Name), Created: restTime(k.ValidAfterTime), Expires: restTime(k.ValidBeforeTime),
			Uploaded: k.KeyOrigin == "USER_PROVIDED", Disabled: k.Disabled,
			Reason: disableReason(k.DisableReason), Exposed: slices.ContainsFunc(k.ExtendedStatus, exposed),
		}
		if !keys[i].Expires.Before(never) {
			keys[i].Expires = time.Time{}
		}
	}
	return keys, nil
}

// restTime is a time of the REST APIs; zero if it is none.
func restTime(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// APIKeyInventory lists the API keys of a project, the deleted ones that Google
// still keeps included.
func (c *Cloud) APIKeyInventory(ctx context.Context, project string) ([]inventory.APIKey, error) {
	parent := "projects/" + project + "/locations/global"
	var keys []inventory.APIKey
	err := pages(func(token string) (string, error) {
		r, err := overREST[struct {
			Keys          []listedAPIKey
			NextPageToken string
		}](ctx, c, restCall{
			method: "/google.api.apikeys.v2.ApiKeys/ListKeys", resource: parent,
			api: apiKeysREST, path: "v2/" + parent + "/keys", args: []string{"showDeleted", "true", "pageSize", "300", "pageToken", token},
		})
		if err != nil {
			return "", err
		}
		for _, k := range r.Keys {
			keys = append(keys, apiKeyOf(k))
		}
		return r.NextPageToken, nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the API keys of %s: %w", project, err)
	}
	return keys, nil
}

// listedAPIKey is an API key as REST, which alone has its account, lists it.
type listedAPIKey struct {
	Name, UID, DisplayName, CreateTime, DeleteTime, ServiceAccountEmail string
	Annotations                                                         map[string]string
	Restrictions                                                        listedRestrictions
}

type listedRestrictions struct {
	BrowserKeyRestrictions struct{ AllowedReferrers []string }
	ServerKeyRestrictions  struct{ AllowedIps []string }
	AndroidKeyRestrictions struct {
		AllowedApplications []struct{ PackageName string }
	}
	IosKeyRestrictions struct{ AllowedBundleIds []string }
	APITargets         []inventory.APITarget
}

func apiKeyOf(k listedAPIKey) inventory.APIKey {
	_, blocked := k.Annotations[RestrictedBefore]
	return inventory.APIKey{
		Name: k.Name, UID: k.UID, DisplayName: k.DisplayName, Created: restTime(k.CreateTime), Deleted: restTime(k.DeleteTime),
		Account: k.ServiceAccountEmail, Blocked: blocked, Restrictions: restrictionsOf(k.Restrictions),
	}
}

func restrictionsOf(r listedRestrictions) inventory.Restrictions {
	out := inventory.Restrictions{
		Referrers: r.BrowserKeyRestrictions.AllowedReferrers, Addresses: r.ServerKeyRestrictions.AllowedIps,
		IOSApps: r.IosKeyRestrictions.AllowedBundleIds, Targets: r.APITargets,
	}
	for _, app := range r.AndroidKeyRestrictions.AllowedApplications {
		out.AndroidApps = append(out.AndroidApps, app.PackageName)
	}
	return out
}

// HMACKeys lists the HMAC keys of a project's service accounts, the deleted ones
// that Google still keeps included.
func (c *Cloud) HMACKeys(ctx context.Context, project string) ([]inventory.HMACKey, error) {
	var keys []inventory.HMACKey
	err := pages(func(token string) (string, error) {
		r, err := overREST[struct {
			Items         []struct{ AccessID, ServiceAccountEmail, State, TimeCreated string }
			NextPageToken string
		}](ctx, c, restCall{
			method: "/google.storage.v1.HmacKeys/ListHmacKeys", resource: "projects/" + project,
			api: cloudStorage, path: "storage/v1/projects/" + project + "/hmacKeys", args: []string{"showDeletedKeys", "true", "maxResults", "250", "pageToken", token},
		})
		if err != nil {
			return "", err
		}
		for _, k := range r.Items {
			keys = append(keys, inventory.HMACKey{AccessID: k.AccessID, Account: k.ServiceAccountEmail, State: k.State, Created: restTime(k.TimeCreated)})
		}
		return r.NextPageToken, nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the HMAC keys of %s: %w", project, err)
	}
	return keys, nil
}

// OAuthClients lists the OAuth clients of a project's workforce identity federation
// with their credentials. The secrets, which Google's list holds, are not asked for.
func (c *Cloud) OAuthClients(ctx context.Context, project string) ([]inventory.OAuthClient, error) {
	parent := "projects/" + project + "/locations/global"
	var clients []inventory.OAuthClient
	err := pages(func(token string) (string, error) {
		r, err := overREST[struct {
			OauthClients []struct {
				Name, ClientID, DisplayName, State string
				Disabled                           bool
			}
			NextPageToken string
		}](ctx, c, restCall{
			method: "/google.iam.v1.OauthClients/ListOauthClients", resource: parent,
			api: iamREST, path: "v1/" + parent + "/oauthClients", args: []string{"pageSize", "100", "pageToken", token},
		})
		if err != nil {
			return "", err
		}
		for _, o := range r.OauthClients {
			clients = append(clients, inventory.OAuthClient{Name: o.Name, ClientID: o.ClientID, DisplayName: o.DisplayName, Disabled: o.Disabled, Deleted: o.State == "DELETED"})
		}
		return r.NextPageToken, nil
	})
	for i := 0; err == nil && i < len(clients); i++ {
		clients[i].Credentials, err = c.oauthCredentials(ctx, clients[i].Name)
	}
	if err != nil {
		return nil, fmt.Errorf("listing the OAuth clients of %s: %w", project, err)
	}
	return clients, nil
}

func (c *Cloud) oauthCredentials(ctx context.Context, name string) ([]inventory.OAuthCredential, error) {
	r, err := overREST[struct {
		OauthClientCredentials []struct {
			Name, DisplayName string
			Disabled          bool
		}
	}](ctx, c, restCall{
		method: "/google.iam.v1.OauthClients/ListOauthClientCredentials", resource: name,
		api: iamREST, path: "v1/" + name + "/credentials", args: []string{"fields", "oauthClientCredentials(name,displayName,disabled)"},
	})
	var credentials []inventory.OAuthCredential
	for _, k := range r.OauthClientCredentials {
		credentials = append(credentials, inventory.OAuthCredential{Name: k.Name, DisplayName: k.DisplayName, Disabled: k.Disabled})
	}
	return credentials, err
}

// SecretInventory lists the secrets of a project, with what they are to keyturn.
func (c *Cloud) SecretInventory(ctx context.Context, project string) ([]inventory.Secret, error) {
	client, err := c.secretManager(ctx)
	if err != nil {
		return nil, err
	}
	var secrets []inventory.Secret
	it := client.ListSecrets(ctx, &secretmanagerpb.ListSecretsRequest{Parent: "projects/" + project, PageSize: 250})
	for {
		s, err := it.Next()
		if err == iterator.Done {
			return secrets, nil
		}
		if err != nil {
			return nil, fmt.Errorf("listing the secrets of %s: %w", project, err)
		}
		secrets = append(secrets, inventoried(s))
	}
}

func inventoried(s *secretmanagerpb.Secret) inventory.Secret {
	meta := secretOf(s)
	out := inventory.Secret{
		Name: meta.Name, Created: s.GetCreateTime().AsTime(), Aliases: meta.Aliases, CMEK: cmekOf(s.GetReplication()),
		NextRotation: meta.NextRotation, Period: s.GetRotation().GetRotationPeriod().AsDuration(),
	}
	if end := s.GetExpireTime(); end != nil {
		out.Expires = end.AsTime()
	}
	for _, t := range s.GetTopics() {
		out.Topics = append(out.Topics, t.GetName())
	}
	out.Register(meta.Labels, meta.Annotations)
	return out
}

// cmekOf are the customer's keys that encrypt a secret.
func cmekOf(r *secretmanagerpb.Replication) (keys []string) {
	if name := r.GetAutomatic().GetCustomerManagedEncryption().GetKmsKeyName(); name != "" {
		return []string{name}
	}
	for _, replica := range r.GetUserManaged().GetReplicas() {
		if name := replica.GetCustomerManagedEncryption().GetKmsKeyName(); name != "" {
			keys = append(keys, name)
		}
	}
	return keys
}
