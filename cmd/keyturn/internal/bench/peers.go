package bench

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"example.com/keyturn/cmd/keyturn/internal/keyfile"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/api/iterator"
)

// peer is a rotator of the field, reduced to when it hands out a new key and
// when it deletes an old one. It is spared everything else that goes wrong
// there: its calls succeed, it runs once, and it meets no quota.
type peer struct {
	bed  *bed
	held []*holding
	// retire deletes what is to be deleted at this visit; rotated says that a new
	// key was handed out just now.
	retire func(ctx context.Context, b *bed, h *holding, rotated bool) error
}

// holding is what a peer knows of one credential.
type holding struct {
	*credential
	due  time.Time
	keys []key // that it made and has not deleted, oldest first
	made int
}

// deleteAtOnce deletes the old key as soon as the new one is stored, as Google's
// own sample (professional-services), cloud-key-rotator (rotatekeys.go:156-172)
// and Vault's rotate-root (path_config_rotate_root.go:139-147) do.
func deleteAtOnce(ctx context.Context, b *bed, h *holding, rotated bool) error {
	return h.deleteAllBut(ctx, b, 1, rotated)
}

// deleteAtNext leaves the old key alone until the next rotation, as Infisical
// does with its two slots.
func deleteAtNext(ctx context.Context, b *bed, h *holding, rotated bool) error {
	return h.deleteAllBut(ctx, b, 2, rotated)
}

func (h *holding) deleteAllBut(ctx context.Context, b *bed, n int, rotated bool) error {
	for rotated && len(h.keys) > n {
		if err := b.remove(ctx, h.credential, h.keys[0].name); err != nil {
			return err
		}
		h.keys = h.keys[1:]
	}
	return nil
}

// deleteByAge is kyma's cleaner (serviceaccountcleaner.go:137-203): once the
// newest version has the age of the overlap, it deletes the key in every other
// enabled version and destroys that version, without a look at whether the
// newest one holds the same key.
func deleteByAge(ctx context.Context, b *bed, h *holding, _ bool) error {
	it := b.secrets.ListSecretVersions(ctx, &secretmanagerpb.ListSecretVersionsRequest{Parent: h.secret, Filter: "state:ENABLED"})
	newest, err := it.Next()
	if err != nil || b.clock.Now().Sub(newest.GetCreateTime().AsTime()) < overlap {
		return err
	}
	for {
		v, err := it.Next()
		if err == iterator.Done {
			return nil
		}
		if err == nil {
			err = b.deleteVersion(ctx, h, v.GetName())
		}
		if err != nil {
			return err
		}
	}
}

// deleteVersion deletes the key in a version, and destroys the version. That the
// key is gone already is no error.
func (b *bed) deleteVersion(ctx context.Context, h *holding, version string) error {
	v, err := b.secrets.AccessSecretVersion(ctx, &secretmanagerpb.AccessSecretVersionRequest{Name: version})
	if err != nil {
		return err
	}
	name, err := h.nameOf(v.GetPayload().GetData())
	if err != nil {
		return err
	}
	_ = b.remove(ctx, h.credential, name) // kyma only logs it
	_, err = b.secrets.DestroySecretVersion(ctx, &secretmanagerpb.DestroySecretVersionRequest{Name: version})
	return err
}

// nameOf is the key that a payload is of. An API key's string does not say it.
func (h *holding) nameOf(payload []byte) (string, error) {
	if h.kind == rotation.ServiceAccountKey {
		id, err := keyfile.ID(payload)
		return h.target + "/keys/" + id, err
	}
	for _, k := range h.keys {
		if string(k.payload) == string(payload) {
			return k.name, nil
		}
	}
	return "", errors.New("the secret holds an API key that nobody made")
}

func newPeer(retire func(context.Context, *bed, *holding, bool) error) func(context.Context, *bed, []*credential) (strategy, error) {
	return func(_ context.Context, b *bed, credentials []*credential) (strategy, error) {
		p := &peer{bed: b, retire: retire}
		for _, c := range credentials {
			p.held = append(p.held, &holding{credential: c, due: c.due, keys: []key{c.first}})
		}
		return p, nil
	}
}

func (p *peer) close() error { return nil }

// tick visits every credential: it is rotated if it is due.
func (p *peer) tick(ctx context.Context) error {
	var problems []error
	for _, h := range p.held {
		due := !p.bed.clock.Now().Before(h.due)
		var err error
		if due {
			err = p.rotate(ctx, h)
		}
		if err == nil {
			err = p.retire(ctx, p.bed, h, due)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", h.secret, err))
		}
	}
	return errors.Join(problems...)
}

// rotate makes a key and hands it out. Nobody waits until Google knows it.
func (p *peer) rotate(ctx context.Context, h *holding) error {
	h.made++
	name := strings.TrimSuffix(path.Base(h.secret), "-key")
	k, err := p.bed.create(ctx, h.credential, fmt.Sprintf("%s-%d", name, h.made))
	if err != nil {
		return err
	}
	h.keys, h.due = append(h.keys, k), h.due.Add(period)
	return p.bed.store(ctx, h.credential, k.payload)
}
