package bench

import (
	"context"
	"fmt"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/api/iterator"
)

// existing names every key that Google has of the credentials. Lists are stale
// for as long as keyLag.
func (b *bed) existing(ctx context.Context, credentials []*credential) ([]string, error) {
	names, err := b.apiKeys(ctx)
	for _, c := range credentials {
		if err != nil {
			return nil, err
		}
		if c.kind == rotation.ServiceAccountKey {
			var more []string
			more, err = b.accountKeys(ctx, c.target)
			names = append(names, more...)
		}
	}
	return names, err
}

func (b *bed) accountKeys(ctx context.Context, account string) (names []string, err error) {
	r, err := b.iam.ListServiceAccountKeys(ctx, &adminpb.ListServiceAccountKeysRequest{
		Name: account, KeyTypes: []adminpb.ListServiceAccountKeysRequest_KeyType{adminpb.ListServiceAccountKeysRequest_USER_MANAGED},
	})
	if err != nil {
		return nil, fmt.Errorf("listing the keys of %s: %w", account, err)
	}
	for _, k := range r.GetKeys() {
		names = append(names, k.GetName())
	}
	return names, nil
}

func (b *bed) apiKeys(ctx context.Context) (names []string, err error) {
	it := b.keys.ListKeys(ctx, &apikeyspb.ListKeysRequest{Parent: keyParent})
	for {
		k, err := it.Next()
		if err == iterator.Done {
			return names, nil
		}
		if err != nil {
			return nil, fmt.Errorf("listing API keys: %w", err)
		}
		names = append(names, k.GetName())
	}
}

// versions counts what a secret ever held.
func (b *bed) versions(ctx context.Context, c *credential) (n int, err error) {
	it := b.secrets.ListSecretVersions(ctx, &secretmanagerpb.ListSecretVersionsRequest{Parent: c.secret})
	for {
		_, err := it.Next()
		if err == iterator.Done {
			return n, nil
		}
		if err != nil {
			return n, fmt.Errorf("listing the versions of %s: %w", c.secret, err)
		}
		n++
	}
}
