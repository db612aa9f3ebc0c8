package detect

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"example.com/keyturn/shared/lazyregexp"
)

// ledgerIndex answers what the detectors ask of a ledger.
type ledgerIndex struct {
	at       int64 // up to when it knows, in milliseconds of Unix time
	empty    bool  // nothing is managed
	missing  bool  // there is no ledger
	keys     map[string]*ledgerKey
	secrets  map[secretRef]*ledgerSecret
	accounts map[string]*ledgerSecret // by the e-mail of the target
	projects map[string]bool          // whose API keys are managed
	rotators map[string]bool
}

// secretRef names a secret in a project, by whatever of its names.
type secretRef struct{ project, id string }

// ledgerSecret is a managed secret with its keys.
type ledgerSecret struct {
	name, account string // the account's e-mail; "" if the target is none
	rotation      int    // the latest
	keysAre       string // what the names of an account's keys begin with; "" when not known
	readers       map[string]bool
	labels        map[string]string // that Secret Manager takes
	keys          []*ledgerKey
	versions      map[string]bool // that hold keys; nil when not known
}

var (
	managedSecret = lazyregexp.New(`^projects/([a-z0-9.:-]+)/secrets/([A-Za-z0-9_-]+)$`)
	managedKey    = lazyregexp.New(`^([0-9a-f]{40}|projects/[a-z0-9.:-]+/locations/global/keys/[A-Za-z0-9_-]+)$`)
	labelName     = lazyregexp.New(`^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$`)
	labelValue    = lazyregexp.New(`^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$`)
	versionNumber = lazyregexp.New(`^[0-9]{1,9}$`)
	apiKeyName    = lazyregexp.New(`^//apikeys\.googleapis\.com/projects/([a-z0-9.:-]+)/locations/global/keys/`)
	accountFull   = lazyregexp.New(`^//iam\.googleapis\.com/projects/[a-z0-9.:-]+/serviceAccounts/[A-Za-z0-9._-]+@[A-Za-z0-9._-]+$`)
	accountName   = lazyregexp.New(`/serviceAccounts/([A-Za-z0-9._-]+@[A-Za-z0-9._-]+)$`)
)

// index leaves out what is not well formed: names end up in commands that people
// copy.
func (l *Ledger) index() *ledgerIndex {
	x := &ledgerIndex{at: latestTime, keys: make(map[string]*ledgerKey), secrets: make(map[secretRef]*ledgerSecret), accounts: make(map[string]*ledgerSecret), projects: make(map[string]bool), rotators: make(map[string]bool)}
	if l == nil {
		x.empty, x.missing = true, true
		return x
	}
	if !l.At.IsZero() {
		x.at = l.At.UnixMilli()
	}
	for _, r := range l.Rotators {
		x.rotators[r] = r != ""
	}
	for _, s := range l.Secrets {
		x.secret(s)
	}
	listed := make(map[string]bool)
	for _, k := range l.Keys {
		listed[k.ID] = true
	}
	for _, k := range l.Retired {
		if listed[k.ID] {
			continue // it was brought back
		}
		x.add(k.Secret, &ledgerKey{id: k.ID, given: milli(k.Given), superseded: milli(k.Superseded), disabled: milli(k.Disabled), deleted: milli(k.Deleted)}, k.Versions)
	}
	for _, k := range l.Keys {
		x.add(k.Secret, k.indexed(), k.Versions)
	}
	for _, s := range x.secrets {
		s.order()
	}
	x.empty = len(x.secrets) == 0
	return x
}

func milli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// secret returns the one of a name, a new one if there was none; nil if the name
// is none.
func (x *ledgerIndex) secret(s LedgerSecret) *ledgerSecret {
	m := managedSecret.FindStringSubmatch(s.Name)
	if m == nil {
		return nil
	}
	ref := secretRef{m[1], m[2]}
	if x.secrets[ref] == nil {
		x.secrets[ref] = &ledgerSecret{name: s.Name, readers: make(map[string]bool)}
	}
	known := x.secrets[ref]
	for _, r := range s.Readers {
		known.readers[r] = true
	}
	known.label(s.Labels)
	known.rotation = max(known.rotation, s.Rotation)
	if p := apiKeyName.FindStringSubmatch(s.Target); p != nil {
		x.projects[p[1]] = true
	}
	if a := accountName.FindStringSubmatch(s.Target); a != nil {
		known.account = a[1]
		if accountFull.MatchString(s.Target) {
			known.keysAre = s.Target + "/keys/"
		}
		if other := x.accounts[a[1]]; other == nil || other.name > s.Name {
			x.accounts[a[1]] = known
		}
	}
	return known
}

