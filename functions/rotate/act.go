package rotate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
)

// keys makes and unmakes the keys of one credential.
type keys interface {
	// stage makes a pair and stores its private half in the staging secret;
	// fresh says that no earlier turn can have done so.
	stage(ctx context.Context, fresh bool) (rotation.Outcome, error)
	// find looks for the key that an earlier publish made whose reply was lost.
	find(ctx context.Context, k rotation.Key) (trace, error)
	// publish makes the key known to Google.
	publish(ctx context.Context, k rotation.Key) (rotation.Outcome, error)
	// refresh gives a key coming in what its owner changed of the key in use since.
	refresh(ctx context.Context, k rotation.Key) error
	// payload is what consumers are given for a key coming in.
	payload(ctx context.Context, k rotation.Key) ([]byte, error)
	// probe authenticates with a payload; gcp.ErrNotYet while Google does not know it.
	probe(ctx context.Context, payload []byte) error
	// uses is how many uses of the key Cloud Monitoring counts of one probe.
	uses() int
	// holds reports whether a payload is that of the key.
	holds(ctx context.Context, payload []byte, id string) (bool, error)
	// usesOf is what Cloud Monitoring knows of the use of keys in (from, to].
	usesOf(ctx context.Context, ids []string, from, to time.Time) (gcp.Uses, error)
	// users names who was seen using the key since a time.
	users(ctx context.Context, id string, since time.Time) ([]gcp.User, error)
	disable(ctx context.Context, id string) error
	enable(ctx context.Context, k rotation.Key) error
	remove(ctx context.Context, k rotation.Key) error
	// forget wipes the private halves that were used: the turn has ended.
	forget()
}

// trace is what an earlier attempt to publish a key has left.
type trace struct {
	found  *rotation.Outcome // the key, with its private half; nil if there is none
	orphan string            // id of a key whose private half is lost; empty if there is none
}

// keysOf chooses by the credential's kind. The keys follow the credential's
// journal as the turn writes it.
func (f *Function) keysOf(c *rotation.Credential) keys {
	if c.Kind == rotation.APIKey {
		return apiKeys{f.cloud, c}
	}
	return &accountKeys{cloud: f.cloud, now: f.now, pair: f.pair, cred: c}
}

// act carries out one step. Every branch may be run again after a crash.
func (t *turn) act(ctx context.Context, s rotation.Step) (rotation.Outcome, error) {
	switch s.Action {
	case rotation.Begin:
		return rotation.Outcome{Mode: t.mode()}, nil
	case rotation.Stage:
		return t.keys.stage(ctx, t.begun)
	case rotation.Publish:
		return t.publishKey(ctx, s.Key)
	case rotation.FallBack:
		return rotation.Outcome{Denied: s.Reason}, nil
	case rotation.Verify:
		return rotation.Outcome{}, t.verify(ctx, s)
	case rotation.Promote:
		return t.promote(ctx, s.Key)
	case rotation.Examine:
		return t.examine(ctx, s.Key)
	case rotation.Keep:
		return t.keep(ctx, s)
	case rotation.Suspend:
		return t.suspend(ctx)
	}
	return rotation.Outcome{}, t.takeOut(ctx, s)
}

// takeOut carries out the steps that bring nothing to light.
func (t *turn) takeOut(ctx context.Context, s rotation.Step) error {
	switch s.Action {
	case rotation.Discard:
		return t.discard(ctx, s.Key)
	case rotation.Unstage:
		return t.unstage(ctx)
	case rotation.Disable:
		return t.disable(ctx, s.Key)
	case rotation.Restore:
		return t.enable(ctx, s.Key)
	case rotation.Recall:
		return t.recall(ctx, s.Key)
	case rotation.Delete:
		return t.remove(ctx, s.Key)
	case rotation.Reinstate:
		return t.cloud.EnableAccount(ctx, t.cred.Target)
	}
	return nil // Hasten and Repoint are done by writing the journal
}

