package rotate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"

	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
)

// keys makes and unmakes the keys of one credential.
type keys interface {
	// stage makes a pair and stores its private half in the staging secret.
	stage(ctx context.Context) (rotation.Outcome, error)
	// find looks for the key that an earlier publish made whose reply was lost,
	// and removes what such a publish left that can never be used.
	find(ctx context.Context, k rotation.Key) (rotation.Outcome, bool, error)
	// publish makes the key known to Google.
	publish(ctx context.Context, k rotation.Key) (rotation.Outcome, error)
	// payload is what consumers are given for the key.
	payload(ctx context.Context, k rotation.Key) ([]byte, error)
	// probe authenticates with a payload; gcp.ErrNotYet while Google does not know it.
	probe(ctx context.Context, payload []byte) error
	// holds reports whether a payload is that of the key.
	holds(ctx context.Context, payload []byte, id string) (bool, error)
	disable(ctx context.Context, id string) error
	remove(ctx context.Context, id string) error
}

// keysOf chooses by the credential's kind. The keys follow the credential's
// journal as the turn writes it.
func (f *Function) keysOf(c *rotation.Credential) keys {
	if c.Kind == rotation.APIKey {
		return apiKeys{f.cloud, c}
	}
	return accountKeys{cloud: f.cloud, now: f.now, pair: f.pair, cred: c}
}

// act carries out one step. Every branch may be run again after a crash.
func (t *turn) act(ctx context.Context, s rotation.Step) (rotation.Outcome, error) {
	switch s.Action {
	case rotation.Begin:
		return rotation.Outcome{Mode: t.mode()}, nil
	case rotation.Stage:
		return t.keys.stage(ctx)
	case rotation.Publish:
		return t.publishKey(ctx, s.Key)
	case rotation.Verify:
		return rotation.Outcome{}, t.verify(ctx, s.Key)
	case rotation.Promote:
		return t.promote(ctx, s.Key)
	case rotation.Unstage:
		return rotation.Outcome{}, t.unstage(ctx)
	case rotation.Disable:
		return rotation.Outcome{}, t.disable(ctx, s.Key)
	case rotation.Delete:
		return rotation.Outcome{}, t.remove(ctx, s.Key)
	case rotation.Discard:
		return rotation.Outcome{}, t.discard(ctx, s.Key)
	}
	return rotation.Outcome{}, nil // Hasten and Repoint are done by writing the journal
}

// mode is who makes the pair of the next key; empty for kinds without pairs.
func (t *turn) mode() rotation.KeyMode {
	if t.cred.Kind != rotation.ServiceAccountKey {
		return ""
	}
	return t.cred.Policy.Mode()
}

// publishKey notes the attempt before it makes it. An attempt that was noted
// earlier may have made a key: it is looked for, and while Google's lists may
// still be stale no second key is made.
func (t *turn) publishKey(ctx context.Context, k rotation.Key) (rotation.Outcome, error) {
	if !k.Tried.IsZero() {
		o, found, err := t.keys.find(ctx, k)
		if found || err != nil {
			return o, err
		}
		if !t.cred.Policy.Settled(t.now(), k.Tried) {
			return o, fmt.Errorf("%w: an earlier attempt may still show up", errPending)
		}
	}
	if t.cred.Kind == rotation.ServiceAccountKey { // an API key's id is chosen here: making it twice is not possible
		if err := t.save(ctx, t.cred.Journal.Try(t.now())); err != nil {
			return rotation.Outcome{}, err
		}
	}
	return t.keys.publish(ctx, *t.cred.Journal.Incoming)
}

func (t *turn) verify(ctx context.Context, k rotation.Key) error {
	payload, err := t.keys.payload(ctx, k)
	if err != nil {
		return err
	}
	err = t.keys.probe(ctx, payload)
	if errors.Is(err, gcp.ErrNotYet) {
		return fmt.Errorf("%w: %w", errPending, err)
	}
	return err
}

// promote adds the verified key to the secret; writing the journal then points
// the aliases at it.
func (t *turn) promote(ctx context.Context, k rotation.Key) (rotation.Outcome, error) {
	payload, err := t.keys.payload(ctx, k)
	if err != nil {
		return rotation.Outcome{}, err
	}
	version, err := t.added(ctx, payload)
	if err == nil && version == "" {
		version, err = t.cloud.AddVersion(ctx, t.cred.Secret, payload)
	}
	return rotation.Outcome{Version: version}, err
}

