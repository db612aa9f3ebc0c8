package gcp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	apikeys "cloud.google.com/go/apikeys/apiv2"
	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// nowhere is an address that no caller has (RFC 5737): a key restricted to it
// is disabled in effect, and can be brought back.
const nowhere = "192.0.2.1"

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

// block restricts a key to nowhere unless somebody changed it since it was read.
func block(ctx context.Context, client *apikeys.Client, k *apikeyspb.Key) error {
	before, err := protojson.Marshal(k.GetRestrictions())
	if err != nil {
		return fmt.Errorf("keeping its restrictions: %w", err)
	}
	annotations := map[string]string{}
	maps.Copy(annotations, k.GetAnnotations())
	annotations[RestrictedBefore] = string(before)
	return restrict(ctx, client, &apikeyspb.Key{
		Name: k.GetName(), Etag: k.GetEtag(), Annotations: annotations,
		Restrictions: &apikeyspb.Restrictions{
			ApiTargets:         k.GetRestrictions().GetApiTargets(),
			ClientRestrictions: &apikeyspb.Restrictions_ServerKeyRestrictions{ServerKeyRestrictions: &apikeyspb.ServerKeyRestrictions{AllowedIps: []string{nowhere}}},
		},
	})
}

// EnableAPIKey takes DisableAPIKey back: its callers are restricted again to those
// that RestrictedBefore names, and the annotation goes. With a key that is not disabled
// there is nothing to do; the error of one that is gone satisfies IsNotFound.
func (c *Cloud) EnableAPIKey(ctx context.Context, name string) error {
	client, err := c.apiKeys(ctx)
	if err != nil {
		return err
	}
	k, err := client.GetKey(ctx, &apikeyspb.GetKeyRequest{Name: name})
	if err == nil && blocked(k) {
		err = unblock(ctx, client, k)
	}
	if err != nil {
		return fmt.Errorf("enabling API key %s: %w", name, err)
	}
	return nil
}

// unblock gives a key its restrictions back unless somebody changed it since it
// was read.
func unblock(ctx context.Context, client *apikeys.Client, k *apikeyspb.Key) error {
	before, err := restrictionsBefore(k)
	if err != nil {
		return err
	}
	annotations := maps.Clone(k.GetAnnotations())
	delete(annotations, RestrictedBefore)
	return restrict(ctx, client, &apikeyspb.Key{Name: k.GetName(), Etag: k.GetEtag(), Annotations: annotations, Restrictions: before})
}

// restrictionsBefore is what a blocked key was restricted to. The APIs that it may
// call were left as they are: if they differ by now, its owner has changed them.
func restrictionsBefore(k *apikeyspb.Key) (*apikeyspb.Restrictions, error) {
	kept, ok := k.GetAnnotations()[RestrictedBefore]
	if !ok {
		return nil, errors.New("it is restricted to an address that nobody has, and nothing says to what before; give it its restrictions back first")
	}
	before := new(apikeyspb.Restrictions)
	if err := protojson.Unmarshal([]byte(kept), before); err != nil {
		return nil, fmt.Errorf("reading its annotation %s: %w", RestrictedBefore, err)
	}
	before.ApiTargets = k.GetRestrictions().GetApiTargets()
	return before, nil
}

// restrict writes a key's restrictions and annotations.
func restrict(ctx context.Context, client *apikeys.Client, k *apikeyspb.Key) error {
	return patch(ctx, client, k, "restrictions", "annotations")
}

// patch writes some fields of a key unless somebody changed it since it was read.
func patch(ctx context.Context, client *apikeys.Client, k *apikeyspb.Key, fields ...string) error {
	op, err := client.UpdateKey(ctx, &apikeyspb.UpdateKeyRequest{Key: k, UpdateMask: &fieldmaskpb.FieldMask{Paths: fields}})
	if err == nil {
		_, err = op.Wait(ctx)
	}
	return err
}
