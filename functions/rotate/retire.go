package rotate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
)

// sightings is the record of the use of key k and, so that it is known how far it
// reaches, of the key in use.
func (t *turn) sightings(ctx context.Context, k rotation.Key, now time.Time) rotation.Sightings {
	ids := []string{k.ID}
	if cur := t.cred.Journal.Current; cur != nil {
		ids = append(ids, cur.ID)
	}
	uses, err := t.keys.usesOf(ctx, ids, now.Add(-rotation.Window), now)
	if err != nil {
		return rotation.Sightings{Missing: "Cloud Monitoring does not answer: " + err.Error()}
	}
	s := rotation.Sightings{Through: uses.Through}
	for _, u := range uses.Of[k.ID] {
		s.Uses = append(s.Uses, rotation.Sighting(u))
	}
	return s
}

// examine gathers evidence of the use of a key on its way out. Where the record
// is old, keyturn itself uses the key in use: if the record goes on, that shows
// up in it.
func (t *turn) examine(ctx context.Context, k rotation.Key) (rotation.Outcome, error) {
	seen := t.sightings(ctx, k, t.now())
	found := rotation.Weigh(t.now(), t.cred.Policy, k, seen)
	if found.Use != rotation.Used && seen.WantsTest(t.now(), t.cred.Policy, k, t.cred.Journal.Current) {
		if err := t.tryCurrent(ctx); err != nil {
			t.log.WarnContext(ctx, "the key in use does not authenticate", "secret", t.cred.Secret, "error", err.Error())
		}
	}
	if found.Use == rotation.Unknown && k.Phase == rotation.Overlapping {
		found = t.askAuditLog(ctx, k, found)
	}
	if !t.isStraggler(k, found) {
		return rotation.Outcome{Evidence: found}, nil
	}
	s := rotation.Step{Action: rotation.Examine, Key: k}
	err := t.announce(ctx, t.milestone(event.Straggler, s, found.Reason+t.whoUses(ctx, k)))
	return rotation.Outcome{Evidence: found}, err // what was not told is looked for again
}

// isStraggler reports whether new evidence holds a key that was not held, or not
// for that, before.
func (t *turn) isStraggler(k rotation.Key, found rotation.Evidence) bool {
	before := k.Evidence
	told := before != nil && before.Use == found.Use && k.Held(before.At, t.cred.Policy)
	k.Evidence = &found
	return !told && k.Held(t.now(), t.cred.Policy)
}

// askAuditLog looks for a key that still works in the audit log, where a use can
// be seen but not that there was none. Of a disabled one it would show the tokens
// that live on.
func (t *turn) askAuditLog(ctx context.Context, k rotation.Key, unknown rotation.Evidence) rotation.Evidence {
	lately := t.now().Add(-time.Duration(t.cred.Policy.Overlap))
	users, err := t.keys.users(ctx, k.ID, lately)
	if err == nil && len(users) > 0 && users[0].Last.After(lately) {
		unknown.Use = rotation.Used
		unknown.Reason = fmt.Sprintf("the audit log shows a use at %s, and Cloud Monitoring nothing", users[0].Last.UTC().Format(time.RFC3339))
	}
	return unknown
}

// keep notes that consumers are still given a key, and tells it.
func (t *turn) keep(ctx context.Context, s rotation.Step) (rotation.Outcome, error) {
	err := t.announce(ctx, t.milestone(event.Straggler, s, s.Reason))
	return rotation.Outcome{Evidence: rotation.HandedOut(t.now(), s.Reason)}, err
}

// maxNamed is how many users of a key are named.
const maxNamed = 3