// added looks for a version that an earlier turn added before it died. It
// counts up from the current version, because only access by number is
// strongly consistent.
func (t *turn) added(ctx context.Context, payload []byte) (string, error) {
	n := 0
	if cur := t.cred.Journal.Current; cur != nil {
		n, _ = strconv.Atoi(cur.Version) // the journal was validated; 0 only means a longer search
	}
	for {
		n++
		got, err := t.cloud.AccessVersion(ctx, t.cred.Secret, strconv.Itoa(n))
		switch {
		case gcp.IsNotFound(err):
			return "", nil
		case gcp.IsFailedPrecondition(err): // disabled or destroyed by hand
		case err != nil:
			return "", err
		case bytes.Equal(got, payload):
			return strconv.Itoa(n), nil
		}
	}
}

// stagedNow is the version of the private half that is still needed.
func (t *turn) stagedNow() string {
	if in := t.cred.Journal.Incoming; in != nil {
		return in.Staged
	}
	return ""
}

// unstage destroys every staged private half of the credential but that of the
// key coming in.
func (t *turn) unstage(ctx context.Context) error {
	versions, err := t.cloud.Versions(ctx, t.cred.StagingSecret())
	if gcp.IsNotFound(err) {
		return nil // somebody deleted it, and all that was in it
	}
	if err != nil {
		return err
	}
	for _, v := range versions {
		if v.Destroyed || v.Number == t.stagedNow() {
			continue
		}
		if err := t.cloud.DestroyVersion(ctx, t.cred.StagingSecret(), v.Number); err != nil {
			return err
		}
	}
	return nil
}

func (t *turn) disable(ctx context.Context, k rotation.Key) error {
	if err := t.mustBeSuperseded(ctx, k); err != nil {
		return err
	}
	if err := t.successorWorks(ctx, k); err != nil {
		return err
	}
	if err := t.keys.disable(ctx, k.ID); err != nil {
		return err
	}
	return t.cloud.DisableVersion(ctx, t.cred.Secret, k.Version)
}

// remove deletes the key before it destroys the version: a version without a
// key is untidy, a key without a version is lost.
func (t *turn) remove(ctx context.Context, k rotation.Key) error {
	if err := t.mustBeSuperseded(ctx, k); err != nil {
		return err
	}
	if err := t.keys.remove(ctx, k.ID); err != nil {
		return err
	}
	return t.cloud.DestroyVersion(ctx, t.cred.Secret, k.Version)
}

// mustBeSuperseded refuses to take a key that consumers are still given, as
// after a rollback by hand that added the old payload again.
func (t *turn) mustBeSuperseded(ctx context.Context, k rotation.Key) error {
	if k.Revoked {
		return nil // somebody decided that nobody may use it any more
	}
	alias, err := t.handedOut(ctx, k)
	if err == nil && alias != "" {
		err = fmt.Errorf("version %q of %s still gives consumers key %s: it is left alone until a newer version gives them another one", alias, t.cred.Secret, k.ID)
	}
	return err
}

// handedOut is the alias, current or latest, by which consumers are given a
// key; empty when they are given another one.
func (t *turn) handedOut(ctx context.Context, k rotation.Key) (string, error) {
	for _, alias := range []string{rotation.AliasCurrent, "latest"} {
		payload, err := t.cloud.AccessVersion(ctx, t.cred.Secret, alias)
		if gcp.IsNotFound(err) {
			continue // a secret that has no key yet gives out none
		}
		held := false
		if err == nil {
			held, err = t.keys.holds(ctx, payload, k.ID)
		}
		if err != nil {
			return "", fmt.Errorf("looking what consumers are given: %w", err)
		}
		if held {
			return alias, nil
		}
	}
	return "", nil
}

// successorWorks refuses to disable the last key that works.
func (t *turn) successorWorks(ctx context.Context, k rotation.Key) error {
	if k.Revoked || k.Phase == rotation.Quarantined {
		return nil
	}
	payload, err := t.cloud.AccessVersion(ctx, t.cred.Secret, rotation.AliasCurrent)
	if err == nil {
		err = t.keys.probe(ctx, payload)
	}
	if err != nil {
		return fmt.Errorf("key %s is left alone, because its successor does not work: %w", k.ID, err)
	}
	return nil
}

// discard removes every trace of a key that nobody was given.
func (t *turn) discard(ctx context.Context, k rotation.Key) error {
	if k.ID != "" {
		alias, err := t.handedOut(ctx, k)
		if err != nil {
			return err
		}
		if alias != "" {
			return fmt.Errorf("%w: version %q of %s gives it to consumers already", errPending, alias, t.cred.Secret)
		}
		if err := t.keys.remove(ctx, k.ID); err != nil {
			return err
		}
	}
	if k.Staged == "" {
		return nil
	}
	err := t.cloud.DestroyVersion(ctx, t.cred.StagingSecret(), k.Staged)
	if gcp.IsNotFound(err) {
		return nil
	}
	return err
}