// mode is who makes the pair of the next key; empty for kinds without pairs.
func (t *turn) mode() rotation.KeyMode {
	if t.cred.Kind != rotation.ServiceAccountKey {
		return ""
	}
	return t.cred.Policy.Mode()
}

// publishKey notes the attempt before it makes it; that of the turn which begins
// the rotation stands in its intent. An attempt that was noted earlier may have
// made a key: it is looked for, and while Google's lists may still be stale no
// second key is made. A pair is uploaded once: two keys of one pair would
// vouch for each other.
func (t *turn) publishKey(ctx context.Context, k rotation.Key) (rotation.Outcome, error) {
	if !t.begun && !k.Tried.IsZero() {
		left, err := t.keys.find(ctx, k)
		switch {
		case err != nil:
			return rotation.Outcome{}, err
		case left.found != nil:
			return *left.found, nil
		case left.orphan != "":
			err = t.removeOrphan(ctx, left.orphan)
		}
		switch {
		case err != nil:
		case !t.cred.Policy.Settled(t.now(), k.Tried):
			err = fmt.Errorf("%w: an earlier attempt may still show up", errPending)
		case k.Mode == rotation.Upload:
			err = errSpent
		}
		if err != nil {
			return rotation.Outcome{}, err
		}
	}
	if t.cred.Kind == rotation.ServiceAccountKey { // an API key's id is chosen here: making it twice is not possible
		if err := t.noteAttempt(ctx); err != nil {
			return rotation.Outcome{}, err
		}
	}
	o, err := t.keys.publish(ctx, *t.cred.Journal.Incoming)
	if err != nil {
		t.cred.Journal = t.cred.Journal.Answer(t.now(), errors.Is(err, errRefused))
	}
	return o, err
}

// noteAttempt writes that a key may exist from now on, unless the intent of a
// rotation that began a moment ago says so.
func (t *turn) noteAttempt(ctx context.Context) error {
	tried := t.cred.Journal.Try(t.now())
	if t.begun {
		t.cred.Journal, t.begun = tried, false
		return nil
	}
	return t.save(ctx, tried)
}

// removeOrphan deletes a key that keyturn had made and that nobody can use,
// unless somebody can after all: then it is not keyturn's.
func (t *turn) removeOrphan(ctx context.Context, id string) error {
	k := rotation.Key{ID: id, Revoked: true}
	name, err := t.namedBy(ctx, k)
	if err == nil && name != "" {
		err = fmt.Errorf("key %s appeared while keyturn was creating one, but %s of %s holds it: it is left alone", id, name, t.cred.Secret)
	}
	if err != nil {
		return err
	}
	return t.keys.remove(ctx, k)
}

func (t *turn) verify(ctx context.Context, s rotation.Step) error {
	k := s.Key
	if k.Back && t.cred.Kind == rotation.APIKey && !t.cred.Policy.Settled(t.now(), k.Tried) {
		return fmt.Errorf("%w: that an API key is blocked proves that it exists, and not that it is enabled again", errPending)
	}
	payload, err := t.payload(ctx, k)
	if err != nil {
		return err
	}
	noted := t.cred.Journal.Test(t.now(), k.ID, t.keys.uses())
	err = t.keys.probe(ctx, payload)
	notYet := errors.Is(err, gcp.ErrNotYet)
	if !notYet || k.Back { // of a key that Google does not know it counts no use
		t.cred.Journal = noted
	}
	if !notYet {
		return err
	}
	if s.Otherwise != "" && t.cred.Kind == rotation.ServiceAccountKey { // before it is given up
		if disabled, err := t.cloud.AccountDisabled(ctx, t.cred.Target); disabled || err != nil {
			return cmp.Or(err, fmt.Errorf("%w; no key of it can be verified before somebody enables it", errSuspended))
		}
	}
	return fmt.Errorf("%w: %w", errPending, err)
}

