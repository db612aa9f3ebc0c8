package gcp

import (
	"context"
	"fmt"
	"maps"
	"path"
	"time"

	apikeys "cloud.google.com/go/apikeys/apiv2"
	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"google.golang.org/protobuf/proto"
)

// CloneAPIKey makes a key with the given id that may do what the key from may
// do, and returns its name. A key of that id that exists already is the answer
// to an earlier try whose reply was lost.
func (c *Cloud) CloneAPIKey(ctx context.Context, from, id string) (string, error) {
	client, err := c.apiKeys(ctx)
	if err != nil {
		return "", err
	}
	parent := path.Dir(path.Dir(from))
	name := parent + "/keys/" + id
	original, err := client.GetKey(ctx, &apikeyspb.GetKeyRequest{Name: from})
	if err != nil {
		return "", fmt.Errorf("reading API key %s to clone it: %w", from, err)
	}
	clone, err := cloneOf(original)
	if err != nil {
		return "", fmt.Errorf("cloning API key %s: %w", from, err)
	}
	op, err := client.CreateKey(ctx, &apikeyspb.CreateKeyRequest{Parent: parent, KeyId: id, Key: clone})
	if err == nil {
		_, err = op.Wait(ctx)
	}
	if err != nil && !IsAlreadyExists(err) {
		return "", fmt.Errorf("creating API key %s: %w", name, err)
	}
	return name, nil
}

// cloneOf is what a key may do, or, of a disabled one, what it might do before.
func cloneOf(k *apikeyspb.Key) (*apikeyspb.Key, error) {
	clone := &apikeyspb.Key{
		DisplayName:  k.GetDisplayName(),
		Annotations:  maps.Clone(k.GetAnnotations()),
		Restrictions: proto.CloneOf(k.GetRestrictions()),
	}
	if blocked(k) {
		before, err := restrictionsBefore(k)
		if err != nil {
			return nil, err
		}
		clone.Restrictions = before
	}
	delete(clone.Annotations, RestrictedBefore)
	return clone, nil
}

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
