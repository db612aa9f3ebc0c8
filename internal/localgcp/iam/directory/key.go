package directory

import (
	"crypto/rsa"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// NeverExpires is the validBeforeTime of keys without an expiry date.
var NeverExpires = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// Key describes a service account's key at the moment it was read. It holds no
// private half.
type Key struct {
	Name      string // projects/{PROJECT}/serviceAccounts/{EMAIL}/keys/{ID}
	ID        string // 40 hex digits that cannot be derived from the key
	Origin    adminpb.ServiceAccountKeyOrigin
	Type      adminpb.ListServiceAccountKeysRequest_KeyType
	Algorithm adminpb.ServiceAccountKeyAlgorithm
	Disabled  bool

	DisableReason  DisableReason    // of a disabled key
	ExtendedStatus []ExtendedStatus // what Google found out about the key

	ValidAfter  time.Time
	ValidBefore time.Time
	PublicKey   *rsa.PublicKey

	certificate func() ([]byte, error)
}

// Certificate is the PEM certificate in which the key is published. That of a
// created key is signed when it is first asked for: signing is what makes
// creating slow.
func (k Key) Certificate() ([]byte, error) { return k.certificate() }

// CoversTime reports whether the key is valid at t by its dates.
func (k Key) CoversTime(t time.Time) bool {
	return !t.Before(k.ValidAfter) && !t.After(k.ValidBefore)
}

// UserManaged reports whether the key is the user's, as opposed to Google's own.
func (k Key) UserManaged() bool {
	return k.Type == adminpb.ListServiceAccountKeysRequest_USER_MANAGED
}

func (d *Directory) newSystemKey() key {
	now := d.cfg.Clock.Now()
	return key{
		Key: Key{
			ID:     d.newKeyID(),
			Origin: adminpb.ServiceAccountKeyOrigin_GOOGLE_PROVIDED, Type: adminpb.ListServiceAccountKeysRequest_SYSTEM_MANAGED,
			Algorithm:  adminpb.ServiceAccountKeyAlgorithm_KEY_ALG_RSA_2048,
			ValidAfter: now, ValidBefore: NeverExpires,
		},
		history: []change{{at: now, to: enabled}},
	}
}

func (d *Directory) newKeyID() string { return d.cfg.Random.Hex(20) }

// Keys lists an account's keys, oldest first and the system-managed one last,
// as they were StaleLists ago and without those younger than KeyLag.
func (d *Directory) Keys(accountName string) ([]Key, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, err := d.find(accountName)
	if err != nil {
		return nil, err
	}
	now := d.cfg.Clock.Now()
	asOf := now.Add(-d.cfg.StaleLists)
	var list []Key
	for _, k := range a.keys {
		then := k.changeAt(asOf)
		if then.to == deleted || k.created().After(asOf) || d.unseen(k, now) {
			continue
		}
		list = append(list, k.show(a, then))
	}
	return append(list, a.system.snapshot(a, enabled)), nil
}

// unseen reports whether a user-managed key is still propagating.
func (d *Directory) unseen(k *key, now time.Time) bool {
	return k.UserManaged() && now.Before(k.created().Add(d.cfg.KeyLag))
}

// Key returns one key. A key younger than KeyLag does not exist yet.
func (d *Directory) Key(name string) (Key, error) {
	k, err := d.readKey(name)
	if err != nil || k.PublicKey != nil {
		return k, err
	}
	accountName, _, _ := strings.Cut(name, "/keys/")
	if _, _, err := d.SystemKey(accountName); err != nil {
		return Key{}, err
	}
	return d.readKey(name)
}

// readKey returns a system-managed key without its public half unless that was
// needed before.
func (d *Directory) readKey(name string) (Key, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, k, err := d.findKey(name)
	if err != nil {
		return Key{}, err
	}
	if d.unseen(k, d.cfg.Clock.Now()) {
		return Key{}, keyNotFound(k.ID)
	}
	return k.show(a, k.newest()), nil
}

// SetKeyDisabled disables or enables a user-managed key; doing it twice is fine.
func (d *Directory) SetKeyDisabled(name string, off bool) error {
	if off {
		return d.setKey(name, disabled, UserInitiated)
	}
	return d.setKey(name, enabled, "")
}

// DeleteKey deletes a user-managed key, whether it is disabled or not.
func (d *Directory) DeleteKey(name string) error { return d.setKey(name, deleted, "") }

func (d *Directory) setKey(name string, to state, why DisableReason) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, k, err := d.findKey(name)
	if err != nil {
		return err
	}
	if k == &a.system {
		return status.Error(codes.FailedPrecondition, preconditionFailed)
	}
	now := d.cfg.Clock.Now()
	k.set(to, why, now)
	d.forget(a, now)
	return nil
}

// remembered is how long the token endpoint knows whose a deleted key was, which
// is as long as metrics of its use are kept.
const remembered = 6 * 7 * 24 * time.Hour

// forget drops the keys that were deleted long ago.
func (d *Directory) forget(a *account, now time.Time) {
	seen := now.Add(-max(d.cfg.DisableLag, d.cfg.StaleLists, remembered))
	a.keys = slices.DeleteFunc(a.keys, func(k *key) bool { return k.at(seen) == deleted })
}

// Verifiers returns the keys that authenticate the account of that e-mail
// address now: propagated, enabled as far as the token endpoint has heard, and
// valid by their dates. The system-managed key comes last, if it was ever used.
func (d *Directory) Verifiers(email string) ([]Key, error) {
	if _, err := d.Account("projects/-/serviceAccounts/" + email); err != nil {
		return nil, err
	}
	list, _ := d.KnownKeys(email)
	return list, nil
}

// KnownKeys returns the Verifiers of an account, and the keys of its that are
// refused: disabled or deleted as far as the token endpoint has heard, or out of
// their dates. Neither has keys that are not propagated yet.
func (d *Directory) KnownKeys(email string) (verifiers, refused []Key) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, err := d.find("projects/-/serviceAccounts/" + email)
	if err != nil {
		return nil, nil
	}
	now := d.cfg.Clock.Now()
	for _, k := range a.keys {
		switch heard := k.changeAt(now.Add(-d.cfg.DisableLag)); {
		case d.unseen(k, now):
		case heard.to == enabled && k.CoversTime(now):
			verifiers = append(verifiers, k.snapshot(a, enabled))
		default:
			refused = append(refused, k.snapshot(a, heard.to))
		}
	}
	if a.system.PublicKey != nil {
		verifiers = append(verifiers, a.system.snapshot(a, enabled))
	}
	return verifiers, refused
}
