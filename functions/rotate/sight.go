package rotate

import (
	"context"
	"fmt"
	"path"
	"time"

	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
)

// Gone says that the service account was deleted: no key of it works, and nothing is
// done for the credential before it is there again.
type Gone struct {
	Account string    `json:"account"` // its e-mail address
	Seen    time.Time `json:"seen"`    // when that was found out
	Undo    string    `json:"undo"`    // the command that brings it back, within 30 days of its deletion
	Forget  string    `json:"forget"`  // the command by which keyturn forgets the credential
}

// String is what to do about it.
func (g Gone) String() string {
	return fmt.Sprintf("the service account %s was deleted, so that no key of it works. Within 30 days of that, bring it back: %s. Or have keyturn forget the credential: %s", g.Account, g.Undo, g.Forget)
}

// goneOf is nil while the service account is there, as far as is known.
func goneOf(c rotation.Credential) *Gone {
	if !c.Journal.IsLost() {
		return nil
	}
	account, project := path.Base(c.Target), c.Project()
	found := fmt.Sprintf(`gcloud logging read 'protoPayload.methodName="google.iam.admin.v1.DeleteServiceAccount" AND resource.labels.email_id="%s"' --project=%s --freshness=30d --limit=1 --format='value(resource.labels.unique_id)'`, account, project)
	return &Gone{
		Account: account, Seen: c.Journal.Gone,
		Undo:   fmt.Sprintf(`gcloud iam service-accounts undelete "$(%s)" --project=%s`, found, project),
		Forget: fmt.Sprintf("keyturn release %s --leave --project %s", path.Base(c.Secret), gcp.ProjectOf(c.Secret)),
	}
}

// look is the journal as Google sees the account and the revoked keys now. What cannot be
// asked stays as it is written.
func (f *Function) look(ctx context.Context, c rotation.Credential) rotation.Journal {
	j := c.Journal
	works, err := f.working(ctx, c)
	switch {
	case gcp.IsNotFound(err):
		return j.Lost(f.now())
	case err != nil:
		return j
	}
	j = j.Regained()
	for _, k := range works {
		j = j.Revived(f.now(), k.ID)
	}
	return j
}

// working are the keys that were revoked and work all the same. The error is NotFound if
// the account is not there.
func (f *Function) working(ctx context.Context, c rotation.Credential) (works []rotation.Key, err error) {
	revoked := c.Journal.Revocable(f.now(), c.Policy)
	if c.Kind == rotation.APIKey {
		for _, k := range revoked {
			usable, err := f.cloud.APIKeyUsable(ctx, k.ID)
			if err != nil {
				return works, err
			}
			if usable {
				works = append(works, k)
			}
		}
		return works, nil
	}
	listed, err := f.cloud.AccountKeys(ctx, c.Target)
	for _, l := range listed {
		for _, k := range revoked {
			if k.ID == l.ID && !l.Disabled {
				works = append(works, k)
			}
		}
	}
	return works, err
}

// lose notes and tells that the account is not there, if that is why something failed.
func (t *turn) lose(ctx context.Context, cause error) bool {
	if t.cred.Kind != rotation.ServiceAccountKey || !gcp.IsNotFound(cause) {
		return false
	}
	if _, err := t.cloud.AccountDisabled(ctx, t.cred.Target); !gcp.IsNotFound(err) {
		return false
	}
	t.cred.Journal = t.cred.Journal.Lost(t.now())
	t.warn(ctx, event.Broken, event.AccountGone, "", fmt.Sprintf("the service account %s was deleted: no key of it works, and nothing is rotated; 'keyturn status %s' tells how to bring it back, within 30 days", path.Base(t.cred.Target), path.Base(t.cred.Secret)))
	return true
}

// see compares the account and the revoked keys with the journal, has the journal say
// what it sees, and has disabled what works although it was revoked.
func (t *turn) see(ctx context.Context) error {
	works, err := t.working(ctx, t.cred)
	switch {
	case err == nil:
		t.regain(ctx)
	case !t.lose(ctx, err):
		return err
	}
	for _, k := range works {
		t.warn(ctx, event.Exposed, "revived", k.ID, fmt.Sprintf("somebody else than keyturn has enabled key %s again, which was revoked; it is disabled once more now", rotation.ShortID(k.ID)))
		t.cred.Journal = t.cred.Journal.Revived(t.now(), k.ID)
	}
	if err := t.note(ctx); err != nil || len(works) == 0 {
		return err
	}
	return t.publish(ctx, event.Command{Verb: event.Continue, Secret: t.cred.Secret}.Outgoing())
}

// regain notes and tells that an account which was not there is there again.
func (t *turn) regain(ctx context.Context) {
	if t.cred.Journal.IsLost() {
		t.cred.Journal = t.cred.Journal.Regained()
		t.tell(ctx, event.Reinstated, rotation.Step{Action: event.AccountGone}, "the service account is there again")
	}
}

// note writes what was seen, if that is news and no other trigger is at work.
func (t *turn) note(ctx context.Context) error {
	if _, free := t.cred.Journal.Claim(t.holder, t.wall(), leaseFor(t.timeout)); !free {
		return t.busy() // it is seen again
	}
	if t.dry {
		return nil
	}
	return t.save(ctx, t.cred.Journal)
}
