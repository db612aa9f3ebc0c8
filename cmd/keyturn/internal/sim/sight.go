package sim

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"path"
	"slices"

	"cloud.google.com/go/apikeys/apiv2/apikeyspb"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"example.com/keyturn/internal/localgcp/secretmanager"
	"example.com/keyturn/shared/rotation"
)

// sight is how a credential stands in truth at one moment, whatever the delays
// of the cloud show to others.
type sight struct {
	versions []version           // number n is at n-1
	aliases  map[string]int      // version number by alias
	text     string              // of the journal
	note     string              // the owner's annotation
	journal  rotation.Journal    // zero if it cannot be read
	readable bool                // the journal
	keys     map[string]keyState // of the account, or all API keys; by id
	staged   int                 // private halves that are staged
	disabled bool                // the account
}

// version is one version of the credential's secret.
type version struct {
	state secretmanagerpb.SecretVersion_State
	key   string // id of the key that it holds, as long as it is not destroyed
}

func (v version) enabled() bool { return v.state == secretmanagerpb.SecretVersion_ENABLED }

// keyState is how an existing key stands.
type keyState struct {
	disabled bool
	works    bool   // it authenticates
	change   string // differs after each change of an API key
	uid      string // of an API key
}

// see looks at a credential.
func (w *world) see(c *credential) sight {
	standing, _ := w.gcp.Secrets.Inspect(c.secret)
	s := sight{aliases: map[string]int{}, versions: make([]version, len(standing.Versions))}
	s.keys, s.disabled = w.keys(c)
	for i, v := range standing.Versions {
		s.versions[i] = version{v.State, w.judge.keyIn(c, i+1, v.Payload)}
	}
	for alias, n := range standing.Secret.GetVersionAliases() {
		s.aliases[alias] = int(n)
	}
	annotations := standing.Secret.GetAnnotations()
	s.text, s.note = annotations[rotation.AnnotationJourn], annotations[noted]
	if s.text == c.sight.text { // parsed already
		s.journal, s.readable = c.sight.journal, c.sight.readable
	} else if cred, err := rotation.ParseCredential(c.secret, standing.Secret.GetLabels(), annotations); err == nil {
		s.journal, s.readable = cred.Journal, true
	}
	if sibling, ok := w.gcp.Secrets.Inspect(c.secret + rotation.StagingSuffix); ok {
		s.staged = stagedHalves(sibling)
	}
	return s
}

func stagedHalves(sibling secretmanager.Standing) (n int) {
	for _, v := range sibling.Versions {
		if v.State != secretmanagerpb.SecretVersion_DESTROYED {
			n++
		}
	}
	return n
}

// keys are those of the credential's account; of API keys, which belong to no
// account, all of the project.
func (w *world) keys(c *credential) (found map[string]keyState, disabled bool) {
	found = map[string]keyState{}
	if c.kind == rotation.APIKey {
		for _, k := range w.gcp.APIKeys.Inspect() {
			id := path.Base(k.Key.GetName())
			w.judge.learn(id, func() string { return k.String })
			found[id] = keyState{disabled: blocked(k.Key), works: k.Seen != nil && !blocked(k.Seen), change: k.Key.GetEtag(), uid: k.Key.GetUid()}
		}
		return found, false
	}
	account, _ := w.gcp.IAM.Inspect(path.Base(c.account))
	for _, k := range account.Keys {
		w.judge.learn(k.ID, k.PublicKey.N.String)
		found[k.ID] = keyState{disabled: k.Disabled, works: k.Authenticates}
	}
	return found, account.Disabled
}

// blocked reports whether an API key is disabled in the way that keyturn does it.
func blocked(k *apikeyspb.Key) bool {
	return slices.Equal(k.GetRestrictions().GetServerKeyRestrictions().GetAllowedIps(), []string{"192.0.2.1"})
}

// handed are the versions that consumers are given: by current, and by latest.
func (s sight) handed() map[string]int {
	names := map[string]int{}
	if n := len(s.versions); n > 0 {
		names["latest"] = n
	}
	if n := s.aliases[rotation.AliasCurrent]; n > 0 {
		names[rotation.AliasCurrent] = n
	}
	return names
}

// holders are the numbers of the versions that hold a key and can be read, or
// could be if they were enabled.
func (s sight) holders(key string) (numbers []int) {
	for i, v := range s.versions {
		if v.key == key {
			numbers = append(numbers, i+1)
		}
	}
	return numbers
}

// identity is what tells the key in a payload from all others: the modulus of a
// key file, or an API key's string.
func identity(kind rotation.Kind, payload []byte) string {
	if kind == rotation.APIKey {
		return string(payload)
	}
	var file struct {
		Private string `json:"private_key"`
	}
	if json.Unmarshal(payload, &file) != nil {
		return ""
	}
	block, _ := pem.Decode([]byte(file.Private))
	if block == nil {
		return ""
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return ""
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		return ""
	}
	return private.N.String()
}
