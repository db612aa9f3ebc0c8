package rotate

import (
	"context"
	"fmt"
	"path"
	"time"

	"example.com/keyturn/shared/rotation"
)

// Reach is what stops working while a service account is disabled: everything
// that authenticates as it, with whichever key or without one.
type Reach struct {
	Account     string   `json:"account"`     // its e-mail
	Credentials []string `json:"credentials"` // secrets of this project that hold keys of it
	Keys        []string `json:"keys"`        // ids of its user-managed keys
	Users       []string `json:"users"`       // who was seen using one of those keys in the last day, as far as audit logs say
}

// reachBack is how far back the users of an account are looked for.
const reachBack = 24 * time.Hour

// Reach finds out what killing the tokens of a credential would break.
func (f *Function) Reach(ctx context.Context, secret string) (Reach, error) {
	t, err := f.observe(ctx, secret)
	if err != nil {
		return Reach{}, err
	}
	if err := t.mustBePossible(rotation.Intent{KillTokens: true}); err != nil {
		return Reach{}, err
	}
	r := Reach{Account: path.Base(t.cred.Target), Credentials: []string{}, Keys: []string{}, Users: []string{}}
	for other, err := range f.cloud.Secrets(ctx, managed) {
		if err != nil {
			return r, err
		}
		if other.Annotations[rotation.AnnotationTarget] == t.secret.Annotations[rotation.AnnotationTarget] {
			r.Credentials = append(r.Credentials, path.Base(other.Name))
		}
	}
	listed, err := f.cloud.AccountKeys(ctx, t.cred.Target)
	if err != nil {
		return r, err
	}
	for _, k := range listed {
		r.Keys = append(r.Keys, k.ID)
		users, err := t.keys.users(ctx, k.ID, t.now().Add(-reachBack))
		if err != nil {
			return r, err
		}
		for _, u := range users {
			r.Users = append(r.Users, fmt.Sprintf("%s from %s with %s", u.Principal, u.CallerIP, u.UserAgent))
		}
	}
	return r, nil
}
