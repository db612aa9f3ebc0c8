package rotate

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
)

// claim refuses to work beside another trigger, and takes the lease before
// anything that changes more than the journal.
func (t *turn) claim(ctx context.Context, steps []rotation.Step) error {
	held := t.holds()
	j, ok := t.cred.Journal.Touch(t.now(), steps).Claim(t.holder, t.wall(), leaseFor(t.timeout))
	if !ok {
		return t.busy()
	}
	if !held && slices.ContainsFunc(steps, testsCurrent) && j.Current != nil && !t.noted {
		j, t.noted = t.withTest(j), true // in the same write
	}
	switch {
	case held && !slices.ContainsFunc(steps, touches), !slices.ContainsFunc(steps, exclusive):
		return nil
	case slices.ContainsFunc(steps, begins):
		t.cred.Journal = j // written together with the intent, which comes before all else
		return nil
	}
	return t.save(ctx, j)
}

func (t *turn) busy() error {
	return fmt.Errorf("%s: %w, until %s at the latest; ask again then", t.cred.Secret, ErrBusy, t.cred.Journal.Lease.Until.Format(time.RFC3339))
}

// testsCurrent reports whether a step is taken only if the key in use works.
func testsCurrent(s rotation.Step) bool {
	return (s.Action == rotation.Disable || s.Action == rotation.Delete) && !s.Key.Revoked
}

// leaseFor is how long a lease lasts: longer than the turn that holds it, with
// room for letting go and for clocks that differ.
func leaseFor(timeout time.Duration) time.Duration { return timeout + timeout/8 + lastWrite }

// exclusive reports whether a step must not be taken by two triggers at once.
func exclusive(s rotation.Step) bool {
	return !slices.Contains([]rotation.Action{rotation.Hasten, rotation.Verify, rotation.Examine}, s.Action)
}

// touches reports whether a step may leave a key disabled, of which the journal
// does not know yet.
func touches(s rotation.Step) bool { return s.Action == rotation.Disable && s.Key.Touched.IsZero() }

func begins(s rotation.Step) bool { return s.Action == rotation.Begin }

// holds reports whether the lease is this turn's.
func (t *turn) holds() bool {
	return t.cred.Journal.Lease != nil && t.cred.Journal.Lease.Holder == t.holder
}

// lastWrite is how long writing the journal at the end of a turn may take.
const lastWrite = 5 * time.Second

// letGo writes what is not written yet, and lets go of the lease.
func (t *turn) letGo(ctx context.Context) error {
	j := t.cred.Journal
	if t.holds() {
		j = j.Released()
	}
	// Neither must be left undone because the caller has gone.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWrite)
	defer cancel()
	return t.save(ctx, j)
}

// maxSaves is how often a write is tried when others write the secret, too.
const maxSaves = 4

// save writes the journal, and the aliases where the journal moves them, if
// nobody has written a journal since it was read. What else others write to the
// secret meanwhile is kept.
func (t *turn) save(ctx context.Context, j rotation.Journal) error {
	text, err := j.Encode()
	if err != nil {
		return err
	}
	for range maxSaves {
		if t.stands(text, j) {
			t.cred.Journal, t.stored = j, text
			t.begun = t.begun && (j.Incoming == nil || j.Incoming.Phase == rotation.Intended)
			return nil
		}
		err = t.write(ctx, text, j)
		if err == nil {
			continue
		}
		seen, readErr := t.cloud.Secret(ctx, t.cred.Secret)
		if readErr != nil {
			return err
		}
		now := seen.Annotations[rotation.AnnotationJourn]
		switch {
		case now == text: // the write happened; its reply was lost
		case now != t.stored:
			return fmt.Errorf("%w: somebody else wrote the journal of %s: %w", ErrBusy, t.cred.Secret, err)
		case !gcp.IsFailedPrecondition(err):
			return err
		}
		t.secret = seen
	}
	return fmt.Errorf("writing the journal of %s: others write the secret all the time: %w", t.cred.Secret, err)
}

// stands reports whether the secret, as last seen, holds the journal, and its
// aliases are where the journal puts them.
func (t *turn) stands(text string, j rotation.Journal) bool {
	return t.secret.Annotations[rotation.AnnotationJourn] == text && maps.Equal(t.secret.Aliases, aliases(t.secret.Aliases, j))
}

func (t *turn) write(ctx context.Context, text string, j rotation.Journal) error {
	secret, err := t.cloud.UpdateSecret(ctx, gcp.Change{
		Name: t.cred.Secret, Etag: t.secret.Etag,
		Annotations: with(t.secret.Annotations, map[string]string{rotation.AnnotationJourn: text}),
		Aliases:     aliases(t.secret.Aliases, j),
	})
	if err == nil {
		t.secret, t.stored = secret, text
	}
	return err
}

// aliases puts keyturn's two aliases where the journal says and leaves the
// owner's alone.
func aliases(now map[string]string, j rotation.Journal) map[string]string {
	out := maps.Clone(now)
	delete(out, rotation.AliasPrevious)
	maps.Copy(out, j.Aliases())
	return out
}
