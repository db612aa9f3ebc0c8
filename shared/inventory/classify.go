package inventory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/keyturn/shared/rotation"
)

// Classify says of every credential of a snapshot how it stands, worst first.
// Deleted ones are left out.
func Classify(s Snapshot) []Item {
	c := classifier{snapshot: &s, register: registerOf(&s), ids: s.projectIDs()}
	items := []Item{}
	for i := range s.Projects {
		if p := &s.Projects[i]; !p.Outside {
			items = c.project(items, p)
		}
	}
	slices.SortStableFunc(items, worseFirst)
	return items
}

// classifier is what the classification of one credential has to know of others.
type classifier struct {
	snapshot *Snapshot
	register register
	ids      map[string]string
}

func (c classifier) project(items []Item, p *Project) []Item {
	for i := range p.Accounts {
		for j := range p.Accounts[i].Keys {
			items = append(items, c.accountKey(p, &p.Accounts[i], p.Accounts[i].Keys[j]))
		}
	}
	for _, k := range p.APIKeys {
		if k.Deleted.IsZero() {
			items = append(items, c.apiKey(p, k))
		}
	}
	for _, k := range p.HMACKeys {
		if k.State != "DELETED" {
			items = append(items, c.hmacKey(p, k))
		}
	}
	for _, client := range p.OAuthClients {
		for _, k := range client.Credentials {
			if !client.Deleted {
				items = append(items, c.oauthSecret(p, client, k))
			}
		}
	}
	return items
}

func (c classifier) accountKey(p *Project, a *Account, k AccountKey) Item {
	now := c.snapshot.At
	i := Item{
		Kind: AccountKeyKind, Project: p.ID, ID: k.ID, Name: "projects/" + p.ID + "/serviceAccounts/" + a.Email + "/keys/" + k.ID,
		Owner: a.Email, Account: a.Email, Disabled: k.Disabled || a.Disabled, Reason: k.Reason,
		Created: k.Created, AgeDays: days(k.Created, now), Expires: k.Expires,
		Use: p.use(now, AccountKeyKind, k.ID, k.Created), Private: Place{Where: Nowhere}, Keyless: forAccounts,
		Keys: len(a.Keys), Instead: c.register.instead(a.Email),
	}
	claim := c.register.claimed(k.ID, a.Email)
	if claim.held == nil {
		claim.maker = c.register.madeFor(a.Email, k)
	}
	i.belongs(claim)
	if claim.held != nil {
		i.Instead = ""
	}
	if claim.held == nil && a.Disabled && !k.Disabled {
		i.Why += "; its account is disabled"
	}
	if k.Exposed || k.Reason == "EXPOSED" || k.Reason == "COMPROMISE_DETECTED" {
		i.State, i.Why = Exposed, "Google has found its private half in public or in the wrong hands"
	}
	i.settle(now)
	return i
}

func (c classifier) apiKey(p *Project, k APIKey) Item {
	now := c.snapshot.At
	id := last(k.Name)
	i := Item{
		Kind: APIKeyKind, Project: p.ID, ID: id, Name: "projects/" + p.ID + "/locations/global/keys/" + id,
		Owner: cmp.Or(k.Account, k.DisplayName, id), Account: k.Account, Disabled: k.Blocked,
		Created: k.Created, AgeDays: days(k.Created, now),
		Use: p.use(now, APIKeyKind, k.UID, k.Created), Private: Place{Where: AtGoogle}, Keyless: apiKeyWays(k),
	}
	name := identity(k.Name, c.ids)
	claim := c.register.claimed(name, apiKeysOf(p.ID, c.ids))
	if claim.unread == nil && p.Number == "" { // by which journals may name it
		claim.unread = missing(p.Gaps, Projects, "")
	}
	if claim.held == nil {
		i.Instead = c.register.instead(name)
	}
	if claim.held == nil && madeByKeyturn(id) {
		claim.maker = "keyturn"
	}
	i.belongs(claim)
	i.settle(now)
	return i
}

