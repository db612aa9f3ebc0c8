package rotate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"time"

	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
)

// apiKeys makes and unmakes API keys. Their ids are chosen here and their
// strings can be read again, so nothing needs staging and nothing can be lost.
type apiKeys struct {
	cloud *gcp.Cloud
	cred  *rotation.Credential
}

// forget has nothing to do: an API key is a string, which Go does not let be wiped.
func (a apiKeys) forget() {}

func (a apiKeys) stage(context.Context, bool) (rotation.Outcome, error) {
	return rotation.Outcome{}, fmt.Errorf("staging %s: API keys have no private half to stage", a.cred.Secret)
}

// find has nothing to look for: publishing again answers with the same key.
func (a apiKeys) find(context.Context, rotation.Key) (trace, error) { return trace{}, nil }

func (a apiKeys) publish(ctx context.Context, k rotation.Key) (rotation.Outcome, error) {
	name, err := a.cloud.CloneAPIKey(ctx, a.original(), a.keyID(k))
	return rotation.Outcome{ID: name}, err
}

// original is the key that the next one is a clone of.
func (a apiKeys) original() string {
	if cur := a.cred.Journal.Current; cur != nil {
		return cur.ID
	}
	return a.cred.Target
}

func (a apiKeys) refresh(ctx context.Context, k rotation.Key) error {
	return a.cloud.RefreshClone(ctx, a.original(), k.ID)
}

// keyID is the same for every attempt at one rotation, and another one after
// the secret was released and adopted again.
func (a apiKeys) keyID(k rotation.Key) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %d", a.cred.Secret, a.cred.Journal.Rotation, k.Since.UnixNano()))
	return "keyturn-" + hex.EncodeToString(sum[:8])
}

func (a apiKeys) payload(ctx context.Context, k rotation.Key) ([]byte, error) {
	s, err := a.cloud.APIKeyString(ctx, k.ID)
	return []byte(s), err
}

func (a apiKeys) probe(ctx context.Context, payload []byte) error {
	key := strings.TrimSpace(string(payload))
	if err := a.cloud.ProbeAPIKey(ctx, key); err != nil || a.cred.Policy.ProbeURL == "" {
		return err
	}
	return a.cloud.ProbeAPIKeyAt(ctx, key, a.cred.Policy.ProbeURL)
}

func (a apiKeys) uses() int { return 1 + ofGoogle(a.cred.Policy.ProbeURL) }

// ofGoogle is how many uses Cloud Monitoring counts of a call to a probe URL.
func ofGoogle(address string) int {
	if u, err := url.Parse(address); err == nil && strings.HasSuffix("."+u.Hostname(), ".googleapis.com") {
		return 1
	}
	return 0
}

// holds compares with the key's string. A key that is gone is held by nothing.
func (a apiKeys) holds(ctx context.Context, payload []byte, id string) (bool, error) {
	s, err := a.cloud.APIKeyString(ctx, id)
	if gcp.IsNotFound(err) {
		return false, nil
	}
	return s == strings.TrimSpace(string(payload)), err
}

func (a apiKeys) usesOf(ctx context.Context, ids []string, from, to time.Time) (gcp.Uses, error) {
	return a.cloud.APIKeyUses(ctx, ids, from, to)
}

// users is nobody: audit logs do not say with which API key a call was made.
func (a apiKeys) users(context.Context, string, time.Time) ([]gcp.User, error) { return nil, nil }

func (a apiKeys) disable(ctx context.Context, id string) error { return a.cloud.DisableAPIKey(ctx, id) }

func (a apiKeys) enable(ctx context.Context, k rotation.Key) error {
	if k.Phase == rotation.Deleted {
		if err := a.cloud.UndeleteAPIKey(ctx, k.ID); err != nil {
			return err
		}
	}
	return a.cloud.EnableAPIKey(ctx, k.ID)
}

// guardReach is how far back Google's usage guard looks.
const guardReach = 7 * 24 * time.Hour

// remove asks Google's usage guard for a second opinion where it can give one:
// where the key has been disabled for longer than the guard looks back.
func (a apiKeys) remove(ctx context.Context, k rotation.Key) error {
	if k.Revoked || k.Forced || a.cred.Policy.Evidence == rotation.EvidenceIgnored || time.Duration(a.cred.Policy.Quarantine) < guardReach {
		return a.cloud.DeleteAPIKey(ctx, k.ID)
	}
	return a.cloud.DeleteUnusedAPIKey(ctx, k.ID)
}
