package rotate

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"example.com/keyturn/shared/gcp"
	"example.com/keyturn/shared/rotation"
)

// accountKeys makes and unmakes the keys of a service account.
type accountKeys struct {
	cloud *gcp.Cloud
	now   func() time.Time
	pair  func() (*rsa.PrivateKey, error)
	cred  *rotation.Credential

	staged string // version of the staging secret that file is
	file   []byte
	held   [][]byte // private halves, to be wiped when the turn ends
}

// keyLimit is how many user-managed keys Google lets an account have.
const keyLimit = 10

// stage makes the pair here, so that its private half is stored before Google
// hears of it. One that an earlier turn stored before it died is taken up.
func (a *accountKeys) stage(ctx context.Context, fresh bool) (rotation.Outcome, error) {
	if !fresh {
		if staged, _, err := a.leftStaged(ctx); staged != "" || err != nil {
			return rotation.Outcome{Staged: staged}, err
		}
	}
	account := path.Base(a.cred.Target)
	private, err := a.pair()
	if err != nil {
		return rotation.Outcome{}, fmt.Errorf("making an RSA key: %w", err)
	}
	file, err := newKeyFile(private, a.cred.Project(), account, a.cloud.TokenURL())
	if err != nil {
		return rotation.Outcome{}, err
	}
	staged, err := a.store(ctx, file)
	return rotation.Outcome{Staged: staged, Fresh: true}, err
}

// leftStaged is the newest private half in the staging secret that the journal
// does not know of, and its key id; empty if there is none.
func (a *accountKeys) leftStaged(ctx context.Context) (version, id string, err error) {
	err = newerVersions(ctx, a.cloud, a.cred.StagingSecret(), a.cred.Journal.Staging, func(number string, file []byte) (bool, error) {
		version, id = number, keyIDOf(file)
		a.remember(number, file)
		return false, nil
	})
	return version, id, err
}

// remember spares reading again what was written or read a moment ago.
func (a *accountKeys) remember(version string, file []byte) {
	a.staged, a.file, a.held = version, file, append(a.held, file)
}

// forget wipes what was remembered and made of it.
func (a *accountKeys) forget() {
	wipe(a.held...)
	a.staged, a.file, a.held = "", nil, nil
}

// store puts a key file into the staging secret, making that at first use.
func (a *accountKeys) store(ctx context.Context, keyFile []byte) (string, error) {
	a.held = append(a.held, keyFile)
	staged, err := addVersion(ctx, a.cloud, a.now, a.cred.StagingSecret(), keyFile)
	if gcp.IsNotFound(err) {
		labels := map[string]string{rotation.Label: rotation.Staging}
		if err = a.cloud.EnsureSecret(ctx, a.cred.StagingSecret(), labels); err == nil {
			staged, err = addVersion(ctx, a.cloud, a.now, a.cred.StagingSecret(), keyFile)
		}
	}
	if err == nil {
		a.remember(staged, keyFile)
	}
	return staged, err
}

func (a *accountKeys) publish(ctx context.Context, k rotation.Key) (rotation.Outcome, error) {
	if err := a.headRoom(ctx); err != nil {
		return rotation.Outcome{}, fmt.Errorf("%w: %w", errRefused, err)
	}
	if k.Mode == rotation.Create {
		return a.create(ctx)
	}
	private, err := a.stagedKey(ctx, k)
	if err != nil {
		return rotation.Outcome{}, err
	}
	now := a.now()
	end := now.Add(a.cred.Policy.KeyLifetime()).UTC().Truncate(time.Second) // as a certificate says it
	cert, err := certificate(private, path.Base(a.cred.Target), now, end)
	if err != nil {
		return rotation.Outcome{}, err
	}
	id, err := a.cloud.UploadAccountKey(ctx, a.cred.Target, cert)
	return rotation.Outcome{ID: id, Staged: k.Staged, Expires: end}, refused(err)
}

// create has Google make the pair and stores the private half, which exists
// nowhere else, at once.
func (a *accountKeys) create(ctx context.Context) (rotation.Outcome, error) {
	key, file, err := a.cloud.CreateAccountKey(ctx, a.cred.Target)
	if err != nil {
		return rotation.Outcome{}, refused(err)
	}
	staged, err := a.store(ctx, file)
	if err != nil {
		err = errors.Join(err, a.cloud.DeleteAccountKey(ctx, a.cred.Target, key.ID)) // nobody holds its private half
	}
	return rotation.Outcome{ID: key.ID, Staged: staged, Expires: key.Expires}, err
}

