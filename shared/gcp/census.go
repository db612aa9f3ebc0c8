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
	apikeysrest "google.golang.org/api/apikeys/v2"
	iamrest "google.golang.org/api/iam/v1"
	"google.golang.org/api/iterator"
	"google.golang.org/api/storage/v1"
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
	client, err := c.apiKeysOverREST(ctx)
	if err != nil {
		return nil, err
	}
	parent := "projects/" + project + "/locations/global"
	var keys []inventory.APIKey
	err = pages(func(token string) (string, error) {
		r, err := overREST(ctx, c, "/google.api.apikeys.v2.ApiKeys/ListKeys", parent, func(ctx context.Context) (*apikeysrest.V2ListKeysResponse, error) {
			return client.Projects.Locations.Keys.List(parent).ShowDeleted(true).PageSize(300).PageToken(token).Context(ctx).Do()
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

func apiKeyOf(k *apikeysrest.V2Key) inventory.APIKey {
	_, blocked := k.Annotations[RestrictedBefore]
	return inventory.APIKey{
		Name: k.Name, UID: k.Uid, DisplayName: k.DisplayName, Created: restTime(k.CreateTime), Deleted: restTime(k.DeleteTime),
		Account: k.ServiceAccountEmail, Blocked: blocked, Restrictions: restrictionsOf(k.Restrictions),
	}
}

func restrictionsOf(r *apikeysrest.V2Restrictions) (out inventory.Restrictions) {
	if r == nil {
		return out
	}
	if b := r.BrowserKeyRestrictions; b != nil {
		out.Referrers = b.AllowedReferrers
	}
	if s := r.ServerKeyRestrictions; s != nil {
		out.Addresses = s.AllowedIps
	}
	if a := r.AndroidKeyRestrictions; a != nil {
		for _, app := range a.AllowedApplications {
			out.AndroidApps = append(out.AndroidApps, app.PackageName)
		}
	}
	if i := r.IosKeyRestrictions; i != nil {
		out.IOSApps = i.AllowedBundleIds
	}
	for _, t := range r.ApiTargets {
		out.Targets = append(out.Targets, inventory.APITarget{Service: t.Service, Methods: t.Methods})
	}
	return out
}

// HMACKeys lists the HMAC keys of a project's service accounts, the deleted ones
// that Google still keeps included.
func (c *Cloud) HMACKeys(ctx context.Context, project string) ([]inventory.HMACKey, error) {
	client, err := c.cloudStorage(ctx)
	if err != nil {
		return nil, err
	}
	var keys []inventory.HMACKey
	err = pages(func(token string) (string, error) {
		r, err := overREST(ctx, c, "/google.storage.v1.HmacKeys/ListHmacKeys", "projects/"+project, func(ctx context.Context) (*storage.HmacKeysMetadata, error) {
			return client.Projects.HmacKeys.List(project).ShowDeletedKeys(true).MaxResults(250).PageToken(token).Context(ctx).Do()
		})
		if err != nil {
			return "", err
		}
		for _, k := range r.Items {
			keys = append(keys, inventory.HMACKey{AccessID: k.AccessId, Account: k.ServiceAccountEmail, State: k.State, Created: restTime(k.TimeCreated)})
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
	client, err := c.iamOverREST(ctx)
	if err != nil {
		return nil, err
	}
	parent := "projects/" + project + "/locations/global"
	var clients []inventory.OAuthClient
	err = pages(func(token string) (string, error) {
		r, err := overREST(ctx, c, "/google.iam.v1.OauthClients/ListOauthClients", parent, func(ctx context.Context) (*iamrest.ListOauthClientsResponse, error) {
			return client.Projects.Locations.OauthClients.List(parent).PageSize(100).PageToken(token).Context(ctx).Do()
		})
		if err != nil {
			return "", err
		}
		for _, o := range r.OauthClients {
			clients = append(clients, inventory.OAuthClient{Name: o.Name, ClientID: o.ClientId, DisplayName: o.DisplayName, Disabled: o.Disabled, Deleted: o.State == "DELETED"})
		}
		return r.NextPageToken, nil
	})
	for i := 0; err == nil && i < len(clients); i++ {
		clients[i].Credentials, err = c.oauthCredentials(ctx, client, clients[i].Name)
	}
	if err != nil {
		return nil, fmt.Errorf("listing the OAuth clients of %s: %w", project, err)
	}
	return clients, nil
}

func (c *Cloud) oauthCredentials(ctx context.Context, client *iamrest.Service, name string) ([]inventory.OAuthCredential, error) {
	r, err := overREST(ctx, c, "/google.iam.v1.OauthClients/ListOauthClientCredentials", name, func(ctx context.Context) (*iamrest.ListOauthClientCredentialsResponse, error) {
		return client.Projects.Locations.OauthClients.Credentials.List(name).Fields("oauthClientCredentials(name,displayName,disabled)").Context(ctx).Do()
	})
	if err != nil {
		return nil, err
	}
	var credentials []inventory.OAuthCredential
	for _, k := range r.OauthClientCredentials {
		credentials = append(credentials, inventory.OAuthCredential{Name: k.Name, DisplayName: k.DisplayName, Disabled: k.Disabled})
	}
	return credentials, nil
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
