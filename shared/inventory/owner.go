package inventory

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"example.com/keyturn/shared/rotation"
)

// held is a key that a journal names.
type held struct {
	secret *Secret
	key    rotation.Key
}

// register knows, of all secrets of a snapshot, which key belongs to which.
type register struct {
	keys    map[string]held      // by the id of a service-account key, or the short id of an API key and its project
	targets map[string][]*Secret // credentials by the account that their keys are of
	home    *Gap                 // why the secrets of keyturn's own project are not known; nil if they are
}

// registerOf reads the journals. Journals name API keys by project id or number.
func registerOf(s *Snapshot) register {
	r := register{keys: map[string]held{}, targets: map[string][]*Secret{}}
	ids := s.projectIDs()
	for i := range s.Projects {
		p := &s.Projects[i]
		if p.ID == s.Home {
			r.home = missing(p.Gaps, Secrets, "")
		}
		for j := range p.Secrets {
			r.add(&p.Secrets[j], ids)
		}
	}
	return r
}

func (r register) add(s *Secret, ids map[string]string) {
	c := s.Credential
	if c == nil {
		return
	}
	target := last(c.Target)
	r.targets[target] = append(r.targets[target], s)
	for _, k := range c.Journal.Keys() {
		if k.ID != "" {
			r.keys[identity(k.ID, ids)] = held{s, k}
		}
	}
}

// instead is the secret of a credential of the account; empty if there is none.
func (r register) instead(account string) string {
	if secrets := r.targets[account]; len(secrets) > 0 {
		return secrets[0].Name
	}
	return ""
}

// identity is a key's id as all sides agree on it: Google names the project of an
// API key by its number, and people by its id.
func identity(id string, ids map[string]string) string {
	project, ok := strings.CutPrefix(id, "projects/")
	if !ok {
		return id
	}
	project, rest, _ := strings.Cut(project, "/")
	return cmp.Or(ids[project], project) + "/" + last(rest)
}

// projectIDs are the ids of the projects by their numbers.
func (s *Snapshot) projectIDs() map[string]string {
	ids := make(map[string]string, len(s.Projects))
	for _, p := range s.Projects {
		if p.Number != "" {
			ids[p.Number] = p.ID
		}
	}
	return ids
}

// claim is what keyturn has to do with a key.
type claim struct {
	held   *held  // the journal names it
	maker  string // secret of the credential for which keyturn made it, although no journal names it; "keyturn" if that is not known; empty if it did not
	unread *Gap   // why neither is known for certain
}

// claimed looks a key up. unread is of the project of the key.
func (r register) claimed(id string, unread *Gap) claim {
	if h, ok := r.keys[id]; ok {
		return claim{held: &h}
	}
	return claim{unread: cmp.Or(r.home, unread)}
}

// madeFor is the secret of a credential for which keyturn has made an uploaded key
// that no journal names: nobody else gives keys of the account a life as long as
// its policy does, to the minute.
func (r register) madeFor(account string, k AccountKey) string {
	if !k.Uploaded || k.Expires.IsZero() {
		return ""
	}
	for _, s := range r.targets[account] {
		more := k.Expires.Sub(k.Created) - s.Credential.Policy.KeyLifetime()
		if more >= 0 && more <= maxBackdate {
			return s.Name
		}
	}
	return ""
}

// maxBackdate is more than keyturn has a certificate begin before it is made.
const maxBackdate = 5 * time.Minute

// madeByKeyturn reports whether an API key has an id as keyturn chooses them.
func madeByKeyturn(id string) bool {
	digits, ok := strings.CutPrefix(id, "keyturn-")
	return ok && len(digits) == 16 && !slices.ContainsFunc([]byte(digits), func(b byte) bool {
		return !strings.ContainsRune("0123456789abcdef", rune(b))
	})
}

// last is the last part of a resource name.
func last(name string) string { return name[strings.LastIndex(name, "/")+1:] }
