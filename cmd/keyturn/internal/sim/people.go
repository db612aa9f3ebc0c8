package sim

import (
	"context"
	"fmt"
	"path"
	"slices"
	"time"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"example.com/keyturn/internal/localgcp/iam"
	"example.com/keyturn/shared/event"
	"example.com/keyturn/shared/rotation"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// deeds are what people do to a credential behind keyturn's back, or ask of it.
// Each says what it did; nothing if there was nothing to do it to.
var peoplesDeeds = []func(*world, *credential) (string, error){
	(*world).disableVersion, (*world).deleteKey, (*world).addForeignKey, (*world).addOldPayload,
	(*world).spoilJournal, (*world).annotate, (*world).annotate, (*world).setOwnAlias, (*world).moveCurrent,
	(*world).fillAccount, (*world).denyUploads,
	(*world).askForRotation, (*world).askForRotation, (*world).askForRollback, (*world).askForRollback,
	(*world).revoke, (*world).revoke, (*world).leak,
	(*world).pause, (*world).pause, (*world).resume,
}

// interfere has a person do something by hand.
func (w *world) interfere() {
	c := w.credentials[w.chance.IntN(len(w.credentials))]
	deed := peoplesDeeds[w.chance.IntN(len(peoplesDeeds))]
	what, err := deed(w, c)
	switch {
	case err != nil:
		w.trace.note("a person could not: %v", err)
	case what != "":
		w.trace.note("a person %s of %s", what, c.id)
	}
	w.judge.look(cause{person: true})
}

func (w *world) disableVersion(c *credential) (string, error) {
	n := 1 + w.chance.IntN(len(c.sight.versions))
	if !c.sight.versions[n-1].enabled() {
		return "", nil
	}
	c.hand.excused[n] = true
	_, err := w.secrets().DisableSecretVersion(context.Background(), &secretmanagerpb.DisableSecretVersionRequest{Name: fmt.Sprint(c.secret, "/versions/", n)})
	return fmt.Sprint("disables version ", n), err
}

func (w *world) deleteKey(c *credential) (string, error) {
	id := w.anyKey(c)
	if id == "" {
		return "", nil
	}
	c.hand.keys[id] = true
	return "deletes key " + id, w.removeKey(c, id)
}

func (w *world) removeKey(c *credential, id string) error {
	ctx := context.Background()
	if c.kind == rotation.APIKey {
		_, err := apikeyspb.NewApiKeysClient(w.inside).DeleteKey(ctx, &apikeyspb.DeleteKeyRequest{Name: path.Dir(c.target) + "/" + id})
		return err
	}
	_, err := w.accounts().DeleteServiceAccountKey(ctx, &adminpb.DeleteServiceAccountKeyRequest{Name: c.account + "/keys/" + id})
	return err
}

// anyKey is one of the credential's own keys.
func (w *world) anyKey(c *credential) string {
	var own []string
	for id := range c.sight.keys {
		if w.judge.makers[id].credential == c {
			own = append(own, id)
		}
	}
	if len(own) == 0 {
		return ""
	}
	slices.SortFunc(own, func(a, b string) int { return w.judge.makers[a].number - w.judge.makers[b].number })
	return own[w.chance.IntN(len(own))]
}

func (w *world) addForeignKey(c *credential) (string, error) {
	var id string
	var err error
	if c.kind == rotation.APIKey {
		id = fmt.Sprintf("foreign-%d", len(w.judge.makers))
		_, err = w.newAPIKey(id)
	} else {
		id, _, err = w.newAccountKey(c.account)
	}
	if err != nil {
		return "", err
	}
	w.judge.made(id, maker{})
	c.contested = c.contested || c.sight.journal.Incoming != nil
	return "adds foreign key " + id, nil
}

// addOldPayload is a rollback by hand.
func (w *world) addOldPayload(c *credential) (string, error) {
	standing, _ := w.gcp.Secrets.Inspect(c.secret)
	from := 1 + w.chance.IntN(len(standing.Versions))
	v := c.sight.versions[from-1]
	if v.key == "" || !v.enabled() {
		return "", nil
	}
	n, err := w.addVersion(c, standing.Versions[from-1].Payload)
	c.hand.versions[n] = w.clock.Now()
	if key := c.sight.keys[v.key]; !key.works || key.disabled {
		c.hand.excused[n] = true
	}
	return fmt.Sprintf("adds the payload of version %d once more, as version %d,", from, n), err
}

func (w *world) spoilJournal(c *credential) (string, error) {
	if c.spoiled || !c.sight.readable {
		return "", nil
	}
	c.spoiled, c.lost = true, c.sight.text
	return "spoils the journal", w.setAnnotation(c, rotation.AnnotationJourn, "{half")
}

func (w *world) annotate(c *credential) (string, error) {
	c.hand.notes++
	return "edits an annotation", w.setAnnotation(c, noted, note(c.hand.notes))
}

// noted is an annotation of the owner's, and ownAlias an alias.
const noted, ownAlias = "team", "stable"

func note(n int) string { return fmt.Sprint("team-", n) }

func (w *world) setAnnotation(c *credential, name, value string) error {
	return w.edit(c, "annotations", func(s *secretmanagerpb.Secret) { s.Annotations[name] = value })
}

func (w *world) edit(c *credential, field string, change func(*secretmanagerpb.Secret)) error {
	s, err := w.secrets().GetSecret(context.Background(), &secretmanagerpb.GetSecretRequest{Name: c.secret})
	if err != nil {
		return err
	}
	change(s)
	_, err = w.secrets().UpdateSecret(context.Background(), &secretmanagerpb.UpdateSecretRequest{Secret: s, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{field}}})
	return err
}

