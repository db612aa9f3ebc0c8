package rotate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"strings"
	"time"

	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
)

// Adoption registers a secret as a credential.
type Adoption struct {
	Secret string // projects/P/secrets/S; must exist
	Kind   rotation.Kind
	Target string // projects/P/serviceAccounts/E or projects/P/locations/global/keys/K
	Policy rotation.Policy
}

// reminderLead is the least that Secret Manager asks between now and the next
// rotation, with a margin.
const reminderLead = 10 * time.Minute

// Adopt registers a secret. The key that its newest version holds becomes the
// current one, and ages from when it was made; a secret without versions gets
// its first key from the next sweep. Adopting again changes the policy and
// leaves the journal alone.
func (f *Function) Adopt(ctx context.Context, a Adoption) (Report, error) {
	cred, secret, err := f.adoptable(ctx, a)
	if err != nil {
		return Report{}, err
	}
	if err := f.register(ctx, cred, secret); err != nil {
		return Report{}, fmt.Errorf("adopting %s: %w", a.Secret, err)
	}
	report := Report{Secret: secret.Name, Kind: string(cred.Kind), Journal: standing(cred)}
	report.foresee(f.now(), cred)
	return report, nil
}

// CanAdopt says what Adopt would fail for, and changes nothing.
func (f *Function) CanAdopt(ctx context.Context, a Adoption) error {
	_, _, err := f.adoptable(ctx, a)
	return err
}

// adoptable is the credential that an adoption registers, and its secret as it is.
func (f *Function) adoptable(ctx context.Context, a Adoption) (rotation.Credential, gcp.Secret, error) {
	if err := a.Policy.Validate(); err != nil {
		return rotation.Credential{}, gcp.Secret{}, err
	}
	secret, err := f.cloud.Secret(ctx, a.Secret)
	if gcp.IsNotFound(err) {
		err = fmt.Errorf("%w Create it first: gcloud secrets create %s --replication-policy=automatic --project=%s", err, path.Base(a.Secret), gcp.ProjectOf(a.Secret))
	}
	if err != nil {
		return rotation.Credential{}, gcp.Secret{}, err
	}
	cred := rotation.Credential{Secret: secret.Name, Kind: a.Kind, Target: a.Target, Policy: a.Policy}
	err = f.mustBeAbleToStage(ctx, cred)
	switch {
	case err != nil:
	case secret.Annotations[rotation.AnnotationJourn] != "" || secret.Labels[rotation.Label] == rotation.Managed:
		err = f.readopt(&cred, secret)
	default:
		cred.Journal.Current, err = f.firstKey(ctx, cred)
	}
	if err != nil {
		err = fmt.Errorf("adopting %s: %w", a.Secret, err)
	}
	return cred, secret, err
}

// RegisteredPolicy is the policy that a secret's annotation holds, even if somebody
// has removed its label; false if there is none, as of a secret that does not exist.
func (f *Function) RegisteredPolicy(ctx context.Context, secret string) (rotation.Policy, bool, error) {
	s, err := f.cloud.Secret(ctx, secret)
	if gcp.IsNotFound(err) {
		return rotation.Policy{}, false, nil
	}
	if err != nil {
		return rotation.Policy{}, false, err
	}
	text, ok := s.Annotations[rotation.AnnotationPolicy]
	if !ok {
		return rotation.Policy{}, false, nil
	}
	p, err := rotation.ParsePolicy(text)
	if err != nil {
		return p, false, fmt.Errorf("reading the policy of %s: %w; correct the annotation, or remove it to begin with the default policy", secret, err)
	}
	return p, true, nil
}

// readopt keeps the journal of a credential that is managed already.
func (f *Function) readopt(cred *rotation.Credential, secret gcp.Secret) error {
	labels := with(secret.Labels, map[string]string{rotation.Label: rotation.Managed}) // somebody may have removed it
	policy, err := cred.Policy.Encode()
	if err != nil {
		return err
	}
	annotations := with(secret.Annotations, map[string]string{rotation.AnnotationPolicy: policy}) // which may be broken
	known, err := rotation.ParseCredential(secret.Name, labels, annotations)
	if err != nil {
		return err
	}
	if known.Kind != cred.Kind || known.Target != cred.Target {
		return fmt.Errorf("it is registered for %s already; 'keyturn release %s' has keyturn forget that", known.Target, path.Base(secret.Name))
	}
	cred.Journal = known.Journal
	return nil
}

// firstKey is the key in use, if no other credential has it: two that rotate one
// key would each take it from the other's consumers.
func (f *Function) firstKey(ctx context.Context, cred rotation.Credential) (*rotation.Key, error) {
	k, err := f.inUse(ctx, cred)
	if k == nil || err != nil {
		return nil, err
	}
	owner, err := ownerOf(ctx, f.cloud, k.ID, cred.Secret)
	if owner != "" {
		return nil, fmt.Errorf("its key %s is rotated in %s already; point this secret's consumers there, or give it a key of its own", path.Base(k.ID), path.Base(owner))
	}
	return k, err
}

// ownerOf is the secret, other than the one given, whose journal names a key;
// empty when none does. A journal that cannot be read is searched all the same.
func ownerOf(ctx context.Context, cloud *gcp.Cloud, id, but string) (string, error) {
	for other, err := range cloud.Secrets(ctx, managed) {
		if err != nil {
			return "", err
		}
		if path.Base(other.Name) != path.Base(but) && strings.Contains(other.Annotations[rotation.AnnotationJourn], `"`+id+`"`) {
			return other.Name, nil
		}
	}
	return "", nil
}

