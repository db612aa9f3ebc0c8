package rotate

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"example.com/keyturn/shared/rotation"
)

// Reach is what stops working when a key is revoked: whoever uses a copy of it that he
// does not read anew from the secret; and while its service account is disabled
// everything that authenticates as it, with whichever key or without one.
type Reach struct {
	Key         string       `json:"key"`               // that is to be revoked, in full
	Account     string       `json:"account,omitempty"` // the e-mail of the service account, if it is going to be disabled
	Waits       bool         `json:"waits"`             // it stops only once the new key has authenticated, and else at once
	Credentials []string     `json:"credentials"`       // secrets of this project that keyturn manages and that are reached
	Keys        []ReachedKey `json:"keys"`              // that stop working
	Users       []string     `json:"users"`             // who was seen using one of those keys in the last day, as far as audit logs say
	Uses        string       `json:"uses"`              // how far Cloud Monitoring knows of the keys' uses
}

// ReachedKey is a key that stops working.
type ReachedKey struct {
	ID   string    `json:"id"`
	Is   string    `json:"is"`            // what it is to keyturn, such as "in use", and in which secret if it is another one
	Used time.Time `json:"used,omitzero"` // when it was last used in the last day, as far as Cloud Monitoring says
}

// reachBack is how far back the uses of keys are looked for.
const reachBack = 24 * time.Hour

// reach finds out what it would break to revoke a key, and to kill its tokens if that
// is wanted, too.
func (t *turn) reach(ctx context.Context, want rotation.Intent) (Reach, error) {
	cur := t.cred.Journal.Current
	r := Reach{Key: want.Revoke, Waits: cur != nil && (cur.Revoked && want.KillTokens || cur.ID == want.Revoke), Credentials: []string{}, Keys: []ReachedKey{}, Users: []string{}}
	if err := t.reached(ctx, &r, want.KillTokens); err != nil {
		return r, err
	}
	for _, k := range r.Keys {
		users, err := t.keys.users(ctx, k.ID, t.now().Add(-reachBack))
		if err != nil {
			return r, err
		}
		for _, u := range users {
			r.Users = append(r.Users, fmt.Sprintf("%s from %s with %s", u.Principal, u.CallerIP, u.UserAgent))
		}
	}
	t.lastUses(ctx, &r)
	return r, nil
}

// reached finds the keys that stop working: the one that is revoked, or all of the
// account that is disabled.
func (t *turn) reached(ctx context.Context, r *Reach, account bool) error {
	const toBeRevoked = "TO BE REVOKED"
	if !account {
		k, _ := t.cred.Journal.Find(r.Key) // it was named before
		r.Credentials = append(r.Credentials, path.Base(t.cred.Secret))
		r.Keys = append(r.Keys, ReachedKey{ID: k.ID, Is: standingOf(k) + ", " + toBeRevoked})
		return nil
	}
	r.Account = path.Base(t.cred.Target)
	known, err := t.siblings(ctx, r)
	if err != nil {
		return err
	}
	known[r.Key] = strings.TrimPrefix(known[r.Key]+", "+toBeRevoked, ", ")
	listed, err := t.cloud.AccountKeys(ctx, t.cred.Target)
	for _, k := range listed {
		r.Keys = append(r.Keys, ReachedKey{ID: k.ID, Is: cmp.Or(known[k.ID], "not keyturn's")})
	}
	return err
}

// siblings finds the credentials of the account, and what each of their keys is.
func (t *turn) siblings(ctx context.Context, r *Reach) (known map[string]string, err error) {
	known = map[string]string{}
	for s, err := range t.cloud.Secrets(ctx, managed) {
		if err != nil {
			return nil, err
		}
		if s.Annotations[rotation.AnnotationTarget] != t.secret.Annotations[rotation.AnnotationTarget] {
			continue
		}
		name := path.Base(s.Name)
		cred, err := rotation.ParseCredential(s.Name, s.Labels, s.Annotations)
		if err != nil {
			name += ", whose annotations cannot be read: its keys are not known"
		}
		r.Credentials = append(r.Credentials, name)
		for _, k := range cred.Journal.Keys() { // none, if it cannot be read
			known[k.ID] = standingOf(k)
			if s.Name != t.cred.Secret {
				known[k.ID] += " in " + name
			}
		}
	}
	return known, nil
}

// standingOf says in one or two words what a key is.
func standingOf(k rotation.Key) string {
	switch {
	case k.Phase == rotation.Active:
		return "in use"
	case k.Revoked && !k.Doomed():
		return "revoked"
	case k.Phase == rotation.Overlapping, k.Phase == rotation.Quarantined:
		return string(k.Phase)
	}
	return "coming in"
}

// lastUses says when the keys were used, by keyturn's own tests, too. What Cloud
// Monitoring does not say is no reason not to answer.
func (t *turn) lastUses(ctx context.Context, r *Reach) {
	var ids []string
	for _, k := range r.Keys {
		ids = append(ids, k.ID)
	}
	uses, err := t.keys.usesOf(ctx, ids, t.now().Add(-reachBack), t.now())
	switch {
	case err != nil:
		r.Uses = "Cloud Monitoring does not answer: " + err.Error()
	case uses.Through.IsZero():
		r.Uses = "Cloud Monitoring knows of no use in the last day"
	default:
		r.Uses = "uses as Cloud Monitoring knows them, up to " + uses.Through.UTC().Format("2006-01-02 15:04Z")
	}
	for i, k := range r.Keys {
		if of := uses.Of[k.ID]; len(of) > 0 {
			r.Keys[i].Used = of[len(of)-1].To
		}
	}
}
