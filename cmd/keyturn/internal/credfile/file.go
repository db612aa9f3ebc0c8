// Package credfile reads credentials.yaml, which lists the credentials of a project
// as they should be registered, and compares it with how they are.
package credfile

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"example.com/keyturn/shared/lazyregexp"
	"example.com/keyturn/shared/rotation"
	"example.com/keyturn/shared/yamlfile"
)

// Longest is how long a file may be, in bytes: some ten thousand credentials.
const Longest = 4 << 20

// Credential is one credential as the file wants it.
type Credential struct {
	Secret string // projects/P/secrets/S
	Kind   rotation.Kind
	Target string // as rotation.Credential has it
	Policy rotation.Policy
}

type spec struct {
	Credentials yamlfile.List `yaml:"credentials"`
}

type entry struct {
	Secret         yamlfile.Scalar  `yaml:"secret"`
	ServiceAccount yamlfile.Scalar  `yaml:"service-account"`
	APIKey         yamlfile.Scalar  `yaml:"api-key"`
	Policy         yamlfile.Mapping `yaml:"policy"`
}

type policySpec struct {
	Period         yamlfile.Scalar `yaml:"period"`
	Overlap        yamlfile.Scalar `yaml:"overlap"`
	Quarantine     yamlfile.Scalar `yaml:"quarantine"`
	Propagation    yamlfile.Scalar `yaml:"propagation"`
	StragglerLimit yamlfile.Scalar `yaml:"straggler-limit"`
	KeyMode        yamlfile.Scalar `yaml:"key-mode"`
	Evidence       yamlfile.Scalar `yaml:"evidence"`
	Stragglers     yamlfile.Scalar `yaml:"stragglers"`
	ProbeURL       yamlfile.Scalar `yaml:"probe-url"`
}

// Names completes the short names of a file.
type Names struct {
	Project string              // id of the one whose secrets a file lists
	Secret  func(string) string // the full name of a secret
	Account func(email string) string
	APIKey  func(string) string
}