// mustBeAbleToStage makes sure that the staging sibling can be made, and is
// nobody else's.
func (f *Function) mustBeAbleToStage(ctx context.Context, cred rotation.Credential) error {
	name := cred.StagingSecret()
	if len(path.Base(name)) > maxSecretID || strings.HasSuffix(cred.Secret, rotation.StagingSuffix) {
		return fmt.Errorf("its name leaves no room for the staging secret %s (at most %d characters)", path.Base(name), maxSecretID)
	}
	sibling, err := f.cloud.Secret(ctx, name)
	switch {
	case gcp.IsNotFound(err):
		return nil
	case err == nil && sibling.Labels[rotation.Label] != rotation.Staging:
		return fmt.Errorf("secret %s exists and is not keyturn's: keyturn would need that name for keys that are not verified yet", path.Base(name))
	}
	return err
}

// maxSecretID is Secret Manager's limit for a secret's id.
const maxSecretID = 255

// inUse is the key that the secret's newest version gives to consumers; nil for
// a secret without versions.
func (f *Function) inUse(ctx context.Context, cred rotation.Credential) (*rotation.Key, error) {
	newest, payload, err := f.newest(ctx, cred.Secret)
	if err != nil {
		return nil, err
	}
	if newest == "" {
		return nil, f.mustExist(ctx, cred)
	}
	k, born, err := f.identify(ctx, cred, payload)
	if err != nil {
		return nil, fmt.Errorf("version %s: %w", newest, err)
	}
	if now := f.now(); born.After(now) {
		born = now
	}
	k.Version, k.Phase, k.Since, k.Given = newest, rotation.Active, born.UTC(), born.UTC()
	return &k, nil
}

// newest is the newest version of a secret and what it holds; empty for a secret
// without versions. A list of them may be hours old: whoever has just added one
// adopts the secret next.
func (f *Function) newest(ctx context.Context, secret string) (number string, payload []byte, err error) {
	versions, err := f.cloud.Versions(ctx, secret)
	if err != nil {
		return "", nil, err
	}
	listed := ""
	if len(versions) > 0 {
		listed = versions[0].Number
	}
	err = newerVersions(ctx, f.cloud, secret, listed, func(n string, p []byte) (bool, error) {
		number, payload = n, p
		return false, nil
	})
	if err != nil || number != "" || listed == "" {
		return number, payload, err
	}
	payload, err = f.cloud.AccessVersion(ctx, secret, listed)
	if gcp.IsFailedPrecondition(err) {
		err = fmt.Errorf("its newest version, %s, is not enabled, so that readers of latest fail; add a version with the key in use first: %w", listed, err)
	}
	return listed, payload, err
}

func (f *Function) mustExist(ctx context.Context, cred rotation.Credential) (err error) {
	if cred.Kind == rotation.APIKey {
		_, err = f.cloud.APIKeyCreated(ctx, cred.Target)
	} else {
		_, err = f.cloud.AccountKeys(ctx, cred.Target)
	}
	return err
}

// identify makes sure that a payload is a key of the target and tells which,
// and since when.
func (f *Function) identify(ctx context.Context, cred rotation.Credential, payload []byte) (k rotation.Key, born time.Time, err error) {
	if cred.Kind == rotation.APIKey {
		return f.identifyAPIKey(ctx, cred, payload)
	}
	id := keyIDOf(payload)
	if id == "" {
		return k, born, errors.New("it does not hold a service-account key file")
	}
	listed, err := f.cloud.AccountKeys(ctx, cred.Target)
	if err != nil {
		return k, born, err
	}
	for _, l := range listed {
		if l.ID == id && l.Disabled {
			return k, born, fmt.Errorf("it holds key %s, which is disabled: its consumers cannot work", id)
		}
		if l.ID == id {
			return rotation.Key{ID: id, Expires: l.Expires}, l.ValidAfter, nil
		}
	}
	return k, born, fmt.Errorf("it holds key %s, which is not among the keys of %s; a key made just now can take a minute to be listed: try again", id, path.Base(cred.Target))
}

func (f *Function) identifyAPIKey(ctx context.Context, cred rotation.Credential, payload []byte) (k rotation.Key, born time.Time, err error) {
	held, err := apiKeys{f.cloud, &cred}.holds(ctx, payload, cred.Target)
	if err != nil {
		return k, born, err
	}
	if !held {
		return k, born, fmt.Errorf("it does not hold the string of %s", cred.Target)
	}
	born, err = f.cloud.APIKeyCreated(ctx, cred.Target)
	return rotation.Key{ID: cred.Target}, born, err
}

// register writes label, annotations, aliases and reminder in one write.
func (f *Function) register(ctx context.Context, cred rotation.Credential, secret gcp.Secret) error {
	own, err := cred.Annotations()
	if err != nil {
		return err
	}
	labels := with(secret.Labels, map[string]string{rotation.Label: rotation.Managed})
	if _, err := rotation.ParseCredential(secret.Name, labels, own); err != nil {
		return err // what could not be read back is not written
	}
	next := rotation.NextDue(cred.Policy, cred.Journal)
	if soonest := f.now().Add(reminderLead); next.Before(soonest) {
		next = soonest
	}
	annotations := with(secret.Annotations, own)
	delete(annotations, annotationReleased)
	_, err = f.cloud.UpdateSecret(ctx, gcp.Change{
		Name: secret.Name, Etag: secret.Etag,
		Labels:      labels,
		Annotations: annotations,
		Aliases:     aliases(secret.Aliases, cred.Journal),
		Reminder:    &gcp.Reminder{Topic: event.TopicRotate, Next: next, Period: time.Duration(cred.Policy.Period), Others: secret.Topics},
	})
	return err
}

// with is a map with further entries.
func with(m, more map[string]string) map[string]string {
	out := maps.Clone(m)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, more)
	return out
}
