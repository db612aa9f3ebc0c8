package gcp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	apikeys "cloud.google.com/go/apikeys/apiv2"
	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
)

// APIKeyString reads the secret string of a key. Unlike a service-account
// key's private half it can be read again at any time.
func (c *Cloud) APIKeyString(ctx context.Context, name string) (string, error) {
	client, err := c.apiKeys(ctx)
	if err != nil {
		return "", err
	}
	r, err := client.GetKeyString(ctx, &apikeyspb.GetKeyStringRequest{Name: name})
	if err != nil {
		return "", fmt.Errorf("reading the string of API key %s: %w", name, err)
	}
	return r.GetKeyString(), nil
}

// APIKeyCreated is when a key was made.
func (c *Cloud) APIKeyCreated(ctx context.Context, name string) (time.Time, error) {
	client, err := c.apiKeys(ctx)
	if err != nil {
		return time.Time{}, err
	}
	k, err := client.GetKey(ctx, &apikeyspb.GetKeyRequest{Name: name})
	if err != nil {
		return time.Time{}, fmt.Errorf("reading API key %s: %w", name, err)
	}
	return k.GetCreateTime().AsTime(), nil
}

// UndeleteAPIKey brings back a key that was deleted in the last 30 days. With one
// that is not deleted there is nothing to do; the error of one that Google keeps
// no more satisfies IsNotFound.
func (c *Cloud) UndeleteAPIKey(ctx context.Context, name string) error {
	client, err := c.apiKeys(ctx)
	if err != nil {
		return err
	}
	k, err := client.GetKey(ctx, &apikeyspb.GetKeyRequest{Name: name})
	if err == nil && k.GetDeleteTime() != nil {
		err = undelete(ctx, client, name)
	}
	if err != nil {
		return fmt.Errorf("undeleting API key %s: %w", name, err)
	}
	return nil
}

func undelete(ctx context.Context, client *apikeys.Client, name string) error {
	op, err := client.UndeleteKey(ctx, &apikeyspb.UndeleteKeyRequest{Name: name})
	if err == nil {
		_, err = op.Wait(ctx)
	}
	return err
}

// DeleteAPIKey deletes a key, which Google keeps for 30 days; one that is gone
// already is fine.
func (c *Cloud) DeleteAPIKey(ctx context.Context, name string) error {
	client, err := c.apiKeys(ctx)
	if err != nil {
		return err
	}
	op, err := client.DeleteKey(ctx, &apikeyspb.DeleteKeyRequest{Name: name})
	if err == nil {
		_, err = op.Wait(ctx)
	}
	if err != nil && !IsNotFound(err) {
		return fmt.Errorf("deleting API key %s: %w", name, err)
	}
	return nil
}

// ErrInUse means that Google knows of a use of an API key in the last 7 days.
var ErrInUse = errors.New("the API key was used in the last 7 days")

// DeleteUnusedAPIKey deletes a key as DeleteAPIKey does, unless it was used in the
// last 7 days: Google itself refuses that, and the error is ErrInUse.
func (c *Cloud) DeleteUnusedAPIKey(ctx context.Context, name string) error {
	client, err := c.apiKeys(ctx)
	if err != nil {
		return err
	}
	// The gRPC API cannot ask for the check.
	op, err := overREST[operation](ctx, c, restCall{
		method: "/google.api.apikeys.v2.ApiKeys/DeleteKey", resource: name,
		api: apiKeysREST, verb: http.MethodDelete, path: "v2/" + name, args: []string{"checkExistingUsage", "CHECK"},
	})
	if err == nil {
		_, err = client.DeleteKeyOperation(op.Name).Wait(ctx)
	}
	switch {
	case err == nil, IsNotFound(err), IsFailedPrecondition(err) && deleted(ctx, client, name):
		return nil
	case IsFailedPrecondition(err):
		return fmt.Errorf("deleting API key %s: %w: %w", name, ErrInUse, err)
	}
	return fmt.Errorf("deleting API key %s: %w", name, err)
}

// deleted reports whether a key is, as after a lost reply.
func deleted(ctx context.Context, client *apikeys.Client, name string) bool {
	k, err := client.GetKey(ctx, &apikeyspb.GetKeyRequest{Name: name})
	return err == nil && k.GetDeleteTime() != nil
}