// setOwnAlias points an alias of the owner's own at a version that works.
func (w *world) setOwnAlias(c *credential) (string, error) {
	n := 1 + w.chance.IntN(len(c.sight.versions))
	if v := c.sight.versions[n-1]; !v.enabled() || !c.sight.keys[v.key].works {
		return "", nil
	}
	c.hand.aliases[ownAlias] = w.clock.Now()
	return fmt.Sprintf("points alias %s at version %d", ownAlias, n), w.setAlias(c, ownAlias, n)
}

func (w *world) moveCurrent(c *credential) (string, error) {
	n := 1 + w.chance.IntN(len(c.sight.versions))
	if c.sight.aliases[rotation.AliasCurrent] == n {
		return "", nil
	}
	c.hand.aliases[rotation.AliasCurrent] = w.clock.Now()
	return fmt.Sprint("points alias current at version ", n), w.setAlias(c, rotation.AliasCurrent, n)
}

func (w *world) setAlias(c *credential, alias string, n int) error {
	return w.edit(c, "version_aliases", func(s *secretmanagerpb.Secret) { s.VersionAliases[alias] = int64(n) })
}

// fillAccount leaves no room for another key.
func (w *world) fillAccount(c *credential) (what string, err error) {
	if c.kind == rotation.APIKey {
		return "", nil
	}
	for err == nil {
		_, err = w.addForeignKey(c)
		w.judge.look(cause{person: true})
	}
	return "fills the account", nil
}

func (w *world) denyUploads(c *credential) (string, error) {
	if c.kind == rotation.APIKey {
		return "", nil
	}
	w.gcp.IAM.SetOrgPolicy(iam.OrgPolicy{DenyKeyUpload: true}, path.Base(c.account))
	return "denies the upload of keys", nil
}

func (w *world) askForRotation(c *credential) (string, error) {
	if !c.sight.readable {
		return "", nil
	}
	after := c.sight.journal.Rotation
	c.hand.asked[after] = true
	w.send(event.Command{Verb: event.Rotate, Secret: c.secret, After: &after})
	return fmt.Sprintf("asks for a rotation after %d", after), nil
}

func (w *world) askForRollback(c *credential) (string, error) {
	if !c.sight.readable {
		return "", nil
	}
	after := c.sight.journal.Rotation
	c.hand.asked[after] = true
	c.hand.rollbacks++
	w.send(event.Command{Verb: event.Rollback, Secret: c.secret, After: &after})
	return fmt.Sprintf("asks for a rollback after %d", after), nil
}

// pause has the schedule leave the credential alone, for some time or until somebody
// resumes. While a trigger is at work it is refused: people ask again.
func (w *world) pause(c *credential) (string, error) {
	if !c.sight.readable {
		return "", nil
	}
	var until time.Time
	if w.chance.IntN(2) == 0 {
		until = w.clock.Now().Add(time.Hour + w.upTo(100*time.Hour))
	}
	w.send(event.Command{Verb: event.Pause, Secret: c.secret, By: "ada", Why: "freeze", Until: until})
	return fmt.Sprintf("asks for a pause until %v", until), nil
}

func (w *world) resume(c *credential) (string, error) {
	if c.sight.journal.Pause == nil {
		return "", nil
	}
	w.send(event.Command{Verb: event.Resume, Secret: c.secret, By: "ada"})
	return "ends the pause", nil
}

// leak has Google find a key in public, which disables it.
func (w *world) leak(c *credential) (string, error) {
	id := w.anyKey(c)
	if id == "" || c.kind == rotation.APIKey {
		return "", nil
	}
	c.hand.revoked[id], c.hand.keys[id] = true, true
	return "leaks key " + id, w.gcp.IAM.Expose(path.Base(c.account), id)
}

func (w *world) revoke(c *credential) (string, error) {
	var named []rotation.Key
	for _, k := range c.sight.journal.Keys() {
		if k.ID != "" {
			named = append(named, k)
		}
	}
	if len(named) == 0 {
		return "", nil
	}
	k := named[w.chance.IntN(len(named))]
	c.hand.revoked[id(k)] = true
	kill := c.kind == rotation.ServiceAccountKey && w.chance.IntN(3) == 0
	w.send(event.Command{Verb: event.Revoke, Secret: c.secret, Key: k.ID, KillTokens: kill})
	if kill {
		return "revokes key " + id(k) + " and its tokens", nil
	}
	return "revokes key " + id(k), nil
}

// tidyUp is what people do before all is calm: uploads are allowed, and what
// fills an account goes.
func (w *world) tidyUp() error {
	for _, c := range w.credentials {
		if c.kind == rotation.ServiceAccountKey {
			w.gcp.IAM.SetOrgPolicy(iam.OrgPolicy{}, path.Base(c.account))
		}
		if c.spoiled && w.chance.IntN(2) == 0 { // the others must not mind
			c.spoiled = false
			if err := w.setAnnotation(c, rotation.AnnotationJourn, c.lost); err != nil {
				return err
			}
		}
		for key := range c.sight.keys {
			if owner, known := w.judge.makers[key]; known && owner.credential == nil && len(c.sight.keys) >= 8 && c.account != "" {
				if err := w.removeKey(c, key); err != nil {
					return err
				}
			}
		}
	}
	w.judge.look(cause{person: true})
	w.trace.note("people tidy up")
	return nil
}
