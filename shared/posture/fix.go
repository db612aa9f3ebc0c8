package posture

import (
	"path"
	"slices"

	"example.com/keyturn/shared/inventory"
	"example.com/keyturn/shared/rotation"
)

// What to do about a failure. It never takes away a key that keyturn rotates, nor one
// that somebody may be using: neither would fail for itself alone.

// mend is the command about a credential that ought to be replaced or to go.
func (p *project) mend(i *inventory.Item) string {
	switch {
	case p.retiring(i) != "":
		return keyturn("plan", i.Secret)
	case i.Secret != "":
		return keyturn("rotate", i.Secret)
	case i.State == inventory.Disabled, i.State == inventory.Expired:
		return p.deletion(i)
	case dispensable(i):
		return p.retire(i)
	}
	return p.advice()
}

// keyless is the command that has a user of a credential do without it, or that takes
// it away if there is none; "" if no way is known. What is in capitals is to be filled in.
func (p *project) keyless(i *inventory.Item) string {
	switch {
	case p.retiring(i) != "", i.Secret == "" && dispensable(i):
		return p.mend(i)
	case len(i.Keyless) == 0:
		return ""
	}
	return i.Steps(i.Keyless[0])[0].Command
}

// advice is the command that tells, of each credential, how it comes under rotation, or goes.
func (p *project) advice() string {
	return inventory.Command("keyturn", "inventory", "--adopt-plan", "--project="+p.ID)
}

// keyturn is a command of keyturn's about the credential of a secret.
func keyturn(verb, secret string, flags ...string) string {
	words := []string{"keyturn", verb, path.Base(secret), "--project=" + path.Base(path.Dir(path.Dir(secret)))}
	return inventory.Command(append(words, flags...)...)
}

// dispensable reports whether nobody can be missing a credential that keyturn does not
// rotate: it does not work, or it is certain that nobody needs it.
func dispensable(i *inventory.Item) bool {
	return i.State == inventory.Disabled || i.Spare()
}

// retire is the command that takes a credential away so that it can be brought back.
func (p *project) retire(i *inventory.Item) string {
	switch i.Kind {
	case inventory.AccountKeyKind:
		return inventory.Command("gcloud", "iam", "service-accounts", "keys", "disable", i.ID, "--iam-account="+i.Account, "--project="+p.ID)
	case inventory.HMACKeyKind:
		return inventory.Command("gcloud", "storage", "hmac", "update", i.ID, "--deactivate", "--project="+p.ID)
	}
	return p.deletion(i) // an API key can be undeleted for 30 days
}

func (p *project) deletion(i *inventory.Item) string {
	if i.Kind == inventory.AccountKeyKind {
		return inventory.Command("gcloud", "iam", "service-accounts", "keys", "delete", i.ID, "--iam-account="+i.Account, "--project="+p.ID)
	}
	return inventory.Command("gcloud", "services", "api-keys", "delete", i.ID, "--project="+p.ID)
}

// retiring is how keyturn takes a key away by itself that another one has superseded;
// "" of all others.
func (p *project) retiring(i *inventory.Item) string {
	c := p.registered[i.Secret]
	if c == nil {
		return ""
	}
	all := c.Journal.Keys()
	k := slices.IndexFunc(all, func(k rotation.Key) bool { return k.IsCalled(i.ID) })
	if k < 0 {
		return ""
	}
	switch at := stamp(all[k].Due(c.Policy)); all[k].Phase {
	case rotation.Overlapping:
		return "keyturn disables it by itself from " + at + " on, once nobody uses it"
	case rotation.Quarantined:
		return "keyturn deletes it by itself, from " + at + " on"
	}
	return ""
}

// item is what the inventory says of a credential. Of one that it does not know that
// is nothing but its name.
func (p *project) item(name string) *inventory.Item {
	i := slices.IndexFunc(p.items, func(i inventory.Item) bool { return i.Name == name })
	if i < 0 {
		return &inventory.Item{Name: name, ID: path.Base(name)}
	}
	return &p.items[i]
}

// keysOf are the service-account keys of an account, the oldest first.
func (p *project) keysOf(a inventory.Account) (keys []*inventory.Item) {
	for i := range p.items {
		if p.items[i].Kind == inventory.AccountKeyKind && p.items[i].Account == a.Email {
			keys = append(keys, &p.items[i])
		}
	}
	slices.SortStableFunc(keys, func(a, b *inventory.Item) int { return a.Created.Compare(b.Created) })
	return keys
}