// refused marks Google's own refusal to make a key: after any other error there
// may be one.
func refused(err error) error {
	if gcp.IsRefusal(err) {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	return err
}

// headRoom refuses to make a key where Google would, and says which keys are in
// the way: Google's own error does not.
func (a *accountKeys) headRoom(ctx context.Context) error {
	listed, err := a.cloud.AccountKeys(ctx, a.cred.Target)
	if err != nil {
		return err
	}
	if len(listed) < keyLimit {
		return nil
	}
	var names []string
	for _, k := range listed {
		owner := "not keyturn's"
		if a.cred.Journal.Names(k.ID) {
			owner = "keyturn's"
		}
		names = append(names, k.ID+" ("+owner+")")
	}
	return fmt.Errorf("%s has %d user-managed keys and Google allows %d; delete one that nobody uses with 'gcloud iam service-accounts keys delete': %s",
		path.Base(a.cred.Target), len(listed), keyLimit, strings.Join(names, ", "))
}

func (a *accountKeys) find(ctx context.Context, k rotation.Key) (trace, error) {
	listed, err := a.cloud.AccountKeys(ctx, a.cred.Target)
	if err != nil {
		return trace{}, err
	}
	listed = slices.DeleteFunc(listed, func(l gcp.AccountKey) bool { return a.cred.Journal.Names(l.ID) })
	if k.Mode == rotation.Create {
		return a.findCreated(ctx, k, listed)
	}
	return a.findUploaded(ctx, k, listed)
}

// findUploaded recognises the key by its public half.
func (a *accountKeys) findUploaded(ctx context.Context, k rotation.Key, listed []gcp.AccountKey) (trace, error) {
	private, err := a.stagedKey(ctx, k)
	if err != nil {
		return trace{}, err
	}
	for _, l := range listed {
		if !l.Uploaded {
			continue
		}
		public, err := a.cloud.AccountKeyPublic(ctx, a.cred.Target, l.ID)
		if gcp.IsNotFound(err) {
			continue // deleted, or not everywhere yet
		}
		if err != nil {
			return trace{}, err
		}
		if private.PublicKey.Equal(public) {
			return trace{found: &rotation.Outcome{ID: l.ID, Staged: k.Staged, Expires: l.Expires}}, nil
		}
	}
	return trace{}, nil
}

// findCreated takes up the key whose private half was staged, and tells of one
// whose private half was lost with Google's reply. It is keyturn's if it is the
// only one that appeared while keyturn was creating one; of several none is
// told, because one of them may be somebody else's.
func (a *accountKeys) findCreated(ctx context.Context, k rotation.Key, listed []gcp.AccountKey) (trace, error) {
	staged, id, err := a.leftStaged(ctx)
	if err != nil {
		return trace{}, err
	}
	var born []string
	for _, l := range listed {
		if l.ID == id {
			return trace{found: &rotation.Outcome{ID: id, Staged: staged, Expires: l.Expires}}, nil
		}
		if !l.Uploaded && l.ValidAfter.After(k.Tried.Add(-creationSkew)) && l.ValidAfter.Before(lastMoment(k)) {
			born = append(born, l.ID)
		}
	}
	switch len(born) {
	case 0:
		return trace{}, nil
	case 1:
		if owner, err := ownerOf(ctx, a.cloud, born[0], a.cred.Secret); owner != "" || err != nil {
			return trace{}, err
		}
		return trace{orphan: born[0]}, nil
	}
	return trace{}, fmt.Errorf("%d keys of %s appeared while keyturn was creating one, and none can be told to be its own: %s; delete those that nobody uses",
		len(born), path.Base(a.cred.Target), strings.Join(born, ", "))
}

const (
	// creationSkew is how far Google's clock may be off.
	creationSkew = time.Minute
	// creationTime is longer than a call may take whose caller died.
	creationTime = 10 * time.Minute
)

// lastMoment is until when the attempt to create a key can have made one.
func lastMoment(k rotation.Key) time.Time {
	if k.Answered.IsZero() {
		return k.Tried.Add(creationTime)
	}
	return k.Answered.Add(creationSkew)
}

func (a *accountKeys) payload(ctx context.Context, k rotation.Key) ([]byte, error) {
	file, err := a.stagedFile(ctx, k)
	if err != nil {
		return nil, err
	}
	if k.Mode == rotation.Create {
		return file, nil // as Google wrote it
	}
	file, err = withKeyID(file, k.ID)
	a.held = append(a.held, file)
	return file, err
}

// refresh has nothing to do: what a key may do is its account's.
func (a *accountKeys) refresh(context.Context, rotation.Key) error { return nil }

func (a *accountKeys) probe(ctx context.Context, payload []byte) error {
	if a.cred.Policy.ProbeURL != "" {
		return a.cloud.ProbeAccountKeyAt(ctx, payload, a.cred.Policy.ProbeURL)
	}
	return a.cloud.ProbeAccountKey(ctx, a.cred.Target, payload)
}

// uses are a token and the call with it.
func (a *accountKeys) uses() int {
	if a.cred.Policy.ProbeURL == "" {
		return 2
	}
	return 1 + ofGoogle(a.cred.Policy.ProbeURL)
}

func (a *accountKeys) holds(_ context.Context, payload []byte, id string) (bool, error) {
	return keyIDOf(payload) == id, nil
}

func (a *accountKeys) usesOf(ctx context.Context, ids []string, from, to time.Time) (gcp.Uses, error) {
	return a.cloud.AccountKeyUses(ctx, a.cred.Target, ids, from, to)
}

func (a *accountKeys) users(ctx context.Context, id string, since time.Time) ([]gcp.User, error) {
	return a.cloud.AccountKeyUsers(ctx, a.cred.Target, id, since)
}

func (a *accountKeys) disable(ctx context.Context, id string) error {
	return a.cloud.DisableAccountKey(ctx, a.cred.Target, id)
}

func (a *accountKeys) enable(ctx context.Context, k rotation.Key) error {
	return a.cloud.EnableAccountKey(ctx, a.cred.Target, k.ID)
}

func (a *accountKeys) remove(ctx context.Context, k rotation.Key) error {
	return a.cloud.DeleteAccountKey(ctx, a.cred.Target, k.ID)
}

// keyIDOf is the key id in a key file; empty for anything else.
func keyIDOf(file []byte) string {
	var f struct {
		ID string `json:"private_key_id"`
	}
	if json.Unmarshal(file, &f) != nil {
		return ""
	}
	return f.ID
}
