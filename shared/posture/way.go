package posture

import (
	"fmt"
	"slices"
	"strings"

	"example.com/keyturn/shared/inventory"
	"example.com/keyturn/shared/rotation"
)

// way is how credentials are made, which an organisation policy can forbid.
type way string

const (
	byCreation way = "creating keys"
	byUpload   way = "uploading keys"
	byBinding  way = "creating API keys that are bound to a service account"
)

// forbidding are the constraints each of which forbids a way.
var forbidding = map[way][]string{byCreation: {managedKeyCreation, keyCreation}, byUpload: {managedKeyUpload, keyUpload}}

// needs says why a way must not be forbidden in a project as it is: keyturn's rotations
// there would stop. It is "" if they would go on.
func (p *project) needs(by way) string {
	n := p.madeBy(by)
	switch {
	case p.unsure != nil:
		return fmt.Sprintf("find out first whether keyturn rotates anything here by %s: the secrets of %s could not be read: %s", by, p.unsure.Of, p.unsure.Detail)
	case n > 0:
		return fmt.Sprintf("enforcing it as it is would stop the rotation of %s of keyturn's here, which takes %s: exempt what they are of, or do without them first", counted(n, "credential"), by)
	case by == byCreation && p.madeBy(byUpload) > 0 && p.forbidden(byUpload):
		return "keyturn takes one of the two, and uploading keys is forbidden, or not known to be allowed: enforcing it would stop every rotation here"
	case by == byUpload && p.madeBy(byCreation) > 0 && p.forbidden(byCreation):
		return "keyturn takes one of the two, and creating keys is forbidden, or not known to be allowed: enforcing it would stop every rotation here"
	}
	return ""
}

// forbidden reports whether a way may be closed.
func (p *project) forbidden(by way) bool {
	return slices.ContainsFunc(forbidding[by], func(c string) bool {
		read := p.more.Constraints[c]
		return read.Gap != nil || read.At.IsZero() || read.Value.Enforced
	})
}

// madeBy counts keyturn's credentials of the project whose next key is made in a way.
func (p *project) madeBy(by way) (n int) {
	for _, c := range p.registered {
		if !p.holds(c.Target) {
			continue
		}
		switch {
		case c.Kind == rotation.APIKey && by == byBinding && p.bound(c),
			c.Kind == rotation.ServiceAccountKey && by == byCreation && (c.Policy.Mode() == rotation.Create || fellBack(c)),
			c.Kind == rotation.ServiceAccountKey && by == byUpload && c.Policy.Mode() == rotation.Upload && !fellBack(c):
			n++
		}
	}
	return n
}

// holds reports whether a resource is in the project, by its id or its number.
func (p *project) holds(resource string) bool {
	return strings.HasPrefix(resource, p.name()+"/") || p.Number != "" && strings.HasPrefix(resource, "projects/"+p.Number+"/")
}

// fellBack reports whether Google makes a credential's keys because a policy denied
// uploading them.
func fellBack(c *inventory.Credential) bool {
	return slices.ContainsFunc(c.Journal.Keys(), func(k rotation.Key) bool { return k.Denied != "" })
}

// bound reports whether a credential's API key acts as a service account.
func (p *project) bound(c *inventory.Credential) bool {
	return slices.ContainsFunc(p.APIKeys, func(k inventory.APIKey) bool {
		return k.Account != "" && slices.ContainsFunc(c.Journal.Keys(), func(own rotation.Key) bool { return own.IsCalled(rotation.ShortID(k.Name)) })
	})
}
