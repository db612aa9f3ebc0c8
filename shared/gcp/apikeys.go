package gcp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"time"

	apikeys "cloud.google.com/go/apikeys/apiv2"
	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// nowhere is an address that no caller has (RFC 5737): a key restricted to it
// is disabled in effect, and can be brought back.
const nowhere = "192.0.2.1"

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
		before, kept := k.GetAnnotations()[RestrictedBefore]
		if !kept {
			return nil, errors.New("it is restricted to an address that nobody has, and nothing says to what before; give it its restrictions back first")
		}
		clone.Restrictions = new(apikeyspb.Restrictions)
		if err := protojson.Unmarshal([]byte(before), clone.Restrictions); err != nil {
			return nil, fmt.Errorf("reading its annotation %s: %w", RestrictedBefore, err)
		}
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

// RestrictedBefore is the annotation of a disabled API key that holds, as JSON,
// the restrictions it had: putting them back enables it again.
const RestrictedBefore = "keyturn.restricted-before"

// DisableAPIKey keeps everybody from using a key, in a way that can be taken
// back: API keys have no disabled state, so it is restricted to an address that
// nobody has, and RestrictedBefore keeps what it was restricted to. One that is
// gone already is fine.
func (c *Cloud) DisableAPIKey(ctx context.Context, name string) error {
	client, err := c.apiKeys(ctx)
	if err != nil {
		return err
	}
	k, err := client.GetKey(ctx, &apikeyspb.GetKeyRequest{Name: name})
	if err == nil && !blocked(k) {
		err = block(ctx, client, k)
	}
	if err != nil && !IsNotFound(err) {
		return fmt.Errorf("disabling API key %s: %w", name, err)
	}
	return nil
}

func blocked(k *apikeyspb.Key) bool {
	return slices.Equal(k.GetRestrictions().GetServerKeyRestrictions().GetAllowedIps(), []string{nowhere})
}

// block changes a key unless somebody did since it was read.
func block(ctx context.Context, client *apikeys.Client, k *apikeyspb.Key) error {
	before, err := protojson.Marshal(k.GetRestrictions())
	if err != nil {
		return fmt.Errorf("keeping its restrictions: %w", err)
	}
	annotations := map[string]string{}
	maps.Copy(annotations, k.GetAnnotations())
	annotations[RestrictedBefore] = string(before)
	impossible := &apikeyspb.Restrictions{
		ApiTargets:         k.GetRestrictions().GetApiTargets(),
		ClientRestrictions: &apikeyspb.Restrictions_ServerKeyRestrictions{ServerKeyRestrictions: &apikeyspb.ServerKeyRestrictions{AllowedIps: []string{nowhere}}},
	}
	op, err := client.UpdateKey(ctx, &apikeyspb.UpdateKeyRequest{
		Key:        &apikeyspb.Key{Name: k.GetName(), Etag: k.GetEtag(), Restrictions: impossible, Annotations: annotations},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"restrictions", "annotations"}},
	})
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