func (c classifier) hmacKey(p *Project, k HMACKey) Item {
	now := c.snapshot.At
	i := Item{
		Kind: HMACKeyKind, Project: p.ID, ID: k.AccessID, Name: "projects/" + p.ID + "/hmacKeys/" + k.AccessID,
		Owner: k.Account, Account: k.Account, Disabled: k.State != "ACTIVE", Created: k.Created, AgeDays: days(k.Created, now),
		Use: p.use(now, HMACKeyKind, k.AccessID, k.Created), Private: Place{Where: Nowhere}, Keyless: forAccounts,
		State: Unmanaged, Why: "keyturn does not rotate HMAC keys",
	}
	i.settle(now)
	return i
}

func (c classifier) oauthSecret(p *Project, client OAuthClient, k OAuthCredential) Item {
	i := Item{
		Kind: OAuthSecretKind, Project: p.ID, ID: last(client.Name) + "/" + last(k.Name), Name: k.Name,
		Owner: cmp.Or(client.DisplayName, last(client.Name)), Disabled: k.Disabled || client.Disabled, AgeDays: -1,
		Use: unknown("Google records no use of OAuth clients"), Private: Place{Where: AtGoogle},
		State: Unmanaged, Why: "keyturn does not rotate OAuth client secrets", Keyless: noWay,
	}
	i.settle(c.snapshot.At)
	return i
}

// belongs says whose a credential is.
func (i *Item) belongs(c claim) {
	switch {
	case c.held != nil:
		i.State, i.Why = Managed, "keyturn rotates it in "+c.held.secret.Name
		i.Secret, i.Phase, i.Private = c.held.secret.Name, string(c.held.key.Phase), placeOf(c.held)
	case c.unread != nil:
		i.State, i.Why = Unclear, fmt.Sprintf("whether keyturn rotates it is not known: %s of %s could not be read", c.unread.Part, c.unread.Of)
	case c.maker != "":
		i.State, i.Why = Orphan, "keyturn made it, and no journal that was read names it"
		if c.maker != "keyturn" {
			i.Why = "its life is as long as keyturn gives the keys of " + c.maker + ", whose journal does not name it"
		}
	default:
		i.State, i.Why = Unmanaged, "no journal of keyturn's that was read names it"
	}
}

// settle puts a credential that cannot be used, and that nobody takes care of, last.
func (i *Item) settle(now time.Time) {
	if i.State != Unmanaged && i.State != Orphan {
		return
	}
	switch {
	case !i.Expires.IsZero() && !now.Before(i.Expires):
		i.State, i.Why = Expired, "it expired on "+day(i.Expires)
	case i.Disabled && i.State == Unmanaged:
		i.State, i.Why = Disabled, "it is disabled"+because(i.Reason)
	}
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return fmt.Sprintf(" (%s)", reason)
}

// placeOf says where the journal has the private half of a key.
func placeOf(h *held) Place {
	if versions := h.key.Versions(); len(versions) > 0 {
		return Place{Where: InVersion, Secret: h.secret.Name, Versions: versions}
	}
	if h.key.Staged != "" {
		return Place{Where: InStaging, Secret: h.secret.Name + rotation.StagingSuffix, Versions: []string{h.key.Staged}}
	}
	if h.secret.Credential.Kind == rotation.APIKey {
		return Place{Where: AtGoogle}
	}
	return Place{Where: Nowhere}
}

// worseFirst is by state, then by use, and then the oldest first.
func worseFirst(a, b Item) int {
	return cmp.Or(
		cmp.Compare(slices.Index(states, a.State), slices.Index(states, b.State)),
		cmp.Compare(slices.Index(uses, a.Use.Verdict), slices.Index(uses, b.Use.Verdict)),
		cmp.Compare(b.AgeDays, a.AgeDays),
		strings.Compare(a.Name, b.Name),
	)
}

// uses in the order of what there is to lose.
var uses = []rotation.Use{rotation.Used, rotation.Unknown, rotation.Unused}