// whoUses names the users of a key for people; what the audit log does not say
// is not worth a failure.
func (t *turn) whoUses(ctx context.Context, k rotation.Key) string {
	users, err := t.keys.users(ctx, k.ID, k.Since)
	if err != nil {
		return "; who it was is not known: " + err.Error()
	}
	var named []string
	for _, u := range users[:min(len(users), maxNamed)] {
		named = append(named, fmt.Sprintf("%s from %s with %q, last at %s", u.Principal, u.CallerIP, u.UserAgent, u.Last.UTC().Format(time.RFC3339)))
	}
	if len(named) == 0 {
		return "; the audit log names nobody (Data Access logs may be off)"
	}
	return "; seen using it: " + strings.Join(named, "; ")
}

func (t *turn) disable(ctx context.Context, k rotation.Key) error {
	if err := t.mustBeSuperseded(ctx, k); err != nil {
		return err
	}
	if k.Phase != rotation.Quarantined { // it is not disabled already
		if err := t.mustBeReplaced(ctx, k); err != nil {
			return err
		}
	}
	if err := t.keys.disable(ctx, k.ID); err != nil {
		return err
	}
	return t.eachVersion(ctx, k, t.cloud.DisableVersion)
}

// mustBeReplaced refuses to take away the last key that works.
func (t *turn) mustBeReplaced(ctx context.Context, k rotation.Key) error {
	if k.Revoked {
		return nil
	}
	if err := t.tryCurrent(ctx); err != nil {
		return fmt.Errorf("key %s is left alone, because its successor does not work: %w", k.ID, err)
	}
	return nil
}

// recall brings a key back that consumers are to be given again. The private
// half of a service account's is in its version, and nowhere else.
func (t *turn) recall(ctx context.Context, k rotation.Key) error {
	if t.cred.Kind == rotation.ServiceAccountKey {
		err := t.cloud.EnableVersion(ctx, t.cred.Secret, k.Version)
		if gcp.IsGone(err) {
			err = fmt.Errorf("%w: key %s cannot be given to anybody: %w", errImpossible, k.ID, err)
		}
		if err != nil {
			return err
		}
	}
	return t.enable(ctx, k)
}

// enable brings a key back to life. Its versions come last: whoever can read
// one can use it. Whoever destroyed one meant it.
func (t *turn) enable(ctx context.Context, k rotation.Key) error {
	if err := t.keys.enable(ctx, k); err != nil {
		return err
	}
	return t.eachVersion(ctx, k, func(ctx context.Context, secret, number string) error {
		err := t.cloud.EnableVersion(ctx, secret, number)
		if gcp.IsGone(err) {
			return nil
		}
		return err
	})
}

// remove deletes the key before it destroys the versions: a version without a
// key is untidy, a key without a version is lost.
func (t *turn) remove(ctx context.Context, k rotation.Key) error {
	if err := t.mustBeSuperseded(ctx, k); err != nil {
		return err
	}
	if err := t.mustBeReplaced(ctx, k); err != nil {
		return err
	}
	err := t.keys.remove(ctx, k)
	if errors.Is(err, gcp.ErrInUse) {
		return fmt.Errorf("%w: %w", errPending, err)
	}
	if err != nil {
		return err
	}
	return t.eachVersion(ctx, k, t.cloud.DestroyVersion)
}

func (t *turn) eachVersion(ctx context.Context, k rotation.Key, do func(ctx context.Context, secret, number string) error) error {
	for _, number := range k.Versions() {
		if err := do(ctx, t.cred.Secret, number); err != nil {
			return err
		}
	}
	return nil
}

// tryCurrent authenticates with the key in use, once in a turn. That it is going
// to is written first: a use that nobody remembers would be taken for a consumer's.
func (t *turn) tryCurrent(ctx context.Context) error {
	cur := t.cred.Journal.Current
	switch {
	case cur == nil:
		return errors.New("there is none")
	case t.tried:
		return t.trouble
	}
	if !t.noted {
		if err := t.noteTest(ctx); err != nil {
			return err
		}
	}
	payload, err := t.cloud.AccessVersion(ctx, t.cred.Secret, cur.Version)
	if err == nil {
		err = t.keys.probe(ctx, payload)
		wipe(payload)
	}
	t.tried, t.trouble = true, err
	return err
}

