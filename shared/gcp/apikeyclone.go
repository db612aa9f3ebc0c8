package gcp

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path"

	apikeys "cloud.google.com/go/apikeys/apiv2"
	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	apikeysrest "google.golang.org/api/apikeys/v2"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// CloneAPIKey makes a key with the given id that may do what the key from may
// do, and returns its name. A key that is bound to a service account has a clone
// that is bound to it, too. A key of that id that exists already is the answer
// to an earlier try whose reply was lost.
func (c *Cloud) CloneAPIKey(ctx context.Context, from, id string) (string, error) {
	client, err := c.apiKeys(ctx)
	if err != nil {
		return "", err
	}
	original, account, err := c.originalOf(ctx, from)
	if err != nil {
		return "", fmt.Errorf("reading API key %s to clone it: %w", from, err)
	}
	clone, err := cloneOf(original)
	if err != nil {
		return "", fmt.Errorf("cloning API key %s: %w", from, err)
	}
	parent := path.Dir(path.Dir(from))
	name := parent + "/keys/" + id
	var op *apikeys.CreateKeyOperation
	if account == "" {
		op, err = client.CreateKey(ctx, &apikeyspb.CreateKeyRequest{Parent: parent, KeyId: id, Key: clone})
	} else {
		op, err = c.createBoundKey(ctx, name, clone, account)
	}
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

// originalOf reads a key and the e-mail address of the service account that it is
// bound to, empty if it is not. The address is missing from the gRPC API.
func (c *Cloud) originalOf(ctx context.Context, name string) (*apikeyspb.Key, string, error) {
	client, err := c.apiKeys(ctx)
	if err != nil {
		return nil, "", err
	}
	rest, err := c.apiKeysOverREST(ctx)
	if err != nil {
		return nil, "", err
	}
	k, err := client.GetKey(ctx, &apikeyspb.GetKeyRequest{Name: name})
	if err != nil {
		return nil, "", err
	}
	bound, err := overREST(ctx, c, "/google.api.apikeys.v2.ApiKeys/GetKey", name, func(ctx context.Context) (*apikeysrest.V2Key, error) {
		return rest.Projects.Locations.Keys.Get(name).Context(ctx).Do()
	})
	if err != nil {
		return nil, "", err
	}
	return k, bound.ServiceAccountEmail, nil
}

// createBoundKey makes a key that acts as a service account. A binding is given
// to a key once, when it is made.
func (c *Cloud) createBoundKey(ctx context.Context, name string, k *apikeyspb.Key, account string) (*apikeys.CreateKeyOperation, error) {
	client, err := c.apiKeys(ctx)
	if err != nil {
		return nil, err
	}
	rest, err := c.apiKeysOverREST(ctx)
	if err != nil {
		return nil, err
	}
	bound, err := restKey(k)
	if err != nil {
		return nil, err
	}
	bound.ServiceAccountEmail = account
	op, err := overREST(ctx, c, "/google.api.apikeys.v2.ApiKeys/CreateKey", name, func(ctx context.Context) (*apikeysrest.Operation, error) {
		return rest.Projects.Locations.Keys.Create(path.Dir(path.Dir(name)), bound).KeyId(path.Base(name)).Context(ctx).Do()
	})
	if err != nil {
		return nil, err
	}
	return client.CreateKeyOperation(op.Name), nil
}

// restKey is a key of the gRPC API in the REST API, which is the same in JSON.
func restKey(k *apikeyspb.Key) (*apikeysrest.V2Key, error) {
	text, err := protojson.Marshal(k)
	if err != nil {
		return nil, err
	}
	rest := new(apikeysrest.V2Key)
	return rest, json.Unmarshal(text, rest)
}
