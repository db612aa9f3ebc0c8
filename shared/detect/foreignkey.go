package detect

import (
	"cmp"
	"fmt"
	"strings"

	"example.com/keyturn/shared/lazyregexp"
)

var foreign = detector(Detector{
	Name: ForeignKey,
	Rationale: "keyturn makes every key of the accounts that it manages, and every version of their secrets, and writes it into its journal. A key that is not there was made past it: by a person, by another account, " +
		"or with keyturn's own account taken over. A thief makes one to stay when the stolen key is gone. An API key has no account: it is told as such where keyturn manages API keys of its project. " +
		"Keys of accounts and projects that keyturn does not manage are told for information.",
	Technique: "T1098.001",
	Runbook: "1. Ask who made it whether it was meant; if it was, have 'keyturn adopt' or its deletion end it. 2. If not, disable it, and treat its maker as taken over. " +
		"3. If keyturn's own account made it, disable that account until it is known who used it.",
	Severity: High,
	Unit:     "calls that made or used it, about",
})

// birth is the making of a key or of a version of a secret.
type birth struct {
	id      string // last part of the key's name, or the version's full name
	target  string // e-mail of the account, name of the secret, or project
	managed bool   // whether keyturn makes what the target has
	known   bool   // whether the ledger has it
}

// birthOf is what the entry made; false if it is no key or version.
func (x *ledgerIndex) birthOf(e *Entry) (birth, bool) {
	switch method := lastWord(e.Method); {
	case e.Service == "secretmanager.googleapis.com" && method == "AddSecretVersion":
		return x.versionBorn(e)
	case e.Service == "iam.googleapis.com" && (method == "CreateServiceAccountKey" || method == "UploadServiceAccountKey"),
		e.Service == "storage.googleapis.com" && strings.HasSuffix(e.Method, "hmacKeys.create"),
		e.Service == "apikeys.googleapis.com" && (method == "CreateKey" || method == "CloneKey"):
		b := birth{id: lastPart(e.Born), target: cmp.Or(e.Account, accountOf(e.Born), accountOf(e.Resource), e.Project)}
		b.managed, b.known = x.makesFor(b.target), x.keys[b.id] != nil
		return b, b.id != ""
	}
	return birth{}, false
}

// makesFor reports whether keyturn makes the keys of an account, or the API keys of
// a project.
func (x *ledgerIndex) makesFor(target string) bool {
	return x.accounts[target] != nil || x.projects[target]
}

// versionBorn is a new version of a managed secret. The ledger may not know
// versions; then those of a rotator pass.
func (x *ledgerIndex) versionBorn(e *Entry) (birth, bool) {
	s, version := x.ofEntry(e, e.Born)
	if s == nil || version == "" {
		return birth{}, false
	}
	return birth{id: s.name + "/versions/" + version, target: s.name, managed: true, known: s.versions[version] || s.versions == nil && x.rotators[e.identity()]}, true
}

// lastWord is what follows the last dot.
func lastWord(method string) string { return method[strings.LastIndexByte(method, '.')+1:] }

// madeKey takes in the making of a key. What a rotator made may be in its journal
// only later, or be gone soon because it did not work.
func (g *Engine) madeKey(e *Entry, t int64, into []Finding) []Finding {
	b, ok := g.ledger.birthOf(e)
	maker := e.identity()
	own := g.ledger.rotators[maker]
	if !ok || b.known || !b.managed && own {
		return into
	}
	s := g.store.get(nameOf(keySubject + b.id))
	s.meet(t)
	s.describe(e, t)
	s.noted(noteKey, t, visible("//"+e.Service+"/"+strings.TrimPrefix(e.Born, "//"+e.Service+"/"), maxKeyName))
	n := sightingOf(keyBorn, hash(maker), e, t, maker, b.target)
	n.day = 0
	s.sight(n)
	s.sightOrigin(n, e)
	switch {
	case own:
		g.waiting.add(wait{name: s.name, detector: foreign.id, day: ownBirth}, t, t+patient)
	case !g.ledger.knows(t):
		g.await(wait{name: s.name, detector: foreign.id}, t)
	default:
		return g.judgeForeign(s, into)
	}
	return into
}

