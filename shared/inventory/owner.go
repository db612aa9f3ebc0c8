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
	broken  map[string]*Gap      // journals that cannot be read, by what their keys are of: an account, or a project's API keys
	unread  *Gap                 // why any key may be in a journal that was not read; nil if all were
}

// registerOf reads the journals. Journals name API keys by project id or number.
func registerOf(s *Snapshot) register {
	r := register{keys: map[string]held{}, targets: map[string][]*Secret{}, broken: map[string]*Gap{}, unread: s.hidden()}
	ids := s.projectIDs()
	for i := range s.Projects {
		for j := range s.Projects[i].Secrets {
			r.add(&s.Projects[i].Secrets[j], ids)
		}
	}
	return r
}

func (r *register) add(s *Secret, ids map[string]string) {
	c := s.Credential
	if s.Broken != "" {
		r.lose(s, ids)
	}
	if c == nil {
		return
	}
	target := last(c.Target)
	if c.Kind == rotation.APIKey {
		target = identity(c.Target, ids)
	}
	r.targets[target] = append(r.targets[target], s)
	for _, k := range c.Journal.Keys() {
		if k.ID != "" {
			r.keys[identity(k.ID, ids)] = held{s, k}
		}
	}
}

// lose notes a journal that cannot be read. Whose keys it names, its target tells, if
// that can be read.
func (r *register) lose(s *Secret, ids map[string]string) {
	gap := s.gap()
	switch {
	case strings.Contains(s.Target, "/serviceAccounts/"):
		r.broken[last(s.Target)] = &gap
	case s.Target != "":
		r.broken[apiKeysOf(projectOf(s.Target), ids)] = &gap
	case r.unread == nil:
		r.unread = &gap
	}
}

// apiKeysOf is what all API keys of a project are of.
func apiKeysOf(project string, ids map[string]string) string {
	return "projects/" + cmp.Or(ids[project], project)
}

// instead is the secret of a credential of the account, or of one that was registered
// by this API key; empty if there is none.
func (r register) instead(target string) string {
	if secrets := r.targets[target]; len(secrets) > 0 {
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
	unread *Gap   // why that is not known for certain
}

// claimed looks a key up, which is of an account or of the API keys of a project.
func (r register) claimed(id, of string) claim {
	if h, ok := r.keys[id]; ok {
		return claim{held: &h}
	}
	return claim{unread: cmp.Or(r.broken[of], r.unread)}
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
