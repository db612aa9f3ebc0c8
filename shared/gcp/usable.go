package gcp

import (
	"context"
	"fmt"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
)

// APIKeyUsable reports whether a key exists and is neither deleted nor disabled
// by DisableAPIKey.
func (c *Cloud) APIKeyUsable(ctx context.Context, name string) (bool, error) {
	client, err := c.apiKeys(ctx)
	if err != nil {
		return false, err
	}
	k, err := client.GetKey(ctx, &apikeyspb.GetKeyRequest{Name: name})
	if IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading API key %s: %w", name, err)
	}
	return k.GetDeleteTime() == nil && !blocked(k), nil
}