// Parse reads the content of a file. Its error joins a yamlfile.Problem for each
// thing that is wrong.
func Parse(name string, data []byte, names Names) ([]Credential, error) {
	r := &reader{File: yamlfile.File{Name: name}, names: names, seen: map[string]yamlfile.Position{}}
	root := r.Root(data, "'keyturn apply --help' shows how to begin one")
	if root == nil {
		return nil, r.Err()
	}
	var s spec
	top := r.Mapping(root, "the file")
	if r.Decode(top, &s); s.Credentials == nil && len(r.Problems) == 0 {
		r.Problem(top.At(), "there are no credentials: want 'credentials:' and a list below")
	}
	var all []Credential
	for _, node := range s.Credentials {
		all = append(all, r.credential(node))
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	return all, nil
}

// reader gathers what is wrong.
type reader struct {
	yamlfile.File
	names Names
	seen  map[string]yamlfile.Position // by secret
}

var (
	secretID = lazyregexp.New(`^(projects/[a-z0-9][a-z0-9:.-]{0,61}/secrets/)?[A-Za-z0-9_-]{1,255}$`)
	email    = lazyregexp.New(`^[A-Za-z0-9._-]{1,64}@[A-Za-z0-9.-]{1,128}$`)
	apiKey   = lazyregexp.New(`^(projects/[a-z0-9][a-z0-9:.-]{0,61}/locations/global/keys/)?[A-Za-z0-9-]{1,63}$`)
)

func (r *reader) credential(node ast.Node) (c Credential) {
	m := r.Mapping(node, "a credential")
	if !m.Given() {
		return c
	}
	var e entry
	whole := r.Decode(m, &e) // if not, what seems to be missing may be what is wrong
	if e.Secret.Given() {
		c.Secret = r.secret(e.Secret)
	} else if whole {
		r.Problem(m.At(), "a credential without secret: say which secret holds it")
	}
	switch {
	case !whole && !e.ServiceAccount.Given() && !e.APIKey.Given():
	case e.ServiceAccount.Given() == e.APIKey.Given():
		r.Problem(m.At(), "want either service-account or api-key: whose key the secret holds")
	case e.APIKey.Given():
		c.Kind = rotation.APIKey
		if c.Target = r.names.APIKey(e.APIKey.Text); !apiKey.MatchString(e.APIKey.Text) {
			r.Problem(e.APIKey.At(), "api-key is not the id or full name of an API key, such as gemini")
		}
	default:
		c.Kind = rotation.ServiceAccountKey
		if c.Target = r.names.Account(e.ServiceAccount.Text); !email.MatchString(e.ServiceAccount.Text) {
			r.Problem(e.ServiceAccount.At(), "service-account is not an e-mail address such as billing@acme.iam.gserviceaccount.com")
		}
	}
	c.Policy = r.policy(e.Policy, c.Kind, m.At())
	return c
}

// secret is the full name of a secret, which is one of the project.
func (r *reader) secret(s yamlfile.Scalar) string {
	if !secretID.MatchString(s.Text) {
		r.Problem(s.At(), "secret is not the name of a secret, such as billing-key")
		return ""
	}
	name := r.names.Secret(s.Text)
	if project := strings.Split(name, "/")[1]; project != r.names.Project {
		r.Problem(s.At(), "secret %s is of project %s, and apply looks after those of %s (--project) alone; if that is its number, write only %[1]s", path.Base(name), project, r.names.Project)
	}
	r.once(name, s.At())
	return name
}

// once refuses a secret that is there twice.
func (r *reader) once(secret string, at yamlfile.Position) {
	if first, twice := r.seen[secret]; twice {
		r.Problem(at, "secret %s is there twice, first in line %d", path.Base(secret), first.Line)
		return
	}
	r.seen[secret] = at
}

// Default is the policy of a kind where the file says nothing.
func Default(kind rotation.Kind) rotation.Policy {
	p := rotation.DefaultPolicy
	if kind != rotation.ServiceAccountKey {
		p.KeyMode = ""
	}
	return p
}

func (r *reader) policy(m yamlfile.Mapping, kind rotation.Kind, at yamlfile.Position) rotation.Policy {
	p := Default(kind)
	var s policySpec
	if m.Given() {
		at = m.At()
		r.Decode(m, &s)
	}
	wrong := r.durations(&p, s)
	word(s.KeyMode, &p.KeyMode)
	word(s.Evidence, &p.Evidence)
	word(s.Stragglers, &p.Stragglers)
	word(s.ProbeURL, &p.ProbeURL)
	if s.KeyMode.Given() && kind == rotation.APIKey {
		r.Problem(s.KeyMode.At(), "key-mode is for service-account keys only")
	}
	if err := p.Validate(); err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			if !slices.ContainsFunc(wrong, func(name string) bool { return strings.Contains(line, name) }) {
				r.Problem(at, "policy: %s", line)
			}
		}
	}
	return p
}

// durations reads those of a policy, and returns the names, as rotation has them, of
// those that are none: what is said of their defaults is not about the file.
func (r *reader) durations(p *rotation.Policy, s policySpec) (wrong []string) {
	for _, d := range []struct {
		name string
		text yamlfile.Scalar
		to   *rotation.Duration
	}{
		{"period", s.Period, &p.Period}, {"overlap", s.Overlap, &p.Overlap}, {"quarantine", s.Quarantine, &p.Quarantine},
		{"propagation", s.Propagation, &p.Propagation}, {"stragglerLimit", s.StragglerLimit, &p.StragglerLimit},
	} {
		if !d.text.Given() {
			continue
		}
		got, err := yamlfile.Duration(d.text.Text)
		if err != nil {
			r.Problem(d.text.At(), "want a duration, such as 720h, 30d or 90m")
			wrong = append(wrong, d.name)
			continue
		}
		*d.to = rotation.Duration(got.Truncate(time.Second))
	}
	return wrong
}

func word[S ~string](s yamlfile.Scalar, to *S) {
	if s.Given() {
		*to = S(s.Text)
	}
}
