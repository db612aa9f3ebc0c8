package gcp

import (
	"context"
	"fmt"
	"hash/crc32"
	"path"
	"time"

	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/api/iterator"
)

// Version is one version of a secret.
type Version struct {
	Number    string
	Created   time.Time
	Enabled   bool
	Destroyed bool
}

// AddVersion stores payload as a new version and returns its number, and when it
// was created by Google's clock. It is not idempotent: after a lost reply, look
// for the payload before adding it again.
func (c *Cloud) AddVersion(ctx context.Context, secret string, payload []byte) (number string, created time.Time, err error) {
	client, err := c.secretManager(ctx)
	if err != nil {
		return "", time.Time{}, err
	}
	sum := int64(crc32.Checksum(payload, crc32.MakeTable(crc32.Castagnoli)))
	v, err := client.AddSecretVersion(ctx, &secretmanagerpb.AddSecretVersionRequest{
		Parent: secret, Payload: &secretmanagerpb.SecretPayload{Data: payload, DataCrc32C: &sum},
	})
	if err != nil {
		return "", time.Time{}, fmt.Errorf("adding a version to %s: %w", secret, err)
	}
	return path.Base(v.GetName()), v.GetCreateTime().AsTime(), nil
}

// AccessVersion reads the payload of a version, given by number or alias.
// Only access by number is strongly consistent.
func (c *Cloud) AccessVersion(ctx context.Context, secret, version string) ([]byte, error) {
	client, err := c.secretManager(ctx)
	if err != nil {
		return nil, err
	}
	v, err := client.AccessSecretVersion(ctx, &secretmanagerpb.AccessSecretVersionRequest{Name: secret + "/versions/" + version})
	if err != nil {
		return nil, fmt.Errorf("reading version %s of %s: %w", version, secret, err)
	}
	return v.GetPayload().GetData(), nil
}

// Versions lists a secret's versions, newest first.
func (c *Cloud) Versions(ctx context.Context, secret string) ([]Version, error) {
	client, err := c.secretManager(ctx)
	if err != nil {
		return nil, err
	}
	var versions []Version
	it := client.ListSecretVersions(ctx, &secretmanagerpb.ListSecretVersionsRequest{Parent: secret})
	for {
		v, err := it.Next()
		if err == iterator.Done {
			return versions, nil
		}
		if err != nil {
			return nil, fmt.Errorf("listing the versions of %s: %w", secret, err)
		}
		versions = append(versions, Version{
			Number:    path.Base(v.GetName()),
			Created:   v.GetCreateTime().AsTime(),
			Enabled:   v.GetState() == secretmanagerpb.SecretVersion_ENABLED,
			Destroyed: v.GetState() == secretmanagerpb.SecretVersion_DESTROYED,
		})
	}
}

// DisableVersion disables a version; one that is destroyed or gone already is fine.
func (c *Cloud) DisableVersion(ctx context.Context, secret, version string) error {
	client, err := c.secretManager(ctx)
	if err != nil {
		return err
	}
	name := secret + "/versions/" + version
	_, err = client.DisableSecretVersion(ctx, &secretmanagerpb.DisableSecretVersionRequest{Name: name})
	if err != nil && !gone(ctx, client, name, err) {
		return fmt.Errorf("disabling version %s of %s: %w", version, secret, err)
	}
	return nil
}

// EnabledVersions lists the numbers of the enabled versions of a secret, newest
// first.
func (c *Cloud) EnabledVersions(ctx context.Context, secret string) ([]string, error) {
	client, err := c.secretManager(ctx)
	if err != nil {
		return nil, err
	}
	var numbers []string
	it := client.ListSecretVersions(ctx, &secretmanagerpb.ListSecretVersionsRequest{Parent: secret, Filter: "state:ENABLED"})
	for {
		v, err := it.Next()
		if err == iterator.Done {
			return numbers, nil
		}
		if err != nil {
			return nil, fmt.Errorf("listing the enabled versions of %s: %w", secret, err)
		}
		numbers = append(numbers, path.Base(v.GetName()))
	}
}

// EnableVersion lets a disabled version be read again, and calls its scheduled
// destruction off. The error of one that is destroyed satisfies IsGone.
func (c *Cloud) EnableVersion(ctx context.Context, secret, number string) error {
	client, err := c.secretManager(ctx)
	if err != nil {
		return err
	}
	_, err = client.EnableSecretVersion(ctx, &secretmanagerpb.EnableSecretVersionRequest{Name: secret + "/versions/" + number})
	if err != nil {
		return fmt.Errorf("enabling version %s of %s: %w", number, secret, err)
	}
	return nil
}

// DestroyVersion destroys a version's payload for good; one that is destroyed or
// gone already is fine.
func (c *Cloud) DestroyVersion(ctx context.Context, secret, version string) error {
	client, err := c.secretManager(ctx)
	if err != nil {
		return err
	}
	name := secret + "/versions/" + version
	_, err = client.DestroySecretVersion(ctx, &secretmanagerpb.DestroySecretVersionRequest{Name: name})
	if err != nil && !gone(ctx, client, name, err) {
		return fmt.Errorf("destroying version %s of %s: %w", version, secret, err)
	}
	return nil
}

// gone reports whether a version was refused with err because nobody can read it
// any more, or its destruction is scheduled (as with a version_destroy_ttl).
// Google has no status of its own for that.
func gone(ctx context.Context, client *secretmanager.Client, name string, err error) bool {
	if !IsFailedPrecondition(err) {
		return IsNotFound(err)
	}
	v, err := client.GetSecretVersion(ctx, &secretmanagerpb.GetSecretVersionRequest{Name: name})
	return err == nil && (v.GetState() == secretmanagerpb.SecretVersion_DESTROYED || v.GetScheduledDestroyTime() != nil)
}