// noteTest writes that the key in use is going to be tested, and takes the lease,
// so that no other trigger tests it at the same time and forgets that it did.
func (t *turn) noteTest(ctx context.Context) error {
	j, ok := t.withTest(t.cred.Journal).Claim(t.holder, t.wall(), leaseFor(t.timeout))
	if !ok {
		return t.busy()
	}
	t.noted = true
	return t.save(ctx, j)
}

// withTest notes the uses that a test of the key in use makes.
func (t *turn) withTest(j rotation.Journal) rotation.Journal {
	return j.Test(t.now(), j.Current.ID, t.keys.uses())
}

// discard removes a key that was not verified, and so was given to nobody.
func (t *turn) discard(ctx context.Context, k rotation.Key) error {
	if k.ID == "" || k.Back || k.Phase == rotation.Verified {
		return nil
	}
	k.Revoked = true // nobody was given it: nothing has to be asked before it goes
	return t.keys.remove(ctx, k)
}

// mustBeSuperseded refuses to take a key that consumers are still given, as
// after a rollback by hand that added the old payload again.
func (t *turn) mustBeSuperseded(ctx context.Context, k rotation.Key) error {
	if k.Revoked {
		return nil // somebody decided that nobody may use it any more
	}
	name, err := t.namedBy(ctx, k)
	if err == nil && name != "" {
		err = fmt.Errorf("%w: %s of %s still names key %s", errHandedOut, name, t.cred.Secret, k.ID)
	}
	return err
}

// namedBy is the version or alias, other than keyturn's own of the key, that
// still gives it to somebody; empty if there is none. Versions newer than the
// current one are found by number, because a list may not show them yet.
func (t *turn) namedBy(ctx context.Context, k rotation.Key) (name string, err error) {
	for alias, version := range t.secret.Aliases {
		if alias != rotation.AliasPrevious && slices.Contains(k.Versions(), version) {
			return fmt.Sprintf("alias %q", alias), nil
		}
	}
	visit := func(number string, payload []byte) (bool, error) {
		held, err := t.keys.holds(ctx, payload, k.ID)
		if held {
			name = "version " + number
		}
		return held, err
	}
	if err := t.newer(ctx, visit); err != nil || name != "" {
		return name, t.looking(err)
	}
	return name, t.looking(t.strangers(ctx, visit))
}

// strangers visits the enabled versions that the journal does not know.
func (t *turn) strangers(ctx context.Context, visit visitor) error {
	enabled, err := t.cloud.EnabledVersions(ctx, t.cred.Secret)
	if err != nil {
		return err
	}
	var known []string
	for _, k := range t.cred.Journal.Keys() {
		known = append(known, k.Versions()...)
	}
	for _, number := range enabled {
		if slices.Contains(known, number) {
			continue
		}
		payload, err := t.cloud.AccessVersion(ctx, t.cred.Secret, number)
		if gcp.IsGone(err) {
			continue // the list is older than its end
		}
		if err != nil {
			return err
		}
		done, err := visit(number, payload)
		if wipe(payload); done || err != nil {
			return err
		}
	}
	return nil
}

func (t *turn) looking(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("looking what consumers of %s are given: %w", t.cred.Secret, err)
}

// suspend disables the service account, unless somebody else has: then it is
// theirs to enable. That keyturn is going to is written first, so that a turn
// that dies is not taken for somebody else.
func (t *turn) suspend(ctx context.Context) (rotation.Outcome, error) {
	if !t.cred.Journal.Suspend.Tried {
		disabled, err := t.cloud.AccountDisabled(ctx, t.cred.Target)
		if disabled || err != nil {
			return rotation.Outcome{Foreign: disabled}, err
		}
		if err := t.save(ctx, t.cred.Journal.TrySuspend()); err != nil {
			return rotation.Outcome{}, err
		}
	}
	return rotation.Outcome{}, t.cloud.DisableAccount(ctx, t.cred.Target)
}