// ownBirth marks questions about what a rotator made. No ledger answers them
// early: a turn that died is repeated before the journal names the key.
const ownBirth = 1

// deletedKey takes in that a key was deleted which keyturn does not know: maybe by
// its maker, who never gave it to anybody.
func (g *Engine) deletedKey(e *Entry, t int64) {
	id, account := lastPart(e.Resource), cmp.Or(e.Account, accountOf(e.Resource))
	if id == "" || g.ledger.keys[id] != nil || g.ledger.accounts[account] == nil {
		return
	}
	s := g.store.get(nameOf(keySubject + id))
	s.meet(t)
	n := sightingOf(keyGone, hash(e.identity()), e, t, e.identity(), account)
	n.day = 0
	s.sight(n)
}

// undone reports whether a key was never used, and was deleted by whoever made it.
func (s *subject) undone() bool {
	for _, b := range s.of(keyBorn) {
		if _, gone := place(s.sightings, mark{kind: keyGone, what: b.what}); !gone {
			return false
		}
	}
	return len(s.of(keyUse)) == 0
}

// judgeForeign judges a key or version that keyturn did not make, by who made it
// and that it is used.
func (g *Engine) judgeForeign(s *subject, into []Finding) []Finding {
	id := s.name[len(keySubject):]
	births, uses := s.of(keyBorn), s.of(keyUse)
	if g.ledger.keys[id] != nil || g.ledger.hasVersion(id) || s.undone() || g.unknowable(s.born) {
		return into
	}
	v := verdictOf(foreign, Warning, append(births[:len(births):len(births)], uses...))
	v.usedOn()
	target := v.seen[0].first.target
	v.subject = target
	maker := "nobody that the log tells of"
	if len(births) > 0 {
		v.severity, v.subject, maker = High, births[0].name, visible(births[0].name, maxSubject)
		if g.ledger.rotators[births[0].name] {
			v.severity, maker = Critical, maker+", which is keyturn's own account,"
		}
	}
	secret := g.ledger.accounts[target]
	if secret == nil {
		secret = g.ledger.named(target)
	}
	switch {
	case secret != nil:
		v.credential, v.advice = secret.name, foreignAdvice(id, secret)
	case g.ledger.projects[target]:
		v.advice = apiKeyAdvice(id, target)
	default:
		v.severity, v.advice = Info, "nothing, if its maker may make keys; 'keyturn adopt' has them rotated"
	}
	v.reason = func() string {
		if len(uses) == 0 {
			return fmt.Sprintf("%s made %s of %s, and keyturn's journals do not know it", maker, visible(id, maxSubject), target)
		}
		return fmt.Sprintf("%s of %s is not in keyturn's journals; it was made by %s and used from %s", visible(id, maxSubject), target, maker, uses[0].name)
	}
	return g.tell(s, v, into)
}

var (
	hmacKey       = lazyregexp.New(`^GOOG1[A-Z0-9]{10,70}$`)
	apiKeyID      = lazyregexp.New(`^[A-Za-z0-9_-]{1,63}$`)
	secretVersion = lazyregexp.New(`^projects/([a-z0-9.:-]+)/secrets/([A-Za-z0-9_-]+)/versions/([0-9]{1,9})$`)
)

// foreignAdvice is the command that stops a key or version; names go into it only
// if they cannot be anything else.
func foreignAdvice(id string, s *ledgerSecret) string {
	switch m := secretVersion.FindStringSubmatch(id); {
	case m != nil:
		return fmt.Sprintf("keyturn rotate %s && gcloud secrets versions disable %s --secret=%s --project=%s  (first a version of keyturn's own, so that the latest one works)", s.name, m[3], m[2], m[1])
	case len(id) == 40 && managedKey.MatchString(id):
		return disableKey(id, s.account)
	case hmacKey.MatchString(id):
		return "gcloud storage hmac update " + id + " --deactivate"
	}
	return "have the key deleted by whoever may, unless its maker knows of it"
}

// apiKeyAdvice is the same for an API key of a project.
func apiKeyAdvice(id, project string) string {
	if !apiKeyID.MatchString(id) {
		return "have the key deleted by whoever may, unless its maker knows of it"
	}
	return fmt.Sprintf("gcloud services api-keys delete %s --project=%s, unless its maker knows of it", id, project)
}