// payload is what consumers are given for a key coming in: of one that is
// brought back, what they were given before.
func (t *turn) payload(ctx context.Context, k rotation.Key) ([]byte, error) {
	if !k.Back || t.cred.Kind == rotation.APIKey {
		return t.keys.payload(ctx, k)
	}
	payload, err := t.cloud.AccessVersion(ctx, t.cred.Secret, k.Version)
	if gcp.IsGone(err) {
		err = fmt.Errorf("%w: %w", errLost, err)
	}
	return payload, err
}

// promote adds the verified key to the secret; writing the journal then points
// the aliases at it.
func (t *turn) promote(ctx context.Context, k rotation.Key) (rotation.Outcome, error) {
	version, err := t.added(ctx, k)
	if err != nil {
		return rotation.Outcome{}, err
	}
	if version == "" {
		payload, err := t.payload(ctx, k)
		if err == nil && !k.Back {
			err = t.keys.refresh(ctx, k)
		}
		if err != nil {
			return rotation.Outcome{}, err
		}
		if version, err = addVersion(ctx, t.cloud, t.now, t.cred.Secret, payload); err != nil {
			return rotation.Outcome{}, err
		}
	}
	unstaged := k.Staged == "" || t.cloud.DestroyVersion(ctx, t.cred.StagingSecret(), k.Staged) == nil
	return rotation.Outcome{Version: version, Unstaged: unstaged}, nil
}

// added looks for a version that an earlier turn added before it died.
func (t *turn) added(ctx context.Context, k rotation.Key) (version string, err error) {
	if t.proven {
		return "", nil
	}
	err = t.newer(ctx, func(number string, payload []byte) (bool, error) {
		held, err := t.keys.holds(ctx, payload, k.ID)
		if held {
			version = number
		}
		return held, err
	})
	return version, err
}

// newer visits the versions after the current one that can be read, until visit
// is content.
func (t *turn) newer(ctx context.Context, visit visitor) error {
	after := ""
	if cur := t.cred.Journal.Current; cur != nil {
		after = cur.Version
	}
	return newerVersions(ctx, t.cloud, t.cred.Secret, after, func(number string, payload []byte) (bool, error) {
		defer wipe(payload)
		return visit(number, payload)
	})
}

// visitor looks at a version of a secret and says whether it has seen enough.
type visitor func(number string, payload []byte) (done bool, err error)

// newerVersions visits the versions of a secret after a number, oldest first. It
// counts up: only access by number is strongly consistent.
func newerVersions(ctx context.Context, cloud *gcp.Cloud, secret, after string, visit visitor) error {
	n, _ := strconv.Atoi(after) // what is not a number only means a longer search
	for {
		n++
		payload, err := cloud.AccessVersion(ctx, secret, strconv.Itoa(n))
		switch {
		case gcp.IsNotFound(err):
			return nil
		case gcp.IsFailedPrecondition(err): // disabled or destroyed
		case err != nil:
			return err
		default:
			if done, err := visit(strconv.Itoa(n), payload); done || err != nil {
				return err
			}
		}
	}
}

// unstage destroys the private halves in the staging secret that are not needed
// any more, by number, because a list may not show the newest yet.
func (t *turn) unstage(ctx context.Context) error {
	for _, number := range t.cred.Journal.Left() {
		if _, err := strconv.Atoi(number); err != nil {
			continue // added by a turn that died
		}
		if err := t.destroyStaged(ctx, number); err != nil {
			return err
		}
	}
	if t.cred.Journal.MayHaveStaged() {
		return nil
	}
	return newerVersions(ctx, t.cloud, t.cred.StagingSecret(), t.cred.Journal.Staging, func(number string, _ []byte) (bool, error) {
		return false, t.destroyStaged(ctx, number)
	})
}

// destroyStaged destroys one version of the staging secret, unless it is needed.
func (t *turn) destroyStaged(ctx context.Context, number string) error {
	if in := t.cred.Journal.Incoming; in != nil && in.Staged == number {
		return nil
	}
	err := t.cloud.DestroyVersion(ctx, t.cred.StagingSecret(), number)
	if gcp.IsNotFound(err) {
		return nil // somebody deleted the secret, and all that was in it
	}
	return err
}
