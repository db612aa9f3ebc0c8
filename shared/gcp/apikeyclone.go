package gcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path"

	apikeys "cloud.google.com/go/apikeys/apiv2"
	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// CloneAPIKey makes a key with the given id that may do what the key from may
// do, and returns its name. The clone of a key that is bound to a service account
// is bound to it, too. A key of that id that exists already is the answer to an
// earlier try whose reply was lost.
func (c *Cloud) CloneAPIKey(ctx context.Context, from, id string) (string, error) {
	client, err := c.apiKeys(ctx)
	if err != nil {
		return "", err
	}
	original, account, err := c.boundKey(ctx, client, from)
	if err != nil {
		return "", fmt.Errorf("reading API key %s to clone it: %w", from, err)
	}
	clone, err := cloneOf(original)
	if err != nil {
		return "", fmt.Errorf("cloning API key %s: %w", from, err)
	}
	name := path.Dir(from) + "/" + id
	if account == "" {
		err = createKey(ctx, client, name, clone)
	} else {
		err = c.createBoundKey(ctx, client, name, clone, account)
	}
	if err != nil && !IsAlreadyExists(err) {
		return "", fmt.Errorf("creating API key %s: %w", name, err)
	}
	return name, nil
}

// RefreshClone gives a clone what the key from may do by now, if that was changed
// since. Of a key that is gone, or is blocked without a word what it might do
// before, nothing can be learned: the clone stays as it is.
func (c *Cloud) RefreshClone(ctx context.Context, from, clone string) error {
	client, err := c.apiKeys(ctx)
	if err != nil {
		return err
	}
	original, err := client.GetKey(ctx, &apikeyspb.GetKeyRequest{Name: from})
	if IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading API key %s to compare its clone: %w", from, err)
	}
	want, err := cloneOf(original)
	if err != nil {
		return nil
	}
	is, err := client.GetKey(ctx, &apikeyspb.GetKeyRequest{Name: clone})
	if err != nil {
		return fmt.Errorf("reading API key %s: %w", clone, err)
	}
	if proto.Equal(want, &apikeyspb.Key{DisplayName: is.GetDisplayName(), Annotations: is.GetAnnotations(), Restrictions: is.GetRestrictions()}) {
		return nil
	}
	want.Name, want.Etag = clone, is.GetEtag()
	if err := patch(ctx, client, want, "display_name", "annotations", "restrictions"); err != nil {
		return fmt.Errorf("giving API key %s what %s may do by now: %w", clone, from, err)
	}
	return nil
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

// boundKey reads a key and the e-mail address of the service account that it is
// bound to, empty if there is none. The gRPC API lacks the address.
func (c *Cloud) boundKey(ctx context.Context, client *apikeys.Client, name string) (*apikeyspb.Key, string, error) {
	k, err := client.GetKey(ctx, &apikeyspb.GetKeyRequest{Name: name})
	if err != nil {
		return nil, "", err
	}
	bound, err := overREST[struct{ ServiceAccountEmail string }](ctx, c, restCall{method: "/google.api.apikeys.v2.ApiKeys/GetKey", resource: name, api: apiKeysREST, path: "v2/" + name})
	if err != nil {
		return nil, "", err
	}
	return k, bound.ServiceAccountEmail, nil
}

func createKey(ctx context.Context, client *apikeys.Client, name string, k *apikeyspb.Key) error {
	op, err := client.CreateKey(ctx, &apikeyspb.CreateKeyRequest{Parent: path.Dir(path.Dir(name)), KeyId: path.Base(name), Key: k})
	if err == nil {
		_, err = op.Wait(ctx)
	}
	return err
}

// createBoundKey makes a key that acts as a service account. It is bound when it
// is made or never.
func (c *Cloud) createBoundKey(ctx context.Context, client *apikeys.Client, name string, k *apikeyspb.Key, account string) error {
	bound, err := boundTo(k, account)
	if err != nil {
		return err
	}
	op, err := overREST[operation](ctx, c, restCall{
		method: "/google.api.apikeys.v2.ApiKeys/CreateKey", resource: name,
		api: apiKeysREST, verb: http.MethodPost, path: "v2/" + path.Dir(name), args: []string{"keyId", path.Base(name)}, body: bound,
	})
	if err == nil {
		_, err = client.CreateKeyOperation(op.Name).Wait(ctx)
	}
	return err
}

// operation is one that goes on at Google's.
type operation struct{ Name string }

// boundTo is a key of the gRPC API as the REST API has it, with the account that it is
// bound to: in JSON they are the same otherwise.
func boundTo(k *apikeyspb.Key, account string) (map[string]json.RawMessage, error) {
	text, err := protojson.Marshal(k)
	fields := map[string]json.RawMessage{}
	email, _ := json.Marshal(account) // a string always encodes
	if err = errors.Join(err, json.Unmarshal(text, &fields)); err != nil {
		return nil, fmt.Errorf("encoding API key %s: %w", k.GetName(), err)
	}
	fields["serviceAccountEmail"] = email
	return fields, nil
}