// maxLabels is how many a secret may have.
const maxLabels = 64

// label takes in labels, as far as a secret can have them.
func (s *ledgerSecret) label(labels map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if len(s.labels) < maxLabels && labelName.MatchString(name) && labelValue.MatchString(labels[name]) {
			if s.labels == nil {
				s.labels = make(map[string]string)
			}
			s.labels[name] = labels[name]
		}
	}
}

func (x *ledgerIndex) add(secret string, k *ledgerKey, versions []string) {
	s := x.secret(LedgerSecret{Name: secret})
	if s == nil || !managedKey.MatchString(k.id) {
		return
	}
	k.secret = s
	s.keys = append(s.keys, k)
	x.keys[lastPart(k.id)] = k
	for _, v := range versions {
		if versionNumber.MatchString(v) && len(k.versions) < maxListed {
			k.versions = append(k.versions, v)
		}
		if s.versions == nil {
			s.versions = make(map[string]bool)
		}
		s.versions[v] = true
	}
}

// order puts the keys into the order in which they were given, and fills in when
// each was superseded where only the next one tells.
func (s *ledgerSecret) order() {
	slices.SortFunc(s.keys, func(a, b *ledgerKey) int { return cmp.Or(cmp.Compare(a.given, b.given), cmp.Compare(a.id, b.id)) })
	next := int64(0)
	for _, k := range slices.Backward(s.keys) {
		if k.given == 0 {
			next = 0 // it was given after the others, if at all
		}
		if k.superseded == 0 && !k.active {
			k.superseded = cmp.Or(next, k.left, k.disabled)
		}
		if k.given != 0 {
			next = k.given
		}
	}
}

// promoted returns when the latest key was given before t, not earlier than from;
// 0 if none was.
func (s *ledgerSecret) promoted(from, t int64) int64 {
	latest := int64(0)
	for _, k := range s.keys {
		if k.given >= from && k.given <= t {
			latest = max(latest, k.given)
		}
	}
	return latest
}

// ofEntry is the managed secret that a call of Secret Manager is about, and the
// version; nil if it is none. Google names the project by its number there.
func (x *ledgerIndex) ofEntry(e *Entry, resource string) (s *ledgerSecret, version string) {
	rest, ok := strings.CutPrefix(resource, "projects/")
	project, rest, found := strings.Cut(rest, "/secrets/")
	if !ok || !found {
		return nil, ""
	}
	id, version, _ := strings.Cut(rest, "/versions/")
	if s = x.secrets[secretRef{e.Project, id}]; s == nil {
		s = x.secrets[secretRef{project, id}]
	}
	return s, version
}

// named is the secret of a name; nil if it is not managed.
func (x *ledgerIndex) named(name string) *ledgerSecret {
	if m := managedSecret.FindStringSubmatch(name); m != nil {
		return x.secrets[secretRef{m[1], m[2]}]
	}
	return nil
}

// hasVersion reports whether a version's full name is one that holds a key.
func (x *ledgerIndex) hasVersion(name string) bool {
	secret, version, _ := strings.Cut(name, "/versions/")
	s := x.named(secret)
	return s != nil && s.versions[version]
}

// key is the one of a full name, or of an id; nil if it is not managed.
func (x *ledgerIndex) key(name string) *ledgerKey {
	if x.empty {
		return nil
	}
	return x.keys[lastPart(name)]
}

// manages reports whether the account of a key's full name is managed.
func (x *ledgerIndex) manages(keyName string) bool {
	return !x.empty && x.accounts[accountOf(keyName)] != nil
}

// credential is the secret that the key of a full name belongs to.
func (x *ledgerIndex) credential(keyName string) string {
	if k := x.key(keyName); k != nil {
		return k.secret.name
	}
	return ""
}

// labels are those of the secret of a name; nil if it is not managed or has none.
func (x *ledgerIndex) labels(secret string) map[string]string {
	if s := x.named(secret); s != nil {
		return maps.Clone(s.labels)
	}
	return nil
}

// fullName is that of the key of an id, and else what it is called.
func (x *ledgerIndex) fullName(id, called string) string {
	k := x.keys[lastPart(id)]
	switch {
	case id == "" || lastPart(called) == lastPart(id) || k == nil:
	case k.id != lastPart(k.id):
		return "//apikeys.googleapis.com/" + k.id
	case k.secret.keysAre != "":
		return k.secret.keysAre + k.id
	default:
		return k.id
	}
	return called
}

// lastPart is what follows the last slash.
func lastPart(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }
