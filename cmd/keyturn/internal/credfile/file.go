// Package credfile reads credentials.yaml, which lists the credentials of a project
// as they should be registered, and compares it with how they are.
package credfile

import (
	"path"
	"regexp"
	"strings"
	"time"

	"example.com/keyturn/shared/rotation"
	"example.com/keyturn/shared/yamlfile"
	"github.com/goccy/go-yaml/ast"
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
	secretID = regexp.MustCompile(`^(projects/[a-z0-9][a-z0-9:.-]{0,61}/secrets/)?[A-Za-z0-9_-]{1,255}$`)
	email    = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}@[A-Za-z0-9.-]{1,128}$`)
	apiKey   = regexp.MustCompile(`^(projects/[a-z0-9][a-z0-9:.-]{0,61}/locations/global/keys/)?[A-Za-z0-9-]{1,63}$`)
)

func (r *reader) credential(node ast.Node) (c Credential) {
	m := r.Mapping(node, "a credential")
	var e entry
	if !m.Given() || !r.Decode(m, &e) {
		return c
	}
	if !e.Secret.Given() {
		r.Problem(m.At(), "a credential without secret: say which secret holds it")
	} else if !secretID.MatchString(e.Secret.Text) {
		r.Problem(e.Secret.At(), "secret is not the name of a secret, such as billing-key")
	} else {
		c.Secret = r.names.Secret(e.Secret.Text)
		r.once(c.Secret, e.Secret.At())
	}
	switch {
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
		if at = m.At(); !r.Decode(m, &s) {
			return p
		}
	}
	before := len(r.Problems)
	r.duration(s.Period, &p.Period)
	r.duration(s.Overlap, &p.Overlap)
	r.duration(s.Quarantine, &p.Quarantine)
	r.duration(s.Propagation, &p.Propagation)
	r.duration(s.StragglerLimit, &p.StragglerLimit)
	word(s.KeyMode, &p.KeyMode)
	word(s.Evidence, &p.Evidence)
	word(s.Stragglers, &p.Stragglers)
	word(s.ProbeURL, &p.ProbeURL)
	if s.KeyMode.Given() && kind == rotation.APIKey {
		r.Problem(s.KeyMode.At(), "key-mode is for service-account keys only")
	}
	if err := p.Validate(); err != nil && len(r.Problems) == before {
		for _, line := range strings.Split(err.Error(), "\n") {
			r.Problem(at, "policy: %s", line)
		}
	}
	return p
}

func word[S ~string](s yamlfile.Scalar, to *S) {
	if s.Given() {
		*to = S(s.Text)
	}
}

func (r *reader) duration(s yamlfile.Scalar, to *rotation.Duration) {
	if !s.Given() {
		return
	}
	d, err := yamlfile.Duration(s.Text)
	if err != nil {
		r.Problem(s.At(), "want a duration, such as 720h, 30d or 90m")
		return
	}
	*to = rotation.Duration(d.Truncate(time.Second))
}
