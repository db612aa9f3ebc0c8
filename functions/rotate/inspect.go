package rotate

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"

	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
)

// inspect tells what is wrong with a credential that no step of a rotation
// would come across, and has a key revoked that Google knows to have leaked.
func (f *Function) inspect(ctx context.Context, c event.Command) (Report, error) {
	t, err := f.observe(ctx, c)
	if err != nil {
		return Report{}, err
	}
	lost := t.cred.Journal.IsLost()
	if !t.cred.Journal.Suspended() || lost { // what Google says of the keys of a disabled account means nothing
		if err := t.see(ctx); err != nil || lost || t.cred.Journal.IsLost() {
			return t.report, err // of an account that is there again, sweeps do first what has become due
		}
	}
	for _, c := range rotation.Concerns(t.now(), t.cred.Policy, t.cred.Journal) {
		t.warn(ctx, event.Overdue, c.Kind, c.Key, c.Reason)
	}
	if t.cred.Journal.Suspended() {
		return t.report, nil // Google would say of every key that it does not work
	}
	known := len(t.report.Warnings)
	if t.cred.Kind == rotation.APIKey {
		err = t.inspectAPIKey(ctx)
	} else {
		err = t.inspectAccount(ctx)
	}
	if err != nil || len(t.report.Warnings) > known {
		return t.report, err // what holds a broken key is no news
	}
	return t.report, t.inspectVersions(ctx)
}

// inspectAccount looks for keys that Google has found in public, and for a key
// in use that somebody has disabled or deleted.
func (t *turn) inspectAccount(ctx context.Context) error {
	states, err := t.cloud.AccountKeyStates(ctx, t.cred.Target)
	if err != nil {
		return err
	}
	known := map[string]gcp.KeyState{}
	for _, s := range states {
		known[s.ID] = s
	}
	for _, k := range t.cred.Journal.Keys() {
		if s := known[k.ID]; leaked(s) && !k.Revoked {
			if err := t.revokeLeaked(ctx, k, s); err != nil {
				return err
			}
		}
	}
	cur := t.cred.Journal.Current
	if cur == nil || cur.Revoked {
		return nil
	}
	s, listed := known[cur.ID]
	switch {
	case s.Disabled && !leaked(s):
		t.warn(ctx, event.Broken, "disabled", cur.ID, "the key in use was disabled by somebody else than keyturn")
	case !listed: // which alone proves nothing
		if _, err := t.cloud.AccountKeyPublic(ctx, t.cred.Target, cur.ID); gcp.IsNotFound(err) && t.cred.Policy.Settled(t.now(), cur.Since) {
			t.warn(ctx, event.Broken, "deleted", cur.ID, "the key in use was deleted by somebody else than keyturn")
		}
	}
	return nil
}

// leaked reports whether Google knows the private half to be in the wrong hands.
func leaked(s gcp.KeyState) bool {
	return s.Exposed || s.Reason == "EXPOSED" || s.Reason == "COMPROMISE_DETECTED"
}

func (t *turn) revokeLeaked(ctx context.Context, k rotation.Key, s gcp.KeyState) error {
	t.warn(ctx, event.Exposed, "exposed", k.ID, fmt.Sprintf("Google has found the key in public or in the wrong hands (%s); it is replaced and revoked now", cmp.Or(s.Reason, "not disabled")))
	return t.publish(ctx, event.Command{Verb: event.Revoke, Secret: t.cred.Secret, Key: k.ID}.Outgoing())
}

func (t *turn) inspectAPIKey(ctx context.Context) error {
	cur := t.cred.Journal.Current
	if cur == nil || cur.Revoked {
		return nil
	}
	usable, err := t.cloud.APIKeyUsable(ctx, cur.ID)
	if err == nil && !usable {
		t.warn(ctx, event.Broken, "unusable", cur.ID, fmt.Sprintf("the key in use, %s, was deleted or blocked by somebody else than keyturn", path.Base(cur.ID)))
	}
	return err
}

// inspectVersions looks whether consumers get a key that works, whichever way
// they read it, once what keyturn itself has written is known everywhere.
func (t *turn) inspectVersions(ctx context.Context) error {
	cur := t.cred.Journal.Current
	if cur == nil || cur.Revoked || !t.cred.Policy.Settled(t.now(), cur.Since) {
		return nil
	}
	for _, v := range [][2]string{{rotation.AliasCurrent, cur.Version}, {"latest", "latest"}} {
		alias, version := v[0], v[1] // by number, the answer is never an old one
		wrong, err := t.wrongWith(ctx, version)
		if err != nil {
			return err
		}
		if wrong != "" {
			t.warn(ctx, event.Broken, alias, cur.ID, fmt.Sprintf("consumers that read %s are cut off: somebody else than keyturn has %s; 'keyturn rotate %s' gives them a new key", alias, wrong, path.Base(t.cred.Secret)))
		}
	}
	return nil
}

// wrongWith is why consumers of a version cannot work; empty if they can.
func (t *turn) wrongWith(ctx context.Context, version string) (string, error) {
	payload, err := t.cloud.AccessVersion(ctx, t.cred.Secret, version)
	if gcp.IsGone(err) {
		return "disabled or destroyed that version, which may be enabled again", nil
	}
	if err != nil {
		return "", err
	}
	keys := t.cred.Journal.Keys()
	slices.Reverse(keys) // the likeliest come first
	for _, k := range keys {
		if k.ID == "" || k.Phase == rotation.Quarantined {
			continue
		}
		if held, err := t.keys.holds(ctx, payload, k.ID); held || err != nil {
			return "", err
		}
	}
	return "added a version that holds none of its keys that work", nil
}

// warn tells of something that lasts. It has the same id for as long as it
// lasts, so that it is told once.
func (t *turn) warn(ctx context.Context, m event.Milestone, kind, key, reason string) {
	t.report.Warnings = append(t.report.Warnings, kind+": "+reason)
	t.tell(ctx, m, rotation.Step{Action: rotation.Action(kind), Key: rotation.Key{ID: key}}, reason)
}
