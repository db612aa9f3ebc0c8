package rotate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
)

// Released is what keyturn leaves behind when it forgets a credential: all of it is
// the owner's from then on.
type Released struct {
	Keys     []LeftKey         `json:"keys"`              // that keyturn knew of; they go on as they are
	Aliases  map[string]string `json:"aliases"`           // of the secret, by which consumers go on
	Topics   []string          `json:"topics"`            // of the secret, in full: keyturn's own is taken off, and the rotation schedule with it
	Staging  string            `json:"staging,omitempty"` // the staging sibling, in full, which stays
	Unstaged int               `json:"unstaged"`          // versions of the staging sibling that hold a private half still
	Commands []string          `json:"commands"`          // to tidy up, where there is something to
}

// LeftKey is a key that nobody looks after any more.
type LeftKey struct {
	ID      string `json:"id"`
	Is      string `json:"is"`                // what it was to keyturn, such as "in use"
	Version string `json:"version,omitempty"` // of the secret that holds it
}

// annotationReleased remembers the release of a secret, so that the same request is
// known again: a Request in JSON.
const annotationReleased = "keyturn.released"

// release has keyturn forget a credential. No key and no version is touched, and
// aliases stay, so that consumers go on.
func (f *Function) release(ctx context.Context, c event.Command) (Report, error) {
	t, err := f.observe(ctx, c)
	if errors.Is(err, rotation.ErrUnmanaged) {
		return t.releasedBefore(ctx, err)
	}
	if err != nil || t.report.Repeated != nil {
		return t.answer(), err
	}
	if err := t.mustBeReleasable(); err != nil {
		return Report{}, err
	}
	left, err := t.leaves(ctx)
	if err != nil {
		return Report{}, err
	}
	s := rotation.Step{Action: releasing, Reason: orAsked(c.Why)}
	report := Report{Secret: c.Secret, Kind: t.report.Kind, Released: &left}
	if f.dry {
		report.add(s, "planned")
		return report, nil
	}
	if err := t.forget(ctx); err != nil {
		return Report{}, fmt.Errorf("releasing %s: %w", c.Secret, err)
	}
	report.add(s, "done")
	t.tell(ctx, event.Released, s, s.Reason)
	return report, nil
}

// orAsked is a reason, or that there was none but the command.
func orAsked(why string) string {
	if why == "" {
		return "asked for"
	}
	return why
}

// releasedBefore recognises the request by which a secret was released that is not
// managed any more.
func (t *turn) releasedBefore(ctx context.Context, unmanaged error) (Report, error) {
	secret, err := t.cloud.Secret(ctx, t.command.Secret)
	if err != nil {
		return Report{}, err
	}
	var r rotation.Request
	if json.Unmarshal([]byte(secret.Annotations[annotationReleased]), &r) != nil || r.ID == "" || r.ID != t.command.ID {
		return Report{}, unmanaged
	}
	if !requestOf(t.command).Repeats(r) {
		return Report{}, reused(r)
	}
	return Report{Secret: secret.Name, Repeated: &r}, nil
}

// mustBeReleasable refuses to leave behind what is dangerous, and what is unfinished
// unless whoever asks says so.
func (t *turn) mustBeReleasable() error {
	c, j := t.command, t.cred.Journal
	what := fmt.Errorf("releasing %s: %w", c.Secret, errImpossible)
	if _, free := j.Claim(t.holder, t.wall(), leaseFor(t.timeout)); !free {
		return t.busy()
	}
	if j.Suspend != nil && !j.IsLost() {
		return fmt.Errorf("%w: its service account is, or is to be, disabled, and nobody would enable it again; wait until 'keyturn status' says nothing of that", what)
	}
	if slices.ContainsFunc(j.Keys(), rotation.Key.Doomed) && !j.IsLost() {
		return fmt.Errorf("%w: a key that is to be revoked still works, and nobody would disable it; wait until 'keyturn status' shows it as revoked", what)
	}
	if j.Idle() || c.Leave {
		return nil
	}
	var left []string
	for _, k := range unfinished(j) {
		left = append(left, fmt.Sprintf("key %s (%s)", rotation.ShortID(k.ID), standingOf(k)))
	}
	if j.Unstage != "" {
		left = append(left, "private halves in "+path.Base(t.cred.StagingSecret()))
	}
	return fmt.Errorf("%w: nobody would look after %s; wait until 'keyturn status' shows an active key alone, or leave them as they are with 'keyturn release %s --leave'", what, strings.Join(left, ", "), path.Base(c.Secret))
}

// unfinished are the keys that are coming in, or on their way out.
func unfinished(j rotation.Journal) []rotation.Key {
	return slices.DeleteFunc(j.Keys(), func(k rotation.Key) bool { return k.Phase == rotation.Active })
}

// leaves is what is left behind.
func (t *turn) leaves(ctx context.Context) (Released, error) {
	left := Released{Keys: []LeftKey{}, Aliases: t.secret.Aliases, Topics: []string{}, Commands: []string{}}
	for _, name := range t.secret.Topics {
		if name != t.ownTopic() {
			left.Topics = append(left.Topics, name)
		}
	}
	for _, k := range t.cred.Journal.Keys() {
		left.Keys = append(left.Keys, LeftKey{ID: k.ID, Is: standingOf(k), Version: k.Version})
	}
	sibling, err := t.cloud.Secret(ctx, t.cred.StagingSecret())
	if gcp.IsNotFound(err) {
		return left, nil
	}
	if err != nil {
		return left, err
	}
	left.Staging = sibling.Name
	enabled, err := t.cloud.EnabledVersions(ctx, sibling.Name)
	left.Unstaged = len(enabled)
	left.Commands = append(left.Commands, fmt.Sprintf("gcloud secrets delete %s --project=%s", path.Base(sibling.Name), gcp.ProjectOf(sibling.Name)))
	return left, err
}

func (t *turn) ownTopic() string {
	return "projects/" + t.cloud.Project() + "/topics/" + event.TopicRotate
}

// forget takes off the secret all by which keyturn knows it.
func (t *turn) forget(ctx context.Context) error {
	labels, annotations := maps.Clone(t.secret.Labels), maps.Clone(t.secret.Annotations)
	delete(labels, rotation.Label)
	for _, name := range []string{rotation.AnnotationKind, rotation.AnnotationTarget, rotation.AnnotationPolicy, rotation.AnnotationJourn} {
		delete(annotations, name)
	}
	r := requestOf(t.command)
	r.At = t.since.UTC().Truncate(time.Second)
	record, err := json.Marshal(r)
	if err != nil {
		return err
	}
	annotations[annotationReleased] = string(record)
	_, err = t.cloud.UpdateSecret(ctx, gcp.Change{
		Name: t.secret.Name, Etag: t.secret.Etag, Labels: labels, Annotations: annotations,
		Reminder: &gcp.Reminder{Topic: event.TopicRotate, Others: t.secret.Topics},
	})
	return err
}
